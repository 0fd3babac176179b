"""What the manhole's tests stand on: virtual time, an audit to read, and a visitor's paper."""

from typing import Any

from twisted.internet.task import Clock

from voxpath.manage.manhole.gate import Gate, Visit
from voxpath.model.event import Event
from voxpath.testing.clock import VirtualClock

SOURCE = "192.0.2.7:40000"


class Ground:
    """A gate in virtual time.

    :ivar told: the events so far.
    """

    def __init__(self) -> None:
        self.reactor = Clock()
        self.told: list[Event] = []
        self.gate = Gate(VirtualClock(self.reactor), self.told.append)

    def visit(self, who: str = "op", way: str = "SSH") -> Visit:
        """A connection; logged in unless ``who`` is empty."""
        visit = self.gate.admit(way, SOURCE)
        assert visit is not None
        if who:
            visit.entered(who)
        return visit

    def ids(self) -> list[str]:
        """Identifiers of the events."""
        return [event.ID for event in self.told]

    def texts(self, kind: str) -> list[str]:
        """Texts of the events of one kind."""
        return [event.text for event in self.told if kind in event.ID]

    def lines(self) -> list[str]:
        """Lines that went to the audit."""
        return [str(event.fields()["line"]) for event in self.told if event.ID == "MANHOLE_LINE"]

    def is_left(self) -> bool:
        """Whether nobody is there any more, and no timer either."""
        return not self.gate.visits and self.reactor.getDelayedCalls() == []


class Paper:
    """Where a visitor of the tests reads.

    :ivar text: everything that was shown.
    :ivar late: what was shown while a line was being typed.
    """

    def __init__(self) -> None:
        self.text = ""
        self.late = ""
        self.closed: list[int] = []

    def show(self, text: str, late: bool) -> None:
        self.text += text
        self.late += text if late else ""

    def close(self, status: int) -> None:
        self.closed.append(status)

    def took(self) -> str:
        """What was shown since the last time."""
        text, self.text = self.text, ""
        return text


def no_names() -> dict[str, Any]:
    """Nothing is there."""
    return {}
