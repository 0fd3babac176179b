"""A scope whose phones share public addresses: option 159, who gets it, and leases by address and ports (RFC 7618)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.dhcp.conftest import DESK, LOBBY, Phone, Site, mac
from tests.dhcp.test_server import edited
from tests.flow.test_files import is_withheld
from voxpath.core.effects import Send
from voxpath.core.errors import LocalError, RemoteError
from voxpath.dhcp.event import DhcpDeclined, DhcpDropped, DhcpEnded, DhcpExhausted, DhcpNak, DhcpStaticRefused
from voxpath.dhcp.explain import NOTHING
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.port_parameters import LENGTH, block_of, decode_port_set, encode_port_set, port_set_of
from voxpath.dhcp.probe import Prober, ProbeSettings
from voxpath.dhcp.question import Question
from voxpath.dhcp.server import DhcpServer
from voxpath.dhcp.wire import decode
from voxpath.flow.admit import Admission
from voxpath.flow.files import FilePolicy, Rendered
from voxpath.flow.uploads import NO_LEASE, Drop, UploadPolicy
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import Provision, Scope
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.pools import Pool
from voxpath.tftp.question import Admit, Fetch

PUBLIC, SECOND = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
AASTRA = replace(DESK, name="aastra", vendor_classes=("aastra",), layout="aastra")
URL = replace(DESK, name="url", vendor_classes=("url",), layout="none", options=((159, b"http://prov.example"),))


class SharedSite(Site):
    """Two public addresses of two blocks each, shared by the phones of eth0; eth1 is an ordinary scope."""

    shared = True

    def start(self) -> None:
        server = IPv4Address("198.51.100.254")
        net = IPv4Network("198.51.100.0/24")
        lan = Scope("shared", "eth0", net, server, PUBLIC, SECOND, "site", shared=self.shared)
        self.scopes = [lan, replace(self.scopes[-1], realm="attic")]
        self.pools = [Pool(PUBLIC, 20480, 20607, "site"), Pool(SECOND, 20480, 20607, "site"), Pool(PUBLIC, 30016, 30143, "attic")]
        super().start()
        admission = Admission([(mac(0), mac(0xF0))], [DESK, LOBBY, AASTRA, URL])
        self.server = DhcpServer(self.scopes, admission, self.ledger, self.settings)
        self.server.load(self.leases.values(), self.now)


class SharedPhone(Phone):
    """A phone that knows of shared addresses, without the own client, which does not.

    :ivar block: the ports that the last answer gave.
    """

    block: PortBlock

    def tell(self, payload: bytes, interface: str = "eth0", **options: bytes | None) -> MessageType | None:
        """Send a message that lists 159; the type of the answer."""
        more = {55: b"\x01\x03\x9f\xe0", **{int(name[1:]): value for name, value in options.items()}}
        sent = self.site.tell(edited(payload, options=more), interface)
        if not sent:
            return None
        reply = decode(sent[0].payload)
        if len(reply.options.get(159, b"")) == LENGTH:
            self.block = block_of(reply.yiaddr, decode_port_set(reply.options[159]))
        self.sent, self.reply = sent[0], reply
        return reply.type

    def request(self, **options: bytes | None) -> MessageType | None:
        """Ask for the ports of the last answer."""
        ports = {"o159": encode_port_set(port_set_of(self.block)), "o50": self.block.public.packed, **options}
        return self.tell(self.client.discover(), o53=b"\x03", o54=self.site.scopes[0].server.packed, **ports)

    def bind(self) -> PortBlock:
        assert self.tell(self.client.discover()) is MessageType.OFFER
        assert self.request() is MessageType.ACK
        return self.block

    def renew(self, block: PortBlock, **options: bytes | None) -> MessageType | None:
        payload = edited(self.client.discover(), ciaddr=block.public, flags=0)
        return self.tell(payload, o53=b"\x03", **options)

    def give_up(self, kind: bytes, block: PortBlock, **options: bytes | None) -> None:
        address = {"o50": block.public.packed} if kind == b"\x04" else {}
        payload = edited(self.client.discover(), ciaddr=block.public if kind == b"\x07" else IPv4Address(0))
        assert self.tell(payload, o53=kind, **address, **options) is None


@pytest.fixture
def site() -> SharedSite:
    return SharedSite()


@pytest.fixture
def phones(site: SharedSite) -> Iterator[SharedPhone]:
    return (SharedPhone(site, number) for number in range(1, 20))


def test_phones_get_one_address_and_each_its_own_ports(site, phones) -> None:
    """RFC 7618 section 8: the address is the public one of the block, option 159 its ports; no row of the NAT is made."""
    blocks = [next(phones).bind() for _ in range(4)]
    assert blocks == [PortBlock(public, first, 64) for public in (PUBLIC, SECOND) for first in (20480, 20544)]
    assert {(lease.address, lease.first_port) for lease in site.leases.values()} == {
        (block.public, block.first) for block in blocks
    }
    assert site.nat == {}
    assert all(row.private is None and row.state is BindingState.HELD for row in site.bindings.values())


def test_the_ack_tells_address_ports_and_the_ordinary_options(site, phones) -> None:
    phone = next(phones)
    block = phone.bind()
    assert phone.reply.yiaddr == block.public
    assert phone.reply.options[159].hex() == "000a5000"
    assert phone.reply.options[224] == block.public.packed + b"\x50\x00\x50\x3f"
    assert {1, 3, 51, 54, 61} <= phone.reply.options.keys()


def test_a_reply_without_room_leaves_out_everything_but_the_port_set(site, phones) -> None:
    """A phone that is not told of its ports would use those of others."""
    phone = next(phones)
    assert phone.tell(phone.client.discover(), o61=b"\x01" * 250) is MessageType.OFFER
    assert 159 in phone.reply.options
    assert 43 not in phone.reply.options


@pytest.mark.parametrize(
    ("vendor_class", "options", "reason"),
    [
        ("desk", {"o55": b"\x01\x03"}, "does not ask for port parameters"),
        ("desk", {"o55": None}, "does not ask for port parameters"),
        ("desk", {"o61": None}, "no client identifier"),
        ("aastra", {}, "take option 159 for something else"),
        ("url", {}, "take option 159 for something else"),
    ],
)
def test_whoever_would_use_all_ports_hears_nothing(site, vendor_class: str, options: dict[str, bytes | None], reason: str) -> None:
    """RFC 7618 section 8: no shared address for a client that did not ask; 67xx phones by Aastra ask for 159 and mean a URL."""
    phone = SharedPhone(site, 1, vendor_class)
    for payload, kind in ((phone.client.discover(), b"\x01"), (edited(phone.client.discover(), ciaddr=PUBLIC), b"\x03")):
        assert phone.tell(payload, o53=kind, **options) is None
        assert reason in site.last_event(DhcpDropped).text
    assert site.leases == {}


def test_outside_of_shared_scopes_nobody_gets_a_port_set(site) -> None:
    """Decision D1: behind a NAPPT the ports are of another address than the phone's."""
    phone = SharedPhone(site, 1)
    assert phone.tell(phone.client.discover(), "eth1") is MessageType.OFFER
    assert 159 not in phone.reply.options
    other = SharedPhone(site, 2, "url")
    assert other.tell(other.client.discover(), "eth1") is MessageType.OFFER
    assert other.reply.options[159] == b"http://prov.example"


