"""``python -m tests.bench``: measure DHCP exchanges side by side, and write docs/performance.md. Needs root."""

import argparse
import math
import sys
from pathlib import Path

from tests.bench.measure import Measured, measure, medians
from tests.bench.page import machine, written
from tests.bench.servers import ROOT, SERVERS, Server
from tests.live.namespaces import end_on_signals

PAGE = ROOT / "docs/performance.md"
RATES = (500, 1000, 2000, 3000, 4000, 6000, 8000)

GIVE_UP_AFTER = 2
"""A server is not asked for more after so many rates in a row that it did not sustain."""


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs that the median is taken of (default 3)")
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement (default 5)")
    parser.add_argument("--rates", type=lambda text: [int(rate) for rate in text.split(",")], default=list(RATES))
    parser.add_argument("--output", type=Path, default=PAGE, help="the page that is written")
    return parser.parse_args(words)


def first_run(rates: list[int], seconds: int) -> list[Measured]:
    """Measure all servers in turn at each rate, each as long as it keeps up."""
    found: list[Measured] = []
    failures = dict.fromkeys(SERVERS, 0)
    for rate in rates:
        for server in SERVERS:
            if failures[server] < GIVE_UP_AFTER:
                seen = told(server, rate, seconds)
                failures[server] = 0 if seen.sustained else failures[server] + 1
                found.append(seen)
    return found


def told(server: Server, rate: int, seconds: int) -> Measured:
    """Measure, and tell the figures at once."""
    seen = measure(server, rate, seconds)
    figures = f"{seen.achieved:6.0f}/s  {seen.lost:6.1%} lost  {seen.cpu_us:6.0f} us  p99 {seen.ack_p99_ms:.1f} ms"
    print(f"{rate:6}/s  {server.name:24}  {figures}", flush=True)
    return seen


def main(words: list[str]) -> int:
    """Run it: the first run chooses the rates of each server, and the others repeat them."""
    end_on_signals()
    given = arguments(words)
    facts = machine()
    by_name = {server.name: server for server in SERVERS}
    print(f"run 1 of {given.runs}", flush=True)
    chosen = first_run(given.rates, given.seconds)
    runs = list(chosen)
    for number in range(1, given.runs):
        print(f"run {number + 1} of {given.runs}", flush=True)
        runs += [told(by_name[before.server], before.rate, given.seconds) for before in chosen]
    table = sorted((line for line in medians(runs) if not math.isnan(line.cpu_us)), key=lambda line: line.rate)
    command = " ".join(("python -m tests.bench", *words))
    given.output.write_text(written(facts, given.runs, given.seconds, command, table), encoding="utf-8")
    print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
