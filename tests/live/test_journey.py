"""The main job in network namespaces: phones at two sites boot, register and call each other through NAT without a media relay."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.capture import Capture
from tests.live.erlang import ERLANG_MAC, simple_gateway
from tests.live.sites import ADDRESSES, CONTROLLERS, FOREIGN_MG, MACS, NUMBERS, SITE_A, Stage, until
from voxpath.manage.client import ask

pytestmark = pytest.mark.live

RTP = "udp.port >= 2048 && udp.port != 2944 && udp.length == 180"
"""20 ms of G.711 in RTP: 160 octets, 12 of RTP, 8 of UDP."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("journey")) as made:
        made.build()
        made.start_servers()
        made.start_phones(*MACS)
        made.registered(*MACS)
        yield made


def block_of(stage: Stage, name: str) -> tuple[str, int, int]:
    """A phone's public address, first and last port."""
    gateway = "sga" if name in SITE_A.phones else "sgb"
    (row,) = [row for row in stage.rows(gateway, "blocks") if row["phone"] == MACS[name]]
    public, ports = row["block"].split(":")
    first, last = ports.split("-")
    return public, int(first), int(last)


def test_both_sites_have_the_same_private_addresses_and_all_phones_are_registered(stage: Stage) -> None:
    """GEN-1, REG-15, REG-21, REG-22: the controller holds public and private address, and knows each phone by the ledger."""
    known = {row["phone"]: row for row in stage.rows("mgc1", "registrations")}
    inside: dict[str, list[str]] = {}
    for name, mac in MACS.items():
        public, first, _ = block_of(stage, name)
        assert known[mac]["public"] == f"{public}:{first}"
        inside.setdefault(known[mac]["private"], []).append(name)
    assert sorted(inside) == list(ADDRESSES)
    assert sorted(map(len, inside.values())) == [2, 2]
    assert {known[MACS["a1"]]["realm"], known[MACS["b3"]]["realm"]} == {"sga", "sgb"}


def test_a_call_within_a_site_uses_private_addresses_and_never_leaves_it(stage: Stage, tmp_path: Path) -> None:
    """TRI-2, TRI-4: both descriptors carry private addresses, RTP flows both ways, and none of it is outside the gateway."""
    with (
        Capture(stage.net, "sga", "wan0", tmp_path) as wan,
        Capture(stage.net, "a1", "eth0", tmp_path) as lan,
    ):
        stage.call("a1", "a2")
        (call,) = stage.rows("mgc1", "calls")
        assert call["path"] == "private"
        stage.hang_up("a1", "a2")
        until(lambda: not stage.rows("mgc1", "calls"), "the call is released")
    assert wan.count(RTP) == 0
    one, other = ADDRESSES
    assert lan.count(f"({RTP}) && ip.src == {one} && ip.dst == {other}") > 20
    assert lan.count(f"({RTP}) && ip.src == {other} && ip.dst == {one}") > 20
    descriptors = {field for (field,) in wan.tshark("megaco && sdp", "sdp.connection_info.address")}
    assert {part for field in descriptors for part in field.split(",")} <= {one, other}
    assert wan.complaints("megaco") == []


def test_a_call_between_sites_uses_public_addresses_with_ports_unchanged(stage: Stage, tmp_path: Path) -> None:
    """TRI-3, NAP-1 to NAP-3, GEN-11: the port outside is the port inside in every packet, the octets too, and no flow has state."""
    with (
        Capture(stage.net, "sga", "wan0", tmp_path) as wan,
        Capture(stage.net, "a1", "eth0", tmp_path) as inside,
        Capture(stage.net, "b3", "eth0", tmp_path) as far,
    ):
        stage.call("a1", "b3")
        (call,) = stage.rows("mgc1", "calls")
        assert call["path"] == "public"
        stage.hang_up("a1", "b3")
        until(lambda: not stage.rows("mgc1", "calls"), "the call is released")
    public_a, first, last = block_of(stage, "a1")
    public_b = block_of(stage, "b3")[0]
    # The payload with its sequence number and time stamp names a packet wherever it is seen.
    seen = {payload: (source, port) for source, port, payload in inside.tshark(RTP, "ip.src", "udp.srcport", "udp.payload")}
    outside = wan.tshark(f"({RTP}) && ip.src == {public_a}", "ip.dst", "udp.srcport", "udp.payload")
    assert len(outside) > 20
    for destination, port, payload in outside:
        assert destination == public_b
        assert seen[payload][1] == port
        assert first <= int(port) <= last
    assert far.count(f"({RTP}) && ip.src == {public_a}") >= len(outside) - 1
    assert wan.count(f"({RTP}) && ip.src == {public_b} && ip.dst == {public_a}") > 20
    assert wan.count("ip.addr == 10.0.0.0/24") == 0
    assert wan.complaints("megaco") == []
    for gateway in ("sga", "sgb"):
        assert " ct " not in stage.net.run(gateway, ["nft", "list", "ruleset"]).stdout
        entries = stage.net.run(gateway, ["sh", "-c", "cat /proc/net/nf_conntrack 2>/dev/null || true"]).stdout
        assert entries == ""


