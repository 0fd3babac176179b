"""DHC-16: addresses that others use are found ahead of need, and no OFFER waits for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import sites
from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.capture import Capture
from tests.live.dhcpclients import Phone
from tests.live.gatewayfile import ONE_LINE, far_scope, gateway, scope
from tests.live.sites import PROVIDER, SITE_A, until

pytestmark = pytest.mark.live

SQUATTER, SQUATTER_MAC = "squatter", "06:00:00:00:00:99"
SQUATTED = "10.0.0.11"
PROBATION_S = 6
LAN = scope("lan", "lan0", "10.0.0", 11, 14) + ONE_LINE
PROBING = f"probe_wait_s = 0.2\nprobe_stock = 2\nprobation_s = {PROBATION_S}"
CONFIGURATION = gateway(LAN, dhcp=PROBING)

FAR_SQUATTED = "10.2.0.11"
FAR_CONFIGURATION = gateway(LAN, far_scope(last=14), dhcp=PROBING, private=["10.0.0.0/8"], inside=["lan0", "trunk0"])


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Capture]]:
    """A gateway on whose link somebody has an address of the range already, and all that passes that link."""
    captures = []

    def configure(made: Bench) -> None:
        made.add_host(SITE_A, SQUATTER, SQUATTER_MAC)
        made.net.address(SQUATTER, "eth0", f"{SQUATTED}/24")
        made.configure(CONFIGURATION)
        captures.append(made.capture(GATEWAY, "lan0", "arp or udp").__enter__())

    with bench_of(tmp_path_factory.mktemp("probe"), configure) as made:
        yield made, captures[0]
        captures[0].__exit__()
        made.is_sound()


@pytest.fixture(scope="module")
def phone(capture: tuple[Bench, Capture]) -> Phone:
    """The first phone that asks."""
    return capture[0].phone()


def asked(capture: Capture) -> list[tuple[int, str]]:
    """The gateway's questions: number of the frame, and the address asked for."""
    rows = capture.tshark("arp.opcode == 1 && arp.src.proto_ipv4 == 10.0.0.1", "frame.number", "arp.dst.proto_ipv4")
    return [(int(number), address) for number, address in rows]


def test_an_occupied_address_is_found_before_any_phone_asks(capture: tuple[Bench, Capture]) -> None:
    """The event, ``why`` and ``status`` name the address and the machine that answered."""
    bench, seen = capture
    until(lambda: bench.items().get("free addresses of lan", "").startswith("2 verified"), f"the stock is full: {bench.items()}")
    first = bench.events("DHCP_OCCUPIED")[0]
    assert (first["address"], first["by"]) == (SQUATTED, SQUATTER_MAC)
    assert bench.ask("why", SQUATTER_MAC)[0]["id"] == "DHCP_OCCUPIED"
    assert bench.items()[f"probation of {SQUATTED}"].startswith(f"{SQUATTER_MAC} answers for it; ")
    counted = [address for _, address in asked(seen)]
    assert (counted.count("10.0.0.12"), counted.count("10.0.0.13"), counted.count("10.0.0.14")) == (3, 3, 0)


def test_the_offer_is_of_an_address_that_was_asked_for_before_and_waits_for_nothing(
    capture: tuple[Bench, Capture], phone: Phone
) -> None:
    """By the order of frames: three requests, DISCOVER, OFFER, and only then the requests for the next of the stock."""
    _, seen = capture
    assert phone.udhcpc()["ip"] == "10.0.0.12"
    until(lambda: [address for _, address in asked(seen)].count("10.0.0.14") == 3, "the stock is filled again", 5)
    kinds = {kind: int(number) for number, kind in reversed(seen.tshark("dhcp", "frame.number", "dhcp.option.dhcp"))}
    discover, offer = kinds["1"], kinds["2"]
    questions = asked(seen)
    assert [number < discover for number, address in questions if address == "10.0.0.12"] == [True] * 3
    assert [number > offer for number, address in questions if address == "10.0.0.14"] == [True] * 3
    assert not [number for number, address in questions if discover < number < offer]


def test_an_occupied_address_is_asked_for_again_and_given_when_nobody_answers(capture: tuple[Bench, Capture], phone: Phone) -> None:
    """Its probation ends, and begins anew while somebody is there; with nobody on it the address is given like any other one."""
    bench, _ = capture
    until(lambda: f"probation of {SQUATTED}" not in bench.items(), "the probation ends", 3 * PROBATION_S)
    assert bench.phone().udhcpc()["ip"] == "10.0.0.13"
    until(lambda: len(bench.events("DHCP_OCCUPIED")) == 2, "the stock is to be filled, and the address is asked for again")
    bench.net.ip(SQUATTER, "addr", "flush", "dev", "eth0")
    until(lambda: f"probation of {SQUATTED}" not in bench.items(), "the probation ends", 3 * PROBATION_S)
    until(lambda: bench.items()["free addresses of lan"].startswith("2 verified"), "the last two addresses are verified")
    assert {bench.phone().udhcpc()["ip"] for _ in range(2)} == {"10.0.0.14", SQUATTED}


def test_a_phone_that_comes_back_does_not_get_an_address_that_somebody_took_meanwhile(
    capture: tuple[Bench, Capture], phone: Phone
) -> None:
    """Its own former address is looked at when its lease ends, and the phone's own answer hides nobody; no other one is left."""
    bench, _ = capture
    address = bench.row_of("leases", phone)["address"]
    bench.net.address(SQUATTER, "eth0", f"{address}/24")
    bench.ask("release", phone.mac)
    told = until(lambda: [event for event in bench.events("DHCP_OCCUPIED") if event["address"] == address], "it is found")
    assert told[0]["by"] == SQUATTER_MAC
    assert phone.udhcpc_in_vain("voxpath-phone")() == 1
    assert "no address of scope lan is left" in bench.why(phone, "DHCP_EXHAUSTED")[0]["text"]


