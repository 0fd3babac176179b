"""Phones write files (TFT-5): nothing is acknowledged to its end before it is kept."""

from random import Random
from typing import Any

import pytest

from tests.tftp.test_server import CLIENT, PHONE, SERVER, House, events, say, sends
from voxpath.core.effects import Ask, Close, Done, Effect, Emit, Failed, Open, Send
from voxpath.model.address import Endpoint
from voxpath.model.event import MessageEvent
from voxpath.tftp.event import TftpDropped, TftpRefused, TftpStored, TftpWriteAborted
from voxpath.tftp.machine import DALLY_S
from voxpath.tftp.message import Ack, Data, Error, OptionAck, ReadRequest, WriteRequest
from voxpath.tftp.question import Admit, Admitted, Keep, Kept, Refused
from voxpath.tftp.server import TftpServer
from voxpath.tftp.session import TftpSettings
from voxpath.tftp.wire import write

LOG = WriteRequest("boot.log")
BEYOND = Refused(3, "a file may have few octets", "raise tftp.upload_octets")


def server(**settings: Any) -> TftpServer:
    return TftpServer(House(), Random(1), TftpSettings(**{"writes": 4, **settings}))


def admitted(core: TftpServer, request: WriteRequest = LOG, most: int = 10_000) -> list[object]:
    """Ask to write, and be allowed to."""
    assert Ask(Admit(request.name, CLIENT), "t1") in say(core, request)
    return list(core.resolve("t1", Done(Admitted(most, BEYOND)), 0.0))


def asked_to_keep(effects: list[object]) -> Keep:
    (keep,) = [effect.question for effect in effects if isinstance(effect, Ask)]
    assert isinstance(keep, Keep)
    return keep


def test_a_write_is_kept_before_its_last_block_is_acknowledged() -> None:
    core = server()
    effects = admitted(core)
    assert effects[0] == Open("t1", Endpoint(SERVER, 0))
    assert sends(effects) == [Ack(0)]
    assert sends(say(core, Data(1, b"x" * 512), "t1")) == [Ack(1)]
    last = say(core, Data(2, b"end"), "t1")
    assert sends(last) == []
    assert asked_to_keep(last) == Keep("boot.log", CLIENT, b"x" * 512 + b"end")
    kept = list(core.resolve("t1", Done(Kept("020000000a01/boot.log")), 0.3))
    assert sends(kept) == [Ack(2)]
    (stored,) = events(kept, TftpStored)
    assert isinstance(stored, TftpStored)
    assert (stored.phone, stored.name, stored.octets, stored.duration_s) == (PHONE, "020000000a01/boot.log", 515, 0.3)


def test_while_it_is_being_kept_repeated_blocks_ask_for_nothing_and_get_nothing() -> None:
    core = server()
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    assert say(core, Data(1, b"all"), "t1") == []
    assert list(core.tick(100.0)) == []


def test_a_client_that_gives_up_while_its_file_is_kept_does_not_make_it_unkept() -> None:
    core = server()
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    assert not events(say(core, Error(0, "tired"), "t1"), TftpWriteAborted)
    assert events(core.resolve("t1", Done(Kept("b/boot.log")), 0.0), TftpStored)


def test_the_last_ack_is_repeated_for_a_client_that_missed_it_and_then_the_port_is_closed() -> None:
    core = server()
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    core.resolve("t1", Done(Kept("b/boot.log")), 0.0)
    again = say(core, Data(1, b"all"), "t1", now=1.0)
    assert sends(again) == [Ack(1)]
    assert not events(again, TftpStored)
    assert core.transfers == 1
    over = core.tick(DALLY_S)
    assert list(over) == [Close("t1")]
    assert core.transfers == 0


def test_the_same_client_may_write_the_next_file_at_once() -> None:
    """curl and busybox use a new port, others do not."""
    core = server()
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    core.resolve("t1", Done(Kept("b/boot.log")), 0.0)
    effects = say(core, LOG)
    assert Close("t1") in effects
    assert Ask(Admit("boot.log", CLIENT), "t2") in effects
    assert not events(effects, TftpWriteAborted)


@pytest.mark.parametrize("refused", [Refused(3, "the disk is full", "/uploads: no space"), Refused(0, "the file cannot be kept")])
def test_what_cannot_be_kept_is_an_error_to_the_phone_and_one_event(refused: Refused) -> None:
    core = server()
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    effects = list(core.resolve("t1", Done(refused), 0.0))
    assert effects[0] == Send(write(Error(refused.code, refused.reason)), CLIENT, "t1")
    (event,) = [effect.event for effect in effects if isinstance(effect, Emit) and not isinstance(effect.event, MessageEvent)]
    assert isinstance(event, TftpRefused)
    assert event.code == refused.code
    assert refused.detail in event.reason
    assert effects[-1] == Close("t1")
    assert core.transfers == 0


def test_a_fault_while_it_is_kept_is_an_error_to_the_phone() -> None:
    core = server()
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    assert Error(0, "the file cannot be kept") in sends(core.resolve("t1", Failed("a thread died"), 0.0))
    assert core.transfers == 0


def test_a_phone_that_may_not_write_is_told_why() -> None:
    core = server()
    say(core, LOG)
    effects = list(core.resolve("t1", Done(Refused(2, "only a phone that holds a lease may write")), 0.0))
    assert sends(effects) == [Error(2, "only a phone that holds a lease may write")]
    assert core.transfers == 0


def test_a_size_that_is_too_large_is_refused_before_the_first_block() -> None:
    core = server()
    effects = admitted(core, WriteRequest("boot.log", "octet", (("tsize", "10001"),)))
    assert sends(effects) == [Error(3, "a file may have few octets")]
    (event,) = events(effects, TftpRefused)
    assert event.text.endswith("with error 3: a file may have few octets: raise tftp.upload_octets")
    assert (core.no_room, core.transfers) == (1, 0)


