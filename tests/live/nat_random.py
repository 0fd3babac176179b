"""Crafted packets with other octets, against the oracle."""

import struct
from dataclasses import replace
from ipaddress import IPv4Address

import hypothesis
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.live.nat_rig import LAN, WAN, KernelRig
from voxpath.nappt.packet import is_unicast
from voxpath.testing.nat.packets import CASES, FAR, PUBLIC1, PUBLIC2, UNUSED_PUBLIC, Case, checksum
from voxpath.testing.nat.rig import oracle

OURS = tuple(int(IPv4Address(text)) for text in (PUBLIC1, PUBLIC2, UNUSED_PUBLIC))
BROADCAST = ("10.0.0.0", "10.0.0.255")
OWN = tuple(int(IPv4Address(text)) for text in (LAN, WAN, *BROADCAST))
FILLING = b"\0\1"


def is_the_nats(packet: bytes, from_inside: bool) -> bool:
    """Whether the oracle has to answer for a packet: it is whole, crosses the gateway, and is no business of the host's."""
    if len(packet) < 20 or packet[6] & 0x3F or packet[7]:
        return False
    source, destination = struct.unpack_from("!II", packet, 12)
    near = [address >> 8 in (0x0A0000, 0xC63364) and address != int(IPv4Address(FAR)) for address in (source, destination)]
    if source in OWN:
        return False  # the kernel believes nobody who says that he is this host, or all of a link
    options = packet[20 : (packet[0] & 15) * 4]
    if options.strip(FILLING) or b"\0" in options.rstrip(b"\0"):
        return False  # the kernel writes into options on its way, and behind their end
    if from_inside:
        return not near[1] and (source >> 8 == 0x0A0000 or source in OURS) and is_unicast(destination)
    return destination in OURS and not near[1] and not (near[0] and source >> 8 == 0xC63364)


CHANGES = st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), min_size=1, max_size=3)


class RandomConformance:
    """The test; ``loaded`` is a fixture of the subclass or of its module."""

    @staticmethod
    def is_asked(_: bytes) -> bool:
        """Whether a packet is compared; a subclass leaves out what its documentation says it treats otherwise."""
        return True

    def test_changed_packets_are_treated_as_the_oracle_does(self, loaded: KernelRig) -> None:
        """Whatever octets of a crafted packet are others; with a right IP checksum, so that they are looked at."""

        @given(st.sampled_from(CASES), CHANGES)
        @hypothesis.settings(max_examples=300, deadline=None, database=None)
        def check(case: Case, changes: list[tuple[int, int]]) -> None:
            octets = bytearray(case.packet)
            for at, value in changes:
                if at < len(octets):
                    octets[at] = value
            size = (octets[0] & 15) * 4
            if 20 <= size <= len(octets):
                octets[10:12] = b"\0\0"
                octets[10:12] = struct.pack("!H", checksum(bytes(octets[:size])))
            packet = bytes(octets)
            assume(self.is_asked(packet) and is_the_nats(packet, case.from_inside))
            assert loaded.carry(packet, case.from_inside) == oracle(replace(case, packet=packet))

        check()
