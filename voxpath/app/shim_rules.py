"""The shim as text for ``nft`` and ``ip``, and the kernel parameters that go with it (DNT-3, DNT-7, DNT-21); pure.

The public address stands as /32 on a bridge without ports, so that programs can bind to it, and nobody on the LAN hears of it.
Two new routes in front of the old ones make it the source of what is not bound.
The source of a packet becomes the private address after routing, the destination of one that arrives the public address after
routing and reassembly; ports stay, and nothing is remembered of a packet.

The public address is not this phone's alone: what is sent to another phone's port of it has to leave by the gateway, which turns
it round, although the address is a local one here.
The kernel looks into its table of local addresses first; our rules come before it, and tell by the port whose packet it is.
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Interface
from string import Template
from typing import Any, NamedTuple

from voxpath.model.ports import PortBlock
from voxpath.phone.host import ShimUp

TABLE = "voxpath_shim"
DEVICE = "vpshim"
OURS = 118
"""Routes and rules carry this protocol number (``ip-route(8)``), so that what is ours can be told from what is not."""

OWN_PORTS, OTHER_PORTS, MOVED = 1, 2, 3
"""Priorities of our rules; that of the table of local addresses moves from 0 to ``MOVED``."""

LOCAL = "255"
"""The number of the table of local addresses."""

UNLEASED, BOGON = "drop_unleased_port", "drop_bogon"
"""The counters' names; what they count is told in :class:`voxpath.phone.host.ShimDrops`."""

LAST_IN_RULES = 65534
"""The kernel refuses rules about port 65535: what a phone that holds it sends to this port of its own goes by the gateway."""

CHAINS = ("arrive", "received", "leave", "shown")
"""The table's chains."""

_RECORDED = re.compile(
    r"ip_local_port_range=[0-9]{1,5} [0-9]{1,5}"
    r"|conf/(?!(\.|\.\.|all|default)/)[^/\s]{1,15}/(arp_ignore|arp_announce|accept_local)=-?[0-9]{1,10}"
)
"""What :func:`parameters` can have put into a record, with a value as the kernel tells it."""

SHOW_ROUTES = (f"route show table all proto {OURS}",)
"""Our routes, in whatever table they are."""

SHOW = (f"rule show protocol {OURS}", f"route show proto {OURS}", f"route show table local dev {DEVICE}")
"""What of our work ``ip`` can show; the text is the same as long as nobody touches it."""

_RULES = Template("""
add table ip $table
delete table ip $table
table ip $table {
  counter $unleased { }
  counter $bogon { }
  # What stood before, and at the end of the set-up what stands now, for a later run.
  set record { type mark; elements = { $record } }
  chain arrive {
    type filter hook input priority raw; policy accept;
    iifname != "$interface" accept
    ip saddr $private counter name $bogon drop
    ip saddr $public meta l4proto { tcp, udp } th sport $ports counter name $bogon drop
    ip daddr $private meta l4proto { tcp, udp } th dport $ports goto received
  }
  chain received {
    # A program that bound to the private address shows that one, and is left alone.
    socket wildcard 0 accept
    ip daddr set $public
  }
  chain leave {
    type filter hook postrouting priority srcnat; policy accept;
    oifname { "lo", "$device" } accept
    ip saddr $public goto shown
  }
  chain shown {
    oifname "$interface" meta l4proto { tcp, udp } th sport $ports ip saddr set $private accept
    oifname "$interface" meta l4proto icmp ip saddr set $private accept
    counter name $unleased drop
  }
}
""")

_OWN = "rule add pref {own} to {public} ipproto {protocol} dport {ports} lookup local protocol {ours}"

_UP = Template("""
link add $device type bridge
addr add $public/32 dev $device
link set $device up
$own_ports
rule add pref $other to $public ipproto udp lookup main protocol $ours
rule add pref $other to $public ipproto tcp lookup main protocol $ours
rule add pref $moved lookup local protocol $ours
rule del pref 0 lookup local
route prepend $network dev $interface scope link src $public proto $ours
route prepend default via $router dev $interface src $public proto $ours
""")


class Record(NamedTuple):
    """What a run left in the kernel for the next one.

    :ivar standing: description of the shim that stands; empty: it was never finished.
    :ivar before: kernel parameters as they were before.
    """

    standing: str
    before: Mapping[str, str]


def describe(wanted: ShimUp) -> str:
    """The shim in one line, below nft's limit of 128 characters for a comment."""
    return f"{wanted.block} for {wanted.address}/{wanted.prefix_length} by {wanted.router} on {wanted.interface}"


