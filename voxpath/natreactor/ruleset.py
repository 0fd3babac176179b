"""The kernel's table as text for nft: rules, elements, and how elements are read back.

The way of a packet: the destination is translated in prerouting, before routing; the source in
postrouting, after routing and the TTL check, so an ICMP error about an outbound packet still shows the phone its own address.
Nothing depends on connection tracking, and nothing is remembered of a packet.

A packet from a phone to a public address of ours gets both translations; it is marked in prerouting, since in postrouting it
looks like any packet between two inside addresses, which are not translated (decision D21).

ICMP and fragments are beyond these rules.
They are given to the devices of the slow path, which gives them back translated; where there is no slow path they are dropped.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from string import Template
from typing import Any

from voxpath.core.errors import LocalError
from voxpath.model.address import text_of
from voxpath.model.ports import Mapping, PortBlock
from voxpath.nappt.table import Table, cells
from voxpath.nappt.verdict import Reason
from voxpath.natreactor import filtering, napt
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import device_names

LAYOUT = 1
"""The version of the table's shape; a table of another version is not adopted."""

HAIRPIN_MARK = 0x20000000
"""One bit of the packet mark, set between prerouting and postrouting of packets that turn back at the gateway."""

NOBODY = "192.0.2.1"
"""A copy of a packet is sent to somebody: behind a device without neighbours it does not matter to whom (RFC 5737)."""

MOST_OFFENDERS = 1024
OFFENDER_S = 60
"""How long an offender is remembered that sends nothing any more, in seconds: far longer than from one look to the next."""

STATE_KEY = 1

MAPS = ("in_block", "in_port", "out_block", "out_port")

COUNTED = (
    Reason.UNKNOWN_PHONE, Reason.SPOOFED_PORT, Reason.UNLEASED_PORT, Reason.STRANGER, Reason.BOGON, Reason.UNKNOWN_PROTOCOL,
    Reason.ICMP, Reason.FRAGMENT, Reason.TTL_EXPIRED, Reason.TRUNCATED,
)  # fmt: skip
"""What the table counts; the kernel drops wrong headers and options itself, before the table sees them."""

_TABLE = Template("""
add table ip $table
flush table ip $table
table ip $table {
$counters
  map in_block { type ipv4_addr . inet_service : ipv4_addr; counter; }
  map in_port { type ipv4_addr . inet_service : ipv4_addr; counter; }
  map out_block { type ipv4_addr . inet_service : ipv4_addr; counter; }
  map out_port { type ipv4_addr . inet_service : ipv4_addr; counter; }
  set phones { type ipv4_addr; }
  set state { type mark; }
  set pinholes { type ipv4_addr . inet_service . ipv4_addr; }
  set turning { type ipv4_addr . inet_service . ipv4_addr; }
  set held_block { type ipv4_addr . inet_service; }
  set held_port { type ipv4_addr . inet_service; }
  set own_block { type ipv4_addr . inet_service; }
  set own_port { type ipv4_addr . inet_service; }
  set offenders { type ipv4_addr . inet_service; size $most_offenders; flags dynamic,timeout; timeout ${offender_s}s; }
  set strangers { type ipv4_addr . inet_service; size $most_offenders; flags dynamic,timeout; timeout ${offender_s}s; }

$filtering
$punt
$napt
  chain receive_port {
$services
$napt_received
$admit
    ip daddr set ip daddr . (th dport & $mask) map @in_block accept
    ip daddr set ip daddr . th dport map @in_port accept
    counter name drop_unleased_port drop
  }
  chain receive {
    $usual ip ttl > 1 goto receive_port
    # Where the TTL ends the packet stays as it is, so that the kernel's ICMP error shows the sender what it sent;
    # what the kernel would deliver to this host instead is dropped.
    ip ttl 0-1 fib daddr type local counter name drop_ttl_expired drop
    ip ttl 0-1 counter name drop_ttl_expired accept
$punt_received
    ip frag-off & 0x3fff != 0 counter name drop_fragment drop
$clamp
    # The last octets of the header hold any value: only an incomplete header fails here.
    meta l4proto udp @th,48,16 0-65535 goto receive_port
    meta l4proto tcp @th,144,16 0-65535 goto receive_port
    meta l4proto sctp @th,80,16 0-65535 goto receive_port
    $refuse
  }
  chain arrive {
    notrack
    ip saddr { $private, $nowhere } counter name drop_bogon drop
    ip saddr { $public } counter name drop_bogon drop
    ip daddr { $public } goto receive
    ip daddr { $private } counter name drop_bogon drop
  }
  chain depart {
    notrack
$usual_departed
$punt_departed
    ip daddr { $public } meta mark set meta mark | $hairpin goto receive
$napt_departed
    ip ttl 0-1 fib daddr oifname { $outside } counter name drop_ttl_expired
  }
  chain pre {
    type filter hook prerouting priority raw; policy accept;
    iifname { $outside } goto arrive
    iifname { $inside } goto depart
$punt_returned
    ip daddr { $public } goto receive
  }

  chain offence {
    update @offenders { ip saddr . th sport counter }
    drop
  }
  chain send_port {
    ip saddr set ip saddr . (th sport & $mask) map @out_block $sent
    ip saddr set ip saddr . th sport map @out_port $sent
    ip saddr @phones counter name drop_spoofed_port goto offence
    counter name drop_unknown_phone goto offence
  }
  chain send {
    $usual goto send_port
    ip frag-off & 0x3fff != 0 counter name drop_fragment drop
$clamp
    meta l4proto udp @th,48,16 0-65535 goto send_port
    meta l4proto tcp @th,144,16 0-65535 goto send_port
    meta l4proto sctp @th,80,16 0-65535 goto send_port
    $refuse
  }
  chain leave {
    ip daddr { $private, $nowhere } counter name drop_bogon drop
    ip saddr { $private } goto send
    iifname { $inside } counter name drop_bogon drop
    # This host's ICMP error about a packet that was translated already would tell the outside an inside address.
$errors
  }
  chain post {
    type filter hook postrouting priority srcnat; policy accept;
    oifname { $outside } goto leave
    meta mark & $hairpin == $hairpin goto send
  }
  $speak
}
""")

