"""Fixtures of the live tests."""

from collections.abc import Iterator

import pytest

from tests.live.namespaces import Namespaces


@pytest.fixture
def net() -> Iterator[Namespaces]:
    """Namespaces that vanish at the end of the test."""
    with Namespaces() as made:
        yield made
