"""Windows of several blocks (RFC 7440): over a bad line, in virtual time, and message by message."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tftp.line import Quality, read
from voxpath.tftp import netascii
from voxpath.tftp.content import ContentLost, Netascii, Octets
from voxpath.tftp.machine import ASKED_AGAIN
from voxpath.tftp.message import Ack, Data, Error, Message, OptionAck, ReadRequest
from voxpath.tftp.options import Agreed
from voxpath.tftp.receiving import Reading
from voxpath.tftp.sending import CLEAN_WINDOWS, PAUSE_S, Sending


def window(blocks: int, size: int = 8) -> tuple[tuple[str, str], ...]:
    return (("blksize", str(size)), ("windowsize", str(blocks)))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    octets=st.integers(0, 9000),
    blocks=st.integers(1, 64),
    size=st.sampled_from([8, 100, 512, 1468]),
    quality=st.builds(Quality, st.floats(0, 0.25), st.floats(0, 1), st.sampled_from([0.0, 0.004, 0.05])),
)
def test_every_file_arrives_octet_by_octet_over_a_bad_line(
    seed: int, octets: int, blocks: int, size: int, quality: Quality
) -> None:
    """Loss, duplication and reordering cost time; a transfer that ends well has carried the file, and nothing else."""
    content = Random(seed).randbytes(octets)
    _, sending, reading = read(content, window(blocks, size), seed, quality)
    if reading.ending is not None and not reading.ending.reason:
        assert reading.content == content
    assert content.startswith(reading.content)
    if not quality.loss:
        assert sending.ending is not None
        assert not sending.ending.reason
        assert reading.content == content


@pytest.mark.parametrize("blocks", [2, 16, 64])
def test_a_clean_line_carries_every_block_once_and_one_ack_for_each_window(blocks: int) -> None:
    content = bytes(8 * 500)
    line, sending, reading = read(content, window(blocks), 1)
    assert reading.content == content
    assert len([message for message in line.sent if isinstance(message, Data)]) == 501
    assert len([message for message in line.sent if isinstance(message, Ack)]) == 1 + -(-501 // blocks)
    assert sending.repeated == 0


def test_block_numbers_roll_over_within_a_window() -> None:
    content = Random(7).randbytes(8 * 65_600 + 3)
    _, sending, reading = read(content, window(64), 1)
    assert reading.content == content
    assert sending.acked == 65_601


def test_a_line_that_doubles_everything_does_not_double_the_data() -> None:
    """The Sorcerer's Apprentice with windows: what is sent for doubled ACKs stays a small share."""
    _, sending, reading = read(bytes(8 * 5000), window(16), 1, Quality(doubled=1.0))
    assert reading.content == bytes(8 * 5000)
    assert sending.repeated < 0.2 * sending.blocks


def started(blocks: int, file: int = 8 * 1000) -> Sending:
    sending = Sending(Octets(bytes(file)), Agreed(8, window=blocks, answer=(("windowsize", str(blocks)),)), Random(1))
    assert isinstance(next(iter(sending.start(0.0))), OptionAck)
    return sending


def numbers(messages: object) -> list[int]:
    assert isinstance(messages, list | tuple)
    return [message.block for message in messages if isinstance(message, Data)]


def test_a_window_is_sent_at_once_and_the_next_one_behind_its_ack() -> None:
    sending = started(4)
    assert numbers(sending.take(Ack(0), 0.1)) == [1, 2, 3, 4]
    assert numbers(sending.take(Ack(4), 0.2)) == [5, 6, 7, 8]


def test_an_ack_inside_a_window_resends_what_follows_in_smaller_bursts() -> None:
    sending = started(8)
    sending.take(Ack(0), 0.0)
    assert numbers(sending.take(Ack(3), 0.1)) == [4, 5, 6, 7]
    assert sending.due == pytest.approx(0.1 + PAUSE_S)
    assert numbers(sending.tick(0.1 + PAUSE_S)) == [8, 9, 10, 11]
    assert sending.repeated == 5
    assert sending.due == pytest.approx(1.1 + PAUSE_S)