def test_without_the_right_to_raw_sockets_phones_are_served_and_the_operator_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody finds out who has an address; one warning names the right that is needed, and the first phone gets the lowest one."""
    confined = tmp_path / "confined"
    confined.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-net_raw --inh-caps=-net_raw -- {sites.TWISTD} "$@"\n')
    confined.chmod(0o755)
    monkeypatch.setattr(sites, "TWISTD", str(confined))
    with bench_of(tmp_path, lambda made: made.configure(CONFIGURATION)) as bench:
        (event,) = bench.events("DHCP_PROBE_OFF")
        assert event["text"].endswith("needed is the right CAP_NET_RAW")
        assert bench.phone().udhcpc()["ip"] == SQUATTED
        assert not [item for item in bench.items() if item.startswith("free addresses")]
        bench.is_sound()


def test_beyond_a_relay_an_echo_finds_who_has_an_address(tmp_path: Path) -> None:
    """By the order of frames: all requests for the address that is offered come before the DISCOVER, none before the OFFER."""

    def configure(made: Bench) -> None:
        made.add_relay()
        squatter = made.far_phone(mac=SQUATTER_MAC)
        made.net.address(squatter.name, "eth0", f"{FAR_SQUATTED}/24")
        made.net.route(squatter.name, "default", "10.2.0.1")
        made.configure(FAR_CONFIGURATION)
        captures.append(made.capture(GATEWAY, "trunk0", "icmp or udp").__enter__())

    captures: list[Capture] = []
    with bench_of(tmp_path, configure) as bench, bench.relays():
        (seen,) = captures
        until(
            lambda: bench.items().get("free addresses of far", "").startswith("2 verified"), f"the stock is full: {bench.items()}"
        )
        (event,) = bench.events("DHCP_OCCUPIED")
        assert (event["address"], event["scope"], event["by"]) == (FAR_SQUATTED, "far", "a machine beyond a relay")
        phone = bench.far_phone()
        assert phone.udhcpc("-t", "6")["ip"] == "10.2.0.12"
        until(lambda: [address for _, address in echoes(seen)].count("10.2.0.14") == 3, "the stock is filled again", 5)
        kinds = {kind: int(number) for number, kind in reversed(seen.tshark("dhcp", "frame.number", "dhcp.option.dhcp"))}
        discover, offer = kinds["1"], kinds["2"]
        assert [number < discover for number, address in echoes(seen) if address == "10.2.0.12"] == [True] * 3
        assert not [number for number, _ in echoes(seen) if discover < number < offer]
        seen.__exit__()
        bench.is_sound()


WRONG_WAYS = {
    "an unreachable route": (("unreachable",), "No route to host"),
    "a route to the outside": (("via", PROVIDER), "Operation not permitted, since it would leave by wan0"),
}


@pytest.mark.parametrize(("way", "reason"), WRONG_WAYS.values(), ids=WRONG_WAYS)
def test_without_a_route_to_the_phones_beyond_a_relay_nothing_counts_as_verified_and_they_are_served(
    tmp_path: Path, way: tuple[str, ...], reason: str
) -> None:
    """The kernel, or the gateway's own table, refuses each echo; the relay itself can be reached."""

    def configure(made: Bench) -> None:
        made.add_relay()
        route = ("unreachable", "10.2.0.0/24") if way == ("unreachable",) else ("10.2.0.0/24", *way)
        made.net.ip(GATEWAY, "route", "replace", *route)
        made.net.route(GATEWAY, "10.2.0.1/32", "10.9.0.2")
        made.configure(FAR_CONFIGURATION)

    with bench_of(tmp_path, configure) as bench, bench.relays():
        until(lambda: bench.events("DHCP_PROBE_UNSENT"), "the operator is told")
        (event,) = bench.events("DHCP_PROBE_UNSENT")
        assert (event["address"], event["scope"], event["reason"]) == (FAR_SQUATTED, "far", reason)
        command = "ip route replace 10.2.0.0/24 via 10.9.0.2 dev trunk0"
        assert event["todo"].startswith(f"write the missing route, such as {command}, ")
        assert not bench.events("SEND_FAILED")
        until(lambda: bench.items().get("free addresses of lan", "").startswith("2 verified"), "the link is verified meanwhile")
        shown = bench.items()["free addresses of far"]
        assert shown.startswith("0 verified")
        assert f"probes are not sent: {reason}; write the missing route, such as {command}" in shown
        assert bench.far_phone().udhcpc("-t", "6")["ip"] in {FAR_SQUATTED, "10.2.0.12", "10.2.0.13", "10.2.0.14"}
        bench.net.ip(GATEWAY, *command.split()[1:])
        assert "via 10.9.0.2 dev trunk0" in bench.net.ip(GATEWAY, "route", "get", FAR_SQUATTED), "what the event says mends it"
        bench.is_sound()


def echoes(capture: Capture) -> list[tuple[int, str]]:
    """The gateway's ICMP echo requests: number of the frame, and the address asked for."""
    rows = capture.tshark("icmp.type == 8 && ip.src == 10.9.0.1", "frame.number", "ip.dst")
    return [(int(number), address) for number, address in rows]
