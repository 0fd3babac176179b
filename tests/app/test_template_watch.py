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
from voxpath.provision.template import LARGEST_OCTETS, TemplateFault


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
        self.first: Shelf
        self.watch = self.again()

    def again(self) -> TemplateWatch:
        """Begin to watch, as a new start does."""
        watch = TemplateWatch(*self._parts, self.in_thread, self.shelves.append)
        self.first = watch.start()
        return watch

    def restart(self) -> None:
        """A new process: what it tells, and the shelf that it begins with."""
        self.watch.stop()
        self.told.clear()
        self.shelves.clear()
        self.watch = self.again()

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


FAULTY = "phones get no file from a template that is wrong until it is corrected: "


def test_after_a_restart_a_wrong_template_makes_no_file_and_all_others_do(watched: Watched) -> None:
    """TFT-9: a slip in one file must not take the leases and the NAT of all phones down at the next start."""
    watched.put("a", "{{ nosuch }}")
    watched.put("b", "{% if %}")
    watched.put("c", "x={{ mac }}")
    watched.restart()
    (only,) = watched.told
    assert only.startswith(f"{FAULTY}b line 1: Expected")
    assert watched.first.templates.render("c", samples()[0], {}) == b"x=02:00:5e:00:53:01"
    for name, reason in (("a", "'nosuch' is undefined"), ("b", "b line 1: Expected")):
        with pytest.raises(TemplateFault, match=reason):
            watched.first.templates.render(name, samples()[0], {})
    watched.look()
    assert watched.told == []


def test_after_a_restart_a_wrong_template_counts_as_soon_as_it_is_corrected(watched: Watched) -> None:
    watched.put("a", "{% if %}")
    watched.put("b", "{{")
    watched.restart()
    assert watched.told[0].endswith("; voxpath check tells 1 more")
    watched.put("b", "good")
    watched.look()
    assert watched.told[0] == "2 templates of phones' files were read anew"
    assert watched.told[1].startswith(f"{FAULTY}a line 1: Expected")
    watched.put("a", "good as well")
    watched.look()
    assert watched.told == ["2 templates of phones' files were read anew"]
    assert watched.shelves[-1].templates.render("a", samples()[0], {}) == b"good as well"


def test_beside_a_wrong_template_a_right_one_stays_as_it_was_when_it_becomes_wrong(watched: Watched) -> None:
    watched.put("a", "{% if %}")
    watched.put("b", "good")
    watched.restart()
    watched.put("b", "{{")
    watched.look()
    assert [text.partition(",")[0] for text in watched.told] == ["the templates stay as they were"] * 2
    assert watched.shelves == []


@pytest.mark.parametrize("octets", [b"\xff", b"x" * (LARGEST_OCTETS + 1)], ids=["no UTF-8", "too large"])
def test_a_template_that_cannot_be_read_is_not_replaced_by_the_shipped_one(watched: Watched, octets: bytes) -> None:
    """The operator has one of his own since the shipped one is wrong for his phones."""
    (watched.directory / "snom").mkdir()
    (watched.directory / "snom" / "phone.xml").write_bytes(octets)
    watched.restart()
    assert watched.told[0].startswith(f"{FAULTY}snom/phone.xml: ")
    with pytest.raises(TemplateFault, match=r"^snom/phone\.xml: "):
        watched.first.templates.render("snom/phone.xml", samples()[0], {})
    assert watched.first.templates.render("snom/common.xml", samples()[0], {})


def test_without_their_directory_nothing_is_rendered_until_it_is_there(watched: Watched) -> None:
    watched.directory.rmdir()
    watched.restart()
    assert watched.told == [f"{FAULTY}{watched.directory}: there is no such directory"]
    with pytest.raises(TemplateFault, match="there is no such directory"):
        watched.first.templates.render("snom/phone.xml", samples()[0], {})
    watched.directory.mkdir()
    watched.look()
    assert watched.told == ["0 templates of phones' files were read anew"]
    assert watched.shelves[-1].templates.render("snom/common.xml", samples()[0], {})


def test_who_has_stopped_looks_no_more(watched: Watched) -> None:
    watched.watch.stop()
    watched.put("a", "")
    watched.look()
    assert (watched.told, watched.shelves, watched.time.getDelayedCalls()) == ([], [], [])
