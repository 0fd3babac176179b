"""A phone that says nothing for longer than connection tracking remembers anything, and is called then."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.bench.nat.delay import ends
from tests.bench.nat.site import FAST, GATEWAY, PATHS, PEERS_NAT, WAN, site
from tests.bench.nat.traffic import INWARD, OUTWARD, PEER, PEER_PORT, mapping, packet
from tests.live.namespaces import Namespaces
from voxpath.testing.nat.packets import udp
from voxpath.testing.nat.rig import result_of

BACK_ENDS = ("nftables", FAST, "ebpf", "tun")
TIMEOUTS = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
"""How long connection tracking remembers datagrams that nobody answers, and those that somebody does, in seconds."""

CALLER = "192.0.2.77"
"""Somebody whom the phone never spoke with."""

PHONE = mapping(0)
PORT = PHONE.block.first


def heard(net: Namespaces, public: str, source: str, marker: bytes) -> bool:
    """Whether a datagram from outside arrives at the phone."""
    with ends(net, INWARD) as both:
        return both.delay_s(udp(source, PEER_PORT, public, PORT, marker), marker) is not None


def speak(net: Namespaces, marker: bytes) -> None:
    """Let the phone send one datagram.

    :raises AssertionError: it does not come out.
    """
    with ends(net, OUTWARD) as both:
        assert both.delay_s(packet(PHONE, OUTWARD, marker), marker) is not None, "the phone's datagram does not come out"


@contextmanager
def gateways(names: tuple[str, ...]) -> Iterator[dict[str, Namespaces]]:
    """A gateway of each kind with its phone; those that are ours know the phone's block."""
    with ExitStack() as opened:
        found = {}
        for name in names:
            net = found[name] = opened.enter_context(site())
            nat = opened.enter_context(PATHS[name](net))
            if nat is not None:
                result_of(nat.replace_all(1, (PHONE,)))
        yield found


def remembered_s(net: Namespaces, most: int) -> int:
    """How long connection tracking remembers at the longest, in seconds; no longer than half of ``most``."""
    longest = 0
    for timeout in TIMEOUTS:
        own = int(net.run(GATEWAY, ["sysctl", "-n", f"net.netfilter.{timeout}"]).stdout)
        seconds = min(own, most // 2)
        net.sysctl(GATEWAY, f"net.netfilter.{timeout}", str(seconds))
        longest = max(longest, seconds)
    return longest


def silence(seed: int, amount: int) -> str:
    """Be silent for so many seconds beside a gateway that masquerades.

    :raises AssertionError: one of ours forgets a phone, or connection tracking does not.
    """
    del seed  # there is nothing by chance
    amount = max(amount, 2)
    with gateways((PEERS_NAT, *BACK_ENDS)) as nets:
        peer = nets[PEERS_NAT]
        timeout = remembered_s(peer, amount)
        for net in nets.values():
            speak(net, b"hello")
        assert heard(peer, WAN, PEER, b"answer"), "masquerading carries no answer"
        time.sleep(amount)  # the silence is what is tried
        assert not heard(peer, WAN, PEER, b"late"), "connection tracking still remembers the phone"
        public = str(PHONE.block.public)
        for name in BACK_ENDS:
            for source in (PEER, CALLER):
                assert heard(nets[name], public, source, b"call"), f"{name} lost the phone: nothing from {source} arrives"
    return (
        f"after {amount} s of silence (connection tracking: {timeout} s) anybody reaches the phone through {', '.join(BACK_ENDS)}"
    )