_USUAL = "ip frag-off & 0x3fff == 0 meta l4proto udp @th,48,16 0-65535"
"""Nearly all packets are those of calls: they pass by the rules about all others."""

_USUAL_DEPARTED = Template(f"    {_USUAL} ip ttl > 1 ip daddr != {{ $public }} accept")

_PUNT = Template("""
  chain punt {
    $may_be_cut
    dup to $nobody device $device_outside drop
  }
  chain punt_inside {
    $may_be_cut
    dup to $nobody device $device_inside drop
  }
  chain punt_departing {
    ip daddr { $public } goto punt_inside
    ip daddr { $private } return
    fib daddr oifname { $outside } goto punt_inside
  }
  chain returned {
    notrack
    # A service that this host does not have: the packet would only be sent round.
    ip daddr { $public } fib daddr type != local counter name drop_unleased_port drop
    accept
  }""")

# A copy may not be cut, whatever its original says: the reserved flag tells the slow path (RFC 791 section 3.1 has it zero).
# One that a sender has set is taken away.
_MAY_BE_CUT = """ip frag-off & 0xc000 == 0xc000 ip frag-off set ip frag-off & 0x7fff
    ip frag-off & 0x4000 == 0 ip frag-off set ip frag-off | 0x8000"""

_PUNT_RECEIVED = """    ip frag-off & 0x3fff != 0 goto punt
    meta l4proto icmp goto punt"""

_PUNT_DEPARTED = """    ip ttl > 1 ip frag-off & 0x3fff != 0 jump punt_departing
    ip ttl > 1 ip protocol icmp jump punt_departing"""

_PUNT_RETURNED = Template("    iifname { $devices } goto returned")

_SPEAK = Template("""chain speak {
    type filter hook output priority mangle; policy accept;
    # What was given to the slow path passes here.
    oifname { $devices } accept
    # What this host says of a packet that was translated; that an inside host cannot be reached, in the name of its public address.
    icmp type { 3, 11, 12 } ip daddr { $public } goto punt
$errors
  }""")

# The kernel lowers what is announced, and never raises it; at an odd place it would damage the checksum.
# So it does that only where all hosts announce it, at the beginning of the options: 512 + 4 are kind and length.
_CLAMP = Template("    tcp flags & syn != 0 @th,160,16 516 tcp option maxseg size set $most")

