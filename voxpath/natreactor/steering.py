"""Routing rules that lead packets into the devices of the slow path.

They stay when voxpath ends, and the next run takes over those that are right, so that no packet is lost.
Behind each route into a device stands one that drops: were the device gone, nothing would leave untranslated.

What the host delivers to itself is looked up first of all, in the table ``local``.
A public address may be one of the host's own, and still its packets have to come here first: so the look-up in ``local`` gets a
lower priority, as every program does that wants to be asked before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, NamedTuple
from zlib import crc32

from voxpath.core.errors import LocalError
from voxpath.nappt.packet import ICMP
from voxpath.natreactor.devices import Devices, links_of
from voxpath.natreactor.event import HostSetting
from voxpath.natreactor.interface import Outside
from voxpath.natreactor.rtnetlink import LOCAL, MAIN, Link, Route, Rtnetlink, Rule
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import device_names


class Mark(NamedTuple):
    """Packet marks that lead packets here."""

    inside: int
    outside: int


BEFORE_LOCAL, LOCAL_AT, BEHIND_LOCAL = 10, 20, 30
"""Priorities; behind ``local`` each table of ours has two of its own."""
TABLES = 0x76780000
TABLES_OF_ONE = 8
NAMES_APART = 64

LAST_METRIC = 0xFFFF
INSIDE_GROUP = 0x7670
"""The interface group of the inside: what stays inside leaves by an interface that is not in the default group."""

PUNTED: Final = Mark(inside=0x40000000, outside=0x10000000)
"""One bit of the packet mark for each device of the slow path."""

EVERYTHING = IPv4Network("0.0.0.0/0")
NO_SOURCE = IPv4Network("0.0.0.0/32")
"""What the host sends before it has chosen a source: its errors about packets that it would have forwarded."""
ERRORS = tuple((kind << 8, kind << 8 | 0xFF) for kind in (3, 11, 12))
"""ICMP errors, as a rule's ports: type and code stand where a port would."""

INTO_INSIDE, INTO_OUTSIDE, HAIRPIN, FROM_OUTSIDE, ERRORS_IN, ERRORS_OUT, BACK = range(7)
"""Our tables: all into a device; from inside to a public address; from outside; the host's errors each way; what comes back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be there."""

    rules: frozenset[Rule]
    routes: frozenset[Route]


