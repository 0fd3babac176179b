"""Phones' uploads on the standby: equal after any number of operations, whatever happens to the link (TFT-5, TFT-7)."""

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import binary, integers, sampled_from
from twisted.internet.defer import Deferred, execute

from tests.replica.test_folder import Straight, in_thread, tree
from voxpath.flow.uploads import UploadPolicy
from voxpath.io.room import Limits
from voxpath.io.uploads import TEMPORARY, Uploads
from voxpath.model.address import Endpoint
from voxpath.model.event import Event
from voxpath.replica.filesync import POLL_S, FileSync
from voxpath.replica.folder import UNFINISHED, Folder
from voxpath.replica.target import FileTarget
from voxpath.testing.clock import HeapClock, VirtualClock
from voxpath.tftp.question import Keep, Kept

PHONES = 3
LOGS = ("boot.log", "core.gz", "app.log")


class House:
    """A phone at each port."""

    def phone_at(self, address: str, port: int) -> str:
        return f"02:00:00:00:0a:{port:02x}"

    def provision_of(self, phone: str) -> None:
        """Of no interest here."""


def at_once(work: Any) -> Deferred[Any]:
    return execute(work)


class Histories(RuleBasedStateMachine):
    """Phones write, an operator removes, the cable is cut and plugged in again at any message."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(mkdtemp())
        self.here, self.there = self.directory / "here", self.directory / "there"
        self.uploads = Uploads(UploadPolicy(House()), str(self.here), "/nowhere", Limits(1000, 4000), at_once)
        self.reactor = HeapClock()
        self.events: list[Event] = []
        self.sync = FileSync({"uploads": self.here}, VirtualClock(self.reactor), in_thread, self.events.append)
        self.target = FileTarget({"uploads": self.there}, in_thread)
        self.link: Straight | None = None
        self.written: dict[str, bytes] = {}

    def teardown(self) -> None:
        self.sync.use(None)
        shutil.rmtree(self.directory)

    @rule(phone=integers(1, PHONES), name=sampled_from(LOGS), content=binary(max_size=1200))
    def write(self, phone: int, name: str, content: bytes) -> None:
        """A phone writes a log, which is kept or refused as a whole."""
        answers: list[object] = []
        self.uploads.answer(Keep(name, Endpoint("10.0.0.11", phone), content)).addCallback(answers.append)
        if isinstance(answers[0], Kept):
            self.written[answers[0].name] = content
            self.sync.soon()

    @precondition(lambda self: self.written)
    @rule(which=integers(0, 99))
    def remove(self, which: int) -> None:
        """An operator makes room."""
        name = sorted(self.written)[which % len(self.written)]
        del self.written[name]
        (self.here / name).unlink()

    @rule(messages=integers(0, 12))
    def cut(self, messages: int) -> None:
        """The cable is pulled, after so many further messages."""
        if self.link is not None:
            self.link.cut_at = messages
            self.reactor.advance(POLL_S)
        self.link = None
        self.sync.use(None)
        self.target.abandon()

    @rule()
    def connect(self) -> None:
        """It is plugged in."""
        self.link = Straight(self.target)
        self.sync.use(self.link)

    @precondition(lambda self: self.link is not None)
    @rule()
    def wait(self) -> None:
        """After the next look at the directory both hosts have the same."""
        self.reactor.advance(POLL_S)
        assert tree(self.there) == self.written if self.here.exists() else not tree(self.there)

    @invariant()
    def what_was_acknowledged_is_here(self) -> None:
        """And every file of the standby is whole: one that the active had under this name, or had then."""
        assert tree(self.here) == self.written

    @invariant()
    def nothing_half_is_there(self) -> None:
        assert not any(UNFINISHED in path for path in tree(self.there))


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_file_that_is_still_being_kept_is_not_copied(tmp_path: Path) -> None:
    assert TEMPORARY.startswith(UNFINISHED)
    (tmp_path / TEMPORARY).write_bytes(b"half")
    assert Folder(tmp_path).files() == {}
