"""The gateway's process dies and comes again: nothing is forgotten, and what was given to the kernel goes on."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.live.bench import GATEWAY, Bench, Echo, Stream, bench_of
from tests.live.dhcpclients import Phone, ports_of
from tests.live.sites import PROVIDER, until

pytestmark = pytest.mark.live

STOP_S = 3.0
UNHEARD = "02:00:00:00:0c:77"
SQUATTED = "10.0.0.25"
"""One of the addresses that are verified first."""


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_of(tmp_path_factory.mktemp("restart")) as made:
        yield made
        made.is_sound()


def state(bench: Bench) -> tuple[object, ...]:
    """Leases, blocks and the kernel's mappings."""
    return bench.ask("leases"), bench.ask("blocks"), bench.kernel()


def test_a_killed_gateway_comes_back_with_the_same_leases_while_traffic_flows(bench: Bench) -> None:
    """DHC-6, DHC-7, NAP-4, RELIABILITY: of a stream through the NAPPT no packet is lost by kill and restart."""
    phone = bench.phone()
    client, told = phone.udhcpc_stays()
    port = ports_of(bytes.fromhex(told["opt224"])).first + 2
    before = state(bench)
    with Echo(bench, 7000), bench.udp(phone.name, port, told["ip"]) as own, Stream(own, (PROVIDER, 7000)) as stream:
        stream.flows()
        assert bench.end(GATEWAY, SIGKILL) == -SIGKILL
        assert bench.kernel() == before[2]
        stream.flows()
        bench.begin()
        stream.flows()
        assert stream.finish() == []
        assert stream.sent > 100
    assert state(bench) == before
    assert "NAT_ADOPTED" in bench.whole_log()
    renewed = phone.udhcpc_renews(client)
    assert {key: renewed[key] for key in ("ip", "opt224", "opt225", "opt226")} == {
        key: told[key] for key in ("ip", "opt224", "opt225", "opt226")
    }
    assert (bench.ask("blocks"), bench.kernel()) == before[1:]


def test_every_acknowledged_lease_survives_a_kill_at_once(bench: Bench) -> None:
    """DHC-6, DHC-7: the process is killed the moment that the first of several clients is bound; who was told, has it still."""
    phones = [bench.phone() for _ in range(6)]
    clients = [
        bench.net.spawn(phone.name, phone.udhcpc_argv("-n", "-t", "9", "-T", "1", vendor="voxpath-phone")) for phone in phones
    ]
    until(lambda: any(map(bound, phones)), "the first client is bound")
    bench.end(GATEWAY, SIGKILL)
    told = {phone.mac: bound(phone) for phone in phones if bound(phone)}
    bench.begin()
    leases = {row["phone"]: row["address"] for row in bench.ask("leases")}
    blocks = {row["phone"]: row for row in bench.ask("blocks")}
    for mac, lease in told.items():
        ports = ports_of(bytes.fromhex(lease["opt224"]))
        assert leases[mac] == lease["ip"]
        assert blocks[mac]["block"] == str(ports)
        assert (ports.public, ports.first, lease["ip"]) in bench.kernel()
    until(lambda: all(map(bound, phones)), "the others are bound after the restart")
    assert {mac: bound(phone) for mac in told for phone in phones if phone.mac == mac} == told
    assert len({bound(phone)["ip"] for phone in phones}) == len({bound(phone)["opt224"] for phone in phones}) == len(phones)
    assert {(row["private"]) for row in bench.ask("blocks") if row["state"] == "held" and row["private"]} == {
        private for _, _, private in bench.kernel()
    }
    for client in clients:
        bench.net.end(client)


def bound(phone: Phone) -> dict[str, str]:
    """What a phone was told, if it has a lease."""
    return next(({key: each[key] for key in ("ip", "opt224")} for each in phone.told if each["reason"] == "bound"), {})


