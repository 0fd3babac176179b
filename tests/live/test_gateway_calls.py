"""The call-aware mode in the kernel: a call between two sites goes on while a stranger sends to the ports of its phones in vain."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.sites import MACS, NUMBERS, SITE_A, SITE_B, Stage, until
from voxpath.manage.client import ask

pytestmark = [pytest.mark.live, pytest.mark.together]

OWN = ("a1", "b3")
SPRAY = """
import socket, sys
host, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(first, last + 1):
    stranger.sendto(b"\\x80" + bytes(171), (host, port))
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The controller runs in the process of site A's gateway, for the phones of both sites."""
    with Stage(tmp_path_factory.mktemp("calls"), ledger_feed=False) as made:
        made.build()
        numbers = "".join(f'[[number]]\nnumber = "{NUMBERS[name]}"\nphone = "{MACS[name]}"\n' for name in OWN)
        for site in (SITE_A, SITE_B):
            made.write_gateway(site, numbers)
            file = made.directory / f"{site.gateway}.toml"
            text = re.sub(r"mgcs = .*", f'mgcs = ["{SITE_A.wan}:2944"]', file.read_text())
            if site is SITE_A:
                text = text.replace("[mgc]\nenabled = false", f'[mgc]\nlisten = ["{SITE_A.wan}:2944"]')
                text = text.replace('outside = ["wan0"]', 'outside = ["wan0"]\nmode = "call-aware"')
            file.write_text(text)
        made.start("sga", "voxpath")
        made.start("sgb", "voxpath-sg")
        made.serving("sga")
        made.serving("sgb")
        made.start_phones(*OWN)
        made.registered(*OWN, at="sga")
        yield made


def nat(stage: Stage) -> dict[str, str]:
    return {row["item"]: row["value"] for row in stage.rows("sga", "nat")}


def spray(stage: Stage) -> int:
    """A stranger sends to every port of the phone behind the call-aware gateway; give how many packets were dropped for that."""
    [block] = [row["block"] for row in stage.rows("sga", "blocks") if row["phone"] == MACS["a1"]]
    host, _, ports = block.partition(":")
    before = int(nat(stage)["drops stranger"])
    stage.net.run("isp", ["python3", "-c", SPRAY, host, *ports.split("-")])
    until(lambda: int(nat(stage)["drops stranger"]) >= before + 64, "the stranger's packets are counted")
    return int(nat(stage)["drops stranger"]) - before


def test_a_stranger_is_dropped_before_during_and_after_a_call_whose_peer_is_heard(stage: Stage) -> None:
    """FWL-4."""
    assert nat(stage)["mode"] == "call-aware, 0 pinholes open"
    assert spray(stage) == 64
    stage.call("a1", "b3")
    assert nat(stage)["mode"] == "call-aware, 2 pinholes open"
    assert stage.hears("a1", "b3")
    assert stage.hears("b3", "a1")
    assert spray(stage) == 64
    assert stage.phone_state("a1")["lost"] == 0
    stage.hang_up("a1", "b3")
    until(lambda: not stage.rows("sga", "calls"), "the call is released")
    assert nat(stage)["mode"] == "call-aware, 0 pinholes open"
    # What the peer has sent before it heard of the end is a stranger's, too.
    assert spray(stage) >= 64

    def counted() -> tuple[str, str]:
        [row] = stage.rows("sga", "counters", MACS["a1"])
        return str(row["in_drops"]), f"stranger={nat(stage)['drops stranger']}"

    until(lambda: len(set(counted())) == 1, f"the phone's own counter tells as many as the gateway's: {counted()}", 5)


def test_a_phone_that_hears_nothing_is_told_of_with_the_cause_and_when_it_hears_again(stage: Stage) -> None:
    """By the counters of the kernel: what the peer sends is lost on its way to the gateway."""
    way = f"{SITE_A.public}/32"
    stage.net.ip("isp", "route", "replace", "blackhole", way)
    try:
        ask(stage.socket("a1"), "off-hook", (MACS["a1"],))
        until(lambda: stage.phone_state("a1").get("signal") == "dial tone", "the dial tone")
        ask(stage.socket("a1"), "dial", (MACS["a1"], NUMBERS["b3"]))
        until(lambda: stage.hears("b3", "a1"), "the callee hears the caller")
        told = until(lambda: stage.texts("sga", "ONE_WAY_AUDIO"), "the operator is told", 15)
    finally:
        stage.net.ip("isp", "route", "replace", way, "via", SITE_A.wan)
    assert [f"{MACS['a1']} has not heard {MACS['b3']} for" in text and "no packet inbound" in text for text in told] == [True]
    until(lambda: stage.texts("sga", "AUDIO_BACK"), "the operator is told that it is back", 15)
    assert stage.texts("sga", "AUDIO_BACK") == [f"{MACS['a1']} hears {MACS['b3']} now"]
    stage.hang_up("a1", "b3")
    until(lambda: not stage.rows("sga", "calls"), "the call is released")


def test_a_call_is_heard_on_while_its_gateway_and_controller_are_killed_and_begin_anew(stage: Stage) -> None:
    """Nobody knows the call any more, and its pinholes stay; a stranger is one all the same."""
    stage.call("a1", "b3")
    stage.end("sga", signal.SIGKILL)
    heard = stage.phone_state("a1")["received"]
    until(lambda: stage.phone_state("a1")["received"] - heard >= 50, "a second of media comes while the gateway is dead")
    stage.start("sga", "voxpath")
    stage.serving("sga")
    assert nat(stage)["mode"] == "call-aware, 2 pinholes open"
    heard = stage.phone_state("a1")["received"]
    until(lambda: stage.phone_state("a1")["received"] - heard >= 50, "a second of media comes after the restart")
    assert spray(stage) == 64
    assert stage.phone_state("a1")["lost"] == 0


def test_a_controller_on_another_host_tells_the_gateway_of_its_calls(tmp_path: Path) -> None:
    """Back over the ledger's feed; a gateway that was away is told of the calls that go on."""
    with Stage(tmp_path) as stage:
        stage.build()
        stage.start_servers("mgc1", "sgb")
        stage.write_gateway(SITE_A)
        file = tmp_path / "sga.toml"
        file.write_text(file.read_text().replace('outside = ["wan0"]', 'outside = ["wan0"]\nmode = "call-aware"'))
        stage.start("sga", "voxpath-sg")
        stage.serving("sga")
        stage.start_phones(*OWN)
        stage.registered(*OWN)
        assert nat(stage)["mode"] == "call-aware, 0 pinholes open"
        stage.call("a1", "b3")
        assert nat(stage)["mode"] == "call-aware, 2 pinholes open"
        assert spray(stage) == 64
        assert stage.end("sga") == -signal.SIGTERM
        stage.start("sga", "voxpath-sg")
        stage.serving("sga")
        until(lambda: any("mgc1 is up" in text for text in stage.texts("sga", "FEED_LINK")), "the controller is heard again")
        assert stage.hears("a1", "b3")
        stage.hang_up("a1", "b3")
        until(lambda: nat(stage)["mode"] == "call-aware, 0 pinholes open", "the call's end closes its pinholes")
        stage.is_sound("sga", "sgb", "mgc1")
