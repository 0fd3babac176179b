"""What every NAT back end has to do that translates the packets of a machine, beside what all of them have to do."""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.live.namespaces import Namespaces
from tests.live.nat_rig import LAN, WAN, KernelRig
from tests.natreactor.nat_conformance import OUTSIDE, result_of, settings
from tests.natreactor.nat_packets import FAR, MAPPINGS, PHONE1, PHONE2, PUBLIC1, checksums_hold, cut, ping, udp
from voxpath.model.ports import Transaction
from voxpath.natreactor.event import HostSetting
from voxpath.natreactor.interface import Adopted, INATReactor
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.withdraw import withdraw


class GatewayConformance:
    """What every back end has to do that translates the packets of a machine; ``rig`` is a fixture of the subclass's module."""

    @pytest.fixture
    def loaded(self, rig: KernelRig) -> KernelRig:
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        return rig

    def test_the_host_is_prepared_and_says_so(self, rig: KernelRig) -> None:
        assert rig.net.run("gw", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout.strip() == "1"
        assert rig.net.run("gw", ["sysctl", "-n", "net.ipv4.conf.lan0.send_redirects"]).stdout.strip() == "0"
        rig.net.sysctl("gw", "net.ipv4.ip_forward", "0")
        rig.restart()
        assert [event.key for event in rig.events if isinstance(event, HostSetting)][-1] == "net/ipv4/ip_forward"

    def test_an_error_about_an_expired_packet_shows_its_sender_what_it_sent(self, loaded: KernelRig) -> None:
        """Each side reads its own form of the packet in the error: the private source inside, the public destination outside."""
        expired = (
            (udp(PHONE1, 2048, FAR, 9, ttl=1), True),
            (udp(FAR, 9, PUBLIC1, 2048, ttl=1), False),
            (udp(PHONE1, 2048, PUBLIC1, 2112, ttl=1), True),
        )
        for counted, (packet, inside) in enumerate(expired, 1):
            assert loaded.carry(packet, inside) is None
            (answer,) = loaded.answers
            assert answer[20] == 11
            assert answer[28 : 28 + 20][12:20] == packet[12:20]
            assert loaded.nat.drops()["ttl_expired"] == counted

    def test_traffic_between_inside_addresses_is_not_translated(self, loaded: KernelRig) -> None:
        """Decision D21: only what leaves by an outside interface is."""
        came = loaded.carry(udp(PHONE1, 40000, PHONE2, 9), True)
        assert came is not None
        assert came[12:20] == IPv4Address(PHONE1).packed + IPv4Address(PHONE2).packed
        assert loaded.carry(ping(PHONE1, LAN, 0xF7FE), True) is None
        (echo,) = loaded.answers
        assert echo[16:20] == IPv4Address(PHONE1).packed
        assert loaded.carry(udp(PHONE1, 40000, PHONE2, 9, ttl=1), True) is None
        assert not any(loaded.nat.drops().values())

    def test_the_gateway_speaks_for_itself(self, loaded: KernelRig) -> None:
        """Its own outside address passes in both directions; its inside address does not leave."""
        with loaded.net.entered("gw"):
            own, inner = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with own, inner:
            own.bind((WAN, 2944))
            own.settimeout(2)
            inner.bind((LAN, 2944))
            own.sendto(b"own", (FAR, 9))
            with suppress(PermissionError):  # netfilter tells the sender at once
                inner.sendto(b"inner", (FAR, 9))
            loaded.settle()
            assert [packet[28:] for packet in loaded.out.heard()] == [b"own"]
            loaded.out.send(udp(FAR, 9, WAN, 2944, b"to the gateway"))
            assert own.recv(100) == b"to the gateway"
        assert loaded.nat.drops()["unknown_phone"] == 1

    def test_a_public_address_on_the_gateway_changes_nothing(self, loaded: KernelRig) -> None:
        """A tunnel end needs it there: packets are neither martians nor delivered to the gateway's own sockets."""
        loaded.net.address("gw", "lo", f"{PUBLIC1}/32")
        try:
            with loaded.net.entered("gw"):
                everywhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with everywhere:
                everywhere.bind(("0.0.0.0", 9999))
                everywhere.setblocking(False)
                assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
                assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) is not None
                assert loaded.carry(udp(PHONE1, 2048, PUBLIC1, 2112), True) is not None
                assert loaded.carry(udp(FAR, 9, PUBLIC1, 9999), False) is None
                assert loaded.carry(udp(FAR, 9, PUBLIC1, 9999, ttl=1), False) is None
                with pytest.raises(BlockingIOError):
                    everywhere.recv(100)
        finally:
            loaded.net.ip("gw", "addr", "del", f"{PUBLIC1}/32", "dev", "lo")

    def test_a_sockets_unfinished_checksum_is_finished(self, loaded: KernelRig) -> None:
        """A local socket leaves its checksum to the device: what comes out on the other side has to be right."""
        loaded.net.address("phone", "eth0", f"{PHONE1}/24")
        loaded.net.route("phone", "default", LAN)
        try:
            with loaded.net.entered("phone"):
                phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with phone:
                phone.bind((PHONE1, 2050))
                phone.sendto(b"real socket", (FAR, 9))
                loaded.settle()
                (came,) = loaded.out.heard()
                assert came[28:] == b"real socket"
                # A virtual cable carries the checksum unfinished to the end: then it covers the pseudo-header alone.
                pseudo = came[12:20] + struct.pack("!BBH", 0, 17, len(came) - 20)
                unfinished = sum(struct.unpack("!6H", pseudo))
                unfinished = (unfinished & 0xFFFF) + (unfinished >> 16)
                assert checksums_hold(came) or struct.unpack_from("!H", came, 26)[0] == unfinished
        finally:
            loaded.net.ip("phone", "addr", "flush", "dev", "eth0")

    def test_mappings_that_the_configuration_no_longer_allows_are_not_adopted(self, loaded: KernelRig) -> None:
        """Generation 0 says that the ledger has to be asked for everything."""
        result_of(loaded.nat.stop())
        fewer = replace(settings(loaded.clock), outside=replace(OUTSIDE, public=(IPv4Address(PUBLIC1),)))
        kept = frozenset(row for row in MAPPINGS if row.block.public == IPv4Address(PUBLIC1))
        assert loaded.begin(fewer) == Adopted(0, kept)
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
        assert loaded.carry(udp("10.0.0.13", 2048, FAR, 9), True) is None


