"""The interfaces that programs are attached to: by filters of their ``clsact`` discipline, and in their drivers (XDP).

The constants are those of ``linux/rtnetlink.h``, ``pkt_sched.h``, ``pkt_cls.h`` and ``if_link.h``, which the kernel never changes.
"""

import errno
import socket
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from voxpath.natreactor.netlink import (
    NESTED,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Netlink,
    attribute,
    attributes,
    name,
    raise_if_refused,
)
from voxpath.natreactor.rtnetlink import NETLINK_ROUTE

RTM_NEWLINK, RTM_GETLINK, RTM_SETLINK = 16, 18, 19
RTM_NEWQDISC = 36
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46

ARPHRD_ETHER: Final = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINKINFO, IFLA_XDP = 1, 3, 18, 43
IFLA_INFO_KIND: Final = 1
IFLA_XDP_FD, IFLA_XDP_FLAGS, IFLA_XDP_PROG_ID = 1, 3, 4
XDP_FLAGS_UPDATE_IF_NOEXIST, XDP_FLAGS_DRV_MODE = 1, 4

TCA_KIND, TCA_OPTIONS = 1, 2
TCA_BPF_FD, TCA_BPF_NAME, TCA_BPF_FLAGS, TCA_BPF_ID = 6, 7, 8, 11
TCA_BPF_FLAG_ACT_DIRECT: Final = 1
CLSACT, CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
PRIORITY: Final = 50
"""Among the filters of an interface: those of lower numbers see a packet before us."""
_EVERYTHING: Final = PRIORITY << 16 | socket.htons(3)

_LINK = Struct("=BxHiII")
_FILTER = Struct("=BxxxiIII")
_WORD = Struct("=I")
_SIGNED = Struct("=i")


class Hook(IntEnum):
    """Where a filter stands: on packets that arrive, or on those that leave."""

    INGRESS = 0xFFFFFFF2
    EGRESS = 0xFFFFFFF3


class Link(NamedTuple):
    """An interface.

    :ivar number: its index in the kernel.
    :ivar ethernet: whether its frames begin with an Ethernet header; else with the IP header.
    :ivar kind: of a virtual one, such as ``veth`` or ``bridge``; empty: there is a device behind it.
    :ivar native: number of the XDP program that is attached to it in any way; 0: none.
    """

    number: int
    name: str
    ethernet: bool
    kind: str
    mac: bytes
    native: int


class Links(Netlink):
    """Those of the network namespace in which this was made.

    :param handle: the number of our filters on every interface.
    :raises LocalError: the kernel has no rtnetlink.
    """

    PROTOCOL = NETLINK_ROUTE
    NAME = "rtnetlink"

    def __init__(self, handle: int) -> None:
        super().__init__()
        self._handle = handle

    def all(self) -> list[Link]:
        """All interfaces.

        :raises OSError: the kernel refuses to tell.
        """
        return list(map(_link, self.dumped(RTM_GETLINK, RTM_NEWLINK, _LINK.pack(0, 0, 0, 0, 0))))

    def attached(self, index: int, hook: Hook) -> int:
        """The number of the program that our filter runs on an interface; 0: there is none, or no such interface."""
        try:
            octets = self._ask(RTM_GETTFILTER, 0, self._filter(index, hook))
        except OSError:
            return 0
        options = dict(attributes(dict(attributes(octets[_FILTER.size :]))[TCA_OPTIONS]))
        return int(_WORD.unpack(options[TCA_BPF_ID])[0]) if TCA_BPF_ID in options else 0

    def attach(self, index: int, hook: Hook, program: int, label: str) -> None:
        """Let a program see the packets of an interface, in one step in the place of the one that does.

        :raises OSError: the kernel refuses.
        """
        discipline = _FILTER.pack(0, index, CLSACT_HANDLE, CLSACT, 0) + name(TCA_KIND, "clsact")
        self._do(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, discipline, errno.EEXIST)
        options = attribute(TCA_BPF_FD, _WORD.pack(program)) + name(TCA_BPF_NAME, label)
        options += attribute(TCA_BPF_FLAGS, _WORD.pack(TCA_BPF_FLAG_ACT_DIRECT))
        content = self._filter(index, hook) + attribute(NESTED | TCA_OPTIONS, options)
        self._do(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, content)

    def detach(self, index: int, hook: Hook) -> None:
        """Take our filter from an interface; none there is no error.

        :raises OSError: the kernel refuses.
        """
        self._do(RTM_DELTFILTER, 0, self._filter(index, hook), errno.ENOENT, errno.EINVAL, errno.ENODEV)

    def attach_native(self, index: int, program: int, *, replace: bool) -> None:
        """Let the driver of an interface run a program; -1: none any more.

        :param replace: in the place of the one that it runs.
        :raises OSError: the driver cannot, or runs another one.
        """
        flags = XDP_FLAGS_DRV_MODE | (0 if replace else XDP_FLAGS_UPDATE_IF_NOEXIST)
        wanted = attribute(IFLA_XDP_FD, _SIGNED.pack(program)) + attribute(IFLA_XDP_FLAGS, _WORD.pack(flags))
        self._do(RTM_SETLINK, 0, _LINK.pack(0, 0, index, 0, 0) + attribute(NESTED | IFLA_XDP, wanted))

    def _filter(self, index: int, hook: Hook) -> bytes:
        return _FILTER.pack(0, index, self._handle, hook, _EVERYTHING) + name(TCA_KIND, "bpf")

    def _do(self, kind: int, flags: int, content: bytes, *accepted: int) -> None:
        try:
            self._ask(kind, flags | NLM_F_ACK, content)
        except OSError as error:
            if error.errno not in accepted:
                raise

    def _ask(self, kind: int, flags: int, content: bytes) -> bytes:
        self._sequence += 1
        self._socket.send(self.message(kind, flags, content))
        said, octets = next(self.answers())
        raise_if_refused(said, octets)
        return octets


def _link(octets: bytes) -> Link:
    _, hardware, index, _, _ = _LINK.unpack_from(octets)
    found = dict(attributes(octets[_LINK.size :]))
    kind = dict(attributes(found.get(IFLA_LINKINFO, b""))).get(IFLA_INFO_KIND, b"")
    native = dict(attributes(found.get(IFLA_XDP, b""))).get(IFLA_XDP_PROG_ID, bytes(4))
    return Link(
        index,
        found[IFLA_IFNAME].rstrip(b"\0").decode(),
        hardware == ARPHRD_ETHER,
        kind.rstrip(b"\0").decode(),
        found.get(IFLA_ADDRESS, b"")[:6].ljust(6, b"\0"),
        _WORD.unpack(native)[0],
    )
