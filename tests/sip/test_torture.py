"""The torture messages of RFC 4475, octet for octet: what the readers say to each."""

from pathlib import Path
from typing import NamedTuple

import pytest

from voxpath.sip.header import contacts, credentials, parse_address, q_of, vias
from voxpath.sip.message import Message, Request, Response
from voxpath.sip.uri import SipUri
from voxpath.sip.validity import check
from voxpath.sip.wire import SipError, parse, print_request, print_response

VECTORS = Path(__file__).parents[1] / "vectors" / "sip-rfc4475"


class Verdict(NamedTuple):
    """What is said to a message.

    :ivar code: of the refusal; 0: the message is read.
    :ivar answerable: whether the refusal carries the request.
    """

    section: str
    code: int = 0
    answerable: bool = True


READ = {
    name: Verdict(section)
    for name, section in {
        "wsinv": "3.1.1.1",
        "intmeth": "3.1.1.2",
        "esc01": "3.1.1.3",
        "escnull": "3.1.1.4",
        "esc02": "3.1.1.5",
        "lwsdisp": "3.1.1.6",
        "longreq": "3.1.1.7",
        "dblreq": "3.1.1.8",
        "semiuri": "3.1.1.9",
        "transports": "3.1.1.10",
        "mpart01": "3.1.1.11",
        "unreason": "3.1.1.12",
        "noreason": "3.1.1.13",
        # Liberal: the number is nobody's but the response's own, and a server drops responses.
        "scalarlg": "3.1.2.5",
        # Liberal: nothing else can be meant.
        "ltgtruri": "3.1.2.7",
        "lwsstart": "3.1.2.9",
        "trws": "3.1.2.10",
        # Liberal: the headers in the Request-URI, and the Date, are read by nobody.
        "escruri": "3.1.2.11",
        "baddate": "3.1.2.12",
        # Liberal: the brackets are inferred.
        "regbadct": "3.1.2.13",
        # Liberal: the spaces are ignored; the comma belongs to the name, as there is one From and one To.
        "badaspec": "3.1.2.14",
        "baddn": "3.1.2.15",
        # Well-formed; what is wrong is for the server to say.
        "badbranch": "3.2.1",
        "unksm2": "3.3.4",
        "bext01": "3.3.5",
        "invut": "3.3.6",
        "regaut01": "3.3.7",
        "bcast": "3.3.10",
        "zeromf": "3.3.11",
        "cparam01": "3.3.12",
        "cparam02": "3.3.13",
        "regescrt": "3.3.14",
        "sdp01": "3.3.15",
        "inv2543": "3.4.1",
    }.items()
}
REFUSED = {
    "badinv01": Verdict("3.1.2.1", 400),
    "clerr": Verdict("3.1.2.2", 400),
    "ncl": Verdict("3.1.2.3", 400),
    "scalar02": Verdict("3.1.2.4", 400),
    "quotbal": Verdict("3.1.2.6", 400),
    "lwsruri": Verdict("3.1.2.8", 400),
    "badvers": Verdict("3.1.2.16", 505),
    "mismatch01": Verdict("3.1.2.17", 400),
    "mismatch02": Verdict("3.1.2.18", 501),
    "bigcode": Verdict("3.1.2.19", 400, answerable=False),
    "insuf": Verdict("3.3.1", 400),
    "unkscm": Verdict("3.3.2", 416),
    "novelsc": Verdict("3.3.3", 416),
    "multi01": Verdict("3.3.8", 400),
    "mcl01": Verdict("3.3.9", 400),
}
VERDICTS = {**READ, **REFUSED}
RESPONSES = {"unreason", "noreason", "scalarlg", "bcast"}


