from random import Random

import pytest

from voxpath.core.effects import Close, Datagram, Effects, Open, Send
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.tftp.client import Download, Wanted
from voxpath.tftp.machine import DALLY_S
from voxpath.tftp.message import Ack, Data, Error, Message, OptionAck, ReadRequest
from voxpath.tftp.wire import parse, write

SERVER = Endpoint("10.0.0.1", 69)
TRANSFER = Endpoint("10.0.0.1", 40000)
LOCAL = Endpoint("10.0.0.11", 0)


def started() -> tuple[Download, list[object]]:
    download = Download(Wanted("vox.img", SERVER), "tftp/1", LOCAL, Random(1), "02:00:00:00:0a:01")
    return download, list(download.start(0.0))


def hear(download: Download, message: Message, source: Endpoint = TRANSFER, now: float = 0.1) -> list[object]:
    return list(download.receive(Datagram(write(message), source, LOCAL.host, "", "tftp/1"), now))


def sends(effects: Effects | list[object]) -> list[tuple[Message, Endpoint]]:
    return [(parse(effect.payload), effect.destination) for effect in effects if isinstance(effect, Send)]


def test_a_file_is_read_and_the_port_closed_after_the_dally() -> None:
    download, effects = started()
    assert effects[0] == Open("tftp/1", LOCAL)
    assert sends(effects) == [(ReadRequest("vox.img", "octet", (("blksize", "1468"), ("tsize", "0"))), SERVER)]
    assert sends(hear(download, OptionAck((("blksize", "1468"), ("tsize", "5"))))) == [(Ack(0), TRANSFER)]
    assert sends(hear(download, Data(1, b"image"))) == [(Ack(1), TRANSFER)]
    assert download.content == b"image"
    assert download.ending is not None
    assert not download.ending.reason
    assert not download.over
    assert download.next_due() == pytest.approx(0.1 + DALLY_S)
    assert Close("tftp/1") in list(download.tick(6.0))
    assert download.over
    assert download.next_due() is None


def test_another_port_of_the_server_gets_error_5() -> None:
    """Two answers to a doubled request: the second is turned away, the transfer goes on (RFC 1350 section 4)."""
    download, _ = started()
    hear(download, OptionAck((("blksize", "1468"),)))
    second = Endpoint(SERVER.host, 40001)
    (answer,) = sends(hear(download, OptionAck((("blksize", "1468"),)), second))
    assert isinstance(answer[0], Error)
    assert (answer[0].code, answer[1]) == (5, second)
    assert download.ending is None


def test_another_host_cannot_take_part() -> None:
    download, _ = started()
    ((error, _),) = sends(hear(download, Data(1, b"evil"), Endpoint("10.0.0.66", 69)))
    assert isinstance(error, Error)
    assert sends(hear(download, Error(1, "evil"), Endpoint("10.0.0.66", 69))) == []
    assert download.content == b""
    assert download.ending is None


def test_an_error_ends_it_and_closes_the_port() -> None:
    download, _ = started()
    effects = hear(download, Error(1, "no such file"), SERVER)
    assert effects[-1] == Close("tftp/1")
    assert download.ending is not None
    assert download.ending.code == 1
    assert download.over


def test_silence_ends_it() -> None:
    download, effects = started()
    while (due := download.next_due()) is not None:
        effects += download.tick(due)
    assert effects[-1] == Close("tftp/1")
    assert all(message == sends(effects)[0] for message in sends(effects))
    assert download.over


def test_stop_in_the_middle_closes_the_port_once() -> None:
    download, _ = started()
    assert download.stop() == [Close("tftp/1")]
    assert download.stop() == []
    assert download.next_due() is None


def test_rubbish_is_a_remote_error_and_changes_nothing() -> None:
    download, _ = started()
    with pytest.raises(RemoteError):
        download.receive(Datagram(b"x", TRANSFER), 0.0)
    assert download.ending is None
