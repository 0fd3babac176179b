"""Mutated requests given to a whole SIP server: each is answered, refused or passed over, and harms nothing kept or told."""

from collections import Counter
from random import Random

from tests.sip.exchange import Exchange, request
from tests.sip.test_redirect import OF_A1, OF_B1, STRANGER, invite, server
from tests.sip.test_torture import VERDICTS, octets
from tests.soak import fuzz_sip
from tests.soak.fuzz import mutated
from voxpath.model.user import Showing, SipDomain

DOMAIN = b"voip.example"
PIECES = (
    *fuzz_sip.PIECES,
    *(b"%ff", b"\xff\xff", b"a1@voip.example", b"Expires: 0\r\n", b"m: <sip:x@10.0.0.11:2048>\r\n", b"Require: x\r\n"),
    *(b";expires=4294967296", b";+sip.instance=", b"10.0.0.11", b"203.0.113.1"),
)
TICK_S = 5.0
REQUESTS_PER_TICK = 50


def originals() -> list[bytes]:
    """Torture messages, whatever is said of them, and ordinary requests, all for users of the server."""
    contact = 'Contact: <sip:a1-0x55@10.0.0.11:2048>;expires=60;q=0.5;+sip.instance="<urn:uuid:1>"'
    ordinary = [
        request("REGISTER", "sip:voip.example", to="<sip:a1@voip.example>", headers=[contact]),
        invite("a1"),
        *(request(method, "sip:a1@voip.example") for method in ("OPTIONS", "ACK", "CANCEL", "MESSAGE")),
    ]
    foreign = [*fuzz_sip.originals(), *(octets(name) for name in VERDICTS)]
    moved = [
        each.replace(b"example.com", DOMAIN).replace(b"sip:h", b"sip:" + DOMAIN).replace(b"@h", b"@" + DOMAIN) for each in foreign
    ]
    return ordinary + moved


def fuzz_server(seed: int, amount: int) -> str:
    """Feed mutations to a server that asks for passwords and to one that does not; what is wrong ends the proof with the octets."""
    chance = Random(seed)
    good = originals()
    servers = [server(SipDomain("voip.example", "voxpath", open=each), Showing.GRUU) for each in (True, False)]
    statuses: Counter[int] = Counter()
    for number in range(amount):
        payload = mutated(chance.choice(good), PIECES, good, chance)
        exchange = servers[number % 2]
        try:
            statuses.update(answer.status for answer in exchange.send(payload, chance.choice([OF_A1, OF_B1, STRANGER])))
            look_at(exchange)
            if number % REQUESTS_PER_TICK == 0:
                exchange.tick(TICK_S)
        # Whatever it is, it goes on, and says how to have it again.
        except Exception as error:
            error.add_note(f"mutation {number} of seed {seed}: {payload!r}")
            raise
    seen = ", ".join(f"{count} of {status}" for status, count in sorted(statuses.items()))
    return f"{amount} mutations: {amount - statuses.total()} without an answer, {seen}"


def look_at(exchange: Exchange) -> None:
    """What is told can be shown on any terminal, and what is stored is text; then it is forgotten."""
    for event in exchange.events:
        assert event.text.isprintable(), event
    for row in exchange.rows.values():
        "".join(str(field) for field in row).encode("utf-8")
    exchange.events.clear()
    exchange.sent.clear()
