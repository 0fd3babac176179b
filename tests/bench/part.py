"""The parts of the bench speak of the same things: servers that are compared, loads, and what a load did to a server."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

from tests.bench.goal import Goal

ROOT = Path(__file__).parents[2]

STATE_PARENT = "/var/tmp"
"""Where states are kept: a real disk, as /tmp may be memory."""


class Server(NamedTuple):
    """One server.

    :ivar prepare: writes the configuration into a directory and gives the command line.
    """

    name: str
    prepare: Callable[[Path], list[str]]


class Measured(NamedTuple):
    """What one load did to one server.

    :ivar work: what was asked of it.
    :ivar rate: how often a second.
    :ivar cpu_us: processor time of the server's process tree for each piece of work that was finished, in microseconds.
    :ivar kept_up: whether it did all that was asked.
    :ivar figures: what else was seen, in the order of the part's columns.
    """

    work: str
    server: str
    rate: int
    cpu_us: float
    kept_up: bool
    figures: tuple[float, ...]


Load = Callable[[int, int], Measured]
"""Loads a server so often a second, for so many seconds."""


def no_goals(_: Sequence[Measured]) -> Iterable[Goal]:
    """Nothing is wanted yet."""
    return ()


class Part(NamedTuple):
    """One part of the bench, with its own section of the page.

    :ivar works: what is asked of every server, one table each.
    :ivar base: the server that ratios refer to.
    :ivar kept_up: the word for a server that did all that was asked.
    :ivar columns: headings of the figures, and how each is printed.
    :ivar versions: the commands that tell the versions of the peers.
    :ivar method: how it is measured, and what is not.
    :ivar ready: has a server ready for loads with some work, for the length of a ``with`` block.
    :ivar asked: what a rate is, as a heading.
    :ivar own_rates: the rates of works that have others than ``rates``.
    :ivar goals: what was wanted, and what came of it.
    """

    name: str
    title: str
    works: tuple[str, ...]
    servers: tuple[Server, ...]
    base: str
    rates: tuple[int, ...]
    kept_up: str
    columns: Mapping[str, str]
    versions: Mapping[str, tuple[str, ...]]
    method: str
    ready: Callable[[str, Server], AbstractContextManager[Load]]
    asked: str = "asked/s"
    own_rates: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    goals: Callable[[Sequence[Measured]], Iterable[Goal]] = no_goals


def twistd(role: str, configuration: Path) -> list[str]:
    """The command line of a role, as an operator starts it."""
    return [str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=", role, "--config", str(configuration)]


def medians(runs: Iterable[Measured]) -> list[Measured]:
    """The median of every figure over the runs of the same work, server and rate, in the order of the first runs."""
    groups: dict[tuple[str, str, int], list[Measured]] = {}
    for run in runs:
        groups.setdefault((run.work, run.server, run.rate), []).append(run)
    return [_median(group) for group in groups.values()]


def _median(group: list[Measured]) -> Measured:
    figures = tuple(median(values) for values in zip(*(run.figures for run in group), strict=True))
    most = sum(run.kept_up for run in group) * 2 > len(group)
    return group[0]._replace(cpu_us=median(run.cpu_us for run in group), kept_up=most, figures=figures)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which this share of the values lies; not a number when there is none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
