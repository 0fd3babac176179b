"""Fixtures for every test: a logged failure, an unhandled Deferred or a leftover timer fails the test."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from twisted.internet import reactor
from twisted.logger import LogEvent, globalLogPublisher

# Its asserts tell what they found, as those of all tests do.
pytest.register_assert_rewrite("voxpath.testing.nat")

# Tests assert what holds, never how fast: a busy machine is no reason to fail.
settings.register_profile("voxpath", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("voxpath")


@pytest.fixture(autouse=True)
def no_logged_failure() -> Iterator[list[LogEvent]]:
    """Fail on any event that carries a failure; an unhandled Deferred logs one when it is collected.

    A test that means to have one takes it out of the list.
    """
    failures: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            failures.append(event)

    globalLogPublisher.addObserver(observe)
    yield failures
    gc.collect()
    globalLogPublisher.removeObserver(observe)
    assert not failures, "logged: " + "; ".join(str(event["log_failure"].getBriefTraceback()) for event in failures)


@pytest.fixture(autouse=True)
def no_leftover_timer() -> Iterator[None]:
    """Fail on a delayed call that the test left behind, and cancel it."""
    clock: Any = reactor
    before = {id(call) for call in clock.getDelayedCalls()}
    yield
    left = [call for call in clock.getDelayedCalls() if id(call) not in before]
    for call in left:
        call.cancel()
    assert not left, f"timers left behind: {left}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Live tests come last, so that a broken core is seen first."""
    items.sort(key=lambda item: item.get_closest_marker("live") is not None)


def pytest_collection_finish() -> None:
    """Whatever the modules made stays: the look for unhandled failures after each test need not pass over it again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip live tests without root; ``.ci/run`` fails on a skip."""
    if item.get_closest_marker("live") is not None and os.geteuid() != 0:
        pytest.skip("needs root for network namespaces")
