"""A gateway between phones and the outside, and what translates in it."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from unittest.mock import patch

from twisted.internet.task import Clock

from tests.bench.nat.traffic import PEER
from tests.live.namespaces import Namespaces
from tests.live.wires import receive_frames
from voxpath.natreactor.ebpf import program
from voxpath.natreactor.ebpf.libbpf import BpfObject
from voxpath.natreactor.ebpf.links import Links
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.interface import INATReactor, Outside
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.tun import TunNAT
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.rig import result_of

PHONES, GATEWAY, OUT = "phones", "gw", "out"
LAN, WAN = "10.0.0.1", "198.51.100.1"
INSIDE_MAC, OUTSIDE_MAC = "02:00:00:00:aa:01", "02:00:00:00:bb:01"
GATEWAY_MACS = {PHONES: "02:00:00:00:aa:02", OUT: "02:00:00:00:bb:02"}
PUBLICS = tuple(IPv4Address("203.0.113.1") + number for number in range(11))
"""One for each thousand phones, and one more for a lease that changes."""

MASQUERADE = """
table ip peer {
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "wan0" masquerade
  }
}
"""


@contextmanager
def site() -> Iterator[Namespaces]:
    """Phones behind one router, a gateway, and an outside that answers nothing."""
    with Namespaces() as net:
        net.create(PHONES, GATEWAY, OUT)
        net.veth(PHONES, "eth0", GATEWAY, "lan0")
        net.veth(OUT, "eth0", GATEWAY, "wan0")
        for name, interface, mac in (
            (PHONES, "eth0", INSIDE_MAC),
            (OUT, "eth0", OUTSIDE_MAC),
            (GATEWAY, "lan0", GATEWAY_MACS[PHONES]),
            (GATEWAY, "wan0", GATEWAY_MACS[OUT]),
        ):
            net.mac(name, interface, mac)
            receive_frames(net, name, interface)
            net.sysctl(name, f"net.ipv4.conf.{interface}.rp_filter", "0")
        net.address(GATEWAY, "lan0", f"{LAN}/24")
        net.address(GATEWAY, "wan0", f"{WAN}/24")
        for address, mac, interface in (("10.0.0.2", INSIDE_MAC, "lan0"), (PEER, OUTSIDE_MAC, "wan0")):
            net.ip(GATEWAY, "neigh", "add", address, "lladdr", mac, "dev", interface)
        net.route(GATEWAY, "10.1.0.0/16", "10.0.0.2")
        net.route(GATEWAY, "default", PEER)
        net.sysctl(GATEWAY, "net.ipv4.conf.all.rp_filter", "0")
        net.sysctl(GATEWAY, "net.ipv4.ip_forward", "1")
        yield net


@contextmanager
def absorbing(net: Namespaces, name: str, made: BpfObject) -> Iterator[None]:
    """Let what arrives at a host end in its driver."""
    with net.entered(name):
        links, index = Links(1), socket.if_nametoindex("eth0")
    try:
        links.attach_native(index, made.program("absorb"), replace=True)
        yield
    finally:
        links.attach_native(index, -1, replace=True)
        links.close()


def arrived(net: Namespaces, name: str) -> int:
    """Packets that have arrived at a host."""
    (told,) = json.loads(net.ip(name, "-s", "-j", "link", "show", "eth0"))
    return int(told["stats64"]["rx"]["packets"])


Path = Callable[[Namespaces], AbstractContextManager[INATReactor | None]]
"""Lets a gateway carry packets; there is a back end only if it is ours."""


@contextmanager
def forwarding(net: Namespaces) -> Iterator[None]:
    """Nothing is translated."""
    yield


@contextmanager
def masquerading(net: Namespaces) -> Iterator[None]:
    """The kernel's own NAPT, by connection tracking."""
    net.run(GATEWAY, ["nft", "-f", "-"], input=MASQUERADE)
    yield


def back_end(make: Callable[[NatSettings], INATReactor], *, native: bool = False) -> Path:
    """One of ours.

    :param native: whether drivers run it; those of virtual cables are not asked otherwise.
    """

    @contextmanager
    def begun(net: Namespaces) -> Iterator[INATReactor]:
        outside = Outside(("lan0",), ("wan0",), ("10.1.0.0/16",), PUBLICS)
        nat = make(NatSettings(outside, Clock()))
        with patch.object(program, "runs_natively", lambda _: native), net.entered(GATEWAY):
            result_of(nat.start())
        try:
            yield nat
        finally:
            result_of(nat.stop())
            with net.entered(GATEWAY):
                withdraw("voxpath", ("lan0",))

    return begun


PLAIN, PEERS_NAT, FAST, IN_DRIVERS = "plain forwarding", "masquerade", "nftables, fast", "ebpf in drivers"
PATHS: dict[str, Path] = {
    PLAIN: forwarding,
    PEERS_NAT: masquerading,
    "nftables": back_end(NftablesNAT),
    FAST: back_end(lambda settings: NftablesNAT(replace(settings, fast=True))),
    "ebpf": back_end(EbpfNAT),
    IN_DRIVERS: back_end(EbpfNAT, native=True),
    "tun": back_end(TunNAT),
}
