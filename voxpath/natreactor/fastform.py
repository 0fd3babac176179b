"""The fast form of the nftables back end: packets of calls go from interface to interface, before the kernel routes anything.

A second table, of the family ``netdev``, stands at the ingress of the interfaces and has the inward and outward maps, too.
It carries the usual packets: UDP and TCP that is whole, without options, and short enough for the other side.
All others, and all that it knows no way for, it leaves as they are to the rules of the usual form, which stay (``ruleset``).

What it carries passes no routing table, no routing rule and no other rules of the host; so an operator has to ask for it.
It is not possible where packets need more than one default route: with routing rules of others (policy routing, tunnels), with a
default route that names no router, or with phones that are not reached by plain routes.

The kernel checks a header's checksum after the ingress: a packet whose header is broken leaves with one that is as broken.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from string import Template
from zlib import crc32

from voxpath.core.errors import LocalError
from voxpath.nappt.table import Table
from voxpath.natreactor.devices import links_of
from voxpath.natreactor.rtnetlink import LOCAL, MAIN, Link, Route, Rtnetlink
from voxpath.natreactor.ruleset import MAPS, elements_text, quoted, state_text
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.steering import EVERYTHING, numbers

DEFAULT_TABLE = 253
MOST_WAYS = 16
"""Routes to each side."""
MOST_OTHERS = 32
"""Prefixes that packets of phones go to by the usual way."""

UNPADDED = 46
"""Octets of the shortest packet that fills an Ethernet frame (IEEE 802.3)."""

LOOPBACK = IPv4Network("127.0.0.0/8")
SPECIAL = (IPv4Network("0.0.0.0/8"), LOOPBACK, IPv4Network("224.0.0.0/3"))
"""What nobody is reached by who is elsewhere (RFC 6890)."""
ORDINARY = "1-223"
"""The first octet of all others, but for loopback's."""
SOURCE_AT, DESTINATION_AT = 96, 128
"""Bits of a header in front of its addresses."""

_TABLE = Template("""
table netdev $table {
  map in_block { type ipv4_addr . inet_service : ipv4_addr; counter; }
  map in_port { type ipv4_addr . inet_service : ipv4_addr; counter; }
  map out_block { type ipv4_addr . inet_service : ipv4_addr; counter; }
  map out_port { type ipv4_addr . inet_service : ipv4_addr; counter; }
  set state { type mark; }

  chain lead_in {
$inward
    drop
  }
  chain inward {
    ip daddr set ip daddr . (th dport & $mask) map @in_block goto lead_in
    ip daddr set ip daddr . th dport map @in_port goto lead_in
  }
$outward
  chain outward {
$destinations
    @nh,128,8 $ordinary goto out_$last
  }
$arrive
  chain depart {
    type filter hook ingress devices = { $insides } priority 0; policy accept;
    $udp goto outward
    $tcp goto outward
  }
}
""")

_ARRIVE = Template("""\
  chain arrived {
$sources
    @nh,96,8 $ordinary goto inward
  }
  chain arrive {
    type filter hook ingress devices = { $outsides } priority 0; policy accept;
    $udp goto arrived
    $tcp goto arrived
  }""")

_OUTWARD = Template("""\
  chain out_$number {
    ip saddr set ip saddr . (th sport & $mask) map @out_block $lead
    ip saddr set ip saddr . th sport map @out_port $lead
  }""")

# For this host; untagged, and without options; whole, and of the protocol; not at its end; short enough, and so long that
# Ethernet has added nothing, which holds the header of either protocol, too.
# Each comparison costs every packet some 10 to 20 ns: so octets side by side are compared at once, and by their places, since nft
# looks at the frame's protocol again wherever a field has a name.
_USUAL = Template("meta pkttype host @ll,96,24 0x080045 @nh,48,32 & 0x3fff00ff == $protocol @nh,64,8 > 1 @nh,16,16 $least-$mtu")
_NO_SYN = "@th,110,1 0"

UDP, TCP = 17, 6


