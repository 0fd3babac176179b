"""Answers: where they go, and what they repeat of the request."""

import pytest

from voxpath.core.effects import Datagram
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.sip.header import parse_address, vias
from voxpath.sip.message import Request, Response
from voxpath.sip.reply import Incoming, reply
from voxpath.sip.wire import parse

SOURCE = Endpoint("203.0.113.1", 2048)
INVITE = (
    "INVITE sip:b1@voip.example SIP/2.0\r\n"
    "Via: SIP/2.0/UDP {via}\r\n"
    "From: <sip:a1@voip.example>;tag=1928301774\r\n"
    "To: {to}\r\n"
    "Call-ID: a84b4c76e66710@10.0.0.11\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Content-Length: 0\r\n\r\n"
)


def incoming(via: str = "10.0.0.11:2048;branch=z9hG4bK1;rport", to: str = "<sip:b1@voip.example>", text: str = INVITE) -> Incoming:
    """The INVITE as it came in."""
    datagram = Datagram(text.format(via=via, to=to).encode(), SOURCE, "198.51.100.10", "eth0", "sip")
    request = parse(datagram.payload)
    assert isinstance(request, Request)
    try:
        top = vias(request)[0]
    except RemoteError:
        top = None
    return Incoming(request, datagram, top)


def answer(message: Incoming, status: int = 480) -> Response:
    response = parse(reply(message, status).payload)
    assert isinstance(response, Response)
    return response


def test_an_answer_repeats_what_identifies_the_request() -> None:
    """RFC 3261 section 8.2.6.2."""
    response = answer(incoming())
    assert (response.status, response.reason, response.body) == (480, "Temporarily Unavailable", b"")
    assert response.value("from") == "<sip:a1@voip.example>;tag=1928301774"
    assert response.value("call-id") == "a84b4c76e66710@10.0.0.11"
    assert response.value("cseq") == "314159 INVITE"
    assert response.value("content-length") == "0"


def test_an_answer_goes_back_to_the_source_port_when_rport_asks_for_it() -> None:
    """RFC 3581 section 4: and the Via tells the client what its address looks like from here."""
    message = incoming()
    assert reply(message, 480).destination == SOURCE
    [via] = vias(answer(message))
    assert via.params == {"branch": "z9hG4bK1", "rport": "2048", "received": "203.0.113.1"}
    assert (via.host, via.port) == ("10.0.0.11", 2048)


@pytest.mark.parametrize(
    ("via", "port"),
    [("10.0.0.11:2050;branch=z9hG4bK1", 2050), ("pc33.voip.example;branch=z9hG4bK1", 5060), ("203.0.113.1;branch=z9hG4bK1", 5060)],
)
def test_without_rport_an_answer_goes_to_the_port_that_the_via_names(via: str, port: int) -> None:
    """RFC 3261 section 18.2.2: but always to the host that the packet came from."""
    assert reply(incoming(via), 480).destination == Endpoint("203.0.113.1", port)


@pytest.mark.parametrize(("via", "port"), [("h:69", 2048), ("h:0", 2048), ("h:1023", 2048), ("h:1024", 1024), ("h", 5060)])
def test_an_answer_does_not_go_to_ports_of_other_services(via: str, port: int) -> None:
    """Whoever forges a source could have this server speak to the host's DNS or TFTP."""
    assert reply(incoming(f"{via};branch=z9hG4bK1"), 480).destination == Endpoint("203.0.113.1", port)


def test_many_vias_in_one_field_do_not_make_the_answer_larger() -> None:
    below = ",".join(["a/a/a a"] * 90)
    message = incoming(f"10.0.0.11;branch=b,{below}")
    assert len(vias(answer(message))) == 91
    assert len(reply(message, 480).payload) < len(message.datagram.payload) + 250


def test_an_answer_does_not_go_where_a_message_says() -> None:
    """Neither maddr nor a received of the client's own lets it send this server's packets to others."""
    message = incoming("192.0.2.9;maddr=192.0.2.8;received=192.0.2.7;rport=99;branch=z9hG4bK1")
    assert reply(message, 480).destination == SOURCE
    [via] = vias(answer(message))
    assert (via.params["received"], via.params["rport"]) == ("203.0.113.1", "2048")


