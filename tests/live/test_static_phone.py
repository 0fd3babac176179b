"""A software phone whose address was configured by hand: it asks by INFORM, registers and talks, or is FAILED (PHN-18)."""

import re
from pathlib import Path

import pytest

from tests.live.capture import Capture
from tests.live.sites import MACS, SITE_A, Stage, until

pytestmark = [pytest.mark.live, pytest.mark.together]

OWN = "10.0.0.220"
STATIC = f'dhcp = false\n[phone.static]\naddress = "{OWN}/24"'
RTP = "udp.port >= 2048 && udp.port != 2944 && udp.length == 180"
INFORM, ACK = "8", "5"
FAILED_WITHIN_S = 45.0
"""Three INFORMs with the waits of DISCOVER, 28 s at the most, and the start of the program."""


def start_static(stage: Stage, name: str) -> None:
    """Boot a phone that knows nothing but its address."""
    stage.write_phone(name, STATIC)
    stage.start(name, "voxpath-phone")


def kinds(capture: Capture) -> list[str]:
    """The types of all DHCP messages that passed."""
    return [kind for (kind,) in capture.tshark("dhcp", "dhcp.option.dhcp")]


def test_a_static_phone_boots_by_inform_registers_and_talks_from_its_block(tmp_path: Path) -> None:
    """No DISCOVER and one INFORM; image and configuration are loaded, and RTP leaves the gateway from the block that was told."""
    with Stage(tmp_path) as stage:
        stage.build()
        stage.start_servers()
        with Capture(stage.net, "a1", "eth0", tmp_path, "udp port 67") as dhcp, Capture(stage.net, "sga", "wan0", tmp_path) as wan:
            start_static(stage, "a1")
            stage.start_phones("b3")
            stage.registered("a1", "b3")
            stage.call("b3", "a1")
            stage.hang_up("b3", "a1")
            until(lambda: not stage.rows("mgc1", "calls"), "the call is released")
            assert kinds(dhcp) == [INFORM, ACK]
        (lease,) = stage.rows("sga", "leases")
        assert (lease["phone"], lease["address"], lease["state"]) == (MACS["a1"], OWN, "held")
        assert lease["expires"], "the block of a static phone ages"
        (row,) = stage.rows("sga", "blocks")
        public, _, ports = row["block"].partition(":")
        first, last = map(int, ports.split("-"))
        assert stage.phone_state("a1")["public"] == row["block"]
        sent = {int(port) for (port,) in wan.tshark(f"({RTP}) && ip.src == {SITE_A.public}", "udp.srcport")}
        assert public == SITE_A.public
        assert sent
        assert all(first <= port <= last for port in sent)
        read = re.findall(rf"{OWN}:\d+ read (\S+):", "\n".join(stage.texts("sga", "TFTP_SERVED")))
        assert read == ["phone-1.0.bin", f"{MACS['a1'].replace(':', '')}.cfg"]
        stage.is_sound()


def test_a_static_phone_that_nobody_tells_the_rest_is_failed_and_registers_when_somebody_does(tmp_path: Path) -> None:
    """Neither source: FAILED (606), and it goes on asking; no DISCOVER is ever sent."""
    with Stage(tmp_path) as stage:
        stage.build()
        with Capture(stage.net, "a1", "eth0", tmp_path, "udp port 67") as dhcp:
            start_static(stage, "a1")
            until(lambda: stage.texts("a1", "PHONE_NOT_REGISTERED"), "the phone is FAILED", FAILED_WITHIN_S)
            assert "INFORM was not answered" in stage.texts("a1", "PHONE_NOT_REGISTERED")[0]
            assert f"{MACS['a1']} is in FAILED (606)" in stage.texts("a1", "PHONE_STATE")
            assert kinds(dhcp) == [INFORM] * 3
            stage.start_servers("mgc1", "sga")
            stage.registered("a1")
            seen = kinds(dhcp)
        assert set(seen) == {INFORM, ACK}
        assert seen.count(ACK) == 1
        stage.is_sound("sga", "mgc1")