def test_a_renewal_keeps_address_and_ports_and_is_answered_by_ethernet_address(site, phones) -> None:
    """Others have the same address, so the answer is sent to the phone's own Ethernet address."""
    one, other = next(phones), next(phones)
    block = one.bind()
    other.bind()
    for options in ({}, {"o159": encode_port_set(port_set_of(block))}):
        assert one.renew(block, **options) is MessageType.ACK
        assert (one.block, one.sent.link) == (block, one.mac)
    assert len(site.leases) == 2


def test_a_phone_that_names_other_ports_is_refused_and_keeps_nothing(site, phones) -> None:
    one, other = next(phones), next(phones)
    own, foreign = one.bind(), other.bind()
    assert own.public == foreign.public
    assert one.renew(own, o159=encode_port_set(port_set_of(foreign))) is MessageType.NAK
    assert "not the phone's" in site.last_event(DhcpNak).text
    third = next(phones)
    assert third.tell(third.client.discover()) is MessageType.OFFER
    assert third.request(o159=encode_port_set(port_set_of(foreign))) is MessageType.NAK
    assert site.server.leases() == [site.leases[one.mac], site.leases[other.mac]]


def test_a_malformed_port_set_is_the_peers_error_and_leaves_nothing_behind(site, phones) -> None:
    phone = next(phones)
    with pytest.raises(RemoteError):
        phone.tell(phone.client.discover(), o53=b"\x03", o54=site.scopes[0].server.packed, o50=PUBLIC.packed, o159=b"\0\x0a\x08")
    assert site.ledger.usage(site.now)[0].pending == 0


@pytest.mark.parametrize(("kind", "event"), [(b"\x07", DhcpEnded), (b"\x04", DhcpDeclined)], ids=["RELEASE", "DECLINE"])
def test_release_and_decline_are_about_address_and_ports(site, phones, kind: bytes, event: type) -> None:
    """RFC 7618 section 9: those of the other phone with the same address stay."""
    one, other = next(phones), next(phones)
    own, foreign = one.bind(), other.bind()
    one.give_up(kind, own, o159=encode_port_set(port_set_of(foreign)))
    assert len(site.leases) == 2
    assert "not the phone's" in site.last_event(DhcpDropped).text
    one.give_up(kind, own, o159=encode_port_set(port_set_of(own)))
    assert site.last_event(event)
    assert site.leases.keys() == {other.mac}
    row = site.bindings[one.client and str(one.mac)]
    assert (row.state, row.until) == (BindingState.RELEASED, site.now + site.quarantine_s)
    assert other.renew(foreign) is MessageType.ACK


