"""Hostile DHCP messages, and the proof that they cost a phone that has a lease nothing."""

from random import Random

from tests.dhcp.conftest import Phone, Site
from tests.soak.fuzz import CODECS, mutated
from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged
from voxpath.dhcp.message import BOOTREQUEST, BROADCAST_FLAG, Message, MessageType
from voxpath.dhcp.probe import Prober, ProbeSettings
from voxpath.dhcp.verified import VerifiedServer
from voxpath.dhcp.wire import encode

RENEW_EVERY = 500
"""Hostile messages between two renewals of the phone."""

FIRST, LAST, MAX_OFFERS = 10, 200, 100
"""Last octets of the addresses of the scope, and offers to strangers that may be open."""

CLASSES = (b"voxpath-phone", b"desk")


def stranger(chance: Random) -> bytes:
    """An Ethernet address of the attacker's choice; every other one is among those that are served."""
    return b"\2\0\0" + (b"\0\x0a" if chance.random() < 0.5 else chance.randbytes(2)) + bytes((chance.randrange(0x10, 0xF0),))


def discover(chance: Random) -> bytes:
    """What dhcpstarv and dhcpig send: a DISCOVER of a new Ethernet address."""
    options = {code.MESSAGE_TYPE: bytes((MessageType.DISCOVER,)), code.VENDOR_CLASS: chance.choice(CLASSES)}
    return encode(Message(BOOTREQUEST, chance.getrandbits(32), stranger(chance), options, flags=BROADCAST_FLAG))


def request(chance: Random) -> bytes:
    """A REQUEST for somebody's address, by a new Ethernet address."""
    options = {
        code.MESSAGE_TYPE: bytes((MessageType.REQUEST,)),
        code.VENDOR_CLASS: chance.choice(CLASSES),
        code.REQUESTED_ADDRESS: bytes((10, 0, 0, chance.randrange(FIRST, LAST + 1))),
        code.SERVER_ID: bytes((10, 0, 0, 1)),
    }
    return encode(Message(BOOTREQUEST, chance.getrandbits(32), stranger(chance), options))


def relayed(chance: Random) -> bytes:
    """What a rogue relay passes on: any giaddr and number of hops, and option 82."""
    octets = bytearray(discover(chance))
    octets[3] = chance.randrange(1, 17)
    octets[24:28] = chance.choice((bytes((10, 0, 0, chance.randrange(256))), chance.randbytes(4)))
    end = octets.index(b"\xff", 240)
    octets[end:end] = b"\x52\x06\x01\x04" + chance.randbytes(4)
    return bytes(octets)


def broken(chance: Random) -> bytes:
    """A mutation of a good message."""
    codec = CODECS["dhcp"]
    originals = codec.originals()
    return mutated(chance.choice(originals), codec.pieces, originals, chance)


MESSAGES = (discover, request, relayed, broken)
"""All that the attacker sends."""


def attack(seed: int, amount: int) -> str:
    """Send hostile messages to the server core in virtual time; a phone that had its lease before renews all the while."""
    chance = Random(seed)
    site = Site(last=LAST, blocks=256, max_offers=MAX_OFFERS)
    book = site.server.book
    site.server = VerifiedServer(site.server, Prober(book, ProbeSettings(stock=8)))
    phone = Phone(site, 1)
    lease = phone.boot()
    refused = renewals = 0
    for number in range(amount):
        try:
            site.tell(chance.choice(MESSAGES)(chance))
        except RemoteError:
            refused += 1
        site.now += 0.001
        if number % RENEW_EVERY == 0:
            site.run(site.server.tick(site.now))
            answer = phone.ask(phone.client.renew(lease))
            assert isinstance(answer, Acknowledged), f"message {number}: {answer}"
            assert (answer.lease.address, answer.lease.block) == (lease.address, lease.block)
            # Strangers share so many; a phone that is remembered always has room, and each of those has an address of its own.
            assert book.offers <= MAX_OFFERS + len(book.leases())
            assert len(book.leases()) <= LAST - FIRST + 1
            renewals += 1
            site.events.clear()
            site.sent.clear()
    return f"{amount} hostile messages, {refused} of them malformed: {renewals} renewals, each answered with the same lease"
