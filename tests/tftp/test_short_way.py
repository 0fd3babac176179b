"""The short way of a read, :meth:`Sending.reply`: it does nothing but what the long way would do."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tftp.line import Quality, Read, read
from voxpath.tftp.content import PIECE_OCTETS, ContentLost, Octets
from voxpath.tftp.message import Ack, Data, Error
from voxpath.tftp.options import Agreed
from voxpath.tftp.sending import Sending
from voxpath.tftp.wire import parse, write

SIZE = 8


def seen(over: Read) -> tuple[object, ...]:
    """All that either side and the line between them can tell."""
    line, sending, reading = over
    return line.sent, line.now, sending.acked, sending.repeated, sending.ending, reading.content, reading.ending


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    octets=st.integers(0, 9000) | st.sampled_from([PIECE_OCTETS - 1, PIECE_OCTETS, PIECE_OCTETS + 1]),
    blocks=st.integers(1, 64),
    size=st.sampled_from([100, 512, 1024, 1468]),
    quality=st.builds(Quality, st.floats(0, 0.25), st.floats(0, 1), st.sampled_from([0.0, 0.004, 0.05])),
    mode=st.sampled_from(["octet", "netascii"]),
)
def test_the_short_way_sends_what_the_long_way_would_send_when_it_would_send_it(
    seed: int, octets: int, blocks: int, size: int, quality: Quality, mode: str
) -> None:
    content, options = Random(seed).randbytes(octets), (("blksize", str(size)), ("windowsize", str(blocks)))
    assert seen(read(content, options, seed, quality, mode, short=True)) == seen(read(content, options, seed, quality, mode))


@pytest.mark.parametrize("window", [1, 16])
def test_nearly_all_of_a_clean_transfer_takes_the_short_way(window: int) -> None:
    """The ACK of the OACK, and that of the last block, are the core's."""
    content = Random(1).randbytes(300_000)
    line, _, reading = read(content, (("blksize", "1468"), ("windowsize", str(window))), 1, short=True)
    assert reading.content == content
    assert line.shortened == -(-205 // window) - 1


def test_block_numbers_roll_over_on_the_short_way() -> None:
    content = Random(7).randbytes(8 * 65_600 + 3)
    line, sending, reading = read(content, (("blksize", "8"), ("windowsize", "1")), 1, short=True)
    assert reading.content == content
    assert sending.acked == 65_601
    assert line.shortened == 65_600


def begun(content: Octets, window: int = 1, size: int = SIZE) -> Sending:
    """A read whose first window has been sent."""
    sending = Sending(content, Agreed(size, answer=(("blksize", str(size)),), window=window), Random(1))
    sending.start(0.0)
    sending.take(Ack(0), 0.0)
    return sending


@pytest.mark.parametrize("octets", [write(Ack(0)), write(Ack(2)), write(Ack(1)) + b"\0", b"", write(Error(1, "gone")), b"\xff" * 9])
def test_the_short_way_answers_one_ack_and_changes_nothing_by_any_other_message(octets: bytes) -> None:
    sending = begun(Octets(bytes(SIZE * 4)))
    before = vars(sending).copy()
    assert sending.reply(octets, 0.5) is None
    assert vars(sending) == before
    train = sending.reply(write(Ack(1)), 0.5)
    assert train is not None
    assert [parse(bytes(datagram)) for datagram in train.datagrams()] == [Data(2, bytes(SIZE))]


def test_the_first_ack_after_a_timeout_takes_the_long_way_so_that_the_timer_is_looked_at() -> None:
    """The wait after a repetition is longer than that after a block that is new: the timer must come earlier again."""
    sending = begun(Octets(bytes(SIZE * 9)))
    assert sending.due is not None
    assert sending.tick(sending.due)
    assert sending.reply(write(Ack(1)), 1.5) is None
    assert sending.take(Ack(1), 1.5) == [Data(2, bytes(SIZE))]
    assert sending.reply(write(Ack(2)), 1.6)


def test_a_long_transfer_is_not_given_up_at_its_first_loss() -> None:
    """What counts is how long a block has not been answered, not how long ago the core was asked."""
    sending = begun(Octets(bytes(SIZE * 90)))
    for block in range(1, 61):
        assert sending.reply(write(Ack(block)), block * 0.9)
    assert sending.due == pytest.approx(55)
    assert list(sending.tick(55.1)) == [Data(61, bytes(SIZE))]
    assert sending.ending is None


def test_while_windows_leave_in_bursts_the_short_way_is_closed() -> None:
    sending = begun(Octets(bytes(SIZE * 90)), window=4)
    train = sending.reply(write(Ack(4)), 0.1)
    assert train is not None
    assert len(train.datagrams()) == 4
    assert len(sending.take(Ack(6), 0.1)) == 2
    assert sending.reply(write(Ack(8)), 0.1) is None


def test_a_file_that_is_lost_is_the_long_ways_to_tell() -> None:
    class Breaking(Octets):
        def read(self, offset: int, length: int) -> memoryview:
            if offset:
                raise ContentLost("it was changed while it was read")
            return super().read(offset, length)

    sending = begun(Breaking(bytes(4 * PIECE_OCTETS)), size=1468)
    while sending.reply(write(Ack(sending.sent)), 0.0):
        assert sending.sent < 4 * PIECE_OCTETS // 1468
    assert sending.ending is None
    assert list(sending.take(Ack(sending.sent), 0.0)) == [Error(0, "the file cannot be read")]
    assert sending.reply(write(Ack(sending.sent)), 0.0) is None


def test_an_empty_datagram_is_no_acknowledgement() -> None:
    """While nothing is awaited on the short way, what comes is the core's to refuse."""
    sending = Sending(Octets(bytes(3000)), Agreed(answer=(("blksize", "512"),)), Random(1))
    list(sending.start(0.0))
    assert sending.reply(b"", 0.0) is None
    assert sending.acked == -1


def test_the_short_way_waits_as_long_as_was_agreed_for_a_client_that_has_shown_itself() -> None:
    sending = Sending(Octets(bytes(SIZE * 9)), Agreed(SIZE, timeout_s=9, answer=(("timeout", "9"),)), Random(1))
    sending.start(0.0)
    sending.take(Ack(0), 0.0)
    assert sending.due == 4.0
    assert sending.reply(write(Ack(1)), 1.0)
    assert sending.due == 10.0