def test_released_ports_wait_and_are_their_phones_again(site, phones) -> None:
    one, *others = (next(phones) for _ in range(4))
    block = one.bind()
    one.give_up(b"\x07", block)
    assert block not in [other.bind() for other in others]
    assert one.bind() == block


def test_an_expired_lease_leaves_its_ports_to_others_in_the_end(site, phones) -> None:
    old = [next(phones) for _ in range(4)]
    for phone in old:
        phone.bind()
    fifth = next(phones)
    assert fifth.tell(fifth.client.discover()) is None
    assert site.last_event(DhcpExhausted)
    site.wait(3600 + site.quarantine_s + 1)
    assert site.leases == {}
    assert fifth.bind() == PortBlock(PUBLIC, 20480, 64)


def test_a_restart_changes_nothing(site, phones) -> None:
    one, other = next(phones), next(phones)
    blocks = one.bind(), other.bind()
    site.start()
    assert (one.renew(blocks[0]), other.renew(blocks[1])) == (MessageType.ACK, MessageType.ACK)
    assert (one.block, other.block) == blocks
    site.wait(4000)
    assert site.leases == {}


def test_a_scope_that_is_shared_no_longer_gives_its_addresses_anew(site, phones) -> None:
    """After a change of the configuration two phones must not both keep one address."""
    one, other = next(phones), next(phones)
    blocks = one.bind(), other.bind()
    site.shared = False
    site.start()
    assert (one.renew(blocks[0]), other.renew(blocks[1])) == (MessageType.NAK, MessageType.NAK)
    assert one.tell(one.client.discover()) is other.tell(other.client.discover()) is MessageType.OFFER
    assert one.reply.yiaddr != other.reply.yiaddr or one.reply is None


def test_a_scope_that_becomes_shared_refuses_old_leases(site, phones) -> None:
    site.shared = False
    site.start()
    phone = next(phones)
    assert phone.tell(phone.client.discover()) is MessageType.OFFER
    address = phone.reply.yiaddr
    assert phone.tell(phone.client.discover(), o53=b"\x03", o54=site.scopes[0].server.packed, o50=address.packed) is MessageType.ACK
    site.shared = True
    site.start()
    assert phone.renew(PortBlock(address, 20480, 64)) is MessageType.NAK
    assert phone.bind().public in (PUBLIC, SECOND)
    assert len(site.leases) == 1


def test_an_address_that_a_person_set_is_told_everything_but_ports(site, phones) -> None:
    """PHN-18 is for addresses of one phone: whoever sets a shared one by hand has no ports of it."""
    phone = next(phones)
    assert phone.tell(edited(phone.client.inform(PUBLIC))) is MessageType.ACK
    assert not {159, 224} & phone.reply.options.keys()
    assert "shared" in site.last_event(DhcpStaticRefused).text
    assert site.leases == {}
    block = phone.bind()
    assert phone.tell(edited(phone.client.inform(PUBLIC))) is MessageType.ACK
    assert phone.reply.options[159] == encode_port_set(port_set_of(block))
    assert site.leases[phone.mac].permanent is False


def test_nobody_probes_addresses_that_several_phones_answer_for(site, phones) -> None:
    prober = Prober(site.server.book, ProbeSettings(stock=1))
    next(phones).bind()
    asked = [effect for effect in prober.tick(site.now) if isinstance(effect, Send)]
    assert [effect.interface for effect in asked] == ["eth1"]
    assert [name for name, _ in prober.summary(site.now)] == ["free addresses of attic"]


@pytest.mark.parametrize(
    ("vendor_class", "answer"),
    [(b"desk", "OFFER 198.51.100.1 of scope shared"), (b"aastra", f"{NOTHING}, since phones of class aastra take option 159")],
)
def test_a_dry_run_takes_a_phone_that_shares_for_granted(site, vendor_class: bytes, answer: str) -> None:
    found = dict(site.server.explain(Question(mac(1), vendor_class, interface="eth0"), site.now))
    assert found["answer"].startswith(answer)
    assert ("option 159" in found) is answer.startswith("OFFER")


