"""DHCP through a relay beside Kea: phones that come once, and phones half of whose exchanges are about a lease that is there."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.dhcp.goals import dhcp_goals
from tests.bench.dhcp.part import COLUMNS, measure
from tests.bench.dhcp.servers import BASE, RELAYED
from tests.bench.part import Load, Part, Server

ONCE = "through a relay, new phones, four messages each"
TWICE = "through a relay, each phone twice, four messages each"
TIMES = {ONCE: 1, TWICE: 2}
"""How often each phone comes."""

METHOD = """\
### Method

- As for DHCP above, but perfdhcp stays the relay that it is, and nobody rewrites its messages: answers go to it as ordinary UDP.
- Where each phone comes twice, it has half as many clients as it makes exchanges; a second exchange makes a lease longer, and the
  phone keeps its address and its ports.
- Kea uses an ordinary UDP socket here, as its manual recommends behind relays.
- The same is wanted as above.
"""


@contextmanager
def ready(work: str, server: Server) -> Iterator[Load]:
    """Every load finds a new server."""
    yield lambda rate, seconds: measure(work, server, rate, seconds, TIMES[work])


RELAY = Part(
    name="relay",
    title="DHCP through a relay",
    works=tuple(TIMES),
    servers=RELAYED,
    base=BASE,
    rates=(500, 1000, 1500, 2000, 3000, 4000, 6000, 8000),
    kept_up="sustained",
    columns=COLUMNS,
    versions={"Kea": ("kea-dhcp4", "-v")},
    method=METHOD,
    ready=ready,
    goals=dhcp_goals,
)
