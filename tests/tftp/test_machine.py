"""Both sides of a transfer, against each other over a line that loses and doubles, in virtual time."""

from random import Random

import pytest

from tests.tftp.line import Quality, read
from voxpath.tftp.content import Octets
from voxpath.tftp.machine import DALLY_S, FIRST_PATIENCE_S, FIRST_WAIT_MOST_S
from voxpath.tftp.message import Ack, Data, Error, Message, OptionAck, ReadRequest
from voxpath.tftp.options import Agreed
from voxpath.tftp.question import Admitted
from voxpath.tftp.receiving import Reading, Writing
from voxpath.tftp.sending import Sending

BLKSIZE = (("blksize", "1000"), ("tsize", "0"))


@pytest.mark.parametrize("options", [(), BLKSIZE, (("blksize", "8"),), (("timeout", "2"),)])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1000, 10_000])
def test_files_arrive_octet_by_octet(size: int, options: tuple[tuple[str, str], ...]) -> None:
    content = Random(size).randbytes(size)
    over = read(content, options, 1)
    assert over.reading.content == content
    assert over.sending.ending is not None
    assert not over.sending.ending.reason
    assert over.sending.repeated == 0


def test_more_than_65535_blocks_roll_over() -> None:
    content = Random(5).randbytes(65_600 * 8 + 3)
    over = read(content, (("blksize", "8"),), 1)
    assert over.reading.content == content
    assert over.sending.acked == 65_601


@pytest.mark.parametrize("seed", range(20))
def test_loss_and_duplication_cost_time_but_no_octet(seed: int) -> None:
    content = Random(seed).randbytes(20_000)
    over = read(content, BLKSIZE, seed, Quality(loss=0.1, doubled=0.1))
    if over.sending.acked > 0:
        assert over.reading.content == content


def test_a_doubled_line_does_not_double_the_data() -> None:
    """The Sorcerer's Apprentice: every message arrives twice, yet every block is sent once."""
    content = bytes(50_000)
    over = read(content, BLKSIZE, 1, Quality(doubled=1.0))
    data = [message for message in over.line.sent if isinstance(message, Data)]
    assert len(data) == 51
    assert over.reading.content == content


def test_a_duplicate_ack_is_not_answered() -> None:
    sending = Sending(Octets(bytes(2000)), Agreed(), Random(1))
    list(sending.start(0.0))
    assert list(sending.take(Ack(1), 0.1)) == [Data(2, bytes(512))]
    assert list(sending.take(Ack(1), 0.2)) == []
    assert list(sending.take(Ack(0), 0.2)) == []
    assert list(sending.take(Ack(9), 0.2)) == []


def test_only_a_timeout_repeats_data() -> None:
    sending = Sending(Octets(bytes(2000)), Agreed(), Random(1))
    list(sending.start(0.0))
    second = list(sending.take(Ack(1), 0.0))
    assert list(sending.tick(0.5)) == []
    assert list(sending.tick(1.0)) == second
    assert sending.due == pytest.approx(3.0)


def test_an_agreed_timeout_is_kept_exactly() -> None:
    sending = Sending(Octets(bytes(2000)), Agreed(timeout_s=3, answer=(("timeout", "3"),)), Random(1))
    list(sending.start(0.0))
    assert sending.due == 3.0
    list(sending.tick(3.0))
    assert sending.due == 6.0


@pytest.mark.parametrize(
    ("timeout_s", "sendings", "given_up_s"), [(3, 6, 18), (10, 6, 60), (20, 3, 60), (45, 2, 90), (255, 2, 510)]
)
def test_a_client_that_agreed_on_a_timeout_and_went_silent_is_given_up_within_a_minute_or_two_waits(
    timeout_s: int, sendings: int, given_up_s: float
) -> None:
    """What a slow client lost comes again at its own interval; and no place in the table is held for half an hour."""
    sending = Sending(Octets(bytes(2000)), Agreed(timeout_s=timeout_s, answer=(("timeout", str(timeout_s)),)), Random(1))
    list(sending.start(0.0))
    list(sending.take(Ack(0), 0.0))
    told = [*sending.take(Ack(1), 0.0)]
    while sending.due is not None:
        last = sending.due
        told += sending.tick(last)
    assert told == [Data(2, bytes(512))] * sendings
    assert last == given_up_s
    assert sending.ending is not None


@pytest.mark.parametrize("kind", [Sending, Writing])
def test_a_long_timeout_holds_only_once_the_client_has_shown_itself(kind: type[Sending | Writing]) -> None:
    """A thousand forged requests that ask for 255 s would hold the whole table for a quarter of an hour."""
    agreed = Agreed(timeout_s=255, answer=(("timeout", "255"),))
    transfer = Sending(Octets(bytes(2000)), agreed, Random(1)) if kind is Sending else Writing(agreed, Admitted(10_000), Random(1))
    list(transfer.start(0.0))
    while transfer.ending is None:
        assert transfer.due is not None
        now = transfer.due
        list(transfer.tick(now))
    assert now == 2 * FIRST_WAIT_MOST_S + FIRST_PATIENCE_S
    transfer = Sending(Octets(bytes(2000)), agreed, Random(1)) if kind is Sending else Writing(agreed, Admitted(10_000), Random(1))
    list(transfer.start(0.0))
    for message in (Ack(0), Ack(1)) if kind is Sending else (Data(1, bytes(512)),):
        list(transfer.take(message, 1.0))
    assert transfer.due == 256.0


