"""The log: events of the bus from INFO on, through :mod:`twisted.logger`.

Twisted's own observers write them as text.
``twistd --logger voxpath.manage.log.json_lines`` writes one flat JSON object a line instead, and ``text_lines`` text in the same
order of fields; both write to standard output.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from twisted.logger import FileLogObserver, ILogObserver, LogEvent, Logger, LogLevel, formatEvent

from voxpath.io.bus import Record
from voxpath.manage.entry import entry_of
from voxpath.model.event import Level, printable

LINES_PER_SECOND = 50
"""Lines of one event identifier in one second; more are counted, and the count is told: a flood must not fill the disk."""

LEVELS = {Level.INFO: LogLevel.info, Level.WARNING: LogLevel.warn, Level.ERROR: LogLevel.error}


class EventLog:
    """Writes events through :mod:`twisted.logger`; subscribe it to the bus.

    A record below the level costs one comparison; audit events are always written, each of them.
    """

    def __init__(self, level: Level = Level.INFO, logger: Logger | None = None) -> None:
        self._level = max(level, Level.INFO)
        self._logger = logger or Logger(namespace="voxpath")
        self._second: dict[str, tuple[int, int]] = {}

    def __call__(self, record: Record) -> None:
        """Take a record of the bus."""
        event = record.event
        if event.AUDIT:
            self._write(record)
            return
        level = event.LEVEL
        if level < self._level:
            return
        second, lines = self._second.get(event.ID, (0, 0))
        now = int(record.at)
        if second != now:
            if lines > LINES_PER_SECOND:
                self._logger.warn("{event_id}: {count} more in one second", event_id=event.ID, count=lines - LINES_PER_SECOND)
            lines = 0
        self._second[event.ID] = (now, lines + 1)
        if lines < LINES_PER_SECOND:
            self._write(record)

    def _write(self, record: Record) -> None:
        entry = entry_of(record)
        phone = record.event.phone
        # JSON has the phone as a field; a line of text has to say whose it is.
        whose = f" [{printable(phone)}]" if phone and phone not in entry.text else ""
        self._logger.emit(
            LEVELS[record.event.LEVEL],
            "{event_id} {text}{whose}",
            event_id=entry.id,
            text=entry.text,
            whose=whose,
            role=entry.role,
            fields=entry.fields,
        )


def observer(stream: TextIO, form: str = "text") -> ILogObserver:
    """Make the observer that writes to a stream, Twisted's own messages included; ``form`` is ``text`` or ``json``."""
    return FileLogObserver(stream, FORMS[form])


def text_lines() -> ILogObserver:
    """Make the observer for ``twistd --logger voxpath.manage.log.text_lines``."""
    return observer(sys.stdout, "text")


def json_lines() -> ILogObserver:
    """Make the observer for ``twistd --logger voxpath.manage.log.json_lines``."""
    return observer(sys.stdout, "json")


def text_line(event: LogEvent) -> str:
    """One event as a line of text; a traceback follows on lines of its own."""
    role = event.get("role") or event.get("log_namespace", "-")
    line = f"{_when(event)} {_level(event)} {role} {printable(formatEvent(event), 2000)}\n"
    failure = event.get("log_failure")
    return line if failure is None else line + failure.getTraceback()


def json_line(event: LogEvent) -> str:
    """One event as a flat JSON object."""
    fields: dict[str, Any] = {
        "time": _when(event),
        "level": _level(event),
        "role": event.get("role") or event.get("log_namespace", "-"),
    }
    if "event_id" in event:
        fields["id"] = event["event_id"]
    fields |= event.get("fields", {})
    fields["text"] = printable(event.get("text") or formatEvent(event), 2000)
    failure = event.get("log_failure")
    if failure is not None:
        fields["traceback"] = failure.getTraceback()
    return msgspec.json.encode(fields, enc_hook=str).decode() + "\n"


FORMS: dict[str, Callable[[LogEvent], str]] = {"text": text_line, "json": json_line}


def _when(event: LogEvent) -> str:
    return datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return str(level.name) if level is not None else "info"