def test_the_receiver_still_gets_the_window_that_was_agreed() -> None:
    """It sends no ACK before it has counted so many blocks: bursts get smaller, windows do not."""
    sending = started(8)
    sending.take(Ack(0), 0.0)
    sent = numbers(sending.take(Ack(1), 0.1))
    while sending.due is not None and sending.due < 0.5:
        sent += numbers(sending.tick(sending.due))
    assert sent == list(range(2, 10))


def test_a_timeout_halves_the_burst_each_time_down_to_one_block() -> None:
    sending = started(16)
    sending.take(Ack(0), 0.0)
    sending.take(Ack(16), 0.0)
    bursts = []
    while sending.due is not None:
        sent = numbers(sending.tick(sending.due))
        if sent[:1] == [17]:
            bursts.append(len(sent))
    assert bursts[:5] == [8, 4, 2, 1, 1]
    assert sending.ending is not None


def test_clean_windows_let_the_bursts_grow_again() -> None:
    sending = started(4)
    sending.take(Ack(0), 0.0)
    sending.take(Ack(1), 0.1)
    assert sending.burst == 2
    for _ in range(CLEAN_WINDOWS):
        sending.tick(sending.due or 0.0)
        sending.take(Ack(sending.sent), 1.0)
    assert sending.burst == 4


def test_the_ack_before_a_window_is_believed_once_and_at_one_block_not_at_all() -> None:
    sending = started(4)
    sending.take(Ack(0), 0.0)
    sending.take(Ack(4), 0.0)
    assert numbers(sending.take(Ack(4), 0.1)) == [5, 6]
    assert list(sending.take(Ack(4), 0.2)) == []
    alone = started(1)
    alone.take(Ack(0), 0.0)
    assert list(alone.take(Ack(0), 0.1)) == []


def silence(sending: Sending) -> list[int]:
    """The blocks that go by themselves until the transfer is over."""
    sent = []
    while sending.due is not None:
        sent += numbers(sending.tick(sending.due))
    return sent


@pytest.mark.parametrize("repeated", [0, 1, 50])
def test_an_ack_of_the_oack_may_be_forged_and_brings_one_window_and_one_block_besides(repeated: int) -> None:
    """Two datagrams in his name once brought somebody two windows; further ACKs bring one block each, and few."""
    sending = started(16)
    sent = numbers(sending.take(Ack(0), 0.0))
    for again in range(repeated):
        while sending.due is not None and sending.due <= 0.1 + again:
            sent += numbers(sending.tick(sending.due))
        sent += numbers(sending.take(Ack(0), 0.1 + again)) if sending.ending is None else []
    sent += silence(sending)
    assert sent[:17] == [*range(1, 17), 1]
    assert set(sent[17:]) <= {1}
    assert len(sent) <= 17 + ASKED_AGAIN
    assert sending.repeated == len(sent) - 16
    assert sending.ending is not None
    assert "no answer" in sending.ending.reason


@pytest.mark.parametrize("arrived", [1, 9, 16])
def test_a_client_that_got_a_part_of_the_first_window_is_sent_the_rest_when_it_says_so(arrived: int) -> None:
    """The block that is repeated meanwhile is nothing new to it; from its first ACK on whole windows are repeated."""
    sending = started(16)
    sending.take(Ack(0), 0.0)
    assert numbers(sending.tick(1.0)) == [1]
    sent = numbers(sending.take(Ack(arrived), 2.0))
    while sending.due is not None and sending.due < 2.5:
        sent += numbers(sending.tick(sending.due))
    assert sent == list(range(arrived + 1, arrived + 17))


def test_a_first_block_that_is_lost_alone_comes_again_at_once_when_the_client_tells_the_gap() -> None:
    sending = started(16)
    sending.take(Ack(0), 0.0)
    assert numbers(sending.take(Ack(0), 0.1)) == [1]
    assert list(sending.take(Ack(0), 0.2)) == []
    assert numbers(sending.take(Ack(1), 1.1))[:1] == [2]


