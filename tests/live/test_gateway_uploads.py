"""Phones write logs to the gateway, and its operator sees them (TFT-5)."""

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.dhcpclients import Phone
from tests.live.sites import SITE_A, until

pytestmark = pytest.mark.live

SERVER = "10.0.0.1"
LOG = b"a line of the log\n" * 500
FILES = f"""
uploads = "uploads"
upload_octets = {len(LOG)}
upload_quota = {2 * len(LOG)}
upload_total = {4 * len(LOG)}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory: Path = tmp_path_factory.mktemp("uploads")
    (directory / "log").write_bytes(LOG)
    with bench_of(directory, lambda made: made.write_gateway(SITE_A, files=FILES)) as made:
        yield made
        made.is_sound()


def put(bench: Bench, phone: Phone, name: str) -> CompletedProcess[str]:
    argv = ["curl", "-sS", "-m", "20", "-T", str(bench.directory / "log"), f"tftp://{SERVER}/{name}"]
    return bench.net.run(phone.name, argv, check=False)


def test_the_operator_is_shown_what_each_phone_wrote(bench: Bench) -> None:
    """TFT-5: a box for each phone, an event for each file, one list of all."""
    assert bench.ask("uploads") == []
    phones = [bench.phone() for _ in range(2)]
    for phone in phones:
        phone.udhcpc()
        assert put(bench, phone, "boot.log").returncode == 0
        (event,) = until(lambda phone=phone: bench.why(phone, "TFTP_STORED"), "the upload is an event")
        assert "boot.log: 9000 octets" in event["text"]
        box = bench.directory / GATEWAY / "uploads" / phone.mac.replace(":", "")
        assert (box / "boot.log").read_bytes() == LOG
    rows = [(row["phone"], row["name"], row["octets"]) for row in bench.ask("uploads")]
    assert rows == sorted((phone.mac, "boot.log", len(LOG)) for phone in phones)
    assert bench.ask("uploads", phones[0].mac) == [row for row in bench.ask("uploads") if row["phone"] == phones[0].mac]


def test_a_host_without_a_lease_writes_nothing(bench: Bench) -> None:
    """TFT-5: an address alone is no lease."""
    stranger = bench.phone()
    bench.net.address(stranger.name, "eth0", "10.0.0.250/24")
    before = bench.ask("uploads")
    assert put(bench, stranger, "evil.log").returncode != 0
    assert bench.ask("uploads") == before
    (event,) = until(lambda: [row for row in bench.events("TFTP_REFUSED") if "evil.log" in row["text"]], "the refusal is an event")
    assert "holds a lease" in event["text"]


def test_all_phones_together_fill_the_boxes_to_the_limit_and_no_further(bench: Bench) -> None:
    """TFT-5: error 3, an event and a count; after room was made phones write again, without a restart."""
    phones = [bench.phone() for _ in range(3)]
    for phone in phones:
        phone.udhcpc()
    before = len(bench.ask("uploads"))
    done = [put(bench, phone, name).returncode for name in ("1.log", "2.log") for phone in phones]
    assert done.count(0) == 4 - before
    (row, *_) = bench.ask("uploads")
    assert len(bench.ask("uploads")) == 4
    (event, *_) = until(lambda: bench.why(phones[2], "TFTP_REFUSED"), "the refusal is an event")
    assert "error 3: there is no room for uploads: all files below" in event["text"]
    (role,) = [entry for entry in bench.ask("roles") if entry["role"] == "tftp"]
    assert "an upload was too large, or there was no room for it" in role["detail"]
    assert {entry["item"]: entry["value"] for entry in bench.ask("status")}["uploads"] == (
        f"4 of 10000 files, {4 * len(LOG)} of {4 * len(LOG)} octets"
    )
    (bench.directory / GATEWAY / "uploads" / row["phone"].replace(":", "") / row["name"]).unlink()
    until(lambda: put(bench, phones[2], "3.log").returncode == 0, "there is room again")
