"""Metrics in the text form of Prometheus: what goes through the NAT, by phone, and what does not, and why.

``voxpath ctl metrics`` prints them, for the textfile collector of a node exporter.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred

from voxpath.manage.command import Answer, Command, Console
from voxpath.manage.facts import NatFacts
from voxpath.manage.rows import CounterRow, LineRow


class Sample(NamedTuple):
    """One number of a family, with its labels."""

    value: int
    labels: tuple[tuple[str, str], ...] = ()


class Family(NamedTuple):
    """What has one name; ``kind`` is ``counter`` or ``gauge``."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


def of_nat(nat: NatFacts, counters: Sequence[CounterRow]) -> Iterator[Family]:
    """The metrics of the NAT."""
    passed, octets, drops = [], [], []
    for row in counters:
        phone = ("phone", row.phone)
        for direction, packets, size, dropped in (
            ("out", row.out_packets, row.out_octets, row.out_drops),
            ("in", row.in_packets, row.in_octets, row.in_drops),
        ):
            labels = (phone, ("direction", direction))
            passed.append(Sample(packets, labels))
            octets.append(Sample(size, labels))
            for reason, _, count in (each.partition("=") for each in dropped.split()):
                drops.append(Sample(int(count), (*labels, ("reason", reason))))
    reasons = tuple(Sample(count, (("reason", reason),)) for reason, count in sorted(nat.drops.items()))
    yield Family("voxpath_nat_phone_packets_total", "counter", "Packets of a phone that went through the NAT.", tuple(passed))
    yield Family("voxpath_nat_phone_octets_total", "counter", "Octets of a phone that went through the NAT.", tuple(octets))
    yield Family("voxpath_nat_phone_drops_total", "counter", "Packets of a phone that the NAT dropped.", tuple(drops))
    yield Family("voxpath_nat_drops_total", "counter", "Packets that the NAT dropped.", reasons)
    yield Family("voxpath_nat_mappings", "gauge", "Mappings in the NAT.", (Sample(nat.mappings),))
    yield Family("voxpath_nat_pinholes", "gauge", "Pinholes that are open for calls.", (Sample(nat.pinholes),))
    yield Family("voxpath_nat_generation", "gauge", "The ledger's generation that the NAT has.", (Sample(nat.generation),))
    yield Family("voxpath_ledger_generation", "gauge", "The ledger's generation.", (Sample(nat.ledger),))


def render(families: Iterable[Family]) -> str:
    """Write families down."""
    lines = []
    for family in families:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        for sample in family.samples:
            labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
            lines.append(f"{family.name}{{{labels}}} {sample.value}" if labels else f"{family.name} {sample.value}")
    return "".join(line + "\n" for line in lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _metrics(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    nat = console.facts.nat()

    def answer(found: list[CounterRow]) -> Answer:
        text = render(of_nat(nat, found))
        return Answer(LineRow, [LineRow(number, line) for number, line in enumerate(text.splitlines(), 1)], text=text)

    return console.facts.gather(console.facts.counters()).addCallback(answer)


METRICS = Command("metrics", (), "the NAT's counters as Prometheus reads them, by phone and by reason", _metrics)