def test_received_is_left_out_where_it_says_nothing_new() -> None:
    """RFC 3261 section 18.2.1."""
    [via] = vias(answer(incoming("203.0.113.1:2048;branch=z9hG4bK1")))
    assert "received" not in via.params


def test_an_answer_leaves_by_the_port_and_from_the_address_that_the_request_came_to() -> None:
    """A phone behind a NAT or a firewall takes packets from nobody else."""
    send = reply(incoming(), 200)
    assert (send.port, send.source) == ("sip", "198.51.100.10")


def test_all_vias_are_repeated_in_their_order_and_only_the_first_is_completed() -> None:
    """RFC 3261 section 8.2.6.2."""
    below = "p2.example;branch=z9hG4bK2,SIP/2.0/TCP p3.example;branch=z9hG4bK3\r\nVia: SIP/2.0/UDP p4.example;branch=z9hG4bK4"
    found = vias(answer(incoming(f"10.0.0.11;rport;branch=z9hG4bK1, SIP/2.0/UDP {below}")))
    assert [via.host for via in found] == ["10.0.0.11", "p2.example", "p3.example", "p4.example"]
    assert ["received" in via.params for via in found] == [True, False, False, False]


def test_a_via_field_without_a_value_is_none() -> None:
    """The topmost Via is the first one that says something."""
    [via] = vias(
        answer(incoming("\r\nVia: SIP/2.0/UDP 10.0.0.11;branch=z9hG4bK1", text=INVITE.replace("SIP/2.0/UDP {via}", "{via}")))
    )
    assert (via.host, via.params["received"]) == ("10.0.0.11", "203.0.113.1")


def test_a_via_that_cannot_be_read_is_repeated_as_it_is_and_answered_at_the_source() -> None:
    """RFC 4475 section 3.1.2.1."""
    message = incoming("192.0.2.15;;,;,,")
    assert message.via is None
    send = reply(message, 400)
    assert send.destination == SOURCE
    assert b"\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" in send.payload


def test_a_repeated_request_gets_the_same_to_tag_and_another_request_another_one() -> None:
    """RFC 3261 section 8.2.7: the server remembers no transaction."""
    first, again, other = (answer(incoming(f"10.0.0.11;branch={branch}")).value("to") for branch in ("b1", "b1", "b2"))
    assert parse_address(first).tag
    assert first == again != other


@pytest.mark.parametrize("to", ["<sip:b1@voip.example>;tag=abc", "sip:b1@voip.example;tag=abc"])
def test_a_to_tag_of_the_request_stays(to: str) -> None:
    """RFC 3261 section 8.2.6.2."""
    assert answer(incoming(to=to)).value("to") == to


def test_a_tag_is_no_part_of_a_uri_without_brackets() -> None:
    """RFC 3261 section 20: what follows such a URI belongs to the header."""
    to = answer(incoming(to="sip:b1@voip.example")).value("to")
    assert parse_address(to).uri == "sip:b1@voip.example"
    assert parse_address(to).tag


def test_octets_that_are_no_text_come_back_unchanged() -> None:
    """Old phones write display names in Latin-1."""
    text = INVITE.replace("<sip:a1", "J\udcfcrgen <sip:a1").format(via="10.0.0.11;branch=b", to="<sip:b1@voip.example>")
    datagram = Datagram(text.encode("utf-8", "surrogateescape"), SOURCE)
    request = parse(datagram.payload)
    assert isinstance(request, Request)
    assert b"From: J\xfcrgen <sip:a1@" in reply(Incoming(request, datagram, vias(request)[0]), 404).payload


def test_further_headers_and_a_reason_of_its_own() -> None:
    """A refusal names the defect."""
    send = reply(incoming(), 420, "No Such Extension", [("Unsupported", "path")])
    assert send.payload.startswith(b"SIP/2.0 420 No Such Extension\r\n")
    response = parse(send.payload)
    assert response.value("unsupported") == "path"
