"""``python -m tests.bench [dhcp] [sip]``: measure voxpath beside its peers, and write docs/performance.md. Needs root."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.dhcp.part import DHCP
from tests.bench.machine import machine
from tests.bench.page import section, write
from tests.bench.part import ROOT, Measured, Part, Server, medians
from tests.bench.sip.part import SIP
from tests.live.namespaces import end_on_signals

PAGE = ROOT / "docs/performance.md"
PARTS = {part.name: part for part in (DHCP, SIP)}

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


def first_run(part: Part, rates: list[int], seconds: int) -> Iterator[Measured]:
    """Measure all servers in turn at each rate, each as long as it keeps up."""
    for work in part.works:
        failures = dict.fromkeys(part.servers, 0)
        for rate in rates:
            for server in part.servers:
                if failures[server] < GIVE_UP_AFTER:
                    seen = told(part, work, server, rate, seconds)
                    failures[server] = 0 if seen.kept_up else failures[server] + 1
                    yield seen


def told(part: Part, work: str, server: Server, rate: int, seconds: int) -> Measured:
    """Measure, and tell the figures at once."""
    seen = part.measure(work, server, rate, seconds)
    figures = "  ".join(f"{value:{form}} {name}" for (name, form), value in zip(part.columns.items(), seen.figures, strict=True))
    print(f"{work}  {rate:6}/s  {server.name:24}  {seen.cpu_us:6.0f} us  {figures}", flush=True)
    return seen


def measured(part: Part, given: argparse.Namespace) -> list[Measured]:
    """All medians of a part: the first run chooses the rates of each server, and the others repeat them."""
    by_name = {server.name: server for server in part.servers}
    print(f"{part.name}: run 1 of {given.runs}", flush=True)
    chosen = list(first_run(part, given.rates or list(part.rates), given.seconds))
    runs = list(chosen)
    for number in range(1, given.runs):
        print(f"{part.name}: run {number + 1} of {given.runs}", flush=True)
        runs += [told(part, before.work, by_name[before.server], before.rate, given.seconds) for before in chosen]
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
