"""Mutated requests to a DHCP server of several classes and layouts: it answers well, or it refuses, and it never breaks."""

from collections import Counter
from dataclasses import replace
from random import Random

from tests.dhcp.conftest import DESK, LOBBY, Site, mac
from tests.soak.fuzz import mutated
from tests.soak.fuzz_dhcp import PIECES, messages
from voxpath.core.errors import RemoteError
from voxpath.dhcp.fit import room_of
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.server import DhcpServer
from voxpath.dhcp.value import encode_sip_servers
from voxpath.dhcp.wire import decode, encode
from voxpath.flow.admit import Admission
from voxpath.model.address import Mac

SECONDS_APART = 0.05


class FuzzedSite(Site):
    """A site whose classes make the server write what it can."""

    def start(self) -> None:
        super().start()
        big = replace(
            DESK, name="big", vendor_classes=("voxpath",), options=tuple((option, b"x" * 60) for option in range(100, 106))
        )
        mitel = replace(
            DESK, name="mitel", vendor_classes=("mitel",), layout="mitel", options=((120, encode_sip_servers(["a.example"])),)
        )
        admission = Admission([(mac(0), mac(0xF0))], [DESK, LOBBY, big, mitel])
        settings = replace(self.settings, enterprise=32473, max_offers=50)
        self.server = DhcpServer(self.scopes, admission, self.ledger, settings)


def originals() -> list[bytes]:
    """Requests of several phones in each class."""
    found = []
    for number, vendor_class in enumerate((b"desk", b"lobby", b"voxpath", b"mitel\0") * 2):
        for message in messages():
            options = {
                **message.options,
                60: vendor_class,
                54: bytes((10, 0, 0, 1)),
                50: bytes((10, 0, 0, 10 + number)),
                55: b"\x34\x7d\x96",
            }
            if message.options[53] not in (b"\x01", b"\x03"):
                options.pop(55)
            found.append(encode(message._replace(options=options, chaddr=mac(number))))
    return found


def as_offered(site: FuzzedSite, octets: bytes) -> bytes:
    """The same message; a REQUEST names what its phone was offered or has, or else no mutation of it would ever get a lease."""
    message = decode(octets)
    client = site.server.book.known(Mac(message.chaddr))
    held = None if client is None else client.offer or client.lease
    if message.type is not MessageType.REQUEST or held is None:
        return octets
    return encode(message._replace(options={**message.options, 50: held.address.packed}))


def fuzz_server(seed: int, count: int) -> str:
    """Feed mutations to the server; every answer is read back, belongs to its request and is no longer than the client takes."""
    chance = Random(seed)
    site = FuzzedSite(last=40, blocks=40)
    good = originals()
    seen: Counter[str] = Counter()
    for number in range(count):
        octets = mutated(as_offered(site, chance.choice(good)), PIECES, good, chance)
        site.wait(SECONDS_APART)
        site.events.clear()
        try:
            sent = site.tell(octets)
        except RemoteError:
            seen["refused"] += 1
            continue
        # Whatever it is, it goes on, and says how to have it again.
        except Exception as error:
            error.add_note(f"mutation {number} of seed {seed}: {octets.hex()}")
            raise
        assert all(event.text.isprintable() for event in site.events)
        seen["without an answer"] += not sent
        for send in sent:
            request, answer = decode(octets), decode(send.payload)
            assert (answer.xid, answer.chaddr) == (request.xid, request.chaddr), octets.hex()
            assert len(send.payload) <= max(300, room_of(request)), octets.hex()
            seen[MessageType(answer.type or 0).name] += 1
    assert seen["OFFER"] > count // 200, "hardly a mutation was offered anything"
    assert seen["ACK"] > count // 1000, "hardly a mutation was given anything"
    return f"{count} mutations: " + ", ".join(f"{amount} {what}" for what, amount in sorted(seen.items()))
