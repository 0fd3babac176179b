"""What is asked of every request (RFC 3261 section 8.2)."""

import pytest

from tests.sip.test_wire import REGISTER, registration
from voxpath.sip.message import Request
from voxpath.sip.validity import KNOWN_METHODS, SINGLE, check
from voxpath.sip.wire import SipError, parse


def refusal(request: Request) -> SipError:
    with pytest.raises(SipError) as refused:
        check(request)
    return refused.value


def test_an_ordinary_request_is_valid() -> None:
    check(registration())


def test_a_request_by_the_old_rules_is_valid() -> None:
    """RFC 2543 has no Max-Forwards, no branch and no From tag."""
    check(registration(a=b"Max-Forwards: 70\r\n|", b=b";branch=z9hG4bK1;rport|", c=b";tag=1|"))


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_header_that_is_missing_or_empty_is_named(name: str, empty: bool) -> None:
    lines = REGISTER.split(b"\r\n")
    (at,) = [number for number, line in enumerate(lines) if line.startswith(f"{name}:".encode())]
    lines[at : at + 1] = [f"{name}:".encode()] if empty else []
    message = parse(b"\r\n".join(lines))
    assert isinstance(message, Request)
    error = refusal(message)
    assert (error.code, error.reason) == (400, f"{name}: is missing")
    assert error.request is (None if name == "Via" and not empty else message)


@pytest.mark.parametrize("name", SINGLE)
def test_a_header_of_one_value_that_stands_twice_is_named(name: str) -> None:
    values = {"content-type": ["a/b"], "expires": ["60"], **registration().headers}
    message = registration()
    message.headers[name] = values[name] * 2
    error = refusal(message)
    assert error.code == 400
    assert error.reason.lower() == f"{name}: stands more than once"


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (b"Via: SIP|Via: SIP/2.0/UDP x;;, SIP", 400, "Via"),
        (b"rport|rport;;", 400, "Via"),
        (b"CSeq|Via: nonsense\r\nCSeq", 400, "Via"),
        (b"From: <|From: <<", 400, "From"),
        (b"From: <sip:|From: <sip:@", 400, "From"),
        (b'To: <|To: "<', 400, "To"),
        (b"To: <sip:a1|To: <SIP:a%1", 400, "To"),
        (b"8a7d|8a\x007d", 400, "Call-ID"),
        (b"8a7d|8a\xc3\xa47d", 400, "Call-ID"),
        (b"8a7d|" + b"a" * 5000, 400, "Call-ID"),
        (b"1 REGISTER|1", 400, "CSeq"),
        (b"1 REGISTER|4294967296 REGISTER", 400, "CSeq"),
        (b"1 REGISTER|1 INVITE", 400, "CSeq"),
        (b"1 REGISTER|1 register", 400, "CSeq"),
        (b"Max-Forwards: 70|Max-Forwards: 256", 400, "Max-Forwards"),
        (b"Max-Forwards: 70|Max-Forwards: -1", 400, "Max-Forwards"),
        (b"Max-Forwards: 70|Max-Forwards:", 400, "Max-Forwards"),
        (b"REGISTER sip:voip.example|REGISTER tel:+1555", 416, "Request-URI"),
        (b"REGISTER sip:voip.example|REGISTER sip:@", 400, "Request-URI"),
        (b"REGISTER sip:voip.example|REGISTER voip.example", 400, "Request-URI"),
    ],
)
def test_a_malformed_header_is_named_and_can_be_answered(change: bytes, code: int, named: str) -> None:
    message = registration(change=change)
    error = refusal(message)
    assert error.code == code
    assert error.reason.startswith(f"{named}: ")
    assert error.request is message


@pytest.mark.parametrize(
    "change",
    [
        b"To: <sip:a1|To: <tel:+1555;x=",
        b"From: <sip:a1@voip.example>;tag=1|From: <http://www.example.com>;tag=3",
        b"Max-Forwards: 70|Max-Forwards: 0255",
        b"8a7d|intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        b"1 REGISTER|0 REGISTER",
        b"Content-Length|Date: Fri, 01 Jan 2010 16:00:00 EST\r\nContact: <sip:x@y>\r\nContent-Length",
    ],
)
def test_what_is_unusual_and_harms_nobody_is_valid(change: bytes) -> None:
    check(registration(change=change))


@pytest.mark.parametrize("method", ["NEWMETHOD", "register"])
def test_a_method_that_nobody_knows_is_not_implemented_even_if_cseq_differs(method: str) -> None:
    """RFC 4475 section 3.1.2.18 prefers 501."""
    message = registration(change=f"REGISTER sip|{method} sip".encode())
    assert refusal(message).code == 501
    assert method not in KNOWN_METHODS
    check(registration(change=f"REGISTER sip|{method} sip".encode(), cseq=f"1 REGISTER|1 {method}".encode()))


def test_well_formed_headers_of_a_request_with_an_unknown_method_are_left_to_the_server() -> None:
    check(registration(change=b"REGISTER|RE%47IST%45R"))
