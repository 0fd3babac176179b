"""Fixtures of the live tests.

``namespaces`` and the NAT's conformance suite are importable by their plain names from every module of this folder.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "natreactor")]

from namespaces import Namespaces  # noqa: E402  (the folder has to be on the path first)


@pytest.fixture
def net() -> Iterator[Namespaces]:
    """Namespaces that vanish at the end of the test."""
    with Namespaces() as made:
        yield made
