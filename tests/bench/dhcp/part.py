"""DHCP beside Kea and dnsmasq: new phones, one full exchange each."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.cost import cpu_s
from tests.bench.dhcp import load
from tests.bench.dhcp.goals import WANTED, dhcp_goals
from tests.bench.dhcp.servers import BASE, SERVERS
from tests.bench.dhcp.site import Cable
from tests.bench.part import Load, Measured, Part, Server, percentile

WORK = "new phones, four messages each"

METHOD = (
    """\
### Method

- One run measures all servers in turn at each rate, and every figure is the median over the runs.
  Only the ratios of one table mean anything: machines differ, and the cores are shared with the load generator.
- perfdhcp (Kea's own load generator) sits in a network namespace of its own, at the other end of a veth cable.
  It makes full DISCOVER, OFFER, REQUEST, ACK exchanges in direct mode: it broadcasts, from port 68, without any relay.
  It would write its own address into giaddr even so; nftables rules on its side of the cable clear giaddr and hops on the way out,
  and bring replies that are sent to the Ethernet address of a client to its socket.
  They are the same for every server.
- No client comes twice in a measurement, and each sends option 60.
  Each measurement starts a new server with an empty state directory.
- *voxpath* is `twistd voxpath-sg` as an operator starts it.
  Ethernet address and vendor class are checked, and every phone gets an address and a block of 64 ports.
  No ACK leaves before lease and block are in SQLite (WAL, `synchronous=FULL`) and the block is in the kernel's nftables map.
  *voxpath, NAT in memory* leaves out the kernel's map alone.
- *Kea* runs the configuration `tests/bench/dhcp/kea.json.in`: one thread, and a memory file with `persist`.
  That file is written and not flushed, so a power failure may lose acknowledged leases; Kea keeps no port blocks and no NAT.
- *dnsmasq* gives addresses alone, and asks nobody whether they are in use (`no-ping`).
  It writes its whole lease file anew for every ACK, without flushing it.
- CPU is the time that the threads of the server's process tree spent on a processor (`/proc/PID/task/*/schedstat`), per ACK.
  It is taken from the first request to half a second after the last one.
  The kernel's soft interrupts are in it as far as the kernel accounts them to the process.
- *lost* counts exchanges that were begun and got no ACK, not even late.
  *sustained* means that less than 1 % was lost and 97 % of the rate was reached in most runs.
- p50 and p99 are perfdhcp's, from REQUEST to ACK (and DISCOVER to OFFER).

### What is not measured

- Several scopes. Relays, renewals, and leases that are there already, are measured below.
- A disk that is slower than this one: the group commit trades its latency against the rate.
- The NAT's data path, TFTP and MEGACO under load.
- Kea with several threads or a database behind it.

"""
    + WANTED
)


COLUMNS = {"done/s": ".0f", "lost": ".1%", "OFFER p99 ms": ".1f", "ACK p50 ms": ".1f", "ACK p99 ms": ".1f"}


@contextmanager
def ready(work: str, server: Server) -> Iterator[Load]:
    """Every load finds a new server."""
    yield lambda rate, seconds: measure(work, server, rate, seconds)


def measure(work: str, server: Server, rate: int, seconds: int, relayed: int = 0) -> Measured:
    """Start the server from nothing, load it, end it.

    :param relayed: how often each phone comes through a relay; 0: once, without one.
    """
    argv = load.relayed(rate, seconds, relayed) if relayed else load.command(rate, seconds)
    with Cable(bool(relayed)) as site, site.serving(server) as process:
        before = cpu_s(process.pid)
        seen = load.run(site, argv, rate, seconds)
        spent = cpu_s(process.pid) - before
    return summed(work, server.name, seen, spent)


def summed(work: str, server: str, seen: load.Load, spent_s: float) -> Measured:
    """Make a measurement out of what the load generator saw and the processor time that the server took."""
    delays = (percentile(seen.offer_ms, 0.99), percentile(seen.ack_ms, 0.5), percentile(seen.ack_ms, 0.99))
    cpu_us = 1e6 * spent_s / seen.acks if seen.acks else float("nan")
    return Measured(work, server, seen.rate, cpu_us, seen.sustained, (seen.achieved, seen.unfinished, *delays))


DHCP = Part(
    name="dhcp",
    title="DHCP",
    works=(WORK,),
    servers=SERVERS,
    base=BASE,
    rates=(500, 1000, 1500, 2000, 3000, 4000, 6000, 8000),
    kept_up="sustained",
    columns=COLUMNS,
    versions={"Kea": ("kea-dhcp4", "-v"), "dnsmasq": ("dnsmasq", "--version")},
    method=METHOD,
    ready=ready,
    goals=dhcp_goals,
)
