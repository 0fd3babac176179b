"""Fixtures of the live tests; ``namespaces`` is importable by its plain name from every module of this folder."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from namespaces import Namespaces


@pytest.fixture
def net() -> Iterator[Namespaces]:
    """Namespaces that vanish at the end of the test."""
    with Namespaces() as made:
        yield made
