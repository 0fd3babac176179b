"""Every message of RFC 4475, given to a server: answered as the index beside the messages allows, and never an exception."""

from pathlib import Path
from random import Random

import pytest

from tests.sip.exchange import Exchange, request
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.model.user import SipDomain
from voxpath.sip.settings import SipSettings

VECTORS = Path(__file__).parents[1] / "vectors" / "sip-rfc4475"
SOURCE = Endpoint("192.0.2.1", 5060)
HOSTS = ("example.com", "example.org", "example.net", "chair-dnrc.example.com", "company.com", "registrar.example.com")
"""Domains that the messages are for."""

ACCEPTED = {302, 404, 480, 481}
"""What a redirect server may say to a request that it has read; 481: it belongs to a dialog."""
BOUND = {200}
EXPECTED = {
    # 3.1.1: valid.
    "wsinv": ACCEPTED,
    "intmeth": {501},
    "esc01": ACCEPTED,
    "escnull": BOUND,
    "esc02": {501},
    "lwsdisp": ACCEPTED,
    "longreq": ACCEPTED,
    "dblreq": BOUND,
    "semiuri": ACCEPTED,
    "transports": ACCEPTED,
    "mpart01": ACCEPTED,
    "unreason": set(),
    "noreason": set(),
    # 3.1.2: invalid.
    "badinv01": {400},
    "clerr": {400},
    "ncl": {400},
    "scalar02": {400},
    "scalarlg": set(),
    "quotbal": {400},
    "ltgtruri": {400, *ACCEPTED},
    "lwsruri": {400, *ACCEPTED},
    "lwsstart": {400, *ACCEPTED},
    "trws": {400, *ACCEPTED},
    "escruri": {400, *ACCEPTED},
    "baddate": {400, *ACCEPTED},
    "regbadct": {400, *BOUND},
    "badaspec": {400, *ACCEPTED},
    "baddn": {400, *ACCEPTED},
    "badvers": {505},
    "mismatch01": {400},
    "mismatch02": {501, 400},
    "bigcode": set(),
    # 3.2: transaction layer.
    "badbranch": {400, *ACCEPTED},
    # 3.3: application layer.
    "insuf": {400},
    "unkscm": {416},
    "novelsc": {416},
    "unksm2": {400},
    "bext01": {420},
    "invut": ACCEPTED,
    "regaut01": BOUND,
    "multi01": {400},
    "mcl01": {400},
    "bcast": set(),
    "zeromf": {483, *ACCEPTED},
    "cparam01": BOUND,
    "cparam02": BOUND,
    "regescrt": BOUND,
    "sdp01": ACCEPTED,
    # 3.4: backward compatibility.
    "inv2543": ACCEPTED,
}
"""What INDEX.md allows a registrar and redirect server; an empty set: a response, which is never answered."""


def server(*hosts: str, is_open: bool = True) -> Exchange:
    return Exchange(SipSettings(tuple(SipDomain(host, "voxpath", open=is_open) for host in hosts)))


def message(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def statuses(exchange: Exchange, payload: bytes) -> set[int]:
    """What is answered, if it is; one answer at most."""
    answers = exchange.send(payload, SOURCE)
    assert len(answers) <= 1
    return {answer.status for answer in answers}


def is_well(exchange: Exchange, host: str) -> bool:
    """Whether the next ordinary requests are answered as usual."""
    bound = exchange.register(f"well@{host}", "<sip:well@192.0.2.9:5062>", Endpoint("192.0.2.9", 5062))
    call = exchange.ask(request("INVITE", f"sip:well@{host}"), SOURCE)
    return (bound.status, call.status) == (200, 302)


def test_the_index_names_every_message() -> None:
    """No file is forgotten here."""
    assert EXPECTED.keys() == {path.stem for path in VECTORS.glob("*.dat")}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_message_for_our_domain_is_answered_as_the_rfc_allows(name: str) -> None:
    """RFC 4475: and the next one as usual."""
    exchange = server(*HOSTS)
    given = statuses(exchange, message(name))
    assert given <= EXPECTED[name]
    assert bool(given) is bool(EXPECTED[name])
    assert is_well(exchange, "example.com")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_message_for_another_domain_is_answered_too(name: str) -> None:
    """A domain that is not ours turns nothing valid, and what cannot be right stays so."""
    exchange = server("voip.example")
    given = statuses(exchange, message(name))
    assert given <= {404, *EXPECTED[name]} - {200, 302}
    assert bool(given) is bool(EXPECTED[name])
    assert is_well(exchange, "voip.example")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_message_for_a_domain_with_passwords_binds_nothing(name: str) -> None:
    """What would have been bound is challenged."""
    exchange = server(*HOSTS, is_open=False)
    given = statuses(exchange, message(name))
    assert given <= {401, *EXPECTED[name]} - {200, 302}
    assert bool(given) is bool(EXPECTED[name])
    assert exchange.server.contacts() == ()


def test_a_message_that_ends_without_its_empty_line_is_read_either_way() -> None:
    """The archive's baddn.dat lacks the last CR LF; other copies have it."""
    payload = message("baddn")
    assert not payload.endswith(b"\r\n\r\n")
    for each in (payload, payload + b"\r\n"):
        exchange = server(*HOSTS)
        assert statuses(exchange, each) <= EXPECTED["baddn"]
        assert exchange.sent
        assert is_well(exchange, "example.com")


def test_all_messages_one_after_the_other_do_no_harm() -> None:
    """One server for all of them, and twice, in either order."""
    exchange = server(*HOSTS)
    for name in (*EXPECTED, *reversed(EXPECTED)):
        assert statuses(exchange, message(name)) <= EXPECTED[name] | {500}
        assert is_well(exchange, "example.com")
    exchange.tick(100_000)
    assert exchange.server.contacts() == ()


SPLINTERS = (
    b"\r\n",
    b",",
    b";",
    b"<",
    b">",
    b'"',
    b"\\",
    b"%00",
    b"\0",
    b"\xff",
    b" ",
    b"=",
    b"*",
    b"tag=",
    b"-1",
    b"[::1]",
    b"9" * 20,
)
FIELDS = (b"\r\nVia: ", b"\r\nContact: *", b"\r\nExpires: 0", b'\r\nAuthorization: Digest realm="voxpath"', b"\r\nRequire: ")


def damaged(payload: bytes, chance: Random) -> bytes:
    """A message with a few things put in, cut out or changed."""
    octets = bytearray(payload)
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(octets) + 1)
        match chance.randrange(4):
            case 0:
                octets[place:place] = chance.choice((*SPLINTERS, *FIELDS))
            case 1:
                del octets[place : place + chance.randint(1, 30)]
            case 2:
                octets[place:place] = octets[chance.randrange(len(octets) + 1) :][: chance.randint(1, 60)]
            case 3:
                octets[place : place + 1] = bytes([chance.randrange(256)])
    return bytes(octets)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_messages_do_no_harm(seed: int) -> None:
    """No exception, one answer at most, and nothing that a terminal would obey."""
    chance = Random(seed)
    exchange = server(*HOSTS)
    messages = [message(name) for name in EXPECTED]
    for _ in range(500):
        statuses(exchange, damaged(chance.choice(messages), chance))
        exchange.now += 1
    assert all(event.text.isprintable() for event in exchange.events)
    assert is_well(exchange, "example.com")


