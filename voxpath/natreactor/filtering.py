"""The call-aware mode in the kernel (FWL-4): its part of the rules, and the sets that they look into.

``pinholes`` is keyed by public address, port and peer, and is looked into before the destination is translated.
Of what it does not admit, ``held_block`` and ``held_port`` tell what would be for a phone: they have the keys of the inward maps,
since a look into the maps themselves would count a stranger's packet as one that the phone got.

A packet that turns back at the gateway comes with its sender's inside address, so that one is looked at when its source has been
translated; ``turning`` holds the pinholes for our own public addresses, by the inside address that the packet has then.
Both phones' elements have counted it by then: of phones of one gateway alone a stranger is counted as heard.

``strangers`` tells whom they wanted to reach, by the cell of the map that would have led there.

In the open mode (endpoint-independent filtering, RFC 4787 REQ-8) all of these are empty, and no rule looks into them.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from string import Template
from typing import Any, NamedTuple

from voxpath.model import ports
from voxpath.nappt.pinhole import Pinhole
from voxpath.nappt.table import Table, cells
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.settings import NatSettings

SETS = ("pinholes", "turning", "held_block", "held_port")

MOST_LISTED = 1024
"""Elements in one command."""

_ADMIT = Template("""\
    iifname != { $inside } $untrusted ip daddr . th dport . ip saddr != @pinholes goto unasked""")

_CHAINS = Template("""\
  chain strange {
    counter name $stranger drop
  }
  chain unasked {
    ip daddr . (th dport & $mask) @held_block update @strangers { ip daddr . (th dport & $mask) counter }
    ip daddr . (th dport & $mask) @held_block goto strange
    ip daddr . th dport @held_port update @strangers { ip daddr . th dport counter }
    ip daddr . th dport @held_port goto strange
    counter name $unleased drop
  }
  chain turn {
    meta mark & $hairpin != $hairpin accept
$trusted
    ip daddr . th dport . ip saddr @turning accept
    update @strangers { ip daddr . (th dport & $mask) counter }
    goto strange
  }
""")

Key = tuple[int, int]
"""An address and a port, as numbers."""


class Turning(NamedTuple):
    """A pinhole for another phone of this gateway, as ``turning`` has it: a packet is looked at when both sides are translated."""

    private: int
    port: int
    peer: int


def rules(settings: NatSettings, hairpin: int) -> Mapping[str, str]:
    """What the rules of the whole table have in the places of this mode.

    :param hairpin: the mark of packets that turn back at the gateway.
    """
    if not settings.call_aware:
        return {"admit": "", "filtering": "", "sent": "accept"}
    trusted = ", ".join(map(str, settings.trusted))
    words = {
        "inside": ", ".join(f'"{name}"' for name in settings.outside.inside),
        "untrusted": f"ip saddr != {{ {trusted} }}" if trusted else "",
        "trusted": f"    ip saddr {{ {trusted} }} accept" if trusted else "",
        "mask": f"{0x10000 - settings.block_size:#x}",
        "hairpin": f"{hairpin:#x}",
        "stranger": f"drop_{Reason.STRANGER.value}",
        "unleased": f"drop_{Reason.UNLEASED_PORT.value}",
    }
    return {"admit": _ADMIT.substitute(words), "filtering": _CHAINS.substitute(words), "sent": "goto turn"}


def fill(settings: NatSettings, table: Table) -> str:
    """Commands that make the sets equal to a table's mappings and pinholes."""
    lines = [f"flush set ip {settings.table} {name}" for name in SETS]
    if table.pinholes is not None:
        of_table: dict[str, Iterable[tuple[int, ...]]] = {
            "pinholes": table.pinholes,
            "turning": [turned for pinhole in table.pinholes if (turned := turning(table, pinhole))],
            **held(table, settings.block_size),
        }
        for name, keys in of_table.items():
            lines += added(settings, name, keys)
    return "\n".join(lines) + "\n"


def held(mappings: Iterable[ports.Mapping], block_size: int) -> dict[str, list[Key]]:
    """The keys of ``held_block`` and ``held_port`` for some mappings."""
    found: dict[str, list[Key]] = {"held_block": [], "held_port": []}
    for mapping in mappings:
        masked, firsts = cells(mapping.block, block_size)
        public = int(mapping.block.public)
        found["held_block" if masked else "held_port"] += [(public, port) for port in firsts]
    return found


def turning(table: Table, pinhole: Pinhole, private: int = 0) -> Turning | None:
    """A pinhole as ``turning`` has it; ``None``: its peer is no phone of this gateway.

    :param private: where it leads to, if the table does not know that any more.
    """
    if not table.is_public(pinhole.peer):
        return None
    row = table.by_public(pinhole.public, pinhole.port)
    return Turning(private or (row.address if row is not None else 0), pinhole.port, pinhole.peer)


def parse(objects: Iterable[Mapping[str, Any]]) -> Iterator[Pinhole]:
    """Read what nft listed of ``pinholes``.

    :raises ValueError, KeyError, TypeError: somebody else made a set of this name.
    """
    for content in (part["set"] for part in objects if "set" in part):
        for element in content.get("elem", ()):
            public, port, peer = element["concat"]
            yield Pinhole(int(IPv4Address(public)), int(port), int(IPv4Address(peer)))


def added(settings: NatSettings, name: str, keys: Iterable[tuple[int, ...]]) -> Iterator[str]:
    """Commands that enter keys into a set."""
    texts = list(map(_text, keys))
    for at in range(0, len(texts), MOST_LISTED):
        yield f"add element ip {settings.table} {name} {{ {', '.join(texts[at : at + MOST_LISTED])} }}"


def _text(key: tuple[int, ...]) -> str:
    address, port, *peer = key
    return " . ".join((str(IPv4Address(address)), str(port), *(str(IPv4Address(each)) for each in peer)))
