"""``python -m tests.bench``: measure DHCP exchanges side by side, and write docs/performance.md. Needs root."""

import argparse
import math
import sys
from pathlib import Path

from tests.bench.measure import Measured, measure, medians
from tests.bench.page import written
from tests.bench.servers import ROOT, SERVERS

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


def one_run(rates: list[int], seconds: int) -> list[Measured]:
    """Measure all servers in turn at each rate, as long as they keep up."""
    found: list[Measured] = []
    failures = dict.fromkeys(SERVERS, 0)
    for rate in rates:
        for server in SERVERS:
            if failures[server] >= GIVE_UP_AFTER:
                continue
            seen = measure(server, rate, seconds)
            failures[server] = 0 if seen.sustained else failures[server] + 1
            found.append(seen)
            told = f"{seen.achieved:6.0f}/s  {seen.lost:6.1%} lost  {seen.cpu_us:6.0f} us  p99 {seen.ack_p99_ms:.1f} ms"
            print(f"{rate:6}/s  {server.name:24}  {told}", flush=True)
    return found


def main(words: list[str]) -> int:
    """Run it."""
    given = arguments(words)
    runs: list[Measured] = []
    for number in range(given.runs):
        print(f"run {number + 1} of {given.runs}", flush=True)
        runs += one_run(given.rates, given.seconds)
    table = [line for line in medians(runs) if not math.isnan(line.cpu_us)]
    command = " ".join(("python -m tests.bench", *words))
    given.output.write_text(
        written(given.runs, given.seconds, command, sorted(table, key=lambda line: line.rate)), encoding="utf-8"
    )
    print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
