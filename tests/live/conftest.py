"""Fixtures of the live tests."""

from collections.abc import Iterator

import pytest

from tests.live.bench import Bench
from tests.live.dhcpframes import Cable
from tests.live.namespaces import Namespaces


@pytest.fixture
def net() -> Iterator[Namespaces]:
    """Namespaces that vanish at the end of the test."""
    with Namespaces() as made:
        yield made


@pytest.fixture
def cable(bench: Bench) -> Iterator[Cable]:
    """The end of a new phone's cable at the bench of a test's module."""
    made = Cable(bench)
    yield made
    made.close()
