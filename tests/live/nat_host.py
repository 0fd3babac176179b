"""What every NAT back end has to do as a part of a machine: with links, addresses and errors of its kernel around it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.live.nat_rig import ICMP_ERRORS, LAN, WAN, KernelRig
from tests.live.wires import Wire
from voxpath.model.ports import Transaction
from voxpath.testing.nat.packets import (
    FAR,
    LONG,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PREFIX,
    PUBLIC1,
    PUBLIC2,
    WHOLES,
    cut,
    mapping,
    ping,
    sctp,
    tcp,
    udp,
)
from voxpath.testing.nat.rig import OUTSIDE, result_of

VIRTUAL = "10.0.0.254"
OTHER_PHONE, OTHER_LAN, OTHER_PREFIX = "10.0.1.11", "10.0.1.1", "10.0.1.0/24"
SERVER, DMZ = "172.16.0.2", "172.16.0.1"
NARROW = 600
EXPEDITED, CAPABLE = 0xB8, 0x01
"""Bits of the TOS: the expedited forwarding of RTP, and that a sender knows congestion marks (ECT(1))."""
TAG, OUTER_TAG = b"\x81\x00\x00\x05", b"\x88\xa8\x00\x07"
ETH_IP = b"\x08\x00"
SIX = {"phone": "2001:db8:1::2", "out": "2001:db8:2::2"}


class HostConformance:
    """The tests; ``rig`` and ``loaded`` are fixtures of the subclass or of its module."""

    def test_what_turns_back_is_sent_once_and_causes_no_redirect(self, loaded: KernelRig) -> None:
        """TRI-7, RFC 4787 REQ-9: by UDP, TCP, SCTP and in fragments, to others and to the phone's own public address."""
        for packet in (
            udp(PHONE1, 2048, PUBLIC1, 2112),
            tcp(PHONE1, 2048, PUBLIC2, 2049),
            sctp(PHONE1, 2048, PUBLIC1, 2112),
            udp(PHONE1, 2048, PUBLIC1, 2049),
            *cut(udp(PHONE1, 2048, PUBLIC1, 2112, LONG, fragment=0)),
            udp(PHONE1, 40000, PHONE2, 9),
        ):
            assert loaded.carry(packet, True) is not None
            assert loaded.answers == []

    def test_fragments_in_the_wrong_order_are_the_packet_again(self, loaded: KernelRig) -> None:
        """RFC 4787 REQ-14."""
        for name, before, behind in WHOLES:
            inside = before[12] == 10
            for part in reversed(cut(before, identification=0x4321)):
                (loaded.phone if inside else loaded.out).send(part)
            loaded.phone.settle()
            loaded.out.settle()
            loaded.settle()
            arrived = (loaded.phone if behind[16] == 10 else loaded.out).heard()
            came = sorted(arrived, key=lambda part: int.from_bytes(part[6:8], "big") & 0x1FFF)
            assert b"".join(part[20:] for part in came) == behind[20:], name
            assert {part[12:20] for part in came} == {behind[12:20]}, name
            assert len({part[4:6] for part in came}) == 1, name

    def test_what_a_program_marks_arrives_with_its_marks(self, loaded: KernelRig) -> None:
        """QOS-1: the expedited forwarding of RTP, and what congestion control needs, in both directions."""
        marks = EXPEDITED | CAPABLE
        with stations(loaded):
            with loaded.net.entered("phone"):
                phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with loaded.net.entered("out"):
                far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with phone, far:
                for end, own in ((phone, (PHONE1, 2050)), (far, (FAR, 2050))):
                    end.bind(own)
                    end.settimeout(5)
                    end.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, marks)
                    end.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
                for sender, receiver, to in ((phone, far, (FAR, 2050)), (far, phone, (PUBLIC1, 2050))):
                    for octets in (b"marked", bytes(4000)):
                        sender.sendto(octets, to)
                        data, extra, _, _ = receiver.recvmsg(5000, 100)
                        assert (data, [value[0] for _, _, value in extra]) == (octets, [marks])

    def test_ipv6_is_left_alone(self, loaded: KernelRig) -> None:
        """The gateway routes it as if there were no NAT."""
        net = loaded.net
        gateways = {"phone": "2001:db8:1::1", "out": "2001:db8:2::1"}
        for name, own in SIX.items():
            net.ip(name, "-6", "addr", "add", f"{own}/64", "dev", "eth0", "nodad")
            net.ip("gw", "-6", "addr", "add", f"{gateways[name]}/64", "dev", "lan0" if name == "phone" else "wan0", "nodad")
            net.ip(name, "-6", "route", "add", "default", "via", gateways[name])
        net.sysctl("gw", "net.ipv6.conf.all.forwarding", "1")
        opened = []
        try:
            for name, own in SIX.items():
                with net.entered(name):
                    opened.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
                opened[-1].bind((own, 40000))
                opened[-1].settimeout(5)
            phone, far = opened
            for sender, receiver in ((phone, far), (far, phone)):
                sender.sendto(b"six", receiver.getsockname())
                assert receiver.recvfrom(100)[0::1] == (b"six", sender.getsockname())
        finally:
            for each in opened:
                each.close()
            for name, interface in (("phone", "eth0"), ("out", "eth0"), ("gw", "lan0"), ("gw", "wan0")):
                net.ip(name, "-6", "addr", "flush", "dev", interface, "scope", "global")
        assert not any(loaded.nat.drops().values())

    def test_frames_of_other_hosts_and_with_tags_are_left_alone(self, loaded: KernelRig) -> None:
        """Those of a VLAN belong to an interface of their own; what is heard for others is not the gateway's to forward."""
        before = dict(loaded.nat.drops())
        for wire, packet in ((loaded.phone, udp(PHONE1, 2048, FAR, 9)), (loaded.out, udp(FAR, 9, PUBLIC1, 2048))):
            wire.send_frame(bytes.fromhex("02000000cc01"), ETH_IP + packet)
            wire.send_frame(None, TAG + ETH_IP + packet)
            wire.send_frame(None, OUTER_TAG + TAG + ETH_IP + packet)
            wire.settle()
        loaded.settle()
        assert loaded.out.heard() == loaded.phone.heard() == []
        assert loaded.nat.drops() == before

    @pytest.mark.parametrize("interface", ["lo", "wan0"])
    def test_arp_finds_a_public_address_that_the_gateway_has(self, loaded: KernelRig, interface: str) -> None:
        """Of a router that knows no route to it, since it belongs to the router's own link."""
        loaded.net.address("gw", interface, f"{PUBLIC1}/32")
        try:
            asking = Wire(loaded.net, "out", "eth0", PUBLIC1)
            assert asking.settle() == loaded.out.settle()
            asking.close()
            assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) == udp(FAR, 9, PHONE1, 2048, ttl=63)
        finally:
            loaded.net.ip("gw", "addr", "del", f"{PUBLIC1}/32", "dev", interface)

    def test_an_address_that_comes_while_it_runs_is_the_phones_gateway(self, loaded: KernelRig) -> None:
        """NAP-8: a virtual address, which a standby takes over."""
        loaded.net.address("gw", "lan0", f"{VIRTUAL}/24")
        try:
            asking = Wire(loaded.net, "phone", "eth0", VIRTUAL)
            asking.send(udp(PHONE1, 2048, FAR, 9))
            asking.settle()
            loaded.settle()
            assert loaded.out.heard() == [udp(PUBLIC1, 2048, FAR, 9, ttl=63)]
            asking.heard()
            asking.send(ping(PHONE1, VIRTUAL, 0xF7FE))
            asking.settle()
            assert [packet[12:20] for packet in asking.heard()] == [IPv4Address(VIRTUAL).packed + IPv4Address(PHONE1).packed]
            asking.close()
        finally:
            loaded.net.ip("gw", "addr", "del", f"{VIRTUAL}/24", "dev", "lan0")

    def test_only_what_leaves_by_an_outside_interface_is_translated(self, rig: KernelRig) -> None:
        """NAP-10, RTE-1: another LAN and a DMZ see the phone's own address, the outside its public one."""
        with elsewhere(rig) as (other, server):
            rig.restart(outside=replace(OUTSIDE, inside=("lan0", "lan7"), private=(PREFIX, OTHER_PREFIX)))
            result_of(rig.nat.apply(Transaction(1, (*MAPPINGS, mapping(OTHER_PHONE, PUBLIC1, 8192, 64)))))
            for sender, sent, receiver, came in (
                (rig.phone, udp(PHONE1, 40000, OTHER_PHONE, 9), other, udp(PHONE1, 40000, OTHER_PHONE, 9, ttl=63)),
                (other, udp(OTHER_PHONE, 9, PHONE1, 40000), rig.phone, udp(OTHER_PHONE, 9, PHONE1, 40000, ttl=63)),
                (rig.phone, udp(PHONE1, 40000, SERVER, 9), server, udp(PHONE1, 40000, SERVER, 9, ttl=63)),
                (server, udp(SERVER, 9, PHONE1, 40000), rig.phone, udp(SERVER, 9, PHONE1, 40000, ttl=63)),
                (rig.phone, udp(PHONE1, 2048, FAR, 9), rig.out, udp(PUBLIC1, 2048, FAR, 9, ttl=63)),
                (other, udp(OTHER_PHONE, 8192, FAR, 9), rig.out, udp(PUBLIC1, 8192, FAR, 9, ttl=63)),
                (rig.out, udp(FAR, 9, PUBLIC1, 8192), other, udp(FAR, 9, OTHER_PHONE, 8192, ttl=63)),
                (rig.phone, udp(PHONE1, 2048, PUBLIC1, 8192), other, udp(PUBLIC1, 2048, OTHER_PHONE, 8192, ttl=63)),
            ):
                sender.send(sent)
                sender.settle()
                rig.settle()
                receiver.settle()
                assert receiver.heard() == [came]
            assert not any(rig.nat.drops().values())
            rig.restart(outside=OUTSIDE)

    def test_private_is_what_is_configured_whoever_else_has_such_addresses(self, rig: KernelRig) -> None:
        """ADR-5: a LAN with addresses that belong to somebody else, and one with those of carriers (RFC 6598)."""
        squatted = (("11.0.0.5", "11.0.0.0/24"), ("100.64.0.5", "100.64.0.0/24"))
        rig.restart(outside=replace(OUTSIDE, private=tuple(prefix for _, prefix in squatted)))
        for number, (phone, prefix) in enumerate(squatted):
            first = 8192 + 64 * number
            rig.net.ip("gw", "route", "add", prefix, "dev", "lan0")
            rig.net.ip("gw", "neigh", "add", phone, "lladdr", "02:00:00:00:aa:01", "dev", "lan0")
            result_of(rig.nat.apply(Transaction(number + 1, (mapping(phone, PUBLIC1, first, 64),))))
            try:
                assert rig.carry(udp(phone, first, FAR, 9), True) == udp(PUBLIC1, first, FAR, 9, ttl=63)
                assert rig.carry(udp(FAR, 9, PUBLIC1, first), False) == udp(FAR, 9, phone, first, ttl=63)
                assert rig.carry(udp(phone, 40000, FAR, 9), True) is None
                assert rig.carry(udp(phone, first, PUBLIC1, first, ttl=64), False) is None
            finally:
                rig.net.ip("gw", "route", "del", prefix, "dev", "lan0")
        assert rig.carry(udp(PHONE1, 2048, FAR, 9), True) is None
        drops = rig.nat.drops()
        assert (drops["spoofed_port"], drops["bogon"]) == (2, 3)

    def test_who_sends_too_much_at_once_is_told_in_the_form_of_his_own_packet(self, loaded: KernelRig) -> None:
        """The path MTU: of the cable behind the gateway, to phones and to the outside, which reads no inside address."""
        for interface, packet, inside in (
            ("wan0", udp(PHONE1, 2048, FAR, 9, bytes(900)), True),
            ("lan0", udp(FAR, 9, PUBLIC1, 2048, bytes(900)), False),
        ):
            loaded.net.ip("gw", "link", "set", interface, "mtu", str(NARROW))
            try:
                with loaded.net.entered("gw"):
                    loaded.clock.advance(1)
                (answer,) = told(loaded, packet, inside)
            finally:
                loaded.net.ip("gw", "link", "set", interface, "mtu", "1500")
            assert answer[20:22] == bytes((3, 4))
            assert int.from_bytes(answer[26:28], "big") == NARROW
            assert answer[16:20] == packet[12:16]
            assert answer[28:][12:20] == packet[12:20]

    def test_what_has_no_way_out_is_told_to_the_phone_in_the_form_of_its_own_packet(self, loaded: KernelRig) -> None:
        loaded.net.ip("gw", "route", "add", "unreachable", "192.0.2.0/24")
        packet = udp(PHONE1, 2048, "192.0.2.1", 9)
        try:
            with loaded.net.entered("gw"):
                loaded.clock.advance(1)  # who keeps routes of his own looks at them
            (answer,) = told(loaded, packet, True)
        finally:
            loaded.net.ip("gw", "route", "del", "unreachable", "192.0.2.0/24")
        assert answer[20] == 3
        assert answer[16:20] == IPv4Address(PHONE1).packed
        assert answer[28:][12:20] == packet[12:20]

    def test_nobody_outside_learns_the_address_of_a_phone_that_is_not_there(self, loaded: KernelRig) -> None:
        """Its cable is out: a back end that says so does it by the public address."""
        absent = "10.0.0.200"
        result_of(loaded.nat.apply(Transaction(2, (mapping(absent, PUBLIC1, 8192, 64),))))
        loaded.net.ip("gw", "route", "add", "unreachable", f"{absent}/32")
        packet = udp(FAR, 9, PUBLIC1, 8192)
        try:
            answers = told(loaded, packet, False)
        finally:
            loaded.net.ip("gw", "route", "del", "unreachable", f"{absent}/32")
        for answer in answers:
            assert answer[20] == 3
            assert answer[28:][12:20] == packet[12:20]
            assert IPv4Address(absent).packed not in answer


