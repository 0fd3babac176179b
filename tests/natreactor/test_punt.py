"""What leads packets to the slow path, mended; without a kernel and without the process."""

from collections import Counter

import pytest
from twisted.internet.task import Clock

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.natreactor import host
from voxpath.natreactor.event import HostSetting, NoSlowPath, TableLost
from voxpath.natreactor.punt import Punt
from voxpath.natreactor.slowpath import SlowPath
from voxpath.testing.nat.rig import settings


class Lead:
    """It forgets what was wrong as soon as it is made right."""

    def __init__(self) -> None:
        self.wrong = ""
        self.made = 0

    def install(self) -> list[HostSetting]:
        self.wrong = ""
        self.made += 1
        return []

    def missing(self) -> str:
        return self.wrong

    def close(self) -> None:
        pass


def test_what_was_mended_by_half_is_mended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The devices are right already; the rules that name them were refused."""
    monkeypatch.setattr(SlowPath, "start", lambda _: None)
    monkeypatch.setattr(SlowPath, "holds", lambda *_: True)
    monkeypatch.setattr(SlowPath, "fill", lambda _: None)
    monkeypatch.setattr(SlowPath, "look", lambda _: (Counter(), []))
    monkeypatch.setattr(host, "prepare_device", lambda _: None)
    lead, events, refused = Lead(), list[Event](), [LocalError("no")]

    def mended() -> None:
        if refused:
            raise refused.pop()

    chosen = settings(Clock())
    punt = Punt(chosen, chosen.make_table(), lambda: lead, events.append, mended)
    assert punt.start()
    lead.wrong = "a device is new"
    punt.look()
    assert events == [NoSlowPath(reason="no")]
    punt.look()
    punt.look()
    assert events[1:] == [TableLost(reason="a device is new")]
    assert lead.made == 3