def test_a_file_that_grows_too_large_is_refused_on_the_way() -> None:
    core = server()
    admitted(core, most=600)
    say(core, Data(1, bytes(512)), "t1")
    effects = say(core, Data(2, bytes(512)), "t1")
    assert sends(effects) == [Error(3, "a file may have few octets")]
    (event,) = events(effects, TftpWriteAborted)
    assert event.text.endswith("block 1: a file may have few octets: raise tftp.upload_octets")
    assert (core.no_room, core.transfers) == (1, 0)


@pytest.mark.parametrize(("refused", "counted"), [(Refused(3, "your box is full"), 1), (Refused(2, "no lease"), 0)])
def test_what_has_no_room_is_counted_and_nothing_else(refused: Refused, counted: int) -> None:
    core = server()
    say(core, LOG)
    core.resolve("t1", Done(refused), 0.0)
    admitted_later = server()
    admitted(admitted_later)
    say(admitted_later, Data(1, b"all"), "t1")
    admitted_later.resolve("t1", Done(refused), 0.0)
    assert core.no_room == admitted_later.no_room == counted


def test_a_client_whose_own_disk_is_full_is_none_of_those() -> None:
    core = server()
    admitted(core)
    say(core, Error(3, "disk full"), "t1")
    assert core.no_room == 0


def test_options_of_a_write_are_agreed_on_and_windows_acknowledged_once() -> None:
    core = server()
    options = (("blksize", "100"), ("tsize", "250"), ("windowsize", "2"))
    assert sends(admitted(core, WriteRequest("boot.log", "octet", options))) == [OptionAck(options)]
    assert sends(say(core, Data(1, bytes(100)), "t1")) == []
    assert sends(say(core, Data(2, bytes(100)), "t1")) == [Ack(2)]
    assert asked_to_keep(say(core, Data(3, bytes(50)), "t1")).content == bytes(250)


def test_an_empty_file_is_kept_too() -> None:
    core = server()
    admitted(core)
    assert asked_to_keep(say(core, Data(1, b""), "t1")).content == b""


def test_text_is_marked_as_netascii() -> None:
    core = server()
    admitted(core, WriteRequest("boot.log", "netascii"))
    assert asked_to_keep(say(core, Data(1, b"a\r\n"), "t1")).netascii


def test_a_writer_that_falls_silent_leaves_nothing_and_is_told_of() -> None:
    core = server()
    told: list[object] = admitted(core)
    told += say(core, Data(1, bytes(512)), "t1")
    while (due := core.next_due()) is not None:
        told += core.tick(due)
    assert events(told, TftpWriteAborted)
    assert not [effect for effect in told if isinstance(effect, Ask)]
    assert core.transfers == 0


def test_a_writer_that_never_shows_itself_gets_three_messages() -> None:
    core = server()
    told: list[object] = admitted(core)
    while (due := core.next_due()) is not None:
        told += core.tick(due)
    assert sends(told) == [Ack(0)] * 3


def test_no_more_files_are_written_at_once_than_memory_has_room_for() -> None:
    core = server(writes=1)
    admitted(core)
    other = Endpoint("10.0.0.12", 9)
    (dropped,) = events(say(core, LOG, source=other), TftpDropped)
    assert "1 files are being written" in dropped.text
    assert [effect for effect in say(core, ReadRequest("f"), source=other) if isinstance(effect, Ask)]


def test_a_writer_that_never_shows_itself_makes_room_for_another_and_a_reader_does_not() -> None:
    core = server(writes=1)
    say(core, ReadRequest("f"), source=Endpoint("10.0.0.13", 9))
    core.resolve("t1", Done(bytes(2000)), 0.0)
    say(core, LOG)
    core.resolve("t2", Done(Admitted(1000)), 0.0)
    effects = say(core, LOG, source=Endpoint("10.0.0.12", 9), now=2.0)
    assert [effect for effect in effects if isinstance(effect, Ask)]
    assert [event.client for event in events(effects, TftpWriteAborted) if isinstance(event, TftpWriteAborted)] == [str(CLIENT)]


def test_a_file_that_is_kept_makes_room_at_once() -> None:
    """Its last ACK may have to be repeated for a while; that takes no memory."""
    core = server(writes=1)
    admitted(core)
    say(core, Data(1, b"all"), "t1")
    core.resolve("t1", Done(Kept("b/boot.log")), 0.0)
    assert [effect for effect in say(core, LOG, source=Endpoint("10.0.0.12", 9)) if isinstance(effect, Ask)]


def test_the_ladder_shows_the_request_the_first_block_and_the_last_ack() -> None:
    core = server()
    told: list[Effect | object] = [*say(core, LOG), *core.resolve("t1", Done(Admitted(9999)), 0.0)]
    for block in (1, 2):
        told += say(core, Data(block, bytes(512)), "t1")
    told += say(core, Data(3, b"end"), "t1")
    told += core.resolve("t1", Done(Kept("b/boot.log")), 0.0)
    shown = [event.summary for event in events(told, MessageEvent) if isinstance(event, MessageEvent)]
    assert shown == ["WRQ boot.log octet", "ACK 0", "DATA 1 (512 octets)", "ACK 3"]


def test_in_single_port_mode_files_are_written_too() -> None:
    core = server(single_port=True)
    admitted(core)
    say(core, Data(1, b"all"))
    assert sends(core.resolve("t1", Done(Kept("b/boot.log")), 0.0)) == [Ack(1)]
    assert sends(say(core, Data(1, b"all"))) == [Ack(1)]
