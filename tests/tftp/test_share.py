"""Who gives way where there is no room for one more transfer (TFT-2)."""

from random import Random
from typing import Any

import pytest

from tests.tftp.test_server import CLIENT, PHONE, begin, events, say, sends, server
from voxpath.core.effects import Ask, Close, Direct, Done, Send
from voxpath.model.address import Endpoint
from voxpath.tftp.event import TftpAborted, TftpDropped, TftpWriteAborted
from voxpath.tftp.message import Ack, Data, Error, ErrorCode, ReadRequest, WriteRequest
from voxpath.tftp.question import Admitted, Kept
from voxpath.tftp.server import TftpServer
from voxpath.tftp.session import WRITES_PER_PHONE
from voxpath.tftp.share import DOUBTED_AFTER_S, SILENT_AFTER_S, Share
from voxpath.tftp.wire import write

SLOW = ReadRequest("f", "octet", (("timeout", "255"), ("blksize", "8")))
NEW = Endpoint("10.0.0.99", 9)


def held(core: TftpServer, client: Endpoint, now: float = 0.0) -> tuple[str, list[object]]:
    """A read whose client acknowledged the OACK and a block, and says no more."""
    port, told = begin(core, SLOW, bytes(800), now, client)
    for block in (0, 1):
        say(core, Ack(block), port, client, now)
    return port, told


def is_taken(effects: list[object]) -> bool:
    return any(isinstance(effect, Ask) for effect in effects)


def test_who_has_been_silent_for_longest_makes_room_and_is_told() -> None:
    """Two hosts that hold all places for 25 minutes by three packets for each of them would keep everybody out."""
    core = server(transfers=2)
    later, earlier = Endpoint("10.0.0.12", 1), Endpoint("10.0.0.13", 1)
    held(core, later, 1.0)
    port, _ = held(core, earlier, 0.0)
    dropped = say(core, ReadRequest("g"), source=NEW, now=SILENT_AFTER_S - 0.1)
    assert events(dropped, TftpDropped)
    assert not is_taken(dropped)
    effects = say(core, ReadRequest("g"), source=NEW, now=SILENT_AFTER_S)
    assert is_taken(effects)
    (aborted,) = events(effects, TftpAborted)
    assert isinstance(aborted, TftpAborted)
    assert (aborted.client, aborted.reason) == (str(earlier), "its client has been silent for 10 s, and others wait")
    error = write(Error(ErrorCode.NOT_DEFINED, "others wait, and you have been silent"))
    at = effects.index(Send(error, earlier, port))
    assert Close(port) in effects[at:]
    assert core.transfers == 2


def test_a_transfer_that_goes_on_makes_no_room_by_whichever_way_it_goes_on() -> None:
    core = server(transfers=2)
    _, told = held(core, CLIENT)
    (shortcut,) = [effect.reply for effect in told if isinstance(effect, Direct)]
    assert shortcut is not None
    other = Endpoint("10.0.0.13", 1)
    second, _ = held(core, other)
    for block in range(2, 30):
        assert shortcut(write(Ack(block)), float(block))
        say(core, Ack(block), second, other, float(block))
        assert not is_taken(say(core, ReadRequest("g"), source=NEW, now=block + 0.5))
    assert not is_taken(say(core, ReadRequest("g"), source=NEW, now=29 + SILENT_AFTER_S - 0.1))
    assert is_taken(say(core, ReadRequest("g"), source=NEW, now=29 + SILENT_AFTER_S))


def test_nobody_is_sent_away_while_there_is_room() -> None:
    """A client that agreed on 255 s may need them."""
    core = server(transfers=2)
    port, _ = held(core, CLIENT)
    assert is_taken(say(core, ReadRequest("g"), source=NEW, now=200.0))
    assert [message.block for message in sends(say(core, Ack(2), port, now=250.0)) if isinstance(message, Data)] == [3]


def test_who_never_showed_himself_goes_before_a_silent_client() -> None:
    """Otherwise forged requests would send real clients away."""
    core = server(transfers=2)
    held(core, CLIENT)
    gone = Endpoint("10.0.0.12", 1)
    port, _ = held(core, gone)
    assert not is_taken(say(core, ReadRequest("g"), source=NEW, now=5.0))
    say(core, Error(0, "enough"), port, gone, 6.0)
    begin(core, ReadRequest("f"), bytes(2000), 50.0, Endpoint("10.0.0.13", 1))
    effects = say(core, ReadRequest("g"), source=NEW, now=50.0 + DOUBTED_AFTER_S)
    (aborted,) = events(effects, TftpAborted)
    assert isinstance(aborted, TftpAborted)
    assert aborted.client == "10.0.0.13:1"


