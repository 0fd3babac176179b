"""The NAT's data path: every back end beside plain forwarding and the kernel's masquerading."""

import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.nat import traffic
from tests.bench.nat.delay import delays, lease_ms
from tests.bench.nat.goals import LATEST_US, WANTED, nat_goals
from tests.bench.nat.site import GATEWAY_MACS, OUT, PATHS, PEERS_NAT, PHONES, PLAIN, absorbing, arrived, site
from tests.bench.nat.traffic import INWARD, OUTWARD, UNTRANSLATED
from tests.bench.part import Load, Measured, Part, Server, percentile
from tests.live.namespaces import Namespaces
from voxpath.natreactor.ebpf.libbpf import BpfObject
from voxpath.natreactor.interface import INATReactor
from voxpath.testing.nat.rig import result_of

FROM_PHONES, TO_PHONES = "packets from phones", "packets to phones"
WORKS = {FROM_PHONES: OUTWARD, TO_PHONES: INWARD}

EXPECTED = 500_000
"""Packets a second that a measurement is made for: it takes as long as it takes."""
WARMING = 100_000
"""Packets before a measurement."""
ARRIVING = 0.99

NOWHERE = float("nan")

METHOD = (
    """\
### Method

- One run measures all back ends in turn, each with the mappings of so many phones; every figure is the median over the runs.
  Only the ratios of one table mean anything: machines differ.
- Phones, gateway and outside are network namespaces with veth cables between them.
  A program in the kernel makes the packets (`tests/bench/nat/traffic.bpf.c`), 172 octets of payload, of all phones in turn, and
  of as many of their ports as make 32 000 flows at the most.
  They reach the gateway as frames, as from the driver of a network card, and end in the driver of the other side.
- *CPU* is the time for each packet that arrived: the one processor does all of it, the making too, apart from *tun*, whose process
  has another one.
- *kpps* are thousands of packets that arrived a second, and *arrived* is their share: what comes faster than *tun* can carry is
  dropped.
- *p50* and *p99* are of single packets at 5000 a second, from before one is given to the cable until it was received.
  *carried* means that 99 % of these came, and 99 % of them within 5 ms.
- *lease* is the median time of a change of one lease beside those of all phones, until a packet sees it, which is tried each time.
- *nftables, fast* is the same back end with `nat.fast`.
- *masquerade* is one rule of nftables with connection tracking.
  It has no connections for packets to phones, so it is not in that table.
- Only *ebpf in drivers* is asked to run in the drivers of virtual cables, which it would not do by itself.

### What is not measured

- Real network cards, and several processors.
- ICMP, fragments and hairpins: the tests show that all back ends carry them.

"""
    + WANTED
)

COLUMNS = {"kpps": ".0f", "arrived": ".1%", "p50 us": ".1f", "p99 us": ".0f", "lease ms": ".2f"}


def _no_command(_: Path) -> list[str]:
    """No process is started: what carries the packets is in the kernel, or starts its own."""
    return []


@contextmanager
def ready(work: str, server: Server) -> Iterator[Load]:
    """Have a gateway with one back end; the load is the packets of so many phones."""
    with ExitStack() as opened:
        directory = Path(opened.enter_context(TemporaryDirectory()))
        file = traffic.compiled(directory)
        made = BpfObject(file, {}, {})
        opened.callback(made.close)
        net = opened.enter_context(site())
        nat = opened.enter_context(PATHS[server.name](net))
        yield lambda phones, seconds: measure(net, nat, made, file, work, server.name, phones, seconds)


def measure(
    net: Namespaces, nat: INATReactor | None, made: BpfObject, file: Path, work: str, server: str, phones: int, seconds: int
) -> Measured:
    """Let the gateway know so many phones, and send their packets."""
    way = WORKS[work]
    if server == PEERS_NAT and way == INWARD:
        return Measured(work, server, phones, NOWHERE, False, (NOWHERE,) * len(COLUMNS))
    if server == PLAIN and way == INWARD:
        way = UNTRANSLATED
    if nat is not None:
        result_of(nat.replace_all(nat.generation() + 1, tuple(map(traffic.mapping, range(phones)))))
    taken, came, sent = throughput(net, made, file, way, phones, seconds)
    found, lost = delays(net, way, phones, seconds)
    leases = lease_ms(net, nat) if nat is not None else []
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    carried = lost < (1 - ARRIVING) * (len(found) + lost) and p99 < LATEST_US
    figures = (came / taken / 1000, came / sent, p50, p99, percentile(leases, 0.5))
    return Measured(work, server, phones, 1e6 * taken / came if came else math.nan, carried, figures)


def throughput(net: Namespaces, made: BpfObject, file: Path, way: str, phones: int, seconds: int) -> tuple[float, int, int]:
    """Send as fast as they are carried; give the seconds, and the packets that arrived and were sent."""
    source, target = (PHONES, OUT) if way == OUTWARD else (OUT, PHONES)
    command = [sys.executable, "-m", traffic.__name__, str(file), "eth0", GATEWAY_MACS[source], way, str(phones)]
    sent = EXPECTED * seconds
    with absorbing(net, target, made):
        net.run(source, [*command, str(WARMING)])
        before = arrived(net, target)
        taken = float(net.run(source, [*command, str(sent)], timeout=60 + 30 * seconds).stdout)
        return taken, arrived(net, target) - before, sent


NAT = Part(
    name="nat",
    title="NAT",
    works=tuple(WORKS),
    servers=tuple(Server(name, _no_command) for name in PATHS),
    base=PEERS_NAT,
    rates=(),
    kept_up="carried",
    columns=COLUMNS,
    versions={"nftables": ("nft", "--version"), "libbpf": ("dpkg-query", "-W", "-f", "${Version}", "libbpf1")},
    method=METHOD,
    ready=ready,
    asked="phones",
    own_rates=dict.fromkeys(WORKS, (100, 1000, 10_000)),
    goals=nat_goals,
)
