"""The stock phones of the tests themselves: what is heard is told by frequency, and silence is no tone."""

from pathlib import Path

import pytest

from tests.live.namespaces import Namespaces
from tests.live.sites import until
from tests.live.softphones import BARESIP_LINES, Baresip
from tests.live.tones import HEADER_OCTETS, is_tone, last_samples, write_tone

PLAIN = (
    "sip_listen {address}:5060",
    "net_interface {address}",
    "rtp_ports 6000-6020",
    "module g711.so",
    "module_tmp account.so",
    "module_app menu.so",
)


def test_a_tone_is_told_from_its_neighbours_and_from_silence(tmp_path: Path) -> None:
    file = tmp_path / "tone.wav"
    write_tone(file, 700, 1)
    samples = last_samples(file)
    assert [hz for hz in range(600, 801, 10) if is_tone(samples, hz)] == [700]
    assert not is_tone((0,) * len(samples), 700)


def test_a_recording_that_is_too_short_is_nothing(tmp_path: Path) -> None:
    file = tmp_path / "short.wav"
    write_tone(file, 700, 1)
    file.write_bytes(file.read_bytes()[: HEADER_OCTETS + 101])
    assert last_samples(file) == ()


@pytest.mark.live
def test_two_phones_on_one_cable_hear_each_other_and_nobody_else(net: Namespaces, tmp_path: Path) -> None:
    """Without any server and without NAT: what fails here is not voxpath's."""
    net.create("one", "two")
    net.veth("one", "eth0", "two", "eth0")
    phones = {}
    for name, address, tone_hz in (("one", "10.0.0.11", 500), ("two", "10.0.0.12", 900)):
        net.address(name, "eth0", f"{address}/24")
        directory = tmp_path / name
        directory.mkdir()
        lines = (line.format(address=address) for line in (*PLAIN, *BARESIP_LINES))
        (directory / "config").write_text("\n".join(lines) + "\n")
        (directory / "accounts").write_text(f"<sip:{name}@{address}>;auth_pass=x;regint=0;answermode=auto;audio_codecs=PCMA\n")
        (directory / "contacts").touch()
        phones[name] = Baresip(net, name, directory, tone_hz)
        phones[name].start()
    one, two = phones["one"], phones["two"]
    one.dial("sip:two@10.0.0.12")
    until(lambda: one.hears(900) and two.hears(500), "both hear the other one")
    assert not one.hears(500)
    one.hang_up()
    two.tells("CALL_CLOSED")
    assert [each.message.header("call-id") for each in two.received("BYE")] == [one.sent("INVITE")[0].message.header("call-id")]
    assert one.end() == two.end() == 0
