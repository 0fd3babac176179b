"""``python -m tests.bench [PART...]``: measure voxpath beside its peers, and write docs/performance.md. Needs root."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.dhcp.filled import FILLED
from tests.bench.dhcp.part import DHCP
from tests.bench.dhcp.relayed import RELAY
from tests.bench.machine import machine
from tests.bench.nat.part import NAT
from tests.bench.page import section, write
from tests.bench.part import ROOT, Load, Measured, Part, medians
from tests.bench.sip.part import SIP
from tests.bench.tftp.part import TFTP
from tests.live.namespaces import end_on_signals

PAGE = ROOT / "docs/performance.md"
PARTS = {part.name: part for part in (DHCP, RELAY, FILLED, SIP, TFTP, NAT)}

GIVE_UP_AFTER = 2
"""A server is not asked for more after so many rates in a row at which it did not keep up."""


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", type=named, metavar=f"{{{','.join(PARTS)}}}", help="what is measured (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="runs that the median is taken of (default 3)")
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement (default 5)")
    parser.add_argument("--rates", type=lambda text: [int(rate) for rate in text.split(",")], help="default: each part's own")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page that is written")
    return parser.parse_args(words)


def named(word: str) -> Part:
    """The part of this name."""
    if word not in PARTS:
        raise argparse.ArgumentTypeError(f"choose from {', '.join(PARTS)}")
    return PARTS[word]


def first_run(part: Part, rates: list[int] | None, seconds: int) -> Iterator[Measured]:
    """Measure all servers in turn at each rate, each as long as it keeps up."""
    for work in part.works:
        failures = dict.fromkeys((server.name for server in part.servers), 0)
        with all_ready(part, work) as loads:
            for rate in rates or part.own_rates.get(work, part.rates):
                for name in failures:
                    if failures[name] < GIVE_UP_AFTER:
                        seen = told(part, loads[name](rate, seconds))
                        failures[name] = 0 if seen.kept_up else failures[name] + 1
                        yield seen


def again(part: Part, chosen: list[Measured], seconds: int) -> Iterator[Measured]:
    """Measure once more what a first run has measured."""
    for work in part.works:
        with all_ready(part, work) as loads:
            for before in chosen:
                if before.work == work:
                    yield told(part, loads[before.server](before.rate, seconds))


@contextmanager
def all_ready(part: Part, work: str) -> Iterator[dict[str, Load]]:
    """Have all servers of a part ready, by their names; one is loaded at a time."""
    with ExitStack() as stack:
        yield {server.name: stack.enter_context(part.ready(work, server)) for server in part.servers}


def told(part: Part, seen: Measured) -> Measured:
    """Tell the figures at once."""
    figures = "  ".join(f"{value:{form}} {name}" for (name, form), value in zip(part.columns.items(), seen.figures, strict=True))
    print(f"{seen.work}  {seen.rate:6} {part.asked}  {seen.server:24}  {seen.cpu_us:6.0f} us  {figures}", flush=True)
    return seen


def measured(part: Part, given: argparse.Namespace) -> list[Measured]:
    """All medians of a part: the first run chooses the rates of each server, and the others repeat them."""
    print(f"{part.name}: run 1 of {given.runs}", flush=True)
    chosen = list(first_run(part, given.rates, given.seconds))
    runs = list(chosen)
    for number in range(1, given.runs):
        print(f"{part.name}: run {number + 1} of {given.runs}", flush=True)
        runs += again(part, chosen, given.seconds)
    return medians(runs)


def main(words: list[str]) -> int:
    """Measure the parts, and write the section of each as soon as it is finished."""
    end_on_signals()
    given = arguments(words)
    options = [word for word in words if word not in PARTS]
    lengths = f"Medians of {given.runs} runs of {given.seconds} s."
    for part in given.parts or PARTS.values():
        facts = machine(part.versions)
        table = measured(part, given)
        command = " ".join(("python -m tests.bench", part.name, *options))
        write(given.output, list(PARTS.values()), {part.title: section(part, facts, command, lengths, table)})
        print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
