import pytest

from voxpath.rtp.statistics import Reception


def stream(reception: Reception, sequences: list[int], first_arrival: float = 0.0) -> None:
    for place, sequence in enumerate(sequences):
        reception.take(sequence & 0xFFFF, (sequence * 160) & 0xFFFFFFFF, first_arrival + 0.02 * place)


def test_a_source_is_valid_after_two_packets_in_order() -> None:
    reception = Reception(8000)
    assert not reception.take(7, 0, 0.0)
    assert not reception.valid
    assert reception.take(8, 160, 0.02)
    assert reception.valid


def test_loss_is_expected_less_received() -> None:
    reception = Reception(8000)
    stream(reception, [1, 2, 3, 5, 6, 9])
    assert (reception.expected, reception.received, reception.lost) == (8, 5, 3)


def test_a_wrapped_sequence_number_is_no_loss() -> None:
    reception = Reception(8000)
    stream(reception, list(range(65530, 65546)))
    assert reception.lost == 0
    assert reception.expected == 15


def test_a_duplicate_never_makes_the_loss_negative() -> None:
    reception = Reception(8000)
    stream(reception, [1, 2, 3, 3, 3])
    assert reception.lost == 0


def test_a_late_packet_counts() -> None:
    reception = Reception(8000)
    stream(reception, [1, 2, 4, 3, 5])
    assert reception.lost == 0


def test_a_restarted_source_is_taken_at_its_second_packet() -> None:
    reception = Reception(8000)
    stream(reception, [1, 2, 3, 30000])
    assert reception.received == 2
    stream(reception, [30001, 30002])
    assert (reception.received, reception.lost) == (2, 0)


def test_an_even_stream_has_no_jitter() -> None:
    reception = Reception(8000)
    stream(reception, list(range(50)))
    assert reception.jitter == pytest.approx(0, abs=1e-6)


def test_jitter_follows_a_wobble_of_one_millisecond() -> None:
    """Every other packet 1 ms late is a change of 8 timestamp units at each packet."""
    reception = Reception(8000)
    for sequence in range(300):
        reception.take(sequence, sequence * 160, sequence * 0.02 + 0.001 * (sequence % 2))
    assert reception.jitter == pytest.approx(8, rel=0.01)


def test_a_wrapped_timestamp_is_no_jitter() -> None:
    reception = Reception(8000)
    for sequence in range(20):
        reception.take(sequence, (0xFFFFFFFF - 800 + sequence * 160) & 0xFFFFFFFF, 1.7e9 + sequence * 0.02)
    assert reception.jitter < 0.1
