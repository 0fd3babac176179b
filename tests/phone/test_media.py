from random import Random

import pytest

from voxpath.core.effects import Close, Datagram, Effects, Emit, Open, Send
from voxpath.model.address import Endpoint
from voxpath.phone.event import MediaHeard, MediaRefused, MediaSent
from voxpath.phone.media import Media
from voxpath.rtp import packet as rtp

ALICE = Endpoint("10.0.0.11", 2050)
BOB = Endpoint("10.0.0.12", 2114)


def media(tone_hz: float = 440) -> Media:
    return Media(tone_hz, Random(1), "02:00:00:00:0a:01")


def sent(effects: Effects) -> list[rtp.RtpPacket]:
    return [rtp.parse(effect.payload) for effect in effects if isinstance(effect, Send)]


def talk(sender: Media, receiver: Media, start: float, seconds: float) -> list[object]:
    """Run two streams against each other in virtual time; what the receiver tells is returned."""
    told: list[object] = []
    now = start
    while now < start + seconds:
        for effect in sender.tick(now):
            if isinstance(effect, Send):
                receiver.receive(Datagram(effect.payload, ALICE), now)
        told += [effect.event for effect in receiver.tick(now) if isinstance(effect, Emit)]
        now += 0.01
    return told


def test_a_tone_is_sent_every_20_ms_and_heard() -> None:
    alice, bob = media(440), media(700)
    assert alice.start("rtp/1", ALICE, 100.0) == [Open("rtp/1", ALICE)]
    bob.start("rtp/1", BOB, 100.0)
    alice.direct(BOB, sending=True, receiving=True)
    bob.direct(ALICE, sending=False, receiving=True)
    told = talk(alice, bob, 100.0, 2.0)
    statistics = bob.statistics()
    assert alice.statistics().packets_sent == pytest.approx(100, abs=1)
    assert statistics.packets_received == alice.statistics().packets_sent
    assert statistics.octets_received == 160 * statistics.packets_received
    assert statistics.tone_hz == pytest.approx(440, abs=2)
    assert statistics.level_dbm0 == pytest.approx(-10, abs=0.5)
    assert (statistics.lost, statistics.foreign, statistics.malformed, statistics.unwanted) == (0, 0, 0, 0)
    assert [type(event) for event in told] == [MediaHeard]


def test_the_tone_ends_when_the_packets_do() -> None:
    alice, bob = media(), media()
    alice.start("rtp/1", ALICE, 0.0)
    bob.start("rtp/1", BOB, 0.0)
    alice.direct(BOB, True, True)
    bob.direct(ALICE, False, True)
    talk(alice, bob, 0.0, 1.0)
    alice.direct(BOB, False, True)
    told = talk(alice, bob, 1.0, 1.2)
    assert bob.statistics().tone_hz == 0
    assert [event.tone_hz for event in told if isinstance(event, MediaHeard)][-1] == 0


def test_sequence_and_timestamp_grow_from_a_random_start() -> None:
    alice = media()
    alice.start("rtp/1", ALICE, 0.0)
    alice.direct(BOB, True, True)
    packets = sent(alice.tick(5.0)) + sent(alice.tick(5.02)) + sent(alice.tick(5.04))
    assert [packet.marker for packet in packets] == [True, False, False]
    assert [(packet.sequence - packets[0].sequence) & 0xFFFF for packet in packets] == [0, 1, 2]
    assert [(packet.timestamp - packets[0].timestamp) & 0xFFFFFFFF for packet in packets] == [0, 160, 320]
    assert all((packets[0].sequence, packets[0].timestamp, packets[0].ssrc))


def test_late_ticks_do_not_shift_the_beat() -> None:
    """After 1000 s of ticks that come 7 ms late, packet n is still due at n times 20 ms."""
    alice = media()
    alice.start("rtp/1", ALICE, 0.0)
    alice.direct(BOB, True, True)
    now = 1.7e9
    alice.tick(now)
    for _ in range(5000):
        due = alice.next_due()
        assert due is not None
        alice.tick(due + 0.007)
    periods = (alice.statistics().packets_sent - 1) * 0.02
    due = alice.next_due()
    assert due is not None
    assert due - now <= periods + 0.0201


def test_a_long_stall_is_skipped_not_sent_in_one_burst() -> None:
    alice = media()
    alice.start("rtp/1", ALICE, 0.0)
    alice.direct(BOB, True, True)
    first = sent(alice.tick(10.0))[0]
    burst = sent(alice.tick(20.0))
    assert len(burst) <= 6
    assert (burst[-1].timestamp - first.timestamp) & 0xFFFFFFFF == 10 * 8000


def test_a_pause_marks_the_next_spurt_and_moves_the_timestamp() -> None:
    alice = media()
    alice.start("rtp/1", ALICE, 0.0)
    alice.direct(BOB, True, True)
    first = sent(alice.tick(10.0))[0]
    alice.direct(BOB, False, True)
    assert sent(alice.tick(10.5)) == []
    alice.direct(BOB, True, True)
    second = sent(alice.tick(11.0))[0]
    assert second.marker
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 8000
    assert (second.sequence - first.sequence) & 0xFFFF == 1


def test_only_the_signalled_remote_side_is_heard() -> None:
    bob = media()
    bob.start("rtp/1", BOB, 0.0)
    packet = rtp.write(rtp.RtpPacket(0, 1, 2, 3, b"\xff" * 160))
    bob.receive(Datagram(packet, ALICE), 0.0)
    bob.direct(ALICE, False, True)
    told = [
        *bob.receive(Datagram(packet, Endpoint(ALICE.host, 9)), 0.0),
        *bob.receive(Datagram(packet, Endpoint("192.0.2.9", ALICE.port)), 0.0),
    ]
    assert bob.statistics().foreign == 3
    assert bob.statistics().packets_received == 0
    assert [type(effect.event) for effect in told if isinstance(effect, Emit)] == [MediaRefused]


def test_rubbish_and_unwanted_packets_are_counted() -> None:
    bob = media()
    bob.start("rtp/1", BOB, 0.0)
    bob.direct(ALICE, False, True)
    bob.receive(Datagram(b"rubbish", ALICE), 0.0)
    bob.receive(Datagram(rtp.write(rtp.RtpPacket(8, 1, 2, 3, b"\xd5" * 160)), ALICE), 0.0)
    bob.direct(ALICE, False, False)
    bob.receive(Datagram(rtp.write(rtp.RtpPacket(0, 1, 2, 3, b"\xff" * 160)), ALICE), 0.0)
    assert (bob.statistics().malformed, bob.statistics().unwanted, bob.statistics().packets_received) == (1, 2, 0)


def test_stop_closes_the_port_and_all_timers() -> None:
    alice = media()
    alice.start("rtp/1", ALICE, 0.0)
    alice.direct(BOB, True, True)
    alice.tick(0.0)
    assert alice.stop() == [Close("rtp/1")]
    assert alice.next_due() is None
    assert alice.stop() == []


def test_the_first_packet_of_a_stream_is_told() -> None:
    alice = media(500)
    alice.start("rtp/1", ALICE, 0.0)
    alice.direct(BOB, True, True)
    events = [effect.event for effect in alice.tick(0.0) if isinstance(effect, Emit)]
    assert [type(event) for event in events] == [MediaSent]
    assert "500 Hz" in events[0].text
    assert not [effect for effect in alice.tick(0.02) if isinstance(effect, Emit)]