def test_a_phone_that_sends_from_its_neighbours_ports_is_stopped_and_named(stage: Stage, tmp_path: Path) -> None:
    """NAP-5: nothing leaves, a counter and an event name it."""
    _, first, _ = block_of(stage, "a1")
    before = stage.rows("sga", "nat")
    with Capture(stage.net, "sga", "wan0", tmp_path, "udp dst port 9999") as wan:
        spoof = f"import socket; s = socket.socket(2, 2); s.bind(('', {first + 20})); s.sendto(b'spoof', ('198.51.100.254', 9999))"
        stage.net.run("a2", ["python3", "-c", spoof])
        until(lambda: stage.rows("sga", "nat") != before, "the drop is counted")

        def told() -> list[dict[str, str]]:
            return [row for row in stage.rows("sga", "why", MACS["a2"]) if row["id"] == "NAT_SPOOFED_PORT"]

        heard = until(told, "an event names the phone")
    assert wan.count("udp") == 0
    assert str(first + 20) in heard[-1]["text"]


def test_a_gateway_that_is_killed_keeps_its_leases_and_its_calls(stage: Stage) -> None:
    """DHC-6, NAP-4: after kill -9 and restart leases and blocks are the same, and a call in progress goes on meanwhile."""
    leases, blocks = stage.rows("sga", "leases"), stage.rows("sga", "blocks")
    stage.call("a1", "b3")
    stage.end("sga", signal.SIGKILL)
    heard = stage.phone_state("a1")["received"]
    until(lambda: stage.phone_state("a1")["received"] - heard >= 50, "a second of media comes while the gateway is dead")
    stage.start("sga", "voxpath-sg")
    stage.serving("sga")
    assert stage.rows("sga", "leases") == leases
    assert stage.rows("sga", "blocks") == blocks
    state = stage.phone_state("a1")
    assert stage.hears("a1", "b3")
    assert stage.hears("b3", "a1")
    assert state["lost"] == 0
    stage.hang_up("a1", "b3")
    until(lambda: not stage.rows("mgc1", "calls"), "the call is released")


def test_erlangs_gateway_registers_from_behind_the_nat(stage: Stage, tmp_path: Path) -> None:
    """GEN-3, REG-16: OTP's unmodified megaco_simple_mg, in text over UDP, its ephemeral ports kept in its block."""
    with (
        Capture(stage.net, "sga", "wan0", tmp_path, "udp port 2944") as wan,
        simple_gateway(stage, SITE_A, CONTROLLERS["mgc1"]) as public,
    ):

        def registered() -> list[dict[str, str]]:
            return [row for row in stage.rows("mgc1", "registrations") if FOREIGN_MG in row["mid"]]

        (found,) = until(registered, f"megaco_simple_mg registers; the controller's log:\n{stage.log('mgc1')}")
    assert found["public"].startswith(f"{public}:")
    assert found["phone"] == ERLANG_MAC
    assert wan.count(f'megaco.mId == "{FOREIGN_MG}"') >= 1
    assert wan.complaints(f"megaco && ip.src == {CONTROLLERS['mgc1']}") == []


def test_phones_register_at_the_backup_when_the_primary_controller_is_dead(stage: Stage) -> None:
    """REG-8: with the primary dead, phones that boot register at the backup, and call by it."""
    stage.end("mgc1", signal.SIGKILL)
    for name in ("a1", "b3"):
        stage.end(name)
    stage.start_phones("a1", "b3")
    stage.registered("a1", "b3", at="mgc2")
    stage.call("a1", "b3")
    (call,) = stage.rows("mgc2", "calls")
    assert call["path"] == "public"
    stage.hang_up("a1", "b3")
    until(lambda: not stage.rows("mgc2", "calls"), "the call is released")


def test_a_clean_stop_ends_everything(stage: Stage) -> None:
    """Every process ends by itself when it is told to, with nothing lost and no error in its log."""
    for name in list(stage.processes):
        # twistd ends in order, then by the very signal that it was sent.
        assert stage.end(name) == -signal.SIGTERM
        assert "Server Shut Down" in stage.log(name)
        assert "Traceback" not in stage.log(name)
        assert "CORE_FAULT" not in stage.log(name)