def octets(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def read(payload: bytes) -> Message:
    """Read a message and look at it as a server does before it acts."""
    message = parse(payload)
    if isinstance(message, Request):
        check(message)
    return message


def request(name: str) -> Request:
    message = read(octets(name))
    assert isinstance(message, Request)
    return message


def test_there_is_a_verdict_for_each_message() -> None:
    assert sorted(VERDICTS) == sorted(path.stem for path in VECTORS.glob("*.dat"))


@pytest.mark.parametrize("name", READ)
def test_a_message_that_is_read_can_be_printed_and_read_again(name: str) -> None:
    message = read(octets(name))
    assert isinstance(message, Response) == (name in RESPONSES)
    printed = print_request(message) if isinstance(message, Request) else print_response(message)  # type: ignore[arg-type]  # there are two kinds
    again = read(printed)
    own = [("content-length", [str(len(message.body))])]
    assert [*again.headers.items()] == [each for each in message.headers.items() if each[0] != "content-length"] + own
    assert again.body == message.body


@pytest.mark.parametrize("name", READ)
def test_all_typed_headers_of_a_message_that_is_read_can_be_read(name: str) -> None:
    message = read(octets(name))
    assert vias(message)
    for address in (*contacts(message), *(parse_address(message.value(each)) for each in ("from", "to"))):
        if address.uri.startswith("sip"):
            assert SipUri.parse(str(SipUri.parse(address.uri))) == SipUri.parse(address.uri)
    assert [q_of(each) for each in contacts(message)] == ([330] if name == "wsinv" else [1000] * len(contacts(message)))


@pytest.mark.parametrize("name", REFUSED)
def test_a_message_that_is_refused_has_its_code_and_what_an_answer_needs(name: str) -> None:
    _, code, answerable = REFUSED[name]
    with pytest.raises(SipError) as refusal:
        read(octets(name))
    error = refusal.value
    assert error.code == code
    assert error.section
    if not answerable:
        assert error.request is None
        return
    assert error.request is not None
    assert error.request.method == octets(name).split(b" ")[0].decode()
    for header in ("via", "cseq") if name == "insuf" else ("via", "from", "to", "call-id", "cseq"):
        assert error.request.value(header), header


def test_a_message_without_the_empty_line_is_the_same_as_with_it() -> None:
    """Copies of baddn differ in that."""
    assert octets("baddn").endswith(b"\nl: 0\r\n")
    assert read(octets("baddn")).headers == read(octets("baddn") + b"\r\n").headers


def test_white_space_and_folding_of_wsinv_are_read_as_meant() -> None:
    message = request("wsinv")
    assert SipUri.parse(message.uri).params == {"unknownparam": None}
    assert parse_address(message.value("to")) == ("", "sip:vivekg@chair-dnrc.example.com", {"tag": "1918181833n"})
    assert parse_address(message.value("from")) == ('J Rosenberg \\"', "sip:jdrosen@example.com", {"tag": "98asjd8"})
    assert message.value("max-forwards") == "0068"
    assert [(via.transport, via.host, via.params["branch"]) for via in vias(message)] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.values("subject") == [""]
    assert message.value("newfangledheader").split() == ["newfangled", "value", "continued", "newfangled", "value"]
    assert message.value("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert contacts(message) == (
        ('Quoted string ""', "sip:jdrosen@example.com", {"newparam": "newvalue", "secondparam": None, "q": "0.33"}),
    )
    assert len(message.body) == 150


def test_unusual_octets_of_intmeth_survive() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert parse_address(message.value("to")).display == "BEL:\a NUL:\0 DEL:\x7f"
    origin = parse_address(message.value("from"))
    assert origin.display == "token1~` token2'+_ token3*%!.-"
    assert origin.params == {"fromparam''~+*_!.-%": '"работающий"', "tag": "_token~1'+`*%!-."}
    assert message.value("call-id") == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.value("extensionheader-!.%*+_`'~") == "\ufeff大停電"


def test_an_escaped_method_or_header_name_is_not_unescaped() -> None:
    """esc02 is no REGISTER, and has two contacts."""
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert [each.uri for each in contacts(message)] == ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"]
    assert parse_address(message.value("to")).display == "%Z%45"


def test_users_with_nuls_are_different_users() -> None:
    message = request("escnull")
    assert [SipUri.parse(each.uri).user for each in contacts(message)] == ["\0", "\0\0"]
    assert SipUri.parse(parse_address(message.value("to")).uri).aor == "null-\0-null@example.com"


def test_what_follows_the_first_of_two_requests_is_ignored() -> None:
    message = request("dblreq")
    assert (message.method, message.body, len(message.values("cseq"))) == ("REGISTER", b"", 1)


def test_many_long_vias_are_read() -> None:
    found = vias(request("longreq"))
    assert [via.host for via in found] == [*(f"sip{number}.example.com" for number in range(33, 0, -1)), "host.example.com"]
    assert len(found[-1].params["branch"] or "") > 100


def test_unknown_transports_in_lower_vias_are_read() -> None:
    assert [via.transport for via in vias(request("transports"))] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_a_binary_body_is_kept() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    assert b"\x00" in message.body


def test_a_reason_phrase_may_be_anything_or_nothing() -> None:
    reasons = {name: read(octets(name)) for name in ("unreason", "noreason")}
    unusual, empty = reasons["unreason"], reasons["noreason"]
    assert isinstance(unusual, Response)
    assert isinstance(empty, Response)
    assert (unusual.status, unusual.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    assert (empty.status, empty.reason) == (100, "")


def test_a_parameter_belongs_to_the_header_without_brackets_and_to_the_uri_within() -> None:
    (header,) = contacts(request("cparam01"))
    (uri,) = contacts(request("cparam02"))
    assert (header.uri, header.params) == ("sip:+19725552222@gw1.example.net", {"unknownparam": None})
    assert (uri.uri, uri.params) == ("sip:+19725552222@gw1.example.net;unknownparam", {})


def test_headers_of_a_contact_uri_stay_with_it() -> None:
    for name in ("regescrt", "regbadct"):
        (contact,) = contacts(request(name))
        assert SipUri.parse(contact.uri).headers == "Route=%3Csip:sip.example.com%3E"
    assert SipUri.parse(request("escruri").uri).headers == "Route=%3Csip:example.com%3E"


def test_credentials_of_an_unknown_scheme_are_no_error() -> None:
    assert credentials(request("regaut01").value("authorization")) == ("nooneknowsthisscheme", {})