@pytest.mark.parametrize(
    ("agreed", "told"),
    [(Agreed(), [Data(1, bytes(512))] * 2), (Agreed(8, answer=(("blksize", "8"),)), [OptionAck((("blksize", "8"),))] * 3)],
    ids=["DATA", "OACK"],
)
def test_a_client_that_never_showed_itself_gets_few_messages(agreed: Agreed, told: list[Message]) -> None:
    """Its address may be forged: nobody is to be flooded through us, least of all with DATA."""
    sending = Sending(Octets(bytes(2000)), agreed, Random(1))
    messages = [*sending.start(0.0)]
    while sending.due is not None:
        last = sending.due
        messages += sending.tick(last)
    assert messages == told
    assert last >= 1 + FIRST_PATIENCE_S, "a stock client repeats what it sent after 5 s"
    assert sending.ending is not None
    assert "no answer" in sending.ending.reason


def test_a_client_that_went_silent_is_given_up() -> None:
    sending = Sending(Octets(bytes(2000)), Agreed(), Random(1))
    list(sending.start(0.0))
    list(sending.take(Ack(1), 0.0))
    while sending.due is not None:
        last = sending.due
        list(sending.tick(last))
    assert 25 < last < 60
    assert sending.ending is not None


def test_an_error_of_the_client_ends_it() -> None:
    sending = Sending(Octets(bytes(2000)), Agreed(), Random(1))
    list(sending.start(0.0))
    assert list(sending.take(Error(3, "full"), 0.0)) == []
    assert sending.ending is not None
    assert sending.ending.code == 3


def test_what_does_not_belong_is_refused() -> None:
    sending = Sending(Octets(bytes(2000)), Agreed(), Random(1))
    list(sending.start(0.0))
    assert [type(message) for message in sending.take(Data(1, b""), 0.0)] == [Error]
    reading = Reading(ReadRequest("f"), 100, Random(1))
    list(reading.start(0.0))
    assert [type(message) for message in reading.take(Ack(1), 0.0)] == [Error]


def reading(largest: int = 1 << 20, *options: tuple[str, str]) -> Reading:
    machine = Reading(ReadRequest("f", "octet", options), largest, Random(1))
    list(machine.start(0.0))
    return machine


def test_the_last_block_is_acknowledged_again_while_dallying() -> None:
    machine = reading()
    assert list(machine.take(Data(1, b"end"), 0.0)) == [Ack(1)]
    assert machine.ending is not None
    assert list(machine.take(Data(1, b"end"), 1.0)) == [Ack(1)]
    assert machine.due == DALLY_S
    assert list(machine.tick(DALLY_S)) == []
    assert machine.due is None
    assert list(machine.take(Data(1, b"end"), DALLY_S)) == []


def test_a_file_that_is_too_large_is_refused_with_code_3() -> None:
    assert list(reading(600).take(Data(1, bytes(512)), 0.0)) == [Ack(1)]
    machine = reading(600, ("tsize", "0"))
    (error,) = machine.take(OptionAck((("tsize", "601"),)), 0.0)
    assert isinstance(error, Error)
    assert error.code == 3
    machine = reading(600)
    list(machine.take(Data(1, bytes(512)), 0.0))
    (error,) = machine.take(Data(2, bytes(512)), 0.0)
    assert isinstance(error, Error)
    assert error.code == 3


def test_a_file_shorter_than_announced_is_incomplete() -> None:
    machine = reading(1000, ("tsize", "0"))
    list(machine.take(OptionAck((("tsize", "600"),)), 0.0))
    list(machine.take(Data(1, bytes(500)), 0.0))
    assert machine.ending is not None
    assert "announced" in machine.ending.reason


def test_a_wrong_oack_is_refused_with_code_8() -> None:
    machine = reading(1000)
    (error,) = machine.take(OptionAck((("blksize", "600"),)), 0.0)
    assert isinstance(error, Error)
    assert error.code == 8


def test_an_oversized_block_is_refused() -> None:
    (error,) = reading(10_000).take(Data(1, bytes(513)), 0.0)
    assert isinstance(error, Error)
    assert error.code == 4


def test_a_repeated_oack_is_acknowledged_once_more_until_data_comes() -> None:
    machine = reading(1000, ("blksize", "600"))
    oack = OptionAck((("blksize", "600"),))
    assert list(machine.take(oack, 0.0)) == [Ack(0)]
    assert list(machine.take(oack, 0.1)) == [Ack(0)]
    list(machine.take(Data(1, bytes(600)), 0.2))
    assert list(machine.take(oack, 0.3)) == []


def test_an_answer_to_nothing_is_given_up() -> None:
    machine = reading()
    while machine.due is not None:
        list(machine.tick(machine.due))
    assert machine.ending is not None
    assert "no answer" in machine.ending.reason