@pytest.mark.parametrize(
    ("settings", "wanting"),
    [({"transfers": 2, "data_ports": (40000, 40000)}, NEW), ({"transfers_per_host": 2}, Endpoint(CLIENT.host, 9))],
)
def test_whatever_is_full_makes_room_by_a_silent_client(settings: dict[str, Any], wanting: Endpoint) -> None:
    core = server(**settings)
    for port in (1, 2):
        held(core, Endpoint(CLIENT.host, port))
    assert not is_taken(say(core, ReadRequest("g"), source=wanting, now=SILENT_AFTER_S - 1))
    assert is_taken(say(core, ReadRequest("g"), source=wanting, now=SILENT_AFTER_S + 1))
    assert core.transfers == 2


def begun_writes(count: int) -> TftpServer:
    """Writes of one phone, each with a block."""
    core = server(writes=WRITES_PER_PHONE)
    for number in range(1, count + 1):
        client = Endpoint(CLIENT.host, number)
        say(core, WriteRequest("log"), source=client)
        core.resolve(f"t{number}", Done(Admitted(10_000)), 0.0)
        say(core, Data(1, bytes(512)), f"t{number}", client)
    return core


@pytest.mark.parametrize("host", [CLIENT.host, NEW.host])
def test_a_silent_writer_makes_room_for_a_writer(host: str) -> None:
    core = begun_writes(WRITES_PER_PHONE)
    assert not is_taken(say(core, WriteRequest("log"), source=Endpoint(host, 99), now=SILENT_AFTER_S - 1))
    effects = say(core, WriteRequest("log"), source=Endpoint(host, 99), now=SILENT_AFTER_S + 1)
    assert is_taken(effects)
    (aborted,) = events(effects, TftpWriteAborted)
    assert aborted.phone == PHONE


def test_a_file_that_is_being_kept_makes_no_room_however_long_the_disk_takes() -> None:
    core = begun_writes(WRITES_PER_PHONE)
    assert not is_taken(say(core, WriteRequest("log"), source=NEW, now=5.0))
    for number in range(1, WRITES_PER_PHONE + 1):
        say(core, Data(2, b"end"), f"t{number}", Endpoint(CLIENT.host, number))
    for now in (20.0, 40.0, 60.0):
        assert not is_taken(say(core, WriteRequest("log"), source=NEW, now=now))
    assert sends(core.resolve("t1", Done(Kept("b/log")), 61.0)) == [Ack(2)]
    assert is_taken(say(core, WriteRequest("log"), source=NEW, now=61.0))


def test_a_request_whose_file_is_still_being_looked_for_makes_no_room() -> None:
    """Its client waits for us, and may be anybody."""
    core = server(transfers=1)
    say(core, ReadRequest("f"))
    for now in (2.0, 20.0):
        assert not is_taken(say(core, ReadRequest("g"), source=NEW, now=now))
    core.resolve("t1", Done(bytes(2000)), 21.0)
    assert is_taken(say(core, ReadRequest("g"), source=NEW, now=22.0))


def test_a_full_table_of_silent_clients_takes_as_many_new_ones() -> None:
    core = server()
    for number in range(1024):
        held(core, Endpoint(f"10.0.1.{number % 2}", 2000 + number))
    clients = [Endpoint("10.0.2.1", 2000 + number) for number in range(512)]
    assert not any(is_taken(say(core, ReadRequest("g"), source=client, now=5.0)) for client in clients)
    assert all(is_taken(say(core, ReadRequest("g"), source=client, now=SILENT_AFTER_S)) for client in clients)
    assert core.transfers == 1024


class Busy:
    """A transfer that never stops; it counts how often it was looked at."""

    began, waits_for_us = 0.0, False

    def __init__(self, name: str) -> None:
        self.name = name
        self.now, self.looked = 0.0, 0

    @property
    def heard_at(self) -> float:
        self.looked += 1
        return self.now


def test_requests_that_find_no_room_do_not_look_at_all_transfers_each_time() -> None:
    share, claims, entropy = Share(), [Busy(f"t{number}") for number in range(100)], Random(1)
    for claim in claims:
        share.enter(claim)
    for tenth in range(1000):
        for claim in claims:
            claim.now = tenth / 10 - entropy.random()
        for _ in range(10):
            assert share.giving_way(tenth / 10) == ""
    assert max(claim.looked for claim in claims) <= 2 + 100 / (SILENT_AFTER_S - 1)
    for claim in claims:
        share.leave(claim.name)
    assert (len(share), share.giving_way(1e6)) == (0, "")
