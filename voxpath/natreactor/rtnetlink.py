"""Links, routes and routing rules of the kernel, by rtnetlink.

The constants are those of ``linux/rtnetlink.h``, ``if_link.h`` and ``fib_rules.h``, which the kernel never changes.
"""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from struct import Struct
from typing import Final

from voxpath.core.errors import LocalError
from voxpath.natreactor.netlink import (
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

NETLINK_ROUTE = 0
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34

IFLA_IFNAME, IFLA_MTU, IFLA_TXQLEN, IFLA_GROUP = 3, 4, 13, 27
IFF_UP = 1
ARPHRD_ETHER = 1
IFA_LOCAL = 2

RTA_DST, RTA_SRC, RTA_IIF, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE = 1, 2, 3, 4, 5, 6, 7, 15
RTA_VIA, RTA_ENCAP = 18, 22
RTN_UNICAST, RTN_LOCAL, RTN_BLACKHOLE = 1, 2, 6
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253

FRA_SRC, FRA_IIFNAME, FRA_PRIORITY, FRA_FWMARK, FRA_SUPPRESS_IFGROUP = 2, 3, 6, 10, 13
FRA_TABLE, FRA_FWMASK, FRA_PROTOCOL, FRA_IP_PROTO, FRA_DPORT_RANGE = 15, 16, 21, 22, 24
FR_ACT_TO_TBL = 1

RTPROT_KERNEL: Final = 2
"""Whose rules these are said to be: what others do away with those of strangers, such as systemd-networkd, spares them."""

MAIN, LOCAL = 254, 255
"""The tables of every kernel."""

NOWHERE: Final = 0x7678FFFF
"""A table that no rule leads to."""

_LINK = Struct("=BxHiII")
_ROUTE = Struct("=BBBBBBBBI")
_ADDRESS = Struct("=BBBBi")
_WORD = Struct("=I")
_RANGE = Struct("=HH")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface.

    :ivar group: the number of its interface group; 0 is where every new one is.
    :ivar ethernet: whether neighbours have Ethernet addresses there.
    """

    index: int
    name: str
    mtu: int
    group: int
    up: bool
    ethernet: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """A route of one table.

    :ivar link: index of the interface that it leads to; 0: the packet is dropped without a word, or its way cannot be told here.
    :ivar metric: the lowest one counts.
    :ivar source: what the host itself sends from; ``None``: it chooses.
    :ivar via: the router that it leads to; ``None``: none, or several.
    """

    table: int
    prefix: IPv4Network
    link: int = 0
    metric: int = 0
    source: IPv4Address | None = None
    via: IPv4Address | None = None


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """A routing rule: which packets look into which table.

    :ivar priority: rules are asked in this order.
    :ivar arriving: by this interface; ``lo``: the host sends it; empty: by any.
    :ivar mark: packet mark, and the bits of it that count; 0: any.
    :ivar suppressed: what the table finds does not count if it leads to an interface of this group; -1: all counts.
    :ivar protocol: of IP; 0: any.
    :ivar ports: first and last destination port, or ICMP type and code as one number; (0, 0): any.
    """

    priority: int
    table: int
    arriving: str = ""
    source: IPv4Network | None = None
    mark: int = 0
    suppressed: int = -1
    protocol: int = 0
    ports: tuple[int, int] = (0, 0)


class Rtnetlink(Netlink):
    """What the kernel routes by, in the network namespace in which this was made.

    :raises LocalError: the kernel has no rtnetlink.
    """

    PROTOCOL = NETLINK_ROUTE
    NAME = "rtnetlink"

    def __init__(self) -> None:
        super().__init__()
        # Only what is asked for is listed: another table may hold all routes of the Internet.
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            raise LocalError("the kernel is too old to tell of single routing tables: Linux 5.0 or newer is needed") from None

    def link(self, interface: str) -> Link | None:
        """An interface by its name; ``None``: there is none."""
        try:
            (octets,) = self._asked(RTM_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + name(IFLA_IFNAME, interface))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise LocalError(f"the kernel does not tell about {interface}: {error.strerror}") from None
        _, kind, index, flags, _ = _LINK.unpack_from(octets)
        found = dict(attributes(octets[_LINK.size :]))
        mtu, group = (_WORD.unpack(found[key])[0] for key in (IFLA_MTU, IFLA_GROUP))
        return Link(index, interface, mtu, group, bool(flags & IFF_UP), kind == ARPHRD_ETHER)

    def set_up(self, index: int, mtu: int, queue: int) -> None:
        """Bring an interface up, with an MTU and so many packets that may wait for it.

        :raises LocalError: the kernel refuses.
        """
        content = attribute(IFLA_MTU, _WORD.pack(mtu)) + attribute(IFLA_TXQLEN, _WORD.pack(queue))
        self._do(RTM_NEWLINK, 0, _LINK.pack(0, 0, index, IFF_UP, IFF_UP) + content)

    def set_group(self, index: int, group: int) -> None:
        """Put an interface into a group.

        :raises LocalError: the kernel refuses.
        """
        self._do(RTM_NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + attribute(IFLA_GROUP, _WORD.pack(group)))

    def remove_link(self, index: int) -> None:
        """Take an interface away; one that is not there is no error.

        :raises LocalError: the kernel refuses.
        """
        self._do(RTM_DELLINK, 0, _LINK.pack(0, 0, index, 0, 0), errno.ENODEV)

    def addresses(self, interface: str) -> list[IPv4Address]:
        """The addresses of an interface; none if it is not there.

        :raises LocalError: the kernel refuses to tell.
        """
        link = self.link(interface)
        if link is None:
            return []
        listed = self._listed(RTM_GETADDR, RTM_NEWADDR, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, link.index))
        found = [dict(attributes(octets[_ADDRESS.size :])) for octets in listed]
        return [IPv4Address(each[IFA_LOCAL]) for each in found if IFA_LOCAL in each]

    def check_rights(self) -> None:
        """See whether rules may be changed; changes none.

        :raises LocalError: they may not; the reason tells what to do.
        """
        self._do(RTM_DELRULE, 0, _rule(Rule(NOWHERE, NOWHERE)), errno.ENOENT)

    def rules(self) -> set[Rule]:
        """All routing rules of IPv4, as far as a :class:`Rule` can say them.

        :raises LocalError: the kernel refuses to tell, or has none.
        """
        return set(map(_rule_of, self._listed(RTM_GETRULE, RTM_NEWRULE, _ROUTE.pack(socket.AF_INET, *bytes(7), 0))))

    def add_rule(self, rule: Rule) -> None:
        """Add a rule; one that is there already is no error.

        :raises LocalError: the kernel refuses.
        """
        self._do(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _rule(rule), errno.EEXIST)

    def remove_rule(self, rule: Rule) -> None:
        """Take a rule away; one that is not there is no error.

        :raises LocalError: the kernel refuses.
        """
        self._do(RTM_DELRULE, 0, _rule(rule), errno.ENOENT)

    def routes(self, tables: Iterable[int]) -> set[Route]:
        """All routes of some tables.

        :raises LocalError: the kernel refuses to tell.
        """
        found: set[Route] = set()
        for table in tables:
            content = _ROUTE.pack(socket.AF_INET, *bytes(7), 0) + attribute(RTA_TABLE, _WORD.pack(table))
            try:
                found.update(map(_route_of, self._listed(RTM_GETROUTE, RTM_NEWROUTE, content)))
            except FileNotFoundError:
                continue  # a table is there from its first route on
        return found

    def add_route(self, route: Route) -> None:
        """Add a route, in the place of one of the same prefix and metric.

        :raises LocalError: the kernel refuses.
        """
        self._do(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route(route))

    def remove_route(self, route: Route) -> None:
        """Take a route away; one that is not there is no error.

        :raises LocalError: the kernel refuses.
        """
        self._do(RTM_DELROUTE, 0, _route(route), errno.ESRCH)

    def way(self, source: bytes, destination: bytes, arriving: int) -> int:
        """The index of the interface by which a packet would leave that came by another one; 0: it does not leave."""
        content = _ROUTE.pack(socket.AF_INET, 32, 32, *bytes(5), 0)
        content += attribute(RTA_DST, destination) + attribute(RTA_SRC, source) + attribute(RTA_IIF, _WORD.pack(arriving))
        kind, found = self._found(content)
        return int(_WORD.unpack(found[RTA_OIF])[0]) if kind == RTN_UNICAST and RTA_OIF in found else 0

    def is_own(self, address: int) -> bool:
        """Whether an address is one of this host's own."""
        content = _ROUTE.pack(socket.AF_INET, 32, *bytes(6), 0) + attribute(RTA_DST, address.to_bytes(4, "big"))
        return self._found(content)[0] == RTN_LOCAL

    def _found(self, content: bytes) -> tuple[int, dict[int, bytes]]:
        """The route of one packet: its type, and its attributes; type 0: there is none."""
        try:
            (octets,) = self._asked(RTM_GETROUTE, 0, content)
        except OSError:
            return 0, {}
        return octets[7], dict(attributes(octets[_ROUTE.size :]))

    def _listed(self, kind: int, answer: int, content: bytes) -> list[bytes]:
        try:
            return self.dumped(kind, answer, content)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LocalError(_refusal(error)) from None

    def _do(self, kind: int, flags: int, content: bytes, *accepted: int) -> None:
        try:
            self._asked(kind, flags | NLM_F_ACK, content)
        except OSError as error:
            if error.errno not in accepted:
                raise LocalError(_refusal(error)) from None

    def _asked(self, kind: int, flags: int, content: bytes) -> list[bytes]:
        """Ask for one thing, or have it done; give the contents of what is answered.

        :raises OSError: the kernel refuses.
        """
        self._sequence += 1
        self._socket.send(self.message(kind, flags, content))
        said, octets = next(self.answers())
        raise_if_refused(said, octets)
        return [octets]


def _refusal(error: OSError) -> str:
    if error.errno == errno.EOPNOTSUPP:
        return "the kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES)"
    advice = " (CAP_NET_ADMIN is needed)" if error.errno == errno.EPERM else ""
    return f"the kernel refuses a change of its routing: {error.strerror or error}{advice}"


def _rule(rule: Rule) -> bytes:
    length = rule.source.prefixlen if rule.source is not None else 0
    content = _ROUTE.pack(socket.AF_INET, 0, length, 0, 0, 0, 0, FR_ACT_TO_TBL, 0)
    content += attribute(FRA_PRIORITY, _WORD.pack(rule.priority)) + attribute(FRA_TABLE, _WORD.pack(rule.table))
    content += attribute(FRA_PROTOCOL, bytes((RTPROT_KERNEL,)))
    if rule.source is not None:
        content += attribute(FRA_SRC, rule.source.network_address.packed)
    if rule.arriving:
        content += name(FRA_IIFNAME, rule.arriving)
    if rule.mark:
        content += attribute(FRA_FWMARK, _WORD.pack(rule.mark)) + attribute(FRA_FWMASK, _WORD.pack(rule.mark))
    if rule.suppressed >= 0:
        content += attribute(FRA_SUPPRESS_IFGROUP, _WORD.pack(rule.suppressed))
    if rule.protocol:
        content += attribute(FRA_IP_PROTO, bytes((rule.protocol,)))
    if rule.ports != (0, 0):
        content += attribute(FRA_DPORT_RANGE, _RANGE.pack(*rule.ports))
    return content


def _rule_of(octets: bytes) -> Rule:
    found = dict(attributes(octets[_ROUTE.size :]))
    suppressed = _number(found, FRA_SUPPRESS_IFGROUP, 0xFFFFFFFF)
    return Rule(
        _number(found, FRA_PRIORITY),
        _number(found, FRA_TABLE, octets[4]),
        found.get(FRA_IIFNAME, b"").rstrip(b"\0").decode(errors="replace"),
        # The kernel keeps an address of which only the first bits count.
        IPv4Network((found[FRA_SRC], octets[2]), strict=False) if octets[2] else None,
        _number(found, FRA_FWMARK),
        -1 if suppressed == 0xFFFFFFFF else suppressed,
        found[FRA_IP_PROTO][0] if FRA_IP_PROTO in found else 0,
        _RANGE.unpack(found[FRA_DPORT_RANGE]) if FRA_DPORT_RANGE in found else (0, 0),
    )


def _route(route: Route) -> bytes:
    kind, scope = (RTN_UNICAST, RT_SCOPE_LINK) if route.link else (RTN_BLACKHOLE, RT_SCOPE_UNIVERSE)
    content = _ROUTE.pack(socket.AF_INET, route.prefix.prefixlen, 0, 0, 0, RTPROT_KERNEL, scope, kind, 0)
    content += attribute(RTA_TABLE, _WORD.pack(route.table)) + attribute(RTA_DST, route.prefix.network_address.packed)
    if route.metric:
        content += attribute(RTA_PRIORITY, _WORD.pack(route.metric))
    if route.link:
        content += attribute(RTA_OIF, _WORD.pack(route.link))
    if route.source is not None:
        content += attribute(RTA_PREFSRC, route.source.packed)
    return content


def _route_of(octets: bytes) -> Route:
    found = dict(attributes(octets[_ROUTE.size :]))
    return Route(
        _number(found, RTA_TABLE, octets[4]),
        IPv4Network((found.get(RTA_DST, bytes(4)), octets[1])),
        # For one type of service, by a router of IPv6, or wrapped into something: not an address and an interface alone.
        0 if octets[3] or RTA_VIA in found or RTA_ENCAP in found else _number(found, RTA_OIF),
        _number(found, RTA_PRIORITY),
        IPv4Address(found[RTA_PREFSRC]) if RTA_PREFSRC in found else None,
        IPv4Address(found[RTA_GATEWAY]) if RTA_GATEWAY in found else None,
    )


def _number(found: dict[int, bytes], kind: int, otherwise: int = 0) -> int:
    return int(_WORD.unpack(found[kind])[0]) if kind in found else otherwise