# What the index says of single messages.


def bound(name: str) -> list[Contact]:
    exchange = server(*HOSTS)
    assert statuses(exchange, message(name)) == BOUND
    return sorted(exchange.server.contacts())


def test_a_nul_in_a_user_cuts_nothing_off() -> None:
    """escnull: two contacts, with one NUL and with two."""
    assert [contact.uri for contact in bound("escnull")] == ["sip:%00%00@host5.example.com", "sip:%00@host5.example.com"]
    assert {contact.aor for contact in bound("escnull")} == {"null-%00-null@example.com".replace("%00", "\0")}


def test_what_follows_a_message_in_its_datagram_is_nothing() -> None:
    """dblreq: the REGISTER is taken, the INVITE behind it is not."""
    exchange = server(*HOSTS)
    [answer] = exchange.send(message("dblreq"), SOURCE)
    assert answer.value("cseq") == "8 REGISTER"


def test_a_parameter_belongs_to_the_header_or_to_the_uri_by_the_brackets() -> None:
    """cparam01, cparam02."""
    [header] = bound("cparam01")
    [uri] = bound("cparam02")
    assert (header.uri, uri.uri) == ("sip:+19725552222@gw1.example.net", "sip:+19725552222@gw1.example.net;unknownparam")


def test_headers_of_a_contact_are_part_of_the_binding() -> None:
    """regescrt: nobody who is redirected takes them for headers of ours."""
    [contact] = bound("regescrt")
    assert contact.uri == "sip:user@example.com?Route=%3Csip:sip.example.com%3E"


def test_only_required_extensions_are_refused() -> None:
    """bext01: those of Proxy-Require are for proxies."""
    [answer] = server(*HOSTS).send(message("bext01"), SOURCE)
    assert answer.value("unsupported") == "nothingSupportsThis, nothingSupportsThisEither"


def test_credentials_of_an_unknown_scheme_are_none() -> None:
    """regaut01."""
    [answer] = server(*HOSTS, is_open=False).send(message("regaut01"), SOURCE)
    assert answer.status == 401
    assert answer.value("www-authenticate").startswith("Digest ")


def test_a_user_with_a_semicolon_is_one_user() -> None:
    """semiuri: what looks like a parameter is a part of the name."""
    exchange = server("example.com")
    aor, contact = "user;par=u%40example.net@example.com", "<sip:other@192.0.2.9>"
    payload = request("REGISTER", "sip:example.com", to=f"<sip:{aor}>", headers=[f"Contact: {contact}"])
    assert exchange.ask(payload, Endpoint("192.0.2.9", 5060)).status == 200
    assert statuses(exchange, message("semiuri")) == {302}


@pytest.mark.parametrize(
    "vias",
    [
        ["", ""],
        ["", "", ""],
        ["", "SIP/2.0/UDP a"],
        ["", "", "SIP/2.0/UDP a"],
        ["SIP/2.0/UDP a", "", ""],
        ["", "a", ""],
        [",", ""],
        [" ,", "a"],
    ],
)
@pytest.mark.parametrize("rest", ["", "f:<sip:a>\r\nt:<sip:a>\r\ni:1\r\nCSeq:1 BYE\r\n"])
def test_any_number_of_empty_via_fields_is_answered(vias: list[str], rest: str) -> None:
    """Whichever is the topmost one with a value, and even if there is none."""
    lines = "".join(f"v:{via}\r\n" for via in vias)
    answer = server("a").ask(f"BYE sip:a SIP/2.0\r\n{lines}{rest}\r\n".encode(), SOURCE)
    assert answer.status == (405 if rest and any(via.startswith("SIP") for via in vias) and "a" not in vias else 400)