def test_a_first_window_that_is_lost_twice_comes_when_the_client_repeats_its_ack() -> None:
    sending = started(4)
    sending.take(Ack(0), 0.0)
    while sending.due is not None and sending.due < 2:
        sending.tick(sending.due)
    assert numbers(sending.take(Ack(0), 5.0)) == [1]
    assert list(sending.take(Ack(0), 5.1)) == [], "once a second at the most"
    assert numbers(sending.take(Ack(1), 6.0))[:1] == [2]
    assert sending.proven


def test_a_client_that_begins_anew_after_its_ack_gets_the_oack_and_can_go_on_at_once() -> None:
    """A boot program asks from the same port again; blocks of a size that it does not know yet would end it."""
    sending = started(4)
    sending.take(Ack(0), 0.0)
    while sending.due is not None and sending.due < 2:
        sending.tick(sending.due)
    assert list(sending.asked_again(5.0)) == [OptionAck((("windowsize", "4"),))]
    assert numbers(sending.take(Ack(0), 5.01)) == [1]
    assert numbers(sending.take(Ack(1), 5.02))[:1] == [2]


def test_an_ack_from_far_behind_or_ahead_is_ignored() -> None:
    sending = started(4)
    sending.take(Ack(0), 0.0)
    sending.take(Ack(4), 0.0)
    for block in (3, 9, 100, 65535):
        assert list(sending.take(Ack(block), 0.1)) == []


def reading(blocks: int) -> Reading:
    machine = Reading(ReadRequest("f", "octet", window(blocks)), 1 << 20, Random(1))
    list(machine.start(0.0))
    assert list(machine.take(OptionAck(window(blocks)), 0.0)) == [Ack(0)]
    return machine


def blocks(machine: Reading, *wanted: int) -> list[Message]:
    return [message for block in wanted for message in machine.take(Data(block, bytes(8)), 0.1)]


def test_a_reader_acknowledges_the_last_block_of_a_window_only() -> None:
    assert blocks(reading(4), 1, 2, 3, 4, 5) == [Ack(4)]


def test_a_reader_tells_a_gap_once_and_takes_up_where_it_was() -> None:
    machine = reading(4)
    assert blocks(machine, 1, 3, 4) == [Ack(1)]
    assert blocks(machine, 2, 3, 4, 5) == [Ack(5)]


def test_a_reader_that_hears_nothing_more_tells_what_it_has() -> None:
    machine = reading(4)
    assert blocks(machine, 1, 2) == []
    assert list(machine.tick(machine.due or 0.0)) == [Ack(2)]


def test_a_file_that_is_lost_meanwhile_ends_the_transfer_with_an_error() -> None:
    class Breaking(Octets):
        def read(self, offset: int, length: int) -> memoryview:
            if offset:
                raise ContentLost("it was changed while it was read")
            return super().read(offset, length)

    sending = Sending(Breaking(bytes(1 << 18)), Agreed(1468), Random(1))
    messages = list(sending.start(0.0))
    while sending.ending is None:
        messages = list(sending.take(Ack(sending.sent), 0.0))
    assert messages == [Error(0, "the file cannot be read")]
    assert "changed" in sending.ending.reason


TEXT = Random(3).choices([b"\n", b"\r", b"a", b"word"], k=60_000)


@pytest.mark.parametrize("blocks", [1, 16])
def test_netascii_is_made_piece_by_piece(blocks: int) -> None:
    """A whole large file would hold up everything else; a bad line asks for pieces again."""
    text = b"".join(TEXT)
    longest = 0

    class Watched(Octets):
        def read(self, offset: int, length: int) -> memoryview:
            nonlocal longest
            longest = max(longest, length)
            return super().read(offset, length)

    _, _, over = read(Netascii(Watched(text)), window(blocks, 512), 5, Quality(loss=0.02, late_s=0.004), "netascii")
    assert over.content == netascii.encode(text)
    assert longest <= 1 << 16
