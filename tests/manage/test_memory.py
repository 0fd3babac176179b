"""The memory and the log: bounded, and fed by the bus alone."""

import io
import json
from enum import Enum
from ipaddress import IPv4Address
from typing import ClassVar

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher
from twisted.python.reflect import namedAny

from voxpath.dhcp.event import DhcpNak
from voxpath.io.bus import EventBus, Record
from voxpath.manage.entry import entry_of
from voxpath.manage.event import ManholeLine
from voxpath.manage.log import LINES_PER_SECOND, EventLog, observer
from voxpath.manage.memory import Memory
from voxpath.model.address import Mac
from voxpath.model.event import Event, Level, MessageEvent
from voxpath.testing.clock import VirtualClock


class Noted(Event, frozen=True, kw_only=True):
    """A decision, for these tests."""

    ID: ClassVar[str] = "TEST_MEMORY_NOTED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{what} of {phone}"

    what: object = ""


class Colour(Enum):
    RED = "red"


def trace(phone: str, peer: str = "") -> MessageEvent:
    return MessageEvent(phone=phone, peer=peer, protocol="DHCP", sender=phone, receiver="dhcp", summary="DISCOVER")


def test_a_phone_is_remembered_under_both_names() -> None:
    bus, memory = EventBus(VirtualClock(Clock())), Memory()
    bus.subscribe(memory)
    bus.publish("mgc", trace("a", peer="b"))
    assert memory.of("a") == memory.of("b") != []
    assert memory.of("c") == []
    assert memory.last(10) == [], "messages would crowd out decisions"


def test_every_table_is_bounded() -> None:
    memory = Memory(per_phone=3, phones=2, recent=4)
    for count in range(10):
        memory(Record(count, "dhcp", Noted(phone="a", what=count)))
    memory(Record(20, "dhcp", trace("b")))
    memory(Record(21, "dhcp", trace("a")))
    memory(Record(22, "dhcp", trace("c")))
    assert memory.phones() == ["a", "c"], "the phone not heard of for longest is forgotten"
    assert memory.forgotten == 1
    assert [record.at for record in memory.of("a")] == [8, 9, 21]
    assert [record.at for record in memory.last(100)] == [6, 7, 8, 9]
    assert [record.at for record in memory.last(1)] == [9]
    assert memory.last(0) == []


def test_fields_become_plain_data() -> None:
    values = [IPv4Address("10.0.0.1"), Mac.parse("02:00:00:00:00:01"), b"\x01\xff", Colour.RED, Level.INFO, 1.5, None, ("a", 1)]
    plain = [entry_of(Record(0, "x", Noted(what=value))).fields["what"] for value in values]
    assert plain == ["10.0.0.1", "02:00:00:00:00:01", "01ff", "red", 1, 1.5, None, "('a', 1)"]


def written(form: str, *records: Record, level: Level = Level.INFO) -> list[str]:
    stream = io.StringIO()
    log = EventLog(level, Logger("voxpath", observer=LogPublisher(observer(stream, form))))
    for record in records:
        log(record)
    return stream.getvalue().splitlines()


def test_the_log_as_text() -> None:
    (line,) = written("text", Record(1, "dhcp", Noted(phone="a", what="x\x1b{y}")), Record(2, "dhcp", trace("a")))
    assert line.split(" ", 1)[1] == "warn dhcp TEST_MEMORY_NOTED x\\x1b{y} of a"


def test_a_line_of_text_says_whose_it_is() -> None:
    (line,) = written("text", Record(1, "dhcp", DhcpNak(phone="02:00:00:00:0a:01", address="10.0.0.9", reason="x")))
    assert line.endswith("DHCP_NAK refused 10.0.0.9: x [02:00:00:00:0a:01]")


def test_the_log_as_json() -> None:
    (line,) = written("json", Record(1, "dhcp", Noted(phone="a", what="x")))
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    assert fields == {
        "level": "warn", "role": "dhcp", "id": "TEST_MEMORY_NOTED", "phone": "a", "peer": "", "what": "x", "text": "x of a",
    }  # fmt: skip


def test_a_level_is_respected() -> None:
    assert written("text", Record(1, "dhcp", Noted()), level=Level.ERROR) == []


def test_a_flood_is_counted_not_written() -> None:
    flood = [Record(5.5, "dhcp", Noted(what=count)) for count in range(LINES_PER_SECOND + 7)]
    lines = written("text", *flood, Record(6, "dhcp", Noted(what="later")))
    assert len(lines) == LINES_PER_SECOND + 2
    assert lines[-2].endswith("TEST_MEMORY_NOTED: 7 more in one second")


def test_of_an_audit_every_line_is_written_whatever_the_level() -> None:
    """Nobody can hide a line behind a flood of others, and no level of the log leaves one out."""
    lines = [Record(5.5, "manhole", ManholeLine(who="a", source="b", line=str(count))) for count in range(LINES_PER_SECOND + 7)]
    told = written("text", *lines, level=Level.ERROR)
    assert [line.rsplit(" ", 1)[1] for line in told] == [str(count) for count in range(LINES_PER_SECOND + 7)]


def test_twisteds_own_messages_are_written_too() -> None:
    stream = io.StringIO()
    logger = Logger("twisted", observer=LogPublisher(observer(stream, "json"), observer(stream, "text")))
    logger.info("port {port} opened", port=5)
    first, second = stream.getvalue().splitlines()
    assert json.loads(first)["text"] == "port 5 opened"
    assert second.endswith("info twisted port 5 opened")


def test_twistd_can_be_told_to_write_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What ``--logger`` names is called without arguments, before standard output is redirected."""
    for make in (namedAny("voxpath.manage.log.json_lines"), namedAny("voxpath.manage.log.text_lines")):
        Logger("twisted", observer=LogPublisher(make())).info("port {port} opened", port=5)
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["text"] == "port 5 opened"
    assert second.endswith("info twisted port 5 opened")
