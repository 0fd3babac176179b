"""DHCP under attack: starvation, a rogue relay and broken messages cost the phones that have leases nothing."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.dhcpclients import Phone
from tests.live.gatewayfile import ONE_LINE, PHONES, gateway, scope
from tests.live.sites import until
from tests.soak.attack import MESSAGES

pytestmark = pytest.mark.live

SEED = 20261121
PER_S = 2000
"""Messages of the attacker in a second, at the most."""

GROWTH_KIB = 64 * 1024
"""How much the process may grow under all of it."""

STARVING = "00:16:36:"
"""How all Ethernet addresses begin that dhcpstarv makes up."""

SERVED = f"{STARVING}00:00:00-{STARVING}7f:ff:ff"
"""Half of them."""


class Attack:
    """A flood from one host of the LAN, in a thread of its own.

    :ivar sent: how many messages left.
    """

    def __init__(self, bench: Bench, make: Callable[[Random], bytes]) -> None:
        self.sent = 0
        host = bench.phone()
        bench.net.address(host.name, "eth0", "10.0.0.250/24")
        self._socket = bench.udp(host.name, 68)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        self._make = make
        self._chance = Random(SEED)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Attack":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            for _ in range(PER_S // 100):
                self._socket.sendto(self._make(self._chance), ("255.255.255.255", 67))
                self.sent += 1


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.configure(gateway(scope("lan", "lan0", "10.0.0", 11, 200), ONE_LINE, ports=(2048, 65535), macs=(PHONES, SERVED)))

    with bench_of(tmp_path_factory.mktemp("attack"), configure) as made:
        yield made
        made.is_sound()


@pytest.fixture(scope="module")
def known(bench: Bench) -> Phone:
    """A phone that had its lease before any of it."""
    phone = bench.phone()
    phone.udhcpc()
    return phone


def resident_kib(bench: Bench) -> int:
    status = Path(f"/proc/{bench.processes[GATEWAY].pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def refused(bench: Bench, check: str) -> bool:
    """Whether clients failed one of the two checks."""
    return f"refused by {check}" in bench.role("dhcp")["detail"]


def test_dhcpstarv_gets_nothing_and_costs_a_known_phone_nothing(bench: Bench, known: Phone, tmp_path: Path) -> None:
    """The starver that distributions have names no class, so silence is all that it hears, also where its addresses are served."""
    before, host, output = bench.row_of("leases", known), bench.phone(), tmp_path / "dhcpstarv"
    with output.open("wb") as log, bench.net.running(host.name, ["dhcpstarv", "-v", "-i", "eth0"], stdout=log, stderr=log):
        process, told = known.udhcpc_stays("-t", "9")
        until(lambda: refused(bench, "mac") and refused(bench, "class"), "it was heard with both kinds of addresses", 60)
        renewed = known.udhcpc_renews(process)
    bench.net.end(process)
    assert told["ip"] == renewed["ip"] == before["address"]
    assert told["opt224"] == renewed["opt224"]
    assert "timeout while waiting" in output.read_text()
    assert "got address" not in output.read_text()
    assert not [row for row in bench.ask("leases") if row["phone"].startswith(STARVING)]


@pytest.mark.parametrize("make", MESSAGES)
def test_a_phone_with_a_lease_keeps_it_and_renews_during_the_attack(
    bench: Bench, known: Phone, make: Callable[[Random], bytes]
) -> None:
    """By udhcpc: a new start gets the same address and ports, a renewal is answered, and memory stays bounded."""
    before, size = bench.row_of("leases", known), resident_kib(bench)
    with Attack(bench, make) as attack:
        until(lambda: attack.sent >= PER_S, "the attack is under way")
        process, told = known.udhcpc_stays("-t", "9")
        renewed = known.udhcpc_renews(process)
        until(lambda: attack.sent >= 3 * PER_S, "the attack goes on")
    bench.net.end(process)
    assert told["ip"] == renewed["ip"] == before["address"]
    assert told["opt224"] == renewed["opt224"]
    assert resident_kib(bench) - size < GROWTH_KIB
    assert bench.role("dhcp")["state"] == "running"


def test_what_is_left_of_the_attacks_is_bounded_and_told(bench: Bench, known: Phone) -> None:
    """Offers end by themselves, no stranger got the known phone's address, and why nobody else was served is said."""
    rows = bench.ask("leases")
    assert [row["phone"] for row in rows if row["address"] == bench.row_of("leases", known)["address"]] == [known.mac]
    assert len(rows) <= 190
    assert "DHCP_EXHAUSTED" in bench.whole_log()
    assert "its relay is none of those that are trusted on its interface" in bench.role("dhcp")["detail"]
    assert bench.role("dhcp")["malformed"] > 0