@dataclass(frozen=True, slots=True)
class Way:
    """How some addresses are reached.

    :ivar device: the interface, and ``index`` its number.
    :ivar via: the router; ``None``: they are neighbours.
    """

    prefix: IPv4Network
    device: str
    index: int
    via: IPv4Address | None

    def __str__(self) -> str:
        return f"to {self.prefix} by {self.device}" + (f" and {self.via}" if self.via is not None else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways of the packets that the fast form carries.

    :ivar inward: the ways to phones, longest prefix first; ``outward`` those to everybody else.
    :ivar elsewhere: what phones reach by the usual way, and what comes from there.
    :ivar mtu: of all interfaces the smallest.
    :ivar indexes: of the interfaces: one that was made anew has lost its rules.
    """

    inward: tuple[Way, ...]
    outward: tuple[Way, ...]
    elsewhere: tuple[IPv4Network, ...]
    mtu: int
    indexes: tuple[int, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, (*self.inward, *self.outward)))


def plan(kernel: Rtnetlink, settings: NatSettings) -> Plan:
    """See how packets of calls have to go, from the kernel's routes.

    :raises LocalError: the fast form cannot do that; the reason tells what is in the way.
    """
    _check_rules(kernel, settings)
    inside, outside = (
        {link.index: link for link in _ethernet(kernel, names)} for names in (settings.outside.inside, settings.outside.outside)
    )
    routes = _best(kernel.routes((MAIN,)))
    private = tuple(map(IPv4Network, settings.outside.private))
    inward = tuple(_inward(routes.values(), private, inside))
    outward = tuple(_outward(routes.values(), outside))
    if not outward or outward[-1].prefix != EVERYTHING or outward[-1].via is None:
        raise LocalError("there is no default route that leads to one router by an outside interface")
    own = (route.prefix for route in kernel.routes((LOCAL,)))
    led = routes.keys() - {way.prefix for way in outward}
    # A public address turns back here, whatever a route says of it.
    others = {*private, *map(IPv4Network, settings.outside.public), *own, *led}
    elsewhere = tuple(sorted(prefix for prefix in others if not _is_special(prefix)))
    for what, found, most in (("ways", inward, MOST_WAYS), ("ways", outward, MOST_WAYS), ("exceptions", elsewhere, MOST_OTHERS)):
        if len(found) > most:
            raise LocalError(f"the routes make {len(found)} {what}, which are more than {most}")
    links = [*inside.values(), *outside.values()]
    return Plan(inward, outward, elsewhere, min(link.mtu for link in links), tuple(link.index for link in links))


def _check_rules(kernel: Rtnetlink, settings: NatSettings) -> None:
    own, _ = numbers(settings.table)
    for rule in kernel.rules():
        if rule.table not in {LOCAL, MAIN, DEFAULT_TABLE, *own}:
            raise LocalError(f"a routing rule of priority {rule.priority} leads into the table {rule.table}")


def _ethernet(kernel: Rtnetlink, names: Iterable[str]) -> list[Link]:
    links = links_of(kernel, names)
    if missing := set(names) - {link.name for link in links}:
        raise LocalError(f"the interface {min(missing)} is not there")
    for link in links:
        if not link.ethernet:
            raise LocalError(f"{link.name} is no Ethernet interface")
    return links


def _best(routes: Iterable[Route]) -> dict[IPv4Network, Route]:
    """Of each prefix the route that counts; of equal ones that which is no way here, such as one for a type of service."""
    found: dict[IPv4Network, Route] = {}
    for route in sorted(routes, key=lambda route: (route.metric, route.link)):
        found.setdefault(route.prefix, route)
    return found


def _inward(routes: Iterable[Route], private: Iterable[IPv4Network], inside: dict[int, Link]) -> Iterable[Way]:
    """Routes to all phones."""
    for prefix in private:
        covered = False
        for route in _longest_first(routes):
            if route.prefix == EVERYTHING or not route.prefix.overlaps(prefix):
                continue
            if route.link not in inside:
                raise LocalError(f"the route to {route.prefix} leads to no single inside interface")
            within = route.prefix.subnet_of(prefix)
            yield Way(route.prefix if within else prefix, inside[route.link].name, route.link, route.via)
            covered = covered or prefix.subnet_of(route.prefix)
        if not covered:
            raise LocalError(f"no route leads to all of {prefix}")


def _outward(routes: Iterable[Route], outside: dict[int, Link]) -> Iterable[Way]:
    """Routes by an outside interface."""
    for route in _longest_first(routes):
        if route.link in outside and not _is_special(route.prefix):
            yield Way(route.prefix, outside[route.link].name, route.link, route.via)


def _longest_first(routes: Iterable[Route]) -> list[Route]:
    return sorted(routes, key=lambda route: (-route.prefix.prefixlen, route.prefix))


def _is_special(prefix: IPv4Network) -> bool:
    return any(prefix.subnet_of(each) for each in SPECIAL)


def rules(settings: NatSettings, plan: Plan) -> str:
    """The table without its elements."""
    outside = settings.outside
    sizes = {"least": str(UNPADDED), "mtu": str(plan.mtu)}
    mask = f"{0x10000 - settings.block_size:#x}"
    elsewhere = dict.fromkeys((*plan.elsewhere, LOOPBACK), "accept")
    ways = {way.prefix: f"goto out_{number}" for number, way in enumerate(plan.outward[:-1])}
    words = {
        "table": settings.table,
        "insides": quoted(outside.inside),
        "outsides": quoted(outside.outside),
        "ordinary": ORDINARY,
        "destinations": "\n".join(_choices(DESTINATION_AT, ways | elsewhere)),
        "sources": "\n".join(_choices(SOURCE_AT, elsewhere)),
        "mask": mask,
        "udp": _USUAL.substitute(sizes, protocol=UDP),
        # What a connection begins with has to be changed if segments are limited.
        "tcp": _USUAL.substitute(sizes, protocol=TCP) + (f" {_NO_SYN}" if settings.mss else ""),
        "inward": "\n".join(_leads(plan.inward)),
        "outward": "\n".join(
            _OUTWARD.substitute(number=number, mask=mask, lead=_lead(way)) for number, way in enumerate(plan.outward)
        ),
        "last": str(len(plan.outward) - 1),
    }
    # In the call-aware mode the usual form decides who may come in.
    arrive = "" if settings.call_aware else _ARRIVE.substitute(words)
    return _TABLE.substitute(words, arrive=arrive)


def _leads(ways: tuple[Way, ...]) -> Iterable[str]:
    """Together they lead to all phones: the only one needs no condition."""
    for way in ways:
        yield f"    ip daddr {way.prefix} {_lead(way)}" if len(ways) > 1 else f"    {_lead(way)}"


def _lead(way: Way) -> str:
    return f"fwd ip to {way.via or 'ip daddr'} device {way.index}"


def _choices(at: int, chosen: Mapping[IPv4Network, str]) -> Iterable[str]:
    """Rules that choose by an address, the longest prefix first; single addresses, which are all accepted, by one look."""
    single = [f"{int(prefix.network_address):#x}" for prefix in chosen if prefix.prefixlen == prefix.max_prefixlen]
    yield f"    @nh,{at},32 {{ {', '.join(single)} }} accept"
    for prefix in sorted(chosen, key=lambda prefix: (-prefix.prefixlen, prefix)):
        value, length = int(prefix.network_address), prefix.prefixlen
        if length % 8:
            yield f"    @nh,{at},32 & {int(prefix.netmask):#x} == {value:#x} {chosen[prefix]}"
        elif length < prefix.max_prefixlen:
            yield f"    @nh,{at},{length} {value >> prefix.max_prefixlen - length:#x} {chosen[prefix]}"


def digest(settings: NatSettings, plan: Plan) -> str:
    """Tells tables of other rules or interfaces apart."""
    return f"{crc32(f'{rules(settings, plan)}{plan.indexes}'.encode()):08x}"


def remove(table: str) -> str:
    """Commands that remove the table, whether it exists or not."""
    return f"add table netdev {table}\ndelete table netdev {table}\n"


def install(settings: NatSettings, plan: Plan, table: Table, note: str) -> str:
    """Commands that put a new table with these mappings in the place of whatever is there.

    :param note: what the table says of itself: which mappings it has, and which rules.
    """
    return remove(settings.table) + rules(settings, plan) + fill(settings, table, note)


def fill(settings: NatSettings, table: Table, note: str) -> str:
    """Commands that make the mappings equal to the table's; parameters as above."""
    where = f"netdev {settings.table}"
    lines = [f"flush map {where} {name}" for name in MAPS]
    lines += elements_text(where, settings, table)
    return "\n".join([*lines, state_text(where, note)])
