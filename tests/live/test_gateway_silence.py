"""Whoever may not be served hears nothing at all, and the operator learns why."""

from collections.abc import Iterator

import pytest

from tests.live.bench import FOREIGN_MAC, GATEWAY, Bench, bench_of
from tests.live.dhcpclients import Phone
from tests.live.sites import until

pytestmark = pytest.mark.live

OURS, FOREIGN, NONE = "voxpath-phone", "a-laptop", ""
TRIES = 2


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_of(tmp_path_factory.mktemp("silence")) as made:
        yield made
        made.is_sound()


@pytest.fixture(scope="module")
def strangers(bench: Bench) -> list[tuple[Phone, str]]:
    """A client for each way to be wrong, with the check that it fails."""
    wrong = [
        (FOREIGN_MAC.format(1), OURS, "MAC"),
        (FOREIGN_MAC.format(2), FOREIGN, "MAC"),
        (FOREIGN_MAC.format(3), NONE, "MAC"),
        ("", FOREIGN, "CLASS"),
        ("", NONE, "CLASS"),
    ]
    made = [(bench.phone(mac=mac), vendor, check) for mac, vendor, check in wrong]
    friend = bench.phone()
    with bench.capture(GATEWAY, "lan0", "udp") as capture:
        waits = [phone.udhcpc_in_vain(vendor, TRIES) for phone, vendor, _ in made]
        assert [wait() for wait in waits] == [1] * len(made)
        friend.udhcpc()
        until(lambda: sum(frame.source_port == 67 for frame in capture.frames()) >= 2, "the friend is answered")
        asked = capture.tshark("dhcp.type == 1", "eth.src", "dhcp.option.vendor_class_id")
        answered = {row[0].split(",")[0] for row in capture.tshark("dhcp.type == 2", "dhcp.hw.mac_addr")}
    for phone, vendor, _ in made:
        assert asked.count((phone.mac, vendor)) == TRIES
    assert answered == {friend.mac}
    return [(phone, check) for phone, _, check in made]


def test_nobody_else_is_answered(bench: Bench, strangers: list[tuple[Phone, str]]) -> None:
    """DHC-2 to DHC-4, DHC-17: not one reply to an unknown address, a foreign class or none; nothing is kept for them."""
    macs = {phone.mac for phone, _ in strangers}
    assert not any(phone.told[1:] and phone.told[-1]["reason"] == "bound" for phone, _ in strangers)
    assert not macs & {row["phone"] for verb in ("leases", "blocks") for row in bench.ask(verb)}


def test_why_tells_the_check_that_failed_first(bench: Bench, strangers: list[tuple[Phone, str]]) -> None:
    """DHC-2: the Ethernet address is checked before the class, so whoever fails both is told about the address."""
    for phone, check in strangers:
        assert [row["id"] for row in bench.why(phone)] == [f"DHCP_IGNORED_{check}"] * TRIES
    texts = [bench.why(phone)[0]["text"] for phone, _ in strangers]
    assert all("address refused" in text and strangers[at][0].mac in text for at, text in enumerate(texts[:3]))
    assert "address accepted" in texts[3]
    assert "'a-laptop' selects no phone class" in texts[3]
    assert "no vendor class (option 60)" in texts[4]


def test_a_request_without_a_discover_is_checked_too(bench: Bench) -> None:
    """DHC-3, DHC-4, DHC-23: a phone that holds a lease and renews with a foreign class hears nothing, and keeps its lease."""
    phone = bench.phone()
    phone.dhclient()
    lease = bench.row_of("leases", phone)
    with bench.capture(phone.name, "eth0", "udp port 67") as capture:
        process = phone.dhclient_starts(vendor=FOREIGN)
        until(lambda: bench.why(phone, "DHCP_IGNORED_CLASS"), "the init-reboot is ignored")
        bench.net.end(process)
        friend = bench.phone()
        friend.udhcpc()
        requests = capture.tshark("dhcp.option.dhcp == 3", "eth.src", "dhcp.option.vendor_class_id")
        assert (phone.mac, FOREIGN) in requests
        assert not [frame for frame in capture.frames() if frame.link_to == phone.mac]
    assert "REQUEST ignored" in bench.why(phone, "DHCP_IGNORED_CLASS")[0]["text"]
    assert bench.row_of("leases", phone) == lease
