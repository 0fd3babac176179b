"""Checks docs/requirements.md: every claimed requirement names tests, and every named test exists.

A row is ``| ID | what | tests |``; a test is named ``path::function``, parametrised ones by their function.
The ids after ``Claimed:`` must all have a row with at least one test.
"""

import ast
import re
import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MATRIX = ROOT / "docs" / "requirements.md"
ROW = re.compile(r"^\| ([A-Z]{3}-\d+) \| (.*) \| (.*) \|$")
TEST = re.compile(r"`([^`]+)`")
CLAIM = re.compile(r"([A-Z]{3})-(\d+)(?: to [A-Z]{3}-(\d+))?")


@lru_cache
def functions(path: Path) -> frozenset[str]:
    """The names of all test functions and methods in a file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            # A state machine of hypothesis becomes a test by an assignment.
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(found)


def missing(test: str) -> str:
    """Why a named test does not exist; empty when it does."""
    path, _, name = test.partition("::")
    if not (ROOT / path).is_file():
        return f"{path} does not exist"
    last = name.split("::")[-1]
    return "" if last.lower().startswith("test") and last in functions(ROOT / path) else f"{path} has no test {name!r}"


def claimed(text: str) -> list[str]:
    """All ids of the ``Claimed:`` paragraph, ranges written out."""
    paragraph = text.split("Claimed:", 1)[1].split("\n\n", 1)[0]
    ids = []
    for area, first, last in CLAIM.findall(paragraph):
        ids += [f"{area}-{number}" for number in range(int(first), int(last or first) + 1)]
    return ids


def main() -> int:
    """Print every problem; return 0 when there is none."""
    text = MATRIX.read_text()
    rows = {found[1]: TEST.findall(found[3]) for line in text.splitlines() if (found := ROW.match(line))}
    problems = [f"{row}: {reason}" for row, tests in rows.items() for test in tests if (reason := missing(test))]
    problems += [f"{requirement}: claimed, but no test is named" for requirement in claimed(text) if not rows.get(requirement)]
    if not rows:
        problems.append("the matrix is empty")
    print("\n".join(problems) or f"requirements: {len(rows)} rows, {sum(map(len, rows.values()))} tests named, all there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
