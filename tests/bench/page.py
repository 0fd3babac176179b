"""Keeps docs/performance.md: one section for each part of the bench, written anew by that part's last run."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench import goal as goals
from tests.bench.part import Measured, Part

HEAD = """\
# Performance

Written by `python -m tests.bench`, which `make bench` runs; do not edit.
Each section is the record of the last run of its part.

"""

SECTION = re.compile(r"^## (.*)$(?:\n(?!## ).*)*\n?", re.MULTILINE)


def section(part: Part, facts: Mapping[str, str], command: str, lengths: str, table: Sequence[Measured]) -> str:
    """The section of a part: where it was measured, its tables, its method.

    :param lengths: how many runs of which length the medians are of.
    """
    told = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    works = "\n".join(_work(part, work, lengths, [line for line in table if line.work == work]) for work in part.works)
    outcome = goals.told(part.goals(table))
    came = f"### What came of it\n\n{outcome}\n\n" if outcome else ""
    return f"## {part.title}\n\nMeasured by `{command}`.\n\n{told}\n\n{works}\n{came}{part.method}"


def updated(page: str, parts: Sequence[Part], written: Mapping[str, str]) -> str:
    """The page with these sections by title, and with the sections that it had of other parts."""
    sections = {found[1]: found[0].rstrip() + "\n" for found in SECTION.finditer(page)}
    sections.update(written)
    return HEAD + "\n".join(sections[part.title] for part in parts if part.title in sections)


def write(path: Path, parts: Sequence[Part], written: Mapping[str, str]) -> None:
    """Bring the page up to date."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(updated(page, parts, written), encoding="utf-8")


def highest(table: Sequence[Measured]) -> dict[str, str]:
    """The highest rate at which each server kept up."""
    best: dict[str, int] = {}
    for line in table:
        best[line.server] = max(best.get(line.server, 0), line.rate if line.kept_up else 0)
    return {server: str(rate) if rate else "none of them" for server, rate in best.items()}


def _work(part: Part, work: str, lengths: str, table: list[Measured]) -> str:
    titles = (part.asked, "server", part.kept_up, "CPU us", f"x {part.base}", *part.columns)
    bases = {line.rate: line for line in table if line.server == part.base}
    lines = sorted((line for line in table if not math.isnan(line.cpu_us)), key=lambda line: line.rate)
    rows = "\n".join(_row(part, line, bases.get(line.rate)) for line in lines)
    best = "\n".join(f"- {name}: {rate}" for name, rate in highest(table).items())
    rates = f"\nThe highest rate a second of the table that was {part.kept_up}:\n\n{best}\n" if part.rates else ""
    return f"""### {work}

{lengths}

| {" | ".join(titles)} |
|---:|---|---|---:|---:|{"---:|" * len(part.columns)}
{rows}
{rates}"""


def _row(part: Part, line: Measured, base: Measured | None) -> str:
    ratio = f"{line.cpu_us / base.cpu_us:.2f}" if base is not None else ""
    figures = (format(value, form) for value, form in zip(line.figures, part.columns.values(), strict=True))
    cells = (str(line.rate), line.server, "yes" if line.kept_up else "no", f"{line.cpu_us:.0f}", ratio, *figures)
    return f"| {' | '.join(cells)} |"