def test_a_phone_that_moves_between_scopes_has_one_lease(site, phones) -> None:
    phone = next(phones)
    phone.bind()
    assert phone.tell(phone.client.discover(), "eth1") is MessageType.OFFER
    wanted = {"o54": site.scopes[1].server.packed, "o50": phone.reply.yiaddr.packed}
    assert phone.tell(phone.client.discover(), "eth1", o53=b"\x03", **wanted) is MessageType.ACK
    assert [lease.first_port for lease in site.leases.values()] == [0]
    assert len(site.nat) == 1
    block = phone.bind()
    assert [lease.first_port for lease in site.leases.values()] == [block.first]
    assert site.nat == {}


def test_an_operator_cannot_change_ports_that_the_lease_names(site, phones) -> None:
    """RFC 7618: a phone of a shared address has the ports of its lease, and cannot be told of others before it asks anew."""
    phone = next(phones)
    block = phone.bind()
    other = PortBlock(SECOND, 20544, 64)
    orders = site.server.orders
    for order in (
        lambda: orders.move(phone.mac, SECOND, None, site.now),
        lambda: orders.reserve(phone.mac, other, site.now),
        lambda: orders.place(phone.mac, other, site.now),
        lambda: site.server.recall.ask(phone.mac, site.now),
    ):
        with pytest.raises(LocalError, match="shares its address"):
            order()
    site.run(orders.reserve(phone.mac, None, site.now))
    assert site.bindings[str(phone.mac)].reserved
    assert site.bindings[str(phone.mac)].block == block
    assert phone.renew(block, o159=encode_port_set(port_set_of(block))) is MessageType.ACK


# Files: the port tells which of the phones of one address asks.


@dataclass
class Files:
    """What the file server asks of the gateway."""

    site: SharedSite

    def phone_at(self, address: str, port: int) -> str:
        return self.site.server.phone_at(address, port)

    def provision_of(self, phone: str) -> Provision | None:
        return self.site.server.provision_of(Mac.parse(phone))


def test_a_phone_of_a_shared_address_reads_its_own_files_and_nobody_elses(site, phones) -> None:
    """RFC 7618: whoever asks has a port of its own block, and a file under another phone's name is that one's."""
    first, second = next(phones), next(phones)
    homes = {phone.mac: Endpoint(str(block.public), block.last) for phone in (first, second) if (block := phone.bind())}
    assert len({home.host for home in homes.values()}) == 1
    policy = FilePolicy(Files(site))
    for asking, home in homes.items():
        for mac_ in homes:
            choice = policy.choose(Fetch(f"{mac_.hex()}.cfg", home))
            assert isinstance(choice, Rendered) if mac_ == asking else is_withheld(choice, holds=True)


def test_a_port_of_no_block_reads_no_phones_file(site, phones) -> None:
    phone = next(phones)
    block = phone.bind()
    policy = FilePolicy(Files(site))
    for port in (0, 1024, block.first - 1, block.last + 1, 65535):
        assert is_withheld(policy.choose(Fetch(f"{phone.mac.hex()}.cfg", Endpoint(str(block.public), port))))


def test_a_phone_of_a_shared_address_writes_into_its_own_box_and_a_strangers_port_into_none(site, phones) -> None:
    first, second = next(phones), next(phones)
    policy = UploadPolicy(Files(site))
    for phone in (first, second):
        block = phone.bind()
        assert policy.choose(Admit("boot.log", Endpoint(str(block.public), block.first))) == Drop(phone.mac.hex(), "boot.log")
    assert policy.choose(Admit("boot.log", Endpoint(str(PUBLIC), 1024))) == NO_LEASE


def test_a_shared_port_is_nobodys_once_its_lease_has_ended_or_before_it_was_committed(site, phones) -> None:
    phone = next(phones)
    assert phone.tell(phone.client.discover()) is MessageType.OFFER
    assert site.server.phone_at(str(PUBLIC), 20480) == ""
    block = phone.bind()
    assert site.server.phone_at(str(block.public), block.first) == str(phone.mac)
    assert site.server.phone_at(str(block.public)) == ""
    site.start()
    assert site.server.phone_at(str(block.public), block.first) == str(phone.mac)
    phone.give_up(b"\x07", block)
    assert site.server.phone_at(str(block.public), block.first) == ""


def test_an_address_behind_the_nat_is_its_phones_whatever_the_port_and_the_public_one_nobodys(site, phones) -> None:
    """Of an ordinary scope the public address is the gateway's, not a phone's."""
    phone = next(phones)
    assert phone.tell(phone.client.discover(), "eth1") is MessageType.OFFER
    wanted = {"o54": site.scopes[1].server.packed, "o50": phone.reply.yiaddr.packed}
    assert phone.tell(phone.client.discover(), "eth1", o53=b"\x03", **wanted) is MessageType.ACK
    assert site.server.phone_at(str(phone.reply.yiaddr), 5) == str(phone.mac)
    (row,) = site.bindings.values()
    assert site.server.phone_at(str(row.block.public), row.block.first) == ""
