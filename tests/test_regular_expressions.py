"""Regular expressions must mean the same to every Python 3.11: before 3.11.5 possessive groups are matched wrongly."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "voxpath"
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>")


@pytest.mark.parametrize("text", [r"(?:ab?c)*+", r"(?:a)?+", r"(a|b)++", r"(?:a){2,3}+", r"(?>ab)"])
def test_what_is_looked_for_is_found(text: str) -> None:
    assert POSSESSIVE_GROUP.search(text)


def test_no_group_is_possessive() -> None:
    """CPython issue 106052; a possessive character class is right everywhere, and fast."""
    found = [path.name for path in PACKAGE.rglob("*.py") if POSSESSIVE_GROUP.search(path.read_text())]
    assert not found