def test_without_the_ledger_the_controller_believes_the_phone(tmp_path: Path) -> None:
    """REG-23, TRI-6: no feed from the gateways; addresses come from packet and message, and both kinds of calls work."""
    with Stage(tmp_path, ledger_feed=False) as alone:
        alone.build()
        alone.start_servers("mgc1", "sga", "sgb")
        alone.start_phones("a1", "a2", "b3")
        alone.registered("a1", "a2", "b3")
        for callee, path in (("a2", "private"), ("b3", "public")):
            alone.call("a1", callee)
            (call,) = alone.rows("mgc1", "calls")
            assert call["path"] == path
            alone.hang_up("a1", callee)
            until(lambda: not alone.rows("mgc1", "calls"), "the call is released")


def test_one_process_runs_many_phones(tmp_path: Path) -> None:
    """Thirty phones on one interface, in one process: each boots, registers and can be called; half of them call the other half."""
    with Stage(tmp_path) as crowd:
        crowd.build()
        count = 30
        macs = [f"02:00:00:00:0c:{place:02x}" for place in range(count)]
        numbers = "".join(f'[[number]]\nnumber = "{2000 + place}"\nphone = "{mac}"\n' for place, mac in enumerate(macs))
        calls = "".join(
            f'[[phone.call]]\nphone = "{macs[place]}"\nnumber = "{2001 + place}"\nlength_s = 60.0\n' for place in range(0, count, 2)
        )
        crowd.write_controller("mgc1", numbers)
        crowd.start("mgc1", "voxpath-mgc")
        crowd.start_servers("sga")
        crowd.serving("mgc1")
        crowd.add_host(SITE_A, "crowd", "02:00:00:00:0c:ff")
        crowd.write("crowd", f'[phone]\ninterface = "eth0"\nmac = "{macs[0]}"\ncount = {count}\nanswer = true\n{calls}')
        crowd.start("crowd", "voxpath-phone")
        until(lambda: len(crowd.rows("mgc1", "registrations")) == count, f"all register; log:\n{crowd.log('crowd')}")
        until(lambda: [row["state"] for row in crowd.rows("mgc1", "calls")] == ["talking"] * (count // 2), "all pairs talk")
        assert {row["path"] for row in crowd.rows("mgc1", "calls")} == {"private"}
        until(lambda: all(row["hears_hz"] > 0 for row in crowd.rows("crowd", "phones")), "every phone hears another one")
        assert len({row["address"] for row in crowd.rows("crowd", "phones")}) == count
        crowd.end("crowd")
        assert "Traceback" not in crowd.log("crowd")


def test_all_roles_in_one_process_take_phones_from_power_up_to_a_call(tmp_path: Path) -> None:
    """GEN-2, decision D3: the controller stands in the gateway's process and on the phones' own LAN; the same journey passes."""
    with Stage(tmp_path, ledger_feed=False) as stage:
        stage.build()
        phones = ("a1", "a2")
        numbers = "".join(f'[[number]]\nnumber = "{NUMBERS[name]}"\nphone = "{MACS[name]}"\n' for name in phones)
        stage.write_gateway(SITE_A, numbers)
        file = tmp_path / "sga.toml"
        text = file.read_text().replace("[mgc]\nenabled = false", '[mgc]\nlisten = ["10.0.0.1:2944"]')
        file.write_text(text.replace('mgcs = ["198.51.100.10:2944", "198.51.100.11:2944"]', 'mgcs = ["10.0.0.1:2944"]'))
        stage.start("sga", "voxpath")
        stage.serving("sga")
        assert [row["role"] for row in stage.rows("sga", "roles")] == ["dhcp", "tftp", "mgc", "sip"]
        stage.start_phones(*phones)
        stage.registered(*phones, at="sga")
        assert {row["public"].split(":")[0] for row in stage.rows("sga", "registrations")} == {SITE_A.public}
        stage.call("a1", "a2")
        (call,) = stage.rows("sga", "calls")
        assert call["path"] == "private"
        stage.hang_up("a1", "a2")
        until(lambda: not stage.rows("sga", "calls"), "the call is released")
        told = {entry.id for entry in ask(stage.socket("sga"), "ladder", (MACS["a1"],)).entries}
        assert {"MESSAGE", "DHCP_ACK", "TFTP_SERVED", "MGC_REGISTERED", "MGC_TRIANGLE", "MGC_CALL_RELEASED"} <= told
        assert "Traceback" not in stage.log("sga")
