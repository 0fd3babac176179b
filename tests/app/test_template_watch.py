"""An operator changes templates while phones are served."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from voxpath.app.decode import decode
from voxpath.app.template_watch import LOOK_S, TOLD, TemplateWatch
from voxpath.io.bus import EventBus
from voxpath.io.clock import ServerClock
from voxpath.provision.sample import samples
from voxpath.provision.table import Shelf


class Watched:
    """A directory of templates, and what became of its changes."""

    def __init__(self, state: Path) -> None:
        self.directory = state / "templates"
        self.directory.mkdir()
        config = decode(f'state = "{state}"\n[tftp]\ntemplates = "templates"\n'.encode()).config
        assert config is not None
        self.time = Clock()
        clock = ServerClock(self.time)
        bus = EventBus(clock)
        self.told: list[str] = []
        bus.subscribe(lambda record: self.told.append(record.event.text))
        self.shelves: list[Shelf] = []
        self.broken = False
        self._parts = config, clock, bus
        self.watch = self.again()

    def again(self) -> TemplateWatch:
        """Begin to watch, as a new start does."""
        watch = TemplateWatch(*self._parts, self.in_thread, self.shelves.append)
        watch.start()
        return watch

    def in_thread(self, work: Callable[[], Any]) -> "Deferred[Any]":
        if self.broken:
            return execute(lambda: 1 // 0)
        return execute(work)

    def put(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def look(self) -> None:
        self.told.clear()
        self.time.advance(LOOK_S)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_template_that_changed_counts_from_the_next_look_on(watched: Watched) -> None:
    watched.put("a", "x={{ mac }}")
    watched.look()
    assert watched.told == ["1 templates of phones' files were read anew"]
    (shelf,) = watched.shelves
    assert shelf.templates.render("a", samples()[0], {}) == b"x=02:00:5e:00:53:01"
    watched.look()
    assert watched.told == []
    (watched.directory / "a").unlink()
    watched.look()
    assert "a" not in watched.shelves[-1].templates


def test_a_directory_that_comes_later_counts_from_then_on(watched: Watched) -> None:
    """A standby starts with none, and is sent it."""
    watched.directory.rmdir()
    watched.watch.stop()
    late = watched.again()
    watched.look()
    assert watched.told == []
    watched.directory.mkdir()
    watched.put("a", "x={{ mac }}")
    watched.look()
    assert watched.told == ["1 templates of phones' files were read anew"]
    assert "a" in watched.shelves[-1].templates
    late.stop()


def test_a_wrong_template_changes_nothing_and_is_told_once(watched: Watched) -> None:
    watched.put("a", "{% if %}")
    watched.look()
    (only,) = watched.told
    assert only.startswith("the templates stay as they were, since a line 1: Expected")
    watched.look()
    assert (watched.told, watched.shelves) == ([], [])
    watched.put("a", "good again")
    watched.look()
    assert len(watched.shelves) == 1


def test_many_faults_are_not_all_told(watched: Watched) -> None:
    for number in range(TOLD + 1):
        watched.put(f"t{number}", "{{")
    watched.look()
    assert len(watched.told) == TOLD


def test_a_look_that_fails_is_told_and_the_next_one_comes(watched: Watched) -> None:
    watched.broken = True
    watched.look()
    assert "division" in watched.told[0]
    watched.broken = False
    watched.put("a", "")
    watched.look()
    assert len(watched.shelves) == 1


def test_who_has_stopped_looks_no_more(watched: Watched) -> None:
    watched.watch.stop()
    watched.put("a", "")
    watched.look()
    assert (watched.told, watched.shelves, watched.time.getDelayedCalls()) == ([], [], [])
