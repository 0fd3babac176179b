"""kill -9 of the SIP server during registrations: what was acknowledged is there after the restart, and nothing else.

What was acknowledged is read from the wire, and so is what is there afterwards.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.part import STATE_PARENT
from tests.bench.sip.servers import voxpath_for
from tests.bench.sip.site import Loopback
from tests.bench.site import Site
from tests.soak.registrations import Registrations

GROUP = 200
GROUPS = 10
"""Groups of users that come back in later rounds: their bindings are changed and killed again."""

LIFE_S = (0.1, 1.5)
"""Bounds of the time from the load's begin to the kill."""

LATEST_S = 0.2
"""Answers in the socket's queue are read this long after the kill."""


class Life(NamedTuple):
    """A server that can be started over and over with the same state, and its client."""

    site: Site
    argv: list[str]
    log: Path
    client: Registrations


@contextmanager
def _life(chance: Random) -> Iterator[Life]:
    with Loopback() as site, TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-soak-") as name:
        client = Registrations(site, chance)
        try:
            yield Life(site, voxpath_for((), Path(name), Path(name) / "state"), Path(name) / "output", client)
        finally:
            client.close()


def crash_sweep(seed: int, crashes: int) -> str:
    """Kill the server so many times; after each restart it must have what it ever acknowledged, and nothing that it removed."""
    chance = Random(seed)
    with _life(chance) as life:
        for number in range(crashes):
            group = chance.randrange(GROUPS)
            try:
                _killed(life, [f"u{group * GROUP + place:06}" for place in range(GROUP)], chance.uniform(*LIFE_S))
                server = life.site.start(life.argv, life.log)
                life.client.check()
            except AssertionError as error:
                error.add_note(f"after crash {number + 1} of seed {seed}")
                raise
            life.site.net.end(server, signal.SIGKILL if chance.random() < 0.5 else signal.SIGTERM)
        client = life.client
        assert client.removed, "no removal was acknowledged: nothing was proven"
        return (
            f"{crashes} kills during {client.changed} changes of bindings, {client.removed} of them removals, "
            f"to {len(client.bound)} users: every contact there after each restart, and none that was removed"
        )


def _killed(life: Life, users: list[str], seconds: float) -> None:
    server = life.site.start(life.argv, life.log)
    life.client.change(users, seconds)
    assert server.poll() is None, "the server ended by itself"
    life.site.net.end(server, signal.SIGKILL)
    life.client.last_words(LATEST_S)


def restart(seed: int, bindings: int) -> str:
    """Kill a server that has so many bindings; started again it must have them all, and it is told how soon it answers."""
    with _life(Random(seed)) as life:
        server = life.site.start(life.argv, life.log)
        users = [f"u{number:06}" for number in range(bindings)]
        life.client.bind(users)
        life.site.net.end(server, signal.SIGKILL)
        begun = time.monotonic()
        life.site.start(life.argv, life.log)
        life.client.bind(users[:1])
        answered_s = time.monotonic() - begun
        life.client.check()
        return f"{bindings} bindings, all there after kill -9; a REGISTER is answered {answered_s:.1f} s after the start"
