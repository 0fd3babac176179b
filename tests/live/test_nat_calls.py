"""Whole gateways with each back end: stock phones have an encrypted call, which outlives the gateways' processes."""

import re
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.live.capture import RTP_OCTETS, Capture, Frame
from tests.live.sipsites import HANDSETS, SipStage
from tests.live.sites import SITE_A, SITE_B, until
from voxpath.natreactor.withdraw import withdraw

pytestmark = [pytest.mark.live, pytest.mark.together]

CALLER, CALLEE = "a-gruu", "b-gruu"
TAG_OCTETS = 10
"""What SRTP adds to a packet: the tag of AES_CM_128_HMAC_SHA1_80 (RFC 4568 section 6.2)."""
SECRET_LINES = '"module srtp.so", ";mediaenc=srtp-mand", '
SITES = (SITE_A, SITE_B)


@pytest.fixture(scope="module", params=["nftables", "ebpf", "tun"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SipStage]:
    with SipStage(tmp_path_factory.mktemp("calls")) as made:
        made.build()
        made.write_sip()
        made.start(made.server, "voxpath-sip")
        for site in SITES:
            made.write_sip_gateway(site)
            file = made.directory / f"{site.gateway}.toml"
            text = file.read_text().replace('backend = "nftables"', f'backend = "{request.param}"')
            file.write_text(text.replace("settings = [", f"settings = [{SECRET_LINES}"))
            made.start(site.gateway, "voxpath-sg")
        for name in (made.server, *(site.gateway for site in SITES)):
            made.serving(name)
        assert {nat(made, site.gateway)["backend"] for site in SITES} == {request.param}
        made.boot(CALLER, CALLEE)
        yield made
        try:
            made.is_sound()
        finally:
            for site in SITES:
                made.end(site.gateway)
                # What a back end leaves so that calls go on, a process among it, ends with the test.
                with made.net.entered(site.gateway):
                    withdraw("voxpath", ("lan0",))


def nat(stage: SipStage, gateway: str) -> dict[str, str]:
    return {row["item"]: row["value"] for row in stage.rows(gateway, "nat")}


def media(frames: list[Frame], source: str) -> list[Frame]:
    """The encrypted packets of 20 ms that come from an address."""
    return [frame for frame in frames if frame.source == source and len(frame.payload) == RTP_OCTETS + TAG_OCTETS]


def test_an_encrypted_call_goes_on_while_both_gateways_are_killed_and_come_again(stage: SipStage, tmp_path: Path) -> None:
    """NAP-1, NAP-4, GEN-11: the keys are in the SDP, every packet has its tag, and both hear each other."""
    ends = [stage.ports[name].public for name in (CALLER, CALLEE)]
    with Capture(stage.net, "sga", "wan0", tmp_path, "udp") as wan:

        def more(count: int = 50) -> None:
            """Wait for more packets each way."""
            frames = wan.frames()
            wanted = {end: len(media(frames, end)) + count for end in ends}
            until(lambda: all(len(media(wan.frames(), end)) >= wanted[end] for end in ends), "media goes on", 10)

        stage.talk(CALLER, CALLEE)
        more()
        for site in SITES:
            assert stage.end(site.gateway, signal.SIGKILL) == -signal.SIGKILL
        more()
        for site in SITES:
            stage.start(site.gateway, "voxpath-sg")
        for site in SITES:
            stage.serving(site.gateway)
        more()
        one, other = stage.phones[CALLER], stage.phones[CALLEE]
        one.hang_up()
        other.tells("CALL_CLOSED")
        sequences = [[int.from_bytes(frame.payload[2:4], "big") for frame in media(wan.frames(), end)] for end in ends]
    (invite,) = one.sent("INVITE")[-1:]
    assert "RTP/SAVP" in invite.message.body
    assert re.search(r"a=crypto:\d+ AES_CM_128_HMAC_SHA1_80 inline:", invite.message.body)
    for numbers in sequences:
        assert {(after - before) % 65536 for before, after in pairwise(numbers)} == {1}
    for name in (CALLER, CALLEE):
        site = HANDSETS[name].site
        assert nat(stage, site.gateway)["drops spoofed_port"] == "0"
