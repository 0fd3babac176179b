"""What is wanted of the NAT's data path, in times of what the kernel's own masquerading carries on the same machine."""

import math
from collections.abc import Iterable, Sequence

from tests.bench.goal import Goal
from tests.bench.nat.site import FAST, IN_DRIVERS, PEERS_NAT, PLAIN
from tests.bench.part import Measured

KPPS, ARRIVED, P50_US, P99_US, LEASE_MS = range(5)
"""Where these stand among the figures."""

PHONES = 1000
MANY_PHONES = 10_000

SHARES: dict[str, tuple[float, float | None]] = {
    "nftables": (1.05, 1.4),
    FAST: (1.05, 1.4),
    "ebpf": (1.5, 1.7),
    IN_DRIVERS: (4.0, 4.5),
    "tun": (0.3, None),
}
"""Of masquerading's rate: what is required, and what is aimed at."""
OF_PLAIN = 0.95
"""Aimed at: of what the kernel forwards without any translation."""
LATEST_US = 5000.0
LATEST_LEASE_MS = 1.0

WANTED = f"""\
### What is wanted

- Required, with {PHONES} phones, in times of the packets that masquerading carries: nftables 1.05, ebpf 1.5, ebpf in drivers 4,
  tun 0.3; 99 % of all packets within 5 ms on every back end; a change of a lease visible within 1 ms beside {MANY_PHONES} phones.
- Aimed at: nftables 1.4, ebpf 1.7 and {OF_PLAIN} of plain forwarding, ebpf in drivers 4.5.
"""


def nat_goals(table: Sequence[Measured]) -> Iterable[Goal]:
    """The goals of each work; the rates only where masquerading was measured beside them."""
    for work in dict.fromkeys(line.work for line in table):
        lines = {(line.server, line.rate): line for line in table if line.work == work}
        yield from _rates(work, lines)
        for (server, phones), line in lines.items():
            if server not in SHARES:
                continue
            if phones == PHONES:
                yield Goal(f"{work}: {server}, us for 99 % of the packets", line.figures[P99_US], LATEST_US)
            if phones == MANY_PHONES and not math.isnan(line.figures[LEASE_MS]):
                yield Goal(
                    f"{work}: {server}, ms until a lease is visible beside {phones}", line.figures[LEASE_MS], LATEST_LEASE_MS
                )


def _rates(work: str, lines: dict[tuple[str, int], Measured]) -> Iterable[Goal]:
    peer, plain = lines.get((PEERS_NAT, PHONES)), lines.get((PLAIN, PHONES))
    if peer is None or math.isnan(peer.figures[KPPS]):
        return
    for server, (must, aim) in SHARES.items():
        if (line := lines.get((server, PHONES))) is not None:
            share = line.figures[KPPS] / peer.figures[KPPS]
            yield Goal(f"{work}: {server}, packets a second, x masquerade", share, must, aim, more=True)
            if server == "ebpf" and plain is not None:
                of_plain = line.figures[KPPS] / plain.figures[KPPS]
                yield Goal(f"{work}: {server}, packets a second, x plain forwarding", of_plain, aim=OF_PLAIN, more=True)