class Steering:
    """Rules and routes of one table's slow path, in the network namespace in which this was made.

    :param marks: lead here what is marked; ``None``: all that crosses the gateway.
    :raises LocalError: the kernel has no rtnetlink.
    """

    def __init__(self, settings: NatSettings, marks: Mark | None) -> None:
        self._outside = settings.outside
        self._marks = marks
        self._tables, self._last = numbers(settings.table)
        self._names = device_names(settings.table)
        self._kernel = Rtnetlink()
        self._devices = Devices(settings, self._kernel)

    def install(self) -> list[HostSetting]:
        """Make rules and routes right; those that are stay untouched.

        :returns: what was changed that is not our own.
        :raises LocalError: an interface or a right is missing.
        """
        inside, outside = self._devices.set_up()
        changed = self._group()
        wanted = self._wanted(inside.index, outside.index)
        routes = self._kernel.routes(self._tables)
        for route in sorted(wanted.routes - routes, key=lambda route: -route.metric):
            self._kernel.add_route(route)
        rules = self._kernel.rules()
        for rule in sorted(wanted.rules - rules):
            self._kernel.add_rule(rule)
        changed += self._move_local(rules)
        for rule in rules - wanted.rules:
            if self._is_ours(rule):
                self._kernel.remove_rule(rule)
        # Where another one has its place, a route is replaced already.
        places = {(route.table, route.prefix, route.metric) for route in wanted.routes}
        for route in routes:
            if (route.table, route.prefix, route.metric) not in places:
                self._kernel.remove_route(route)
        return changed

    def missing(self) -> str:
        """What is wrong with it, in a few words; empty: nothing.

        :raises LocalError: the kernel does not tell.
        """
        found = self._devices.found()
        if found is None:
            return self._devices.wrong()
        wanted, rules = self._wanted(*(link.index for link in found)), self._kernel.rules()
        if not wanted.rules <= rules or Rule(0, LOCAL) in rules:
            return "routing rules were changed"
        if not wanted.routes <= self._kernel.routes(self._tables):
            return "routes were changed"
        if wrong := self._devices.wrong():
            return wrong
        return "" if all(link.group == INSIDE_GROUP for link in self._grouped()) else "inside links were changed"

    def close(self) -> None:
        """Let go of the kernel; rules and routes stay."""
        self._kernel.close()

    def _is_ours(self, rule: Rule) -> bool:
        return rule.table in self._tables or rule.priority == self._last

    def _move_local(self, rules: set[Rule]) -> list[HostSetting]:
        if not any(rule.table == LOCAL and rule.priority > BEFORE_LOCAL for rule in rules):
            self._kernel.add_rule(Rule(LOCAL_AT, LOCAL))
        if Rule(0, LOCAL) not in rules:
            return []
        self._kernel.remove_rule(Rule(0, LOCAL))
        return [HostSetting(key="the priority of the routing table local", before="0", after=str(LOCAL_AT))]

    # Links.

    def _group(self) -> list[HostSetting]:
        if self._marks is not None:
            ungroup(self._kernel, self._outside.inside)
            return []
        for link in links_of(self._kernel, self._outside.outside):
            if link.group:
                raise LocalError(f"{link.name} is in the interface group {link.group}, and has to be in the default one (0)")
        changed = [link for link in self._grouped() if link.group != INSIDE_GROUP]
        for link in changed:
            self._kernel.set_group(link.index, INSIDE_GROUP)
        return [
            HostSetting(key=f"the interface group of {link.name}", before=str(link.group), after=str(INSIDE_GROUP))
            for link in changed
        ]

    def _grouped(self) -> list[Link]:
        """The inside interfaces, where their group tells something."""
        return links_of(self._kernel, self._outside.inside) if self._marks is None else []

    # What has to be there.

    def _wanted(self, inside: int, outside: int) -> Wanted:
        everything = (EVERYTHING,)
        if self._marks is not None:
            rules = {
                self._rule(BEFORE_LOCAL, INTO_INSIDE, mark=self._marks.inside),
                self._rule(BEFORE_LOCAL, INTO_OUTSIDE, mark=self._marks.outside),
            }
            routes = self._into(INTO_INSIDE, inside, everything) | self._into(INTO_OUTSIDE, outside, everything)
            return Wanted(frozenset(rules), frozenset(routes))
        public = tuple(map(IPv4Network, self._outside.public))
        private = tuple(map(IPv4Network, self._outside.private))
        own = own_address(self._kernel, self._outside)
        routes = self._into(HAIRPIN, inside, public)
        routes |= self._into(FROM_OUTSIDE, outside, (*public, *private))
        routes |= self._into(ERRORS_IN, outside, public, own)
        routes |= self._into(ERRORS_OUT, inside, everything, own)
        # Of what stays inside the rule before has taken care.
        routes |= self._into(INTO_INSIDE, inside, everything) | self._into(INTO_INSIDE, 0, private)
        # A service that the host does not have: it would send the packet round.
        routes |= self._into(BACK, 0, public)
        return Wanted(frozenset(self._rules(private)), frozenset(routes))

    def _rules(self, private: Iterable[IPv4Network]) -> set[Rule]:
        """All that crosses the gateway: what the host itself sends from an inside address, and its errors, are a part of it."""
        rules = {self._rule(BEFORE_LOCAL, HAIRPIN, arriving=name) for name in self._outside.inside}
        rules |= {self._rule(BEFORE_LOCAL, FROM_OUTSIDE, arriving=name) for name in self._outside.outside}
        rules |= {self._rule(BEFORE_LOCAL, ERRORS_IN, arriving="lo", protocol=ICMP, ports=each) for each in ERRORS}
        rules |= {self._rule(self._last, BACK, arriving=name) for name in self._names}
        leaving = [Rule(0, INTO_INSIDE, name) for name in self._outside.inside]
        leaving += [Rule(0, INTO_INSIDE, "lo", prefix) for prefix in private]
        leaving += [Rule(0, ERRORS_OUT, "lo", NO_SOURCE, protocol=ICMP, ports=each) for each in ERRORS]
        for rule in leaving:
            # What leaves by an interface that is not outside leaves as it is (decision D21).
            rules.add(Rule(self._last, MAIN, rule.arriving, rule.source, 0, 0, rule.protocol, rule.ports))
            rules.add(Rule(self._last + 1, self._tables[rule.table], rule.arriving, rule.source, 0, -1, rule.protocol, rule.ports))
        return rules

    def _rule(
        self, priority: int, table: int, *, arriving: str = "", mark: int = 0, protocol: int = 0, ports: tuple[int, int] = (0, 0)
    ) -> Rule:
        return Rule(priority, self._tables[table], arriving, None, mark, -1, protocol, ports)

    def _into(self, table: int, link: int, prefixes: Iterable[IPv4Network], source: IPv4Address | None = None) -> set[Route]:
        """Routes into a device, and behind each one that drops; without a device the latter alone."""
        number = self._tables[table]
        found = {Route(number, prefix, 0, LAST_METRIC) for prefix in prefixes}
        if link:
            found |= {Route(number, prefix, link, 0, source) for prefix in prefixes}
        return found


def numbers(table: str) -> tuple[range, int]:
    """The routing tables that belong to a name, and the first of two priorities behind ``local``."""
    number = crc32(table.encode())
    first = TABLES | (number & 0x1FFF) << 3
    return range(first, first + TABLES_OF_ONE), BEHIND_LOCAL + 2 * (number % NAMES_APART)


def ungroup(kernel: Rtnetlink, inside: Iterable[str]) -> None:
    """Put inside interfaces back into the default group."""
    for link in links_of(kernel, inside):
        if link.group == INSIDE_GROUP:
            kernel.set_group(link.index, 0)


def remove_steering(table: str, inside: Iterable[str]) -> None:
    """Take away all rules and routes that belong to a name; the devices go with their process.

    :raises LocalError: the kernel refuses.
    """
    kernel, (tables, last) = Rtnetlink(), numbers(table)
    try:
        for rule in kernel.rules():
            if rule.table in tables or rule.priority == last:
                kernel.remove_rule(rule)
        for route in kernel.routes(tables):
            kernel.remove_route(route)
        rules = kernel.rules()
        if Rule(LOCAL_AT, LOCAL) in rules and not any(rule.priority == BEFORE_LOCAL for rule in rules):
            kernel.add_rule(Rule(0, LOCAL))
            kernel.remove_rule(Rule(LOCAL_AT, LOCAL))
        ungroup(kernel, inside)
    finally:
        kernel.close()


def own_address(kernel: Rtnetlink, outside: Outside) -> IPv4Address | None:
    """What the gateway speaks from to the outside of packets that it could not forward; ``None``: it has no address there."""
    private = tuple(map(IPv4Network, outside.private))
    for name in outside.outside:
        for address in kernel.addresses(name):
            if address not in outside.public and not any(address in prefix for prefix in private):
                return address
    return None
