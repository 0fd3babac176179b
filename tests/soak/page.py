"""Keeps docs/soak.md: the last result of every proof."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.soak.proofs import PROOFS, Proof

HEAD = """\
# Long proofs

Written by `python -m tests.soak`, which `make soak` runs; do not edit.

Each proof draws all its chances from one seed, so a failure is found again with the command of its row.
`--scale` multiplies the amounts of full scale (`VOXPATH_SCALE` does the same), and CI runs each proof at a hundredth.

| proof | date | result | what was seen | seed | scale | time | command |
|---|---|---|---|---|---|---|---|
"""

TAIL = """
## What each shows

{claims}

## What they do not show

- `crash` draws its load and its moments from the seed, and the machine's own timing plays along: the same seed need not fail again.
- `kill -9` ends the process and not the machine: that a flushed commit survives a power failure is SQLite's and the disk's promise.
- `kill-at-flush`, `torn-pages` and `uploads` count the flushes of each thread, as strace does, and the first to come to n is meant.
- The lossy line of `megaco-loss` is virtual, and its T-MAX is 90 s: at the usual 30 s one request in some thousands is given up.
"""

ROW = re.compile(r"^\| ([a-z-]+) \|.*$", re.MULTILINE)


class Result(NamedTuple):
    """The outcome of one proof."""

    proof: Proof
    passed: bool
    seen: str
    seed: int
    scale: float
    seconds: float

    def row(self) -> str:
        """The result as a row of the table."""
        command = f"`python -m tests.soak --only {self.proof.name} --seed {self.seed} --scale {self.scale:g}`"
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        seen = self.seen.replace("|", "\\|").replace("\n", " ")
        result = "passed" if self.passed else "**failed**"
        cells = (self.proof.name, date, result, seen, str(self.seed), f"{self.scale:g}", f"{self.seconds:.0f} s", command)
        return f"| {' | '.join(cells)} |"


def updated(page: str, results: list[Result]) -> str:
    """The page with these results, and the rows that it had of other proofs."""
    rows = {found[1]: found[0] for found in ROW.finditer(page) if found[1] != "proof"}
    rows.update((result.proof.name, result.row()) for result in results)
    table = "\n".join(rows[proof.name] for proof in PROOFS if proof.name in rows)
    claims = "\n".join(f"- `{proof.name}` ({proof.amount:,} at full scale): {proof.claim}" for proof in PROOFS)
    machine = f"\nThe last run was on {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python "
    return f"{HEAD}{table}\n{machine}{platform.python_version()}.\n{TAIL.format(claims=claims)}"


def write(path: Path, results: list[Result]) -> None:
    """Bring the page up to date."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(updated(page, results), encoding="utf-8")
