"""Netlink: questions to the kernel and their answers; of netfilter also changes of its tables.

The constants are those of ``linux/netlink.h``, ``nfnetlink.h`` and ``nf_tables.h``, which the kernel never changes.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import ClassVar, NamedTuple

from voxpath.core.errors import LocalError

NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 16, 17

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
ATTRIBUTE_TYPE = 0x3FFF
"""The attribute's type without the flags for nesting and byte order."""
NESTED = 0x8000

NFPROTO_NETDEV = 5

MOST_OCTETS = 65536
SEND_OCTETS = 16 * 1024 * 1024
"""The largest change: one of all that a table can hold is several times smaller."""
ANSWER_S = 1.0
"""The kernel answers at once; this only guards the reactor thread against waiting for ever."""

ADVICE = (
    ("Operation not permitted", "CAP_NET_ADMIN is needed"),
    ("Message too long", "a user namespace may send no more at once: raise net.core.wmem_max on its host"),
)
"""What to do about the kernel's refusals."""

_SO_SNDBUFFORCE = 32
_MESSAGE = Struct("=IHHII")
_FAMILY = Struct("!BBH")
_ATTRIBUTE = Struct("=HH")
_ERROR = Struct("=i")


class Netlink:
    """A netlink socket in the network namespace in which it was made: one question at a time, and its answers.

    :raises LocalError: the kernel has no netlink of this kind.
    """

    PROTOCOL: ClassVar[int]
    NAME: ClassVar[str]

    def __init__(self) -> None:
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self.PROTOCOL)
        except OSError as error:
            raise LocalError(f"no {self.NAME}: {error.strerror}") from None
        self._socket.settimeout(ANSWER_S)

    def close(self) -> None:
        """Close the socket; closing twice is allowed."""
        self._socket.close()

    def dumped(self, kind: int, answer: int, content: bytes) -> list[bytes]:
        """Ask for all objects of a kind; give the contents of those answers that are of the kind ``answer``.

        :raises OSError: the kernel refuses to tell.
        """
        self._sequence += 1
        self._socket.send(self.message(kind, NLM_F_DUMP, content))
        found = []
        for said, octets in self.answers():
            if said == NLMSG_DONE:
                break
            raise_if_refused(said, octets)
            if said == answer:
                found.append(octets)
        return found

    def message(self, kind: int, flags: int, content: bytes) -> bytes:
        """A message of the question that is being asked."""
        return _MESSAGE.pack(_MESSAGE.size + len(content), kind, NLM_F_REQUEST | flags, self._sequence, 0) + content

    def answers(self) -> Iterator[tuple[int, bytes]]:
        """What the kernel answers to the last question: kind and content of each message."""
        while True:
            data = self._socket.recv(MOST_OCTETS)
            at = 0
            while at < len(data):
                length, kind, _, sequence, _ = _MESSAGE.unpack_from(data, at)
                # What is left of a question that was given up is passed over.
                if sequence == self._sequence:
                    yield kind, data[at + _MESSAGE.size : at + length]
                at += (length + 3) & ~3


class Part(NamedTuple):
    """One message of a change: its kind, its content, and the family of its table."""

    kind: int
    content: bytes
    family: int = socket.AF_INET


class Netfilter(Netlink):
    """Netfilter's tables.

    :raises LocalError: the kernel has no netfilter netlink.
    """

    PROTOCOL = NETLINK_NETFILTER
    NAME = "netfilter netlink"

    def __init__(self) -> None:
        super().__init__()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, SEND_OCTETS)
        except PermissionError:
            # In a user namespace: what the host lets anybody have, which may be too little for a large change (ADVICE).
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_OCTETS)

    def listed(self, kind: int, answer: int, content: bytes, family: int = socket.AF_INET) -> list[bytes]:
        """Ask for all objects of a kind; give the contents of those answers that are of the kind ``answer``.

        :raises OSError: the kernel refuses to tell.
        """
        tables = NFNL_SUBSYS_NFTABLES << 8
        found = self.dumped(tables | kind, tables | answer, _FAMILY.pack(family, 0, 0) + content)
        return [octets[_FAMILY.size :] for octets in found]

    def asked(self, kind: int, answer: int, content: bytes, family: int = socket.AF_INET) -> list[bytes]:
        """Ask for some objects that the content names; give the contents of the answers.

        :raises OSError: the kernel refuses to tell, such as when one of them does not exist.
        """
        self._sequence += 1
        tables = NFNL_SUBSYS_NFTABLES << 8
        self._socket.send(self.message(tables | kind, NLM_F_ACK, _FAMILY.pack(family, 0, 0) + content))
        found = []
        for said, octets in self.answers():
            raise_if_refused(said, octets)
            if said == NLMSG_ERROR:
                break
            if said == tables | answer:
                found.append(octets[_FAMILY.size :])
        return found

    def change(self, parts: Sequence[Part]) -> None:
        """Change the tables as a whole or not at all.

        :param parts: what has to be done, in order.
        :raises OSError: the kernel refuses.
        """
        self._sequence += 1
        last = len(parts) - 1
        whole = [
            # The last one asks for an answer: without that the kernel says nothing when all is well.
            self.message(
                NFNL_SUBSYS_NFTABLES << 8 | kind,
                NLM_F_CREATE | (NLM_F_ACK if number == last else 0),
                _FAMILY.pack(family, 0, 0) + content,
            )
            for number, (kind, content, family) in enumerate(parts)
        ]
        mark = _FAMILY.pack(socket.AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES)
        begin, end = (self.message(kind, 0, mark) for kind in (NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END))
        self._socket.send(b"".join((begin, *whole, end)))
        raise_if_refused(*next(self.answers()))


def explained(reason: str) -> str:
    """The kernel's reason for a refusal, with what to do about it."""
    return reason + "".join(f" ({advice})" for known, advice in ADVICE if known in reason)


def raise_if_refused(kind: int, content: bytes) -> None:
    """An ``NLMSG_ERROR`` of number 0 says that it was done.

    :raises OSError: of any other number.
    """
    code = -_ERROR.unpack_from(content)[0] if kind == NLMSG_ERROR else 0
    if code:
        raise OSError(code, os.strerror(code))


def attribute(kind: int, octets: bytes) -> bytes:
    """An attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(octets), kind) + octets + bytes(-len(octets) % 4)


def name(kind: int, text: str) -> bytes:
    """An attribute that is a name."""
    return attribute(kind, text.encode() + b"\0")


def attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of a message's content."""
    at = 0
    while at < len(octets):
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        yield kind & ATTRIBUTE_TYPE, octets[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
