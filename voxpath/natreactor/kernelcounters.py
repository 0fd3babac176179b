"""Reads nftables' named counters straight from the kernel by netlink.

libnftables 1.0.6 fetches every element of every table before it lists one counter (60 ms at 10 000 phones), and answers a second
question from its cache; this takes 0.05 ms and is always fresh.
The constants are those of ``linux/netfilter/nf_tables.h``, which the kernel never changes.
"""

import os
import socket
from collections.abc import Iterator
from struct import Struct

from voxpath.core.errors import LocalError

NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWOBJ = NFNL_SUBSYS_NFTABLES << 8 | 18
NFT_MSG_GETOBJ = NFNL_SUBSYS_NFTABLES << 8 | 19
NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA = 1, 2, 3, 4
NFT_OBJECT_COUNTER = 1
NFTA_COUNTER_PACKETS = 2

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
ATTRIBUTE_TYPE = 0x3FFF
"""The attribute's type without the flags for nesting and byte order."""

MOST_OCTETS = 65536
ANSWER_S = 1.0
"""The kernel answers at once; this only guards the reactor thread against waiting for ever."""

_MESSAGE = Struct("=IHHII")
_FAMILY = Struct("!BBH")
_ATTRIBUTE = Struct("=HH")
_ERROR = Struct("=i")


class KernelCounters:
    """A netlink socket in the network namespace in which it was made.

    :raises LocalError: the kernel has no netfilter netlink.
    """

    def __init__(self) -> None:
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        except OSError as error:
            raise LocalError(f"no netfilter netlink: {error.strerror}") from None
        self._socket.settimeout(ANSWER_S)

    def packets(self, table: str) -> dict[str, int]:
        """The packets that each named counter of an ``ip`` table has counted; empty when there is no such table.

        :raises LocalError: the kernel refuses to tell.
        """
        self._sequence += 1
        body = _FAMILY.pack(socket.AF_INET, 0, 0)
        body += _attribute(NFTA_OBJ_TABLE, table.encode() + b"\0")
        body += _attribute(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER.to_bytes(4, "big"))
        head = _MESSAGE.pack(_MESSAGE.size + len(body), NFT_MSG_GETOBJ, NLM_F_REQUEST | NLM_F_DUMP, self._sequence, 0)
        try:
            self._socket.send(head + body)
            return dict(self._answers())
        except OSError as error:
            raise LocalError(f"the kernel's counters cannot be read: {error.strerror or error}") from None

    def close(self) -> None:
        """Close the socket; closing twice is allowed."""
        self._socket.close()

    def _answers(self) -> Iterator[tuple[str, int]]:
        while True:
            data = self._socket.recv(MOST_OCTETS)
            at = 0
            while at < len(data):
                length, kind, _, sequence, _ = _MESSAGE.unpack_from(data, at)
                content = data[at + _MESSAGE.size : at + length]
                at += (length + 3) & ~3
                if sequence != self._sequence:
                    continue  # the rest of a question that was given up
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    code = -_ERROR.unpack_from(content)[0]
                    raise OSError(code, os.strerror(code))
                if kind == NFT_MSG_NEWOBJ:
                    yield _counter(content[_FAMILY.size :])


def _counter(octets: bytes) -> tuple[str, int]:
    found = dict(_attributes(octets))
    data = dict(_attributes(found[NFTA_OBJ_DATA]))
    return found[NFTA_OBJ_NAME].rstrip(b"\0").decode(), int.from_bytes(data[NFTA_COUNTER_PACKETS], "big")


def _attribute(kind: int, octets: bytes) -> bytes:
    padding = -len(octets) % 4
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(octets), kind) + octets + bytes(padding)


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(octets):
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        yield kind & ATTRIBUTE_TYPE, octets[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