def told(rig: KernelRig, packet: bytes, inside: bool) -> list[bytes]:
    """The ICMP errors that a packet causes; they are all that comes."""
    came = rig.carry(packet, inside)
    answers = rig.answers if came is None else [*rig.answers, came]
    assert all(answer[9] == 1 and answer[20] in ICMP_ERRORS for answer in answers)
    return answers


@contextmanager
def stations(rig: KernelRig) -> Iterator[None]:
    """Let both ends have addresses, so that programs can speak there."""
    for name, own, gateway in (("phone", PHONE1, LAN), ("out", FAR, WAN)):
        rig.net.address(name, "eth0", f"{own}/24")
        rig.net.route(name, "default", gateway)
    try:
        yield
    finally:
        for name in ("phone", "out"):
            rig.net.ip(name, "addr", "flush", "dev", "eth0")


@contextmanager
def elsewhere(rig: KernelRig) -> Iterator[tuple[Wire, Wire]]:
    """Another LAN, and a network that is neither inside nor outside: a host in each."""
    net = rig.net
    net.create("phone7", "server")
    for name, interface, address, host, mac in (
        ("phone7", "lan7", OTHER_LAN, OTHER_PHONE, "02:00:00:00:cc:01"),
        ("server", "dmz0", DMZ, SERVER, "02:00:00:00:dd:01"),
    ):
        net.veth(name, "eth0", "gw", interface)
        net.mac(name, "eth0", mac)
        net.address("gw", interface, f"{address}/24")
        net.ip("gw", "neigh", "add", host, "lladdr", mac, "dev", interface)
    # So that what phones send there is left alone by `tun`, too, as the how-to says.
    net.ip("gw", "link", "set", "dmz0", "group", "7")
    other, server = Wire(net, "phone7", "eth0", OTHER_LAN), Wire(net, "server", "eth0", DMZ)
    try:
        yield other, server
    finally:
        other.close()
        server.close()
        for interface in ("lan7", "dmz0"):
            net.ip("gw", "link", "del", interface)
        net.remove("phone7", "server")
