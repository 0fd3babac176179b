"""The SIP codec under proof: what is read and what is printed, and all headers that have a typed form."""

from tests.sip import test_torture as torture
from voxpath.core.errors import RemoteError
from voxpath.sip import header, wire
from voxpath.sip.message import Message, Request, Response
from voxpath.sip.uri import SipUri
from voxpath.sip.validity import check

PIECES = (
    *(rb", ; : < > @ % = * ? / \ [ ] %00 %4 sip: sip:a@[::1] tel:1 ;q=0.5 ;tag=1 ;rport SIP/2.0 Via: m:* l:9 nc= ".split(b" ")),
    *(b'"', b" ", b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\0", b"\xff", b"9" * 11, b'Authorization: Digest a=b, c="d"'),
)
REGISTER = rb"""REGISTER sip:h SIP/2.0
Via: SIP/2.0/UDP [::1]:5060;branch=z9hG4bK1;rport
f: "A, \"B\"" <sip:a1@h>;tag=1
t: <sip:a1@h>
i: 8a
CSeq: 1 REGISTER
Authorization: Digest username="a1", realm="a, b", nonce="5f\"2b", uri="sip:h", response="01", qop=auth, nc=00000001
m: <sip:a1@10.0.0.1;x=1>;q=0.5;expires=60, <sip:%00@h>

"""
STAR = b"""REGISTER sip:h SIP/2.0
v: SIP/2.0/UDP h
f: sip:a@h
t: sip:a@h
i: 1
CSeq: 2 REGISTER
m: *
Expires: 0

"""


def originals() -> list[bytes]:
    """Two registrations, and the torture messages that are read."""
    return [REGISTER.replace(b"\n", b"\r\n"), STAR, *(torture.octets(name) for name in torture.READ)]


def use(octets: bytes) -> None:
    """Read a message and look at all of it; print it, and read that."""
    if wire.is_keepalive(octets):
        return
    try:
        message = wire.parse(octets)
        if isinstance(message, Request):
            check(message)
    except wire.SipError as error:
        assert error.code, "a refusal without a code cannot be answered"
        if error.request is not None:
            look_at_headers(error.request)
        raise
    look_at_headers(message)
    again = wire.parse(printed(message))
    assert content(again) == content(message)


def printed(message: Request | Response) -> bytes:
    return wire.print_request(message) if isinstance(message, Request) else wire.print_response(message)


def content(message: Request | Response) -> tuple[object, ...]:
    """All but the Content-Length, which the printer makes."""
    start = (message.method, message.uri) if isinstance(message, Request) else (message.status, message.reason)
    return start, {**message.headers, "content-length": []}, message.body


def look_at_headers(message: Message) -> None:
    """Read what has a typed form; a refusal is as good as a value."""
    for read in (header.vias, header.contacts, header.is_star, cseq, credentials, addresses):
        try:
            read(message)
        except RemoteError as error:
            assert error.code, error


def cseq(message: Message) -> None:
    header.parse_cseq(message.value("cseq"))


def credentials(message: Message) -> None:
    for value in message.values("authorization"):
        header.credentials(value)


def addresses(message: Message) -> None:
    """What can be read is printed so that it is read again as the same, and is text that can be kept anywhere."""
    found = [header.parse_address(message.value(name)) for name in ("from", "to")]
    for address in (*found, *header.contacts(message)):
        header.q_of(address)
        kept = [address.uri, *(value or "" for value in address.params.values())]
        assert header.parse_address(header.print_address(address)) == address
        uri = SipUri.parse(address.uri)
        assert SipUri.parse(str(uri)) == uri
        assert SipUri.parse(uri.canonical).canonical == uri.canonical
        "".join((*kept, uri.aor)).encode("utf-8")
