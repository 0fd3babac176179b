"""``voxpath ctl`` as an operator types it, against a gateway with stock phones: one essential fact of every verb about phones."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.dhcpclients import Phone, Ports, ports_of
from tests.live.sites import MACS, SITE_A, until

pytestmark = [pytest.mark.live, pytest.mark.together]

DONE, REFUSED = 0, 1
FAR = 40960
UNKNOWN = "06:00:00:00:00:07"
SOFTWARE = "a1"
"""A phone of our own, which heeds a FORCERENEW."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.write_gateway(SITE_A)
        file = made.directory / f"{GATEWAY}.toml"
        text, line = file.read_text(), 'layout = "voxpath"'
        assert line in text
        file.write_text(text.replace(line, f"{line}\nforcerenew = true", 1))

    with bench_of(tmp_path_factory.mktemp("ctl"), configure) as made:
        yield made
        made.is_sound()


def run(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program as it is installed."""
    argv = [sys.executable, "-m", "voxpath.app.cli", "ctl", "--socket", bench.socket(GATEWAY), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def screen(bench: Bench, *words: str) -> str:
    """What it prints for people; it must have nothing to complain about."""
    done = run(bench, *words)
    assert (done.returncode, done.stderr) == (DONE, ""), done
    return done.stdout


def rows(bench: Bench, *words: str) -> list[dict[str, Any]]:
    """What it prints for programs."""
    done = run(bench, "--json", *words)
    assert done.returncode == DONE, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def refusal(bench: Bench, *words: str) -> str:
    """Why an order is not carried out, in one line."""
    done = run(bench, *words)
    assert (done.returncode, done.stdout) == (REFUSED, ""), done
    assert done.stderr.count("\n") == 1
    return done.stderr


def kernel_of(bench: Bench, address: str) -> set[tuple[str, int]]:
    """The public address and first port of what the kernel translates to a phone."""
    return {entry[:2] for entry in bench.kernel() if entry[2] == address}


class Leased:
    """A phone with its lease."""

    def __init__(self, bench: Bench) -> None:
        self.phone: Phone = bench.phone()
        told = self.phone.udhcpc()
        self.mac, self.address = self.phone.mac, told["ip"]
        self.ports: Ports = ports_of(bytes.fromhex(told["opt224"]))

    @property
    def block(self) -> str:
        """Its block, as commands write it."""
        return str(self.ports)


@pytest.fixture
def leased(bench: Bench) -> Leased:
    return Leased(bench)


def test_leases_and_blocks_tell_what_the_phone_was_told(bench: Bench, leased: Leased) -> None:
    (lease,) = rows(bench, "leases", f"phone={leased.mac}")
    assert (lease["address"], lease["state"], lease["phone_class"]) == (leased.address, "held", "one-line")
    (block,) = rows(bench, "blocks", f"phone={leased.mac}")
    assert (block["block"], block["private"], block["state"]) == (leased.block, leased.address, "held")
    line = next(line for line in screen(bench, "leases").splitlines() if leased.mac in line)
    assert leased.address in line.split()
    line = next(line for line in screen(bench, "blocks").splitlines() if leased.mac in line)
    assert leased.block in line.split()


def test_why_tells_the_last_decisions_whatever_they_were(bench: Bench, leased: Leased) -> None:
    told = [row["id"] for row in rows(bench, "why", leased.mac)]
    assert (told[0], told[-1]) == ("DHCP_OFFER", "DHCP_ACK")
    laptop = bench.phone()
    assert laptop.udhcpc_in_vain("a-laptop")() == 1
    assert "'a-laptop' selects no phone class" in screen(bench, "why", laptop.mac)


def test_explain_tells_the_answer_to_a_discover_and_changes_nothing(bench: Bench, leased: Leased) -> None:
    before = rows(bench, "leases"), rows(bench, "blocks"), bench.kernel()
    found = {row["item"]: row["value"] for row in rows(bench, "explain", leased.mac)}
    assert found["answer"] == f"OFFER {leased.address} of scope lan"
    assert found["ports"] == leased.block
    assert (rows(bench, "leases"), rows(bench, "blocks"), bench.kernel()) == before


def test_reserve_keeps_a_block_through_release_and_quarantine_until_unreserve(bench: Bench, leased: Leased) -> None:
    """DHC-18: the ledger keeps it for this phone alone; the kernel translates it as long as the phone has its lease."""
    screen(bench, "reserve", leased.mac)
    assert kept(bench, leased.phone) == ("held", "command", leased.block)
    assert kernel_of(bench, leased.address) == {(leased.ports.public, leased.ports.first)}
    assert leased.block in screen(bench, "release", leased.mac)
    assert kept(bench, leased.phone) == ("reserved", "command", leased.block)
    assert kernel_of(bench, leased.address) == set()
    other = Leased(bench)
    assert f"{leased.block} is reserved for {leased.mac}" in refusal(
        bench, "move", other.mac, f"{leased.ports.public}:{leased.ports.first}"
    )
    assert leased.phone.udhcpc()["opt224"] == octets_of(leased.ports)
    assert kernel_of(bench, leased.address) == {(leased.ports.public, leased.ports.first)}
    screen(bench, "unreserve", leased.mac)
    assert kept(bench, leased.phone) == ("held", "", leased.block)


def kept(bench: Bench, phone: Phone) -> tuple[str, str, str]:
    """State of a phone's block, by what it is reserved, and the block."""
    (row,) = rows(bench, "blocks", f"phone={phone.mac}")
    return row["state"], row["reserved"], row["block"]


def test_a_block_is_reserved_for_a_phone_that_never_asked(bench: Bench) -> None:
    phone = bench.phone()
    block = f"{SITE_A.public}:{FAR + 64}-{FAR + 127}"
    screen(bench, "reserve", phone.mac, block)
    assert kept(bench, phone) == ("reserved", "command", block)
    told = phone.udhcpc()
    assert told["opt224"] == octets_of(Ports(SITE_A.public, FAR + 64, FAR + 127))
    assert kernel_of(bench, told["ip"]) == {(SITE_A.public, FAR + 64)}


def octets_of(ports: Ports) -> str:
    """Option 224 as udhcpc writes it."""
    numbers = bytes(map(int, ports.public.split("."))) + ports.first.to_bytes(2, "big") + ports.last.to_bytes(2, "big")
    return numbers.hex()


def test_release_takes_lease_block_and_translation_away(bench: Bench, leased: Leased) -> None:
    assert leased.block in screen(bench, "release", leased.mac)
    assert bench.row_of("leases", leased.phone)["state"] == "expired"
    assert bench.row_of("blocks", leased.phone)["state"] == "quarantined"
    assert kernel_of(bench, leased.address) == set()
    assert "no lease" in refusal(bench, "release", leased.mac)


def test_move_changes_ledger_and_kernel_at_once_and_the_phone_is_told_when_it_asks(bench: Bench, leased: Leased) -> None:
    assert f"to {SITE_A.public}:{FAR}-{FAR + 63}" in screen(bench, "move", leased.mac, f"{SITE_A.public}:{FAR}")
    assert bench.row_of("blocks", leased.phone)["block"] == f"{SITE_A.public}:{FAR}-{FAR + 63}"
    assert kernel_of(bench, leased.address) == {(SITE_A.public, FAR)}
    assert leased.phone.udhcpc()["opt224"] == octets_of(Ports(SITE_A.public, FAR, FAR + 63))


def test_adopt_has_a_foreign_phone_served_until_disown(bench: Bench) -> None:
    phone = bench.phone(mac=UNKNOWN)
    assert phone.udhcpc_in_vain("voxpath-phone")() == 1
    screen(bench, "adopt", UNKNOWN)
    assert UNKNOWN in screen(bench, "adopted")
    address = phone.udhcpc()["ip"]
    assert rows(bench, "leases", f"phone={UNKNOWN}")[0]["address"] == address
    screen(bench, "disown", UNKNOWN)
    assert UNKNOWN not in screen(bench, "adopted")
    assert phone.udhcpc_in_vain("voxpath-phone")() == 1


def test_files_and_render_tell_what_the_phone_would_fetch(bench: Bench, leased: Leased) -> None:
    """TFT-9: octet by octet what TFTP gives it."""
    name = f"{leased.mac.replace(':', '')}.cfg"
    assert name in {row["name"] for row in rows(bench, "files", leased.mac)}
    to = bench.directory / "fetched"
    leased.phone.net.run(leased.phone.name, ["curl", "-sS", "-o", str(to), f"tftp://10.0.0.1/{name}"])
    assert screen(bench, "render", leased.mac, name, "secrets") == to.read_text()


def test_reboot_has_a_phone_boot_anew_and_is_refused_with_a_reason_where_it_cannot(bench: Bench) -> None:
    """GEN-12: by a FORCERENEW, and only if its class says that its phones take it."""
    bench.add_host(SITE_A, SOFTWARE, MACS[SOFTWARE])
    bench.start_phones(SOFTWARE)
    until(lambda: bench.texts(SOFTWARE, "PHONE_BOOTED"), f"it boots; its log:\n{bench.log(SOFTWARE)}")
    (before,) = rows(bench, "blocks", f"phone={MACS[SOFTWARE]}")
    assert "FORCERENEW" in screen(bench, "reboot", MACS[SOFTWARE])
    until(lambda: len(bench.texts(SOFTWARE, "PHONE_BOOTED")) == 2, f"it boots again; its log:\n{bench.log(SOFTWARE)}")
    assert rows(bench, "blocks", f"phone={MACS[SOFTWARE]}") == [before]
    other = bench.phone()
    other.udhcpc(vendor="voxpath-many")
    assert "phones of class many-lines take no FORCERENEW" in refusal(bench, "reboot", other.mac)