def parameters(wanted: ShimUp) -> dict[str, str]:
    """Kernel parameters below ``net/ipv4`` that the shim needs.

    Programs that let the kernel choose a port get one of the block (DNT-3), but not the first one, which is for signalling.
    ARP is answered only for the interface's own address, and asked with it: the public address is every phone's.
    Packets of phones with the same public address arrive with a source that is a local address here.
    """
    block = wanted.block
    last = min(block.last, LAST_IN_RULES) if block.size > 2 else block.last
    return {
        "ip_local_port_range": f"{min(block.first + 1, last)} {last}",
        f"conf/{wanted.interface}/arp_ignore": "1",
        f"conf/{wanted.interface}/arp_announce": "2",
        f"conf/{wanted.interface}/accept_local": "1",
    }


def ruleset(wanted: ShimUp, before: Mapping[str, str]) -> str:
    """Commands for nft that put the table in the place of any other of its name, with the record of what stood before."""
    elements = [f'{number} comment "{key}={value}"' for number, (key, value) in enumerate(before.items(), 1)]
    return _RULES.substitute(
        table=TABLE,
        device=DEVICE,
        unleased=UNLEASED,
        bogon=BOGON,
        record=", ".join(elements),
        interface=wanted.interface,
        private=wanted.address,
        public=wanted.block.public,
        ports=_ports(wanted.block.first, wanted.block.last),
    )


def finished(standing: str) -> str:
    """Commands for nft that record what stands now."""
    return f'add element ip {TABLE} record {{ 0 comment "{standing}" }}'


def remove() -> str:
    """Commands for nft that remove the table, whether it exists or not."""
    return f"add table ip {TABLE}\ndelete table ip {TABLE}\n"


def up(wanted: ShimUp) -> list[str]:
    """Commands for ``ip -4 -batch``, in their order: at no moment is there no table of local addresses."""
    text = _UP.substitute(
        device=DEVICE,
        public=wanted.block.public,
        own_ports="\n".join(_own_ports(wanted.block)),
        other=OTHER_PORTS,
        moved=MOVED,
        ours=OURS,
        network=IPv4Interface(f"{wanted.address}/{wanted.prefix_length}").network,
        interface=wanted.interface,
        router=wanted.router,
    )
    return [line for line in text.split("\n") if line]


def down(rules: Sequence[Mapping[str, Any]], routes: bool, device: bool) -> list[str]:
    """Commands for ``ip -4 -batch`` that take away what is there of :func:`up`.

    :param rules: what ``ip -N -j rule`` tells.
    :param routes: whether there are routes of ours; they go with the bridge only if their source is nowhere else.
    :param device: whether the bridge is there.
    """
    ours = [rule for rule in rules if rule.get("protocol") == str(OURS)]
    moved = any(rule["table"] == LOCAL and rule["priority"] == MOVED for rule in ours)
    first = any(rule["table"] == LOCAL and rule["priority"] == 0 for rule in rules)
    lines = ["rule add pref 0 lookup local protocol kernel"] if moved and not first else []
    lines += [f"rule flush protocol {OURS}"] if ours else []
    lines += [f"route flush table all proto {OURS}"] if routes else []
    return [*lines, *([f"link del {DEVICE}"] if device else [])]


def read_record(objects: Sequence[Mapping[str, Any]]) -> Record:
    """Read what nft lists of the set ``record``.

    Whoever may change the table may have written it, and its keys become names of files that root writes: one that is not of the
    form that we write makes the whole record one that nobody follows.

    :raises ValueError, KeyError, TypeError: somebody else made a table of this name.
    """
    found = {
        element["elem"]["val"]: element["elem"]["comment"] for part in objects for element in part.get("set", {}).get("elem", ())
    }
    standing = found.pop(0, "")
    if not all(_RECORDED.fullmatch(text) for text in found.values()):
        raise ValueError("the record holds what no shim writes")
    return Record(standing, dict(text.split("=", 1) for text in found.values()))


def _own_ports(block: PortBlock) -> list[str]:
    """Rules for packets to ourselves; none if the kernel can have none for these ports."""
    last = min(block.last, LAST_IN_RULES)
    if last < block.first:
        return []
    ports = _ports(block.first, last)
    return [_OWN.format(own=OWN_PORTS, public=block.public, protocol=name, ports=ports, ours=OURS) for name in ("udp", "tcp")]


def _ports(first: int, last: int) -> str:
    return f"{first}-{last}" if last > first else str(first)
