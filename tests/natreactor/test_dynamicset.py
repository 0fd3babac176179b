"""What the rules enter into a set is read without losing a packet; the kernel is a table of counters here."""

import errno
import os
from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import LocalError
from voxpath.natreactor import kernelcounters
from voxpath.natreactor.dynamicset import DynamicSet
from voxpath.natreactor.elements import (
    NFT_MSG_DELSETELEM,
    NFT_MSG_GETSETELEM,
    NFT_MSG_NEWSETELEM,
    NFTA_DATA_VALUE,
    NFTA_LIST_ELEM,
    NFTA_SET_ELEM_KEY,
    NFTA_SET_ELEM_LIST_ELEMENTS,
    elements_of,
)
from voxpath.natreactor.netlink import NESTED, Part, attribute
from voxpath.testing.nat.packets import PHONE1, PHONE2

ONE, OTHER = int(IPv4Address(PHONE1)), int(IPv4Address(PHONE2))
MOST = 4


class Kernel:
    """A set as the kernel lists it.

    :ivar counts: packets by address and port.
    :ivar refuses: the kernel's reason, if any.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[int, int], int] = {}
        self.refuses = 0

    def listed(self, kind: int, answer: int, content: bytes) -> list[bytes]:
        self._refuse()
        assert (kind, answer, content) == (NFT_MSG_GETSETELEM, NFT_MSG_NEWSETELEM, elements_of("voxpath", "offenders"))
        octets = b"".join(attribute(NESTED | NFTA_LIST_ELEM, self._element(*each)) for each in self.counts.items())
        return [content + attribute(NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, octets), content]

    def change(self, parts: Sequence[Part]) -> None:
        self._refuse()
        assert parts == [Part(NFT_MSG_DELSETELEM, elements_of("voxpath", "offenders"))]
        self.counts.clear()

    def _refuse(self) -> None:
        if self.refuses:
            raise OSError(self.refuses, os.strerror(self.refuses))

    @staticmethod
    def _element(endpoint: tuple[int, int], packets: int) -> bytes:
        address, port = endpoint
        key = attribute(NFTA_DATA_VALUE, address.to_bytes(4, "big") + port.to_bytes(2, "big") + b"\0\0")
        counter = attribute(kernelcounters.NFTA_COUNTER_PACKETS, packets.to_bytes(8, "big"))
        data = attribute(NESTED | kernelcounters.NFTA_EXPR_DATA, counter)
        return attribute(NESTED | NFTA_SET_ELEM_KEY, key) + attribute(NESTED | kernelcounters.NFTA_SET_ELEM_EXPR, data)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def offenders() -> DynamicSet:
    return DynamicSet("voxpath", "offenders", MOST)


def test_each_packet_is_found_by_one_look_whenever_it_comes(kernel: Kernel, offenders: DynamicSet) -> None:
    found = []
    for packets in (3, 3, 10, 11):
        kernel.counts[ONE, 2048] = packets
        found += offenders.grown(kernel)
    kernel.counts[OTHER, 65535] = 2
    found += offenders.grown(kernel)
    assert found == [(ONE, 2048, 3), (ONE, 2048, 7), (ONE, 2048, 1), (OTHER, 65535, 2)]
    assert kernel.counts == {(ONE, 2048): 11, (OTHER, 65535): 2}


def test_an_element_that_was_gone_begins_anew(kernel: Kernel, offenders: DynamicSet) -> None:
    """Between two looks, or for several of them."""
    kernel.counts[ONE, 2048] = 9
    offenders.grown(kernel)
    kernel.counts[ONE, 2048] = 2
    assert offenders.grown(kernel) == [(ONE, 2048, 2)]
    kernel.counts.clear()
    assert offenders.grown(kernel) == []
    kernel.counts[ONE, 2048] = 5
    assert offenders.grown(kernel) == [(ONE, 2048, 5)]


def test_a_full_set_is_emptied_so_that_others_find_a_place(kernel: Kernel, offenders: DynamicSet) -> None:
    kernel.counts = {(ONE, port): 1 for port in range(MOST)}
    assert len(offenders.grown(kernel)) == MOST
    assert kernel.counts == {}
    kernel.counts[ONE, 0] = 1
    assert offenders.grown(kernel) == [(ONE, 0, 1)]


def test_a_set_that_was_made_anew_counts_from_zero(kernel: Kernel, offenders: DynamicSet) -> None:
    kernel.counts[ONE, 2048] = 3
    offenders.grown(kernel)
    offenders.begin_again()
    kernel.counts[ONE, 2048] = 4
    assert offenders.grown(kernel) == [(ONE, 2048, 4)]


def test_a_set_that_is_gone_is_told(kernel: Kernel, offenders: DynamicSet) -> None:
    kernel.refuses = errno.ENOENT
    with pytest.raises(LocalError, match="the set offenders cannot be read: No such file or directory"):
        offenders.grown(kernel)
