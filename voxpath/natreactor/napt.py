"""The ordinary NAPT in the kernel (NAP-15): its part of the rules, and the sets that they look into.

The slow path translates what a phone sends from a port outside its blocks, and what is answered to it; here it is only told apart.
``own_block`` and ``own_port`` tell a phone's own ports: they have the keys of the outward maps, since a look into the maps
themselves would count a packet twice.

Without a pool they are empty, and no rule looks into them; without a slow path such packets are dropped (NAP-5).
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from string import Template

from voxpath.model import ports
from voxpath.nappt.table import cells
from voxpath.natreactor import filtering
from voxpath.natreactor.settings import NatSettings

SETS = ("own_block", "own_port")

_DEPARTED = "    ip ttl > 1 meta l4proto { udp, tcp } ip saddr @phones jump napt_departing"

_RECEIVED = Template("""\
    iifname { $outside } meta l4proto { udp, tcp } ip daddr $public th dport $first-$last goto punt""")

_CHAIN = Template("""
  chain napt_departing {
    ip daddr { $private } return
    ip saddr . (th sport & $mask) @own_block return
    ip saddr . th sport @own_port return
    fib daddr oifname { $outside } goto punt_inside
  }""")


def rules(settings: NatSettings, words: Mapping[str, str], *, punt: bool) -> Mapping[str, str]:
    """What the rules of the whole table have in the places of the ordinary NAPT.

    :param words: interfaces, inside prefixes and marks as the rules have them.
    """
    pool = settings.pool
    if pool is None or not punt:
        return {"napt": "", "napt_received": "", "napt_departed": ""}
    received = _RECEIVED.substitute(words, public=IPv4Address(pool.public), first=pool.first, last=pool.last)
    return {"napt": _CHAIN.substitute(words), "napt_received": received, "napt_departed": _DEPARTED}


def fill(settings: NatSettings, mappings: Iterable[ports.Mapping]) -> str:
    """Commands that make the sets equal to some mappings."""
    lines = [f"flush set ip {settings.table} {name}" for name in SETS]
    if settings.pool is not None:
        for name, keys in own(mappings, settings.block_size).items():
            lines += filtering.added(settings, name, keys)
    return "\n".join(lines) + "\n"


def own(mappings: Iterable[ports.Mapping], block_size: int) -> dict[str, list[filtering.Key]]:
    """The keys of ``own_block`` and ``own_port`` for some mappings."""
    found: dict[str, list[filtering.Key]] = {"own_block": [], "own_port": []}
    for mapping in mappings:
        masked, firsts = cells(mapping.block, block_size)
        private = int(mapping.private)
        found["own_block" if masked else "own_port"] += [(private, port) for port in firsts]
    return found