_ELSEWHERE = "tcp flags & syn != 0 tcp option maxseg exists @th,160,16 != 516"
"""What announces a size behind other options: the slow path sees to it."""

_REFUSE = """meta l4proto { udp, tcp, sctp } counter name drop_truncated drop
    meta l4proto icmp counter name drop_icmp drop
    counter name drop_unknown_protocol drop"""

_ABOUT_INSIDE = "icmp type %s @th,192,32 & %#x == %#x"
"""An ICMP error about a packet to an inside address."""

NOWHERE = "0.0.0.1-0.255.255.255, 240.0.0.0-255.255.255.254"
"""Nobody's addresses (RFC 1122 section 3.2.1.3, RFC 1112 section 4) that the kernel would take for anybody's."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,30}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.@:-]{1,15}")


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the kernel: its default block size, its generation and mappings."""

    block_size: int
    generation: int
    mappings: tuple[Mapping, ...]


def counter(reason: Reason) -> str:
    """The name of a reason's counter in the kernel's table; a bare ``icmp`` would be a word of nft's own language."""
    return f"drop_{reason.value}"


def check(settings: NatSettings) -> None:
    """See whether a table can be made of these settings.

    :raises LocalError: a name is missing or cannot be a name.
    """
    outside = settings.outside
    if not _NAME.fullmatch(settings.table):
        raise LocalError(f"{settings.table!r} cannot name a kernel table: letters, digits, - and _")
    for side, names in (("inside", outside.inside), ("outside", outside.outside)):
        if not names:
            raise LocalError(f"no {side} interface is named: the kernel's NAT needs one on each side")
        for name in names:
            if not _INTERFACE.fullmatch(name):
                raise LocalError(f"{name!r} cannot name an interface")
    if not outside.private or not outside.public:
        raise LocalError("the kernel's NAT needs an inside prefix and a public address")


def install(settings: NatSettings, table: Table, punt: tuple[int, int] | None) -> str:
    """Commands that make the kernel's rules equal to these settings; mappings that are there already stay.

    :param punt: the devices of the slow path, by their indexes, for packets from inside and from outside; ``None``: there is none.
    """
    outside = settings.outside
    words = {
        "private": ", ".join(map(str, table.private)),
        "nowhere": NOWHERE,
        "public": ", ".join(map(str, outside.public)),
        "inside": quoted(outside.inside),
        "outside": quoted(outside.outside),
        "devices": quoted(device_names(settings.table)),
        "hairpin": f"{HAIRPIN_MARK:#x}",
        "nobody": NOBODY,
        "may_be_cut": _MAY_BE_CUT,
        "device_inside": str(punt[0] if punt else 0),
        "device_outside": str(punt[1] if punt else 0),
        "mask": f"{0x10000 - settings.block_size:#x}",
    }
    prefixes = [(int(prefix.netmask), int(prefix.network_address)) for prefix in table.private]
    about = [_ABOUT_INSIDE % ("{ 3, 11, 12 }", *prefix) for prefix in prefixes]
    unreachable = [_ABOUT_INSIDE % ("3", *prefix) for prefix in prefixes]

    def elsewhere(then: str) -> tuple[str, ...]:
        return (f"    ip ttl > 1 {_ELSEWHERE} {then}",) if settings.mss else ()

    return _TABLE.substitute(
        words,
        table=settings.table,
        counters="\n".join(f"  counter {counter(reason)} {{ }}" for reason in COUNTED),
        most_offenders=MOST_OFFENDERS,
        offender_s=OFFENDER_S,
        services=_services(outside.services),
        **filtering.rules(settings, HAIRPIN_MARK),
        **napt.rules(settings, words, punt=punt is not None),
        clamp=_CLAMP.substitute(most=settings.mss) if settings.mss else "",
        usual=_USUAL,
        # An ordinary NAPT has to look at them here.
        usual_departed=_USUAL_DEPARTED.substitute(words) if settings.pool is None else "",
        refuse=_REFUSE,
        errors="\n".join(f"    {each} counter name drop_icmp drop" for each in about),
        punt=_PUNT.substitute(words) if punt else "",
        punt_received="\n".join((_PUNT_RECEIVED, *elsewhere("goto punt"))) if punt else "",
        punt_departed="\n".join((_PUNT_DEPARTED, *elsewhere("jump punt_departing"))) if punt else "",
        punt_returned=_PUNT_RETURNED.substitute(words) if punt else "",
        speak=_SPEAK.substitute(
            words,
            errors="\n".join(f"    oifname {{ {words['outside']} }} {each} goto punt_inside" for each in unreachable),
        )
        if punt
        else "",
    )


