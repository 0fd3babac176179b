"""SIP beside Kamailio: registrations, registrations with a password, and redirected calls, over loopback."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.cost import cpu_s, memory_kib
from tests.bench.part import Load, Measured, Part, Server, percentile
from tests.bench.sip import load, servers
from tests.bench.sip.servers import BASE, SERVERS
from tests.bench.sip.site import Loopback
from tests.bench.site import Site

SCENARIOS = {
    "REGISTER, refreshed": ("register.xml", "register.xml"),
    "REGISTER, 401, REGISTER with digest, refreshed": ("register-auth.xml", "register-auth.xml"),
    "INVITE, 302, ACK": ("redirect.xml", "register.xml"),
}
"""What is measured by the scenario that does it, and the scenario that binds all users before."""

BEFORE_RATES = (2000, 1000, 500, 250)
"""Bindings a second that are made before a measurement; the slower ones serve whom the first one is too much for."""

LOOK_S, IDLE_SHARE, IDLE_S = 0.3, 0.1, 20.0
"""A server is idle that took less than this share of a processor between two looks; so long that is waited for."""

METHOD = f"""\
### Method

- One run measures all servers in turn at each rate, and every figure is the median over the runs.
  Only the ratios of one table mean anything: machines differ.
- sipp and the server are alone in a network namespace and talk over its loopback; the server has processor 0, sipp another one.
  Both have public addresses there, as a server and a NAT gateway have; no port ledger and no realm is configured.
- Each run starts every server for each table with an empty state directory, and registers {servers.USERS:,} users of one contact
  each at {BEFORE_RATES[0]}/s before anything is measured, or more slowly if that is too fast for it.
  Then the rates go up; one server is loaded at a time, after it has worked off what the load before has left it.
  A refresh has the contact of before and a new Call-ID, so every one is a change that has to be stored.
  Users come in an order of chance, each once before one comes again: neighbours in the database do not come together.
- *voxpath* is `twistd voxpath-sip` as an operator starts it, with its ladders, events and control socket.
  No 200 to a REGISTER leaves before the binding is in SQLite (WAL, `synchronous=FULL`).
  *voxpath, state in memory* has its state directory on a tmpfs: the same commits, and no disk below them.
  The kernel's own work for the disk is not in its processor time.
- *Kamailio* runs the configuration `tests/bench/sip/kamailio.cfg.in`: one receiving process, bindings in memory alone.
  A restart forgets them.
- Both servers have the same two domains: one takes anybody, in the other all users have a password (MD5, `qop=auth`).
- CPU is the time that the threads of the server's process tree spent on a processor (`/proc/PID/task/*/schedstat`), for each call
  that ended as it should.
  A call is all messages of the table's heading.
  What the kernel does to deliver a datagram over loopback is charged to its sender, for every server alike.
- *failed* are calls that did not end as the scenario says, *repeated* are requests that sipp sent again after 500 ms.
  *clean* means in most runs that there were neither, and that 95 % of the rate was reached.
- p50 and p99 are sipp's, from the first request to the final answer, by its clock of whole milliseconds.
- *KiB each* is the memory of the process tree (PSS) for each of the {servers.USERS:,} bindings: after they were made, less before.

### What is not measured

- First registrations, several contacts of a user, removals, and refreshes with the Call-ID of before.
- TCP and TLS, a port ledger behind the redirect server, callers who have to show a password.
- A disk that is slower than this one: the group commit trades its latency against the rate.
- Kamailio with several processes, or with a database behind it.
"""


@contextmanager
def ready(work: str, server: Server) -> Iterator[Load]:
    """Start the server from nothing, and bind all users."""
    scenario, before = SCENARIOS[work]
    on_first, on_last = pinned(os.cpu_count() or 1)
    with Loopback() as site, site.serving(_before(server, on_first)) as process:
        empty = memory_kib(process.pid)
        bind_all(site, process.pid, before, on_last)
        each_kib = (memory_kib(process.pid) - empty) / servers.USERS

        def measure(rate: int, seconds: int) -> Measured:
            until_idle(process.pid)
            spent = -cpu_s(process.pid)
            seen = load.run(site, scenario, rate, rate * seconds, on_last)
            spent += cpu_s(process.pid)
            return summed(work, server.name, seen, spent, each_kib)

        yield measure


def until_idle(pid: int) -> None:
    """Wait until a server has worked off what an earlier load left it; the next one is not to pay for that."""
    end = time.monotonic() + IDLE_S
    spent = -math.inf
    while cpu_s(pid) - spent > IDLE_SHARE * LOOK_S and time.monotonic() < end:
        spent = cpu_s(pid)
        # The load over a stretch of time is what is looked at: there is no event to wait for.
        time.sleep(LOOK_S)


def bind_all(site: Site, server: int, scenario: str, before: list[str]) -> None:
    """Bind one contact of each user; whoever is bound already is refreshed."""
    for rate in BEFORE_RATES:
        until_idle(server)
        bound = load.run(site, scenario, rate, servers.USERS, before).outcome.done
        if bound == servers.USERS:
            return
    raise AssertionError(f"{bound} of {servers.USERS} users could be bound")


def pinned(processors: int) -> tuple[list[str], list[str]]:
    """The words before a command line that keep server and load on processors of their own; none on a machine of one."""
    return (["taskset", "-c", "0"], ["taskset", "-c", f"1-{processors - 1}"]) if processors > 1 else ([], [])


def _before(server: Server, words: list[str]) -> Server:
    return server._replace(prepare=lambda directory: [*words, *server.prepare(directory)])


def summed(work: str, server: str, seen: load.Load, spent_s: float, each_kib: float) -> Measured:
    """Make a measurement out of what sipp saw, and of what the server took."""
    done, failed, repeated, _ = seen.outcome
    delays = (percentile(seen.answer_ms, 0.5), percentile(seen.answer_ms, 0.99))
    cpu_us = 1e6 * spent_s / done if done else float("nan")
    return Measured(work, server, seen.rate, cpu_us, seen.clean, (seen.achieved, failed, repeated, *delays, each_kib))


SIP = Part(
    name="sip",
    title="SIP",
    works=tuple(SCENARIOS),
    servers=SERVERS,
    base=BASE,
    rates=(500, 1000, 2000, 3000, 4000, 6000, 8000, 12000),
    kept_up="clean",
    columns={"done/s": ".0f", "failed": ".0f", "repeated": ".0f", "p50 ms": ".0f", "p99 ms": ".0f", "KiB each": ".2f"},
    versions={BASE: ("kamailio", "-v"), "sipp": ("sipp", "-v")},
    method=METHOD,
    ready=ready,
)
