"""What is wanted of DHCP, made to fit the machine by what Kea takes on it."""

from collections.abc import Iterable, Sequence

from tests.bench.goal import Goal
from tests.bench.part import Measured

OURS, PEER = "voxpath", "Kea"

KEA_US = 82.0
"""What Kea took for an exchange where the figures below were set, at a third of its highest rate."""
RATE = 5000.0
"""Durable exchanges a second."""
SHARE = 150 / 82
"""Times Kea's time."""
P99_MS = 20.0

FLAT = 1.2
"""Most that an exchange may cost beside many leases, in times of what it costs beside few."""

ACK_P99 = 4
"""Where the delay of 99 % of the ACKs stands among the figures."""

WANTED = f"""\
### What is wanted

- Required, on the machine where Kea takes {KEA_US:.0f} us at 4000 exchanges a second, a third of its highest rate:
  {RATE:.0f} durable exchanges a second, 150 us for each, which is {SHARE:.2f} of Kea's time, and 99 % of the ACKs within 20 ms.
  On a machine where Kea takes three times as long at a third of its highest rate that is a third of the rate, and three times the
  delay.
  It is looked at where voxpath has at least so many exchanges to make: at the first rate of the table that is not below.
- Aimed at: Kea's own rate and time, although every ACK is durable here.
"""


def dhcp_goals(table: Sequence[Measured]) -> Iterable[Goal]:
    """The goals of each work of a table that has Kea in it."""
    for work in dict.fromkeys(line.work for line in table):
        ours, kea = ({line.rate: line for line in table if (line.work, line.server) == (work, name)} for name in (OURS, PEER))
        highest = max((rate for rate, line in kea.items() if line.kept_up), default=0)
        if highest:
            yield from _goals(work, ours, kea, highest)


def _goals(work: str, ours: dict[int, Measured], kea: dict[int, Measured], highest: int) -> Iterable[Goal]:
    third = min(kea, key=lambda rate: (abs(rate - highest / 3), rate))
    slower = kea[third].cpu_us / KEA_US
    needed = RATE / slower
    kept_up = max((rate for rate, line in ours.items() if line.kept_up), default=0)
    yield Goal(f"{work}: highest rate a second that was sustained", kept_up, needed, highest, more=True)
    looked_at = min((rate for rate in ours.keys() & kea.keys() if rate >= needed), default=None)
    if looked_at is not None:
        share = ours[looked_at].cpu_us / kea[looked_at].cpu_us
        yield Goal(f"{work}: time of an exchange at {looked_at} a second, x Kea", share, SHARE, 1.0)
        yield Goal(f"{work}: ms for 99 % of the ACKs at {looked_at} a second", ours[looked_at].figures[ACK_P99], P99_MS * slower)


def flat_goals(table: Sequence[Measured]) -> Iterable[Goal]:
    """The goals beside leases that are there already: the first server has the fewest."""
    firsts = {line.rate: line for line in reversed(table) if line.server == table[0].server}
    for line in table:
        first = firsts.get(line.rate, line)
        if line is not first:
            yield Goal(
                f"time of an exchange at {line.rate} a second, {line.server}, x {first.server}", line.cpu_us / first.cpu_us, FLAT
            )