def test_a_clean_stop_leaves_everything_in_place(bench: Bench) -> None:
    """GEN-2, DHC-6: SIGTERM ends the process in time, the database is whole in one file, and mappings stay in the kernel.

    ``twistd`` ends itself by the signal after a clean shutdown, as programs should that were asked to end by it.
    """
    phones = [bench.phone() for _ in range(3)]
    for phone in phones:
        phone.udhcpc()
    before = state(bench)
    began = time.monotonic()
    assert bench.end(GATEWAY, SIGTERM) == -SIGTERM
    assert time.monotonic() - began < STOP_S
    assert bench.rows(GATEWAY, "leases") == []
    folder = bench.directory / GATEWAY
    remains = folder / "voxpath.db-wal"
    assert not remains.exists() or remains.stat().st_size == 0
    with sqlite3.connect(f"file:{folder / 'voxpath.db'}?immutable=1", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert bench.kernel() == before[2]
    assert "Server Shut Down." in bench.whole_log()
    assert "Traceback" not in bench.whole_log()
    bench.begin()
    assert state(bench) == before


def test_a_kernel_that_holds_other_mappings_than_the_ledger_is_repaired_and_told(bench: Bench) -> None:
    """A lease that the kernel lost, and one that nobody has: neither is guessed at."""
    phones = [bench.phone() for _ in range(2)]
    for phone in phones:
        phone.udhcpc()
    before = state(bench)
    bench.end(GATEWAY, SIGKILL)
    public, port, private = min(bench.kernel())
    alien = f"{public} . {port + 6400}"
    for argv in (
        ["delete", "element", "ip", "voxpath", "in_block", f"{{ {public} . {port} }}"],
        ["delete", "element", "ip", "voxpath", "out_block", f"{{ {private} . {port} }}"],
        ["add", "element", "ip", "voxpath", "in_block", f"{{ {alien} : 10.0.0.99 }}"],
    ):
        bench.net.run(GATEWAY, ["nft", *argv])
    assert bench.kernel() != before[2]
    bench.begin()
    assert state(bench) == before
    (event,) = bench.events("NAT_REPAIRED")
    assert event["mappings"] == len(before[2])
    assert event["generation"] == event["found"]


def test_a_bridge_that_is_made_anew_is_served_again(tmp_path: Path) -> None:
    """The sockets of a bridge go with it; the role notices, opens them anew, and phones keep what they have."""
    with bench_of(tmp_path) as bench:
        phone = bench.phone()
        told = phone.udhcpc()
        bench.net.ip(GATEWAY, "link", "delete", "lan0")
        bench.add_lan("lan0", "10.0.0.1/24")
        bench.net.plug(GATEWAY, "lan0", phone.name)

        def leased() -> bool:
            argv = phone.udhcpc_argv("-q", "-n", "-t", "1", "-T", "1", vendor="voxpath-phone")
            return bench.net.run(phone.name, argv, check=False).returncode == 0

        until(leased, "the phone gets its lease again")
        assert phone.told[-1]["ip"] == told["ip"]
        assert phone.told[-1]["opt224"] == told["opt224"]
        (event,) = bench.events("ROLE_RELOADED")
        assert event["reason"] == "interface lan0 was made anew, and its sockets are opened again"
        assert bench.events("ROLE_FAILED") == []
        hears_arp(bench)


def test_an_interface_that_goes_down_and_up_again_is_heard_as_before(tmp_path: Path) -> None:
    """Nothing is restarted for it, and the probes go on; the kernel gives packet sockets an error, which passes."""
    with bench_of(tmp_path) as bench:
        told = bench.phone().udhcpc()
        bench.net.ip(GATEWAY, "link", "set", "lan0", "down")
        until(lambda: lost_links(bench)[-1:] == ["down"], "the operator is told")
        backs = len(bench.events("LINK_BACK"))
        lost = "lan0 is down: no phone of lan is heard"
        assert {"item": "interface", "value": lost} in bench.ask("status")
        assert bench.role("dhcp")["detail"] == lost
        bench.net.ip(GATEWAY, "link", "set", "lan0", "up")
        until(lambda: len(bench.events("LINK_BACK")) == backs + 1, "the operator is told that it is back")
        assert "interface" not in {row["item"] for row in bench.ask("status")}
        hears_arp(bench)
        assert bench.phone().udhcpc()["ip"] != told["ip"]
        assert bench.events("ROLE_FAILED") == []
        bench.is_sound()


def test_an_interface_that_is_gone_is_told_and_so_is_that_it_is_back(tmp_path: Path) -> None:
    with bench_of(tmp_path) as bench:
        # A bridge has a carrier when one of its ports has one.
        until(lambda: lost_links(bench) == ["without carrier"], "nobody is plugged in")
        bench.net.ip(GATEWAY, "link", "delete", "lan0")
        until(lambda: lost_links(bench) == ["without carrier", "gone"], "the operator is told")
        assert bench.items("explain", UNHEARD, "interface=lan0")["interface"].startswith("lan0 is gone: no phone of lan is heard")
        bench.add_lan("lan0", "10.0.0.1/24")
        phone = bench.phone()
        until(lambda: bool(bench.events("LINK_BACK")), "the operator is told that it is back")
        until(lambda: len(bench.events("ROLE_RELOADED")) == 1, "its sockets are opened again")
        until(lambda: bench.role("dhcp")["state"] == "running", "it serves again")
        assert phone.udhcpc()["ip"]
        assert bench.events("ROLE_FAILED") == []


def lost_links(bench: Bench) -> list[str]:
    """How links were lost, in order."""
    return [event["state"] for event in bench.events("LINK_LOST")]


def hears_arp(bench: Bench) -> None:
    """A machine that has one of the next addresses is found by what it says."""
    squatter = bench.phone()
    bench.net.address(squatter.name, "eth0", f"{SQUATTED}/24")

    def found() -> bool:
        bench.net.ip(squatter.name, "neigh", "flush", "all")
        bench.net.run(squatter.name, ["ping", "-c", "1", "-W", "1", "10.0.0.1"], check=False)
        return (SQUATTED, squatter.mac) in {(event["address"], event["by"]) for event in bench.events("DHCP_OCCUPIED")}

    until(found, "the machine is found")
