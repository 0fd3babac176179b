"""tshark reads what the SIP server says, and what is printed of messages that were read, without any complaint."""

from pathlib import Path

import pytest

from tests.live.judge import Verdict, verdicts
from tests.sip import test_torture as torture
from tests.sip.exchange import Exchange, request
from tests.sip.test_redirect import OF_A1, OF_A2, OF_B1, STRANGER, invite, server
from tests.sip.test_wire import REGISTER
from voxpath.model.user import Algorithm, Showing, SipDomain
from voxpath.sip.header import print_address, print_via
from voxpath.sip.message import Address, Request, Response, Via
from voxpath.sip.settings import MAX_CONTACTS
from voxpath.sip.wire import parse, print_request, print_response

pytestmark = [pytest.mark.live, pytest.mark.together]

PORT = 5060
FAULTLESS = Verdict("SIP", "", "", "")
REMARKED = {"intmeth", "scalarlg", "mpart01", "wsinv", "longreq", "esc02"}
"""tshark remarks on their header names that nobody knows, on their unusual characters, and on Retry-After beyond 32 bits."""
ALGORITHMS = (Algorithm.MD5, Algorithm.SHA_256)
TOO_MANY = "Contact: " + ", ".join(f"<sip:b1@host{number}.example>" for number in range(MAX_CONTACTS + 1))
STATUSES = {200, 302, 400, 401, 403, 404, 405, 416, 420, 423, 480, 481, 486, 500, 501, 505}


def all_answers() -> list[bytes]:
    """The answers of servers to what makes them say each thing that they can say."""
    exchange = server(showing=Showing.GRUU)
    for number in range(3):
        exchange.register("a1@voip.example", f"<sip:a1@host{number}.example;ob>;q=0.{number};expires=600", STRANGER)
    exchange.register("a1@voip.example", '<sip:a1-0x55@10.0.0.11:2048>;+sip.instance="<urn:uuid:1>"', OF_A1)
    exchange.register("a2@voip.example", "<sip:a2@10.0.0.12:2112>;expires=5", OF_A2)
    exchange.send(request("REGISTER", "sip:voip.example", to="<sip:b1@voip.example>", headers=[TOO_MANY]), OF_B1)
    exchange.register("b1@voip.example", "<sip:b1@10.0.0.11:2048>", OF_B1)
    exchange.register("b1@elsewhere.example", "<sip:b1@10.0.0.11:2048>", OF_B1)
    for caller, callee in (("b1", "a1"), ("b1", "idle"), ("b1", "nobody"), ("b1", "b1")):
        exchange.send(invite(callee, f"sip:{caller}@voip.example"), OF_B1)
    exchange.send(invite("a1", headers=["Require: 100rel, path"]), OF_B1)
    for method, more in (("OPTIONS", ""), ("BYE", ""), ("INVENT", ""), ("CANCEL", ""), ("INVITE", "<sip:a1@voip.example>;tag=1")):
        exchange.send(request(method, "sip:a1@voip.example" if more else "sip:voip.example", to=more), STRANGER)
    for name in torture.VERDICTS:
        if name not in REMARKED:
            exchange.send(torture.octets(name), STRANGER)
    exchange.failing = True
    exchange.register("a2@voip.example", "<sip:a2@10.0.0.12:2112>", OF_A2)
    return [send.payload for each in (exchange, _closed()) for send in each.sent]


def _closed() -> Exchange:
    """A server that asks for passwords, by two algorithms, and one who knows his and one who does not."""
    exchange = server(SipDomain("voip.example", "voxpath", algorithms=ALGORITHMS))
    for password in ("a1-secret", "wrong"):
        exchange.register("a1@voip.example", "<sip:a1@10.0.0.11:2048>", OF_A1, password=password)
    return exchange


def faults(datagrams: list[bytes], directory: Path) -> list[str]:
    """What tshark says against datagrams, each with what it is about."""
    found = zip(datagrams, verdicts(datagrams, PORT, directory), strict=True)
    return [f"{verdict}\n{octets.decode()}" for octets, verdict in found if verdict != FAULTLESS]


def test_tshark_finds_no_fault_in_any_answer_of_the_server(tmp_path: Path) -> None:
    answers = all_answers()
    read = [parse(each) for each in answers]
    assert {each.status for each in read if isinstance(each, Response)} == STATUSES
    assert any("pub-gruu" in value for each in read for value in each.values("contact"))
    assert faults(answers, tmp_path) == []


def test_tshark_finds_no_fault_in_what_is_printed(tmp_path: Path) -> None:
    """Values made from their parts, and the torture messages that are read: only their bodies have protocols of their own."""
    via = Via("UDP", "[2001:db8::1]", 5060, {"branch": "z9hG4bK1", "rport": "1024", "received": "192.0.2.1"})
    address = Address('A, "B" \\ <c>', "sip:a%20b@[2001:db8::1]:5070;transport=udp", {"expires": "60", "q": "0.5"})
    headers = {**parse(REGISTER).headers, "via": [print_via(via)] * 2, "contact": [print_address(address)] * 2}
    sent = [print_request(Request("REGISTER", "sip:voip.example", headers)), print_response(Response(200, "OK", headers))]
    for name in torture.READ.keys() - REMARKED:
        message = parse(torture.octets(name))
        message.headers.pop("content-type", None)
        sent.append(print_request(message) if isinstance(message, Request) else print_response(message))
    assert faults(sent, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Content-Length: 0", b"Content-Length: -999"),
        (b"\r\n\r\n", b"\r\n"),
        (b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"),
        (b"Max-Forwards", b"Mux-Forwards"),
    ],
)
def test_the_judge_does_object_to_what_is_broken(old: bytes, new: bytes, tmp_path: Path) -> None:
    """The verdicts would be worth nothing if they were always the same."""
    assert faults([REGISTER], tmp_path) == []
    assert len(faults([REGISTER.replace(old, new)], tmp_path)) == 1