def gets_its_packets(rig: KernelRig) -> None:
    """A service does; also those in fragments, whose ports are in the first one only; without it nothing is sent round."""
    assert rig.carry(udp(FAR, 9, PUBLIC1, 5060), False) is None
    rig.net.address("gw", "lo", f"{PUBLIC1}/32")
    try:
        with rig.net.entered("gw"):
            service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with service:
            service.bind((PUBLIC1, 5060))
            service.settimeout(2)
            long = bytes(range(250)) * 10
            for part in reversed(cut(udp(FAR, 9, PUBLIC1, 5060, long, fragment=0))):
                rig.carry(part, False)
            assert service.recv(5000) == long
            assert rig.carry(udp(PHONE1, 2048, PUBLIC1, 5060, b"from inside"), True) is None
            data, address = service.recvfrom(100)
            assert (data, address) == (b"from inside", (PHONE1, 2048))
    finally:
        rig.net.ip("gw", "addr", "del", f"{PUBLIC1}/32", "dev", "lo")


def is_withdrawn_completely(site: Namespaces, make: Callable[[NatSettings], INATReactor]) -> None:
    """Nothing is left of a back end in the kernel."""

    def there() -> list[str]:
        return [site.run("gw", ["ip", "-4", *what]).stdout for what in (("rule",), ("link",), ("route", "show", "table", "all"))]

    before = there()
    rig = KernelRig(site, make)
    assert there() != before
    rig.close()
    with site.entered("gw"):
        withdraw("voxpath", ("lan0",))
    assert there() == before