def quoted(names: Iterable[str]) -> str:
    """Names of interfaces, as elements of a set."""
    return ", ".join(f'"{name}"' for name in names)


def _services(services: Iterable[PortBlock]) -> str:
    """The rule for the gateway's own ports; where the address is not the host's own, the packet would only be sent back."""
    ports = ", ".join(f"{service.public} . {service.first}" for service in services)
    return f"    ip daddr . th dport {{ {ports} }} fib daddr type local accept" if ports else ""


def remove(table: str) -> str:
    """Commands that remove the table, whether it exists or not."""
    return f"add table ip {table}\ndelete table ip {table}\n"


def fill(settings: NatSettings, table: Table) -> str:
    """Commands that make the kernel's mappings equal to the table's."""
    lines = [f"flush map ip {settings.table} {name}" for name in MAPS]
    lines.append(f"flush set ip {settings.table} phones")
    lines.extend(elements_text(f"ip {settings.table}", settings, table))
    if phones := {text_of(mapping.private) for mapping in table}:
        lines.append(f"add element ip {settings.table} phones {{ {', '.join(phones)} }}")
    said = state_text(f"ip {settings.table}", state_of(settings, table.generation))
    return "\n".join([*lines, filtering.fill(settings, table), napt.fill(settings, table), said])


def note_of(block: PortBlock, block_size: int) -> str:
    """The comment of an inward element: of which block it is a part, where it cannot tell that itself."""
    return f"{block.first}/{block.size}" if block.size != block_size else ""


def state_of(settings: NatSettings, generation: int) -> str:
    """The comment of the one element of ``state``, which tells a later run what stands here."""
    return f"{LAYOUT} {settings.block_size} {generation}"


def elements_text(where: str, settings: NatSettings, mappings: Iterable[Mapping]) -> Iterator[str]:
    """Commands that enter mappings into the maps of a table, one for each map that is concerned.

    :param where: family and name of the table.
    """
    found: dict[str, list[str]] = {name: [] for name in MAPS}
    for mapping in mappings:
        block = mapping.block
        private, public = text_of(mapping.private), text_of(block.public)
        masked, ports = cells(block, settings.block_size)
        kind = "block" if masked else "port"
        note = f' comment "{text}"' if (text := note_of(block, settings.block_size)) else ""
        for port in ports:
            found[f"in_{kind}"].append(f"{public} . {port}{note} : {private}")
            found[f"out_{kind}"].append(f"{private} . {port} : {public}")
    for name, elements in found.items():
        if elements:
            yield f"add element {where} {name} {{ {', '.join(elements)} }}"


def state_text(where: str, note: str) -> str:
    """Commands that let a table say this of itself, in the transaction that it speaks of."""
    return f'flush set {where} state\nadd element {where} state {{ {STATE_KEY} comment "{note}" }}\n'


def parse(objects: Iterable[dict[str, Any]]) -> Found | None:
    """Read what nft listed of ``state`` and of the two inward maps; ``None`` when no run of this layout left them.

    :raises ValueError, KeyError, TypeError: somebody else made a table of this name.
    """
    state: tuple[int, ...] = ()
    mappings: dict[Mapping, None] = {}
    for content in (part.get("set") or part.get("map") for part in objects):
        if content is None:
            continue
        if content["name"] == "state":
            state = tuple(int(word) for element in content.get("elem", ()) for word in element["elem"]["comment"].split())
        elif len(state) == 3:
            mappings.update((_mapping(element, state[1]), None) for element in content.get("elem", ()))
    if len(state) != 3 or state[0] != LAYOUT:
        return None
    return Found(state[1], state[2], tuple(mappings))


def _mapping(element: Any, block_size: int) -> Mapping:
    (inner, private) = element
    public, port = inner["elem"]["val"]["concat"]
    first, size = map(int, inner["elem"].get("comment", f"{port}/{block_size}").split("/"))
    return Mapping(IPv4Address(private), PortBlock(IPv4Address(public), first, size))
