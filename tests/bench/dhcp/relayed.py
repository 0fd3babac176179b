"""DHCP through a relay beside Kea: each phone comes twice, so that half of the exchanges are about a lease that is there."""

from functools import partial

from tests.bench.dhcp.part import COLUMNS, ready
from tests.bench.dhcp.servers import BASE, RELAYED
from tests.bench.part import Part

WORK = "through a relay, each phone twice, four messages each"

METHOD = """\
### Method

- As for DHCP above, but perfdhcp stays the relay that it is, and nobody rewrites its messages: answers go to it as ordinary UDP.
- It has half as many clients as it makes exchanges, so each comes a second time; a second exchange makes a lease longer,
  and the phone keeps its address and its ports.
- Kea uses an ordinary UDP socket here, as its manual recommends behind relays.
"""


RELAY = Part(
    name="relay",
    title="DHCP through a relay",
    works=(WORK,),
    servers=RELAYED,
    base=BASE,
    rates=(500, 1000, 1500, 2000, 3000, 4000, 6000, 8000),
    kept_up="sustained",
    columns=COLUMNS,
    versions={"Kea": ("kea-dhcp4", "-v")},
    method=METHOD,
    ready=partial(ready, relay=True),
)
