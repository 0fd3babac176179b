"""Files become equal on the standby, whatever they are called there, and nothing outside their directory is reached."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.replica import folder as module
from voxpath.replica.filesync import POLL_S, SOON_S, FileSync
from voxpath.replica.folder import UNFINISHED, File, Folder, Incoming, is_safe
from voxpath.replica.message import FILE_PART_OCTETS, FileEnd, FileGone, FileOffer, FilePart, FilesBegin, FilesEnd
from voxpath.replica.target import FileTarget
from voxpath.testing.clock import HeapClock, VirtualClock

OUTSIDE = (
    "../x", "/etc/passwd", "a/../../x", "..", ".", "", "a//b", "a/./b", "a/", "x\0y", "a\nb", "x" * 256, "/".join("a" * 17),
    f"{UNFINISHED}1", f"a/{UNFINISHED}1/b", "\udcff",
)  # fmt: skip


def content(text: str) -> File:
    return File("x", len(text), sha256(text.encode()).digest())


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Straight:
    """A link without a network; :attr:`cut_at` ends it before so many further messages, :attr:`waits_for` delays one."""

    def __init__(self, target: FileTarget) -> None:
        self.target = target
        self.cut_at = -1
        self.waits_for: Deferred[None] | None = None
        self.told: list[str] = []

    def tell(self, command: type, **arguments: Any) -> Deferred[dict[str, Any]]:
        if self.cut_at == 0:
            return fail(ConnectionDone())
        self.cut_at -= 1
        self.told.append(command.__name__)
        steps: dict[type, Any] = {
            FilesBegin: lambda: self.target.begin(arguments["directory"], arguments["anew"]),
            FileOffer: lambda: self.target.offer(File(**arguments)),
            FilePart: lambda: self.target.part(arguments["octets"]),
            FileEnd: self.target.end,
            FileGone: lambda: self.target.gone(arguments["path"]),
            FilesEnd: self.target.finish,
        }
        waiting, self.waits_for = self.waits_for, None
        return steps[command]() if waiting is None else waiting.addCallback(lambda _: steps[command]())

    def abort(self, why: str = "") -> None:
        raise AssertionError("files are no reason to cut the connection")


def in_thread(step: Any) -> Deferred[Any]:
    try:
        return succeed(step())
    # As a thread does, for whatever its work raises.
    except Exception as error:
        return fail(error)


class Hosts:
    """Two hosts with a directory ``images`` each."""

    def __init__(self, directory: Path) -> None:
        self.here, self.there = directory / "here", directory / "there"
        self.here.mkdir()
        self.reactor = HeapClock()
        self.events: list[Event] = []
        self.sync = FileSync({"images": self.here}, VirtualClock(self.reactor), in_thread, self.events.append)
        self.link = Straight(FileTarget({"images": self.there}, in_thread))

    @property
    def ids(self) -> list[str]:
        return [event.ID for event in self.events]


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


def fill(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "empty.bin").write_bytes(b"")
    (root / "phone 1.0.bin").write_bytes(bytes(range(256)) * 1000)
    (root / "a" / "b" / "ünï.bin").write_bytes(b"x" * (FILE_PART_OCTETS * 2))


def test_a_connection_makes_everything_equal_and_a_change_is_noticed(hosts: Hosts) -> None:
    """TFT-7: automatically."""
    fill(hosts.here)
    hosts.sync.use(hosts.link)
    assert tree(hosts.there) == tree(hosts.here)
    (hosts.here / "phone 1.0.bin").write_bytes(b"another")
    (hosts.here / "a" / "b" / "ünï.bin").unlink()
    (hosts.here / "new").write_bytes(b"new")
    hosts.link.told.clear()
    hosts.reactor.advance(POLL_S)
    assert tree(hosts.there) == tree(hosts.here)
    assert not (hosts.there / "a").exists()
    assert hosts.link.told.count("FileEnd") == 2
    hosts.link.told.clear()
    hosts.reactor.advance(10 * POLL_S)
    assert hosts.link.told == []
    assert [event.text for event in hosts.events] == [
        "directory images of the standby is equal: 3 files sent, 0 removed, of 3",
        "directory images of the standby is equal: 2 files sent, 1 removed, of 3",
    ]
    hosts.sync.use(None)


def test_only_what_has_changed_is_offered_again(hosts: Hosts) -> None:
    """Ten thousand uploads must not go over the line because one more has come."""
    for number in range(50):
        (hosts.here / f"log-{number}").write_bytes(b"x")
    hosts.sync.use(hosts.link)
    hosts.link.told.clear()
    (hosts.here / "log-7").unlink()
    (hosts.here / "log-new").write_bytes(b"new")
    hosts.reactor.advance(POLL_S)
    assert hosts.link.told == ["FilesBegin", "FileGone", "FileOffer", "FilePart", "FileEnd", "FilesEnd"]
    assert tree(hosts.there) == tree(hosts.here)
    hosts.sync.use(None)


def test_what_was_written_just_now_is_copied_soon(hosts: Hosts) -> None:
    hosts.sync.use(hosts.link)
    hosts.reactor.advance(1.0)
    for number in range(3):
        (hosts.here / f"log-{number}").write_bytes(b"x")
        hosts.sync.soon()
        hosts.reactor.advance(SOON_S / 2)
    hosts.reactor.advance(SOON_S)
    assert tree(hosts.there) == tree(hosts.here)
    hosts.sync.use(None)
    hosts.sync.soon()
    assert not hosts.reactor.getDelayedCalls()


def waiting_sync(images: Path) -> tuple[FileSync, HeapClock, list[Deferred[Any]]]:
    """One whose steps on the disk end when the test says so, its clock, and what has begun and not ended."""
    waiting: list[Deferred[Any]] = []

    def later(step: Any) -> Deferred[Any]:
        waiting.append(Deferred())
        return waiting[-1]

    reactor = HeapClock()
    return FileSync({"images": images}, VirtualClock(reactor), later, lambda event: None), reactor, waiting


def test_what_is_written_while_files_are_copied_is_copied_soon_after(tmp_path: Path) -> None:
    sync, reactor, waiting = waiting_sync(tmp_path)
    sync.use(Straight(FileTarget({}, in_thread)))
    sync.soon()
    waiting[0].callback(False)
    assert [call.getTime() - reactor.seconds() for call in reactor.getDelayedCalls()] == [SOON_S]
    sync.use(None)


@pytest.mark.parametrize("then", ["an upload", "a cut", "another connection"])
def test_whatever_comes_while_an_operators_copy_is_under_way_finds_no_timer_that_was_cancelled(tmp_path: Path, then: str) -> None:
    """An error here would keep the connection from being made again."""
    sync, reactor, waiting = waiting_sync(tmp_path)
    link = Straight(FileTarget({}, in_thread))
    sync.use(link)
    waiting.pop().callback(False)
    sync.sync(whole=True)
    {"an upload": sync.soon, "a cut": lambda: sync.use(None), "another connection": lambda: sync.use(link)}[then]()
    while waiting:
        waiting.pop().callback(False)
    pauses = {"an upload": [SOON_S], "a cut": [], "another connection": [POLL_S]}
    assert [call.getTime() - reactor.seconds() for call in reactor.getDelayedCalls()] == pauses[then]
    sync.use(None)


def test_a_private_file_is_private_there_and_keeps_its_time(hosts: Hosts) -> None:
    """What phones write is for the operator's eyes on both hosts."""
    (hosts.here / "box").mkdir(mode=0o700)
    private, public = hosts.here / "box" / "boot.log", hosts.here / "image"
    for path, mode in ((private, 0o600), (public, 0o644)):
        path.write_bytes(b"x")
        path.chmod(mode)
        os.utime(path, ns=(10**18, 10**18))
    hosts.sync.use(hosts.link)
    there = {path.name: path.stat() for path in hosts.there.rglob("*")}
    assert {name: status.st_mode & 0o777 for name, status in there.items()} == {"box": 0o700, "boot.log": 0o600, "image": 0o644}
    assert {status.st_mtime_ns for name, status in there.items() if name != "box"} == {10**18}
    hosts.sync.use(None)


def test_a_copy_that_too_many_may_read_is_made_anew_and_one_that_too_few_may_read_is_not(hosts: Hosts) -> None:
    """A standby with a strict umask must not get all its images again and again."""
    for name, mode, there in (("log", 0o600, 0o644), ("image", 0o644, 0o600)):
        for root, bits in ((hosts.here, mode), (hosts.there, there)):
            root.mkdir(exist_ok=True)
            (root / name).write_bytes(b"x")
            (root / name).chmod(bits)
    hosts.sync.use(hosts.link)
    assert hosts.link.told.count("FileEnd") == 1
    assert (hosts.there / "log").stat().st_mode & 0o777 == 0o600
    hosts.sync.use(None)


def test_a_standby_that_forgot_what_was_equal_is_told_everything(hosts: Hosts) -> None:
    fill(hosts.here)
    hosts.sync.use(hosts.link)
    hosts.link.target = FileTarget({"images": hosts.there}, in_thread)
    (hosts.here / "new").write_bytes(b"new")
    hosts.reactor.advance(2 * POLL_S)
    assert tree(hosts.there) == tree(hosts.here)
    assert hosts.sync.facts()["images"] == "equal: 4 files"
    hosts.sync.use(None)


def test_an_unchanged_file_is_not_opened_again(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hosts.here)
    folder = Folder(hosts.here)
    files = folder.files()
    monkeypatch.setattr(Folder, "_file", None)
    assert folder.files() == files


def test_what_was_changed_on_the_standby_is_mended_on_demand(hosts: Hosts) -> None:
    """TFT-7: manually, ``ctl standby sync``."""
    fill(hosts.here)
    hosts.sync.use(hosts.link)
    (hosts.there / "empty.bin").write_bytes(b"stranger")
    (hosts.there / "stranger").write_bytes(b"x")
    (hosts.there / "phone 1.0.bin").unlink()
    (hosts.there / "phone 1.0.bin").mkdir()
    (hosts.there / "phone 1.0.bin" / "inside").write_bytes(b"x")
    assert hosts.sync.sync(whole=True).called
    assert tree(hosts.there) == tree(hosts.here)
    hosts.sync.use(None)


def test_what_was_changed_on_the_standby_is_mended_on_demand_also_while_a_copy_is_under_way(hosts: Hosts) -> None:
    """An operator's whole comparison must not be taken for done because another one ends first."""
    fill(hosts.here)
    hosts.sync.use(hosts.link)
    (hosts.there / "empty.bin").write_bytes(b"stranger")
    (hosts.here / "new").write_bytes(b"new")
    answer: Deferred[None] = Deferred()
    hosts.link.waits_for = answer
    hosts.reactor.advance(POLL_S)
    done = hosts.sync.sync(whole=True)
    assert not done.called
    answer.callback(None)
    assert done.called
    assert tree(hosts.there) == tree(hosts.here)
    hosts.sync.use(None)


def test_a_link_that_ends_anywhere_leaves_whole_files_and_the_next_one_completes_them(tmp_path: Path) -> None:
    for cut_at in range(20):
        (tmp_path / str(cut_at)).mkdir()
        hosts = Hosts(tmp_path / str(cut_at))
        fill(hosts.here)
        hosts.there.mkdir()
        (hosts.there / "empty.bin").write_bytes(b"old")
        hosts.link.cut_at = cut_at
        hosts.sync.use(hosts.link)
        hosts.link.target.abandon()
        for path, octets in tree(hosts.there).items():
            assert octets in {tree(hosts.here)[path], b"old"}
        hosts.sync.use(None)
        hosts.link.cut_at = -1
        hosts.sync.use(hosts.link)
        assert tree(hosts.there) == tree(hosts.here)
        hosts.sync.use(None)


def test_a_full_disk_is_told_once_and_tried_again(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hosts.here)

    def full(self: Incoming, octets: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Incoming, "write", full)
        hosts.sync.use(hosts.link)
        hosts.reactor.advance(3 * POLL_S)
    assert hosts.ids == ["STANDBY_FILES_FAILED"]
    assert "No space left" in hosts.events[0].text
    assert "No space left" in hosts.sync.facts()["images"]
    hosts.reactor.advance(POLL_S)
    assert tree(hosts.there) == tree(hosts.here)
    assert hosts.sync.facts()["images"] == "equal: 3 files"
    hosts.sync.use(None)


def test_a_file_that_changes_while_it_is_sent_takes_no_place(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hosts.here)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "read", lambda self, file: iter([b"y" * file.size]))
        hosts.sync.use(hosts.link)
    assert hosts.ids == ["STANDBY_FILES_FAILED"]
    assert b"y" not in b"".join(tree(hosts.there).values())
    hosts.reactor.advance(POLL_S)
    assert tree(hosts.there) == tree(hosts.here)
    hosts.sync.use(None)


@pytest.mark.parametrize("other", ["nothing", "another file"])
def test_a_file_that_is_changed_back_after_half_a_copy_is_changed_back_there(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """An operator who takes a faulty image back must not have it on the standby for good."""
    (hosts.here / "image").write_bytes(b"good")
    hosts.sync.use(hosts.link)
    with monkeypatch.context() as patch:
        patch.setattr(module, "LARGEST_FILE", 5)
        (hosts.here / "image").write_bytes(b"bad")
        (hosts.here / "too large").write_bytes(b"123456")
        hosts.reactor.advance(POLL_S)
    assert tree(hosts.there) == {"image": b"bad"}
    (hosts.here / "image").write_bytes(b"good")
    (hosts.here / "too large").unlink()
    if other == "another file":
        (hosts.here / "new").write_bytes(b"new")
    hosts.reactor.advance(POLL_S)
    assert tree(hosts.there) == tree(hosts.here)
    assert hosts.sync.facts()["images"].startswith("equal: ")
    hosts.sync.use(None)


def test_without_a_directory_here_nothing_is_removed_there(hosts: Hosts) -> None:
    """A disk that is not mounted must not cost the standby its images."""
    fill(hosts.there)
    hosts.here.rmdir()
    hosts.sync.use(hosts.link)
    assert len(tree(hosts.there)) == 3
    hosts.sync.use(None)


def test_links_count_as_their_files_and_lead_nowhere_else(hosts: Hosts, tmp_path: Path) -> None:
    fill(hosts.here)
    (tmp_path / "secret").write_bytes(b"secret")
    (hosts.here / "inside").symlink_to("phone 1.0.bin")
    (hosts.here / "outside").symlink_to(tmp_path / "secret")
    (hosts.here / "broken").symlink_to("nowhere")
    (hosts.here / "loop").symlink_to("loop")
    os.mkfifo(hosts.here / "fifo")
    hosts.sync.use(hosts.link)
    there = tree(hosts.there)
    assert there["inside"] == there["phone 1.0.bin"]
    assert set(there) == {"inside", "phone 1.0.bin", "empty.bin", "a/b/ünï.bin"}
    hosts.sync.use(None)


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_outside(path: str, tmp_path: Path) -> None:
    assert not is_safe(path)
    with pytest.raises(ValueError, match="no file may have the path"):
        Incoming(tmp_path / "root", File(path, 1, b""))
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_stands_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "a").symlink_to(outside)
    (root / "x").symlink_to(outside / "x")
    for path in ("a/x", "x"):
        incoming = Incoming(root, File(path, 3, sha256(b"new").digest()))
        incoming.write(b"new")
        incoming.finish()
    assert tree(root) == {"a/x": b"new", "x": b"new"}
    assert list(outside.iterdir()) == []


def test_a_file_is_never_longer_than_announced(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path, File("x", 3, b""))
    with pytest.raises(ValueError, match="longer than announced"):
        incoming.write(b"four")
    incoming.close()
    incoming.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no file may have"):
        Incoming(tmp_path, File("x", module.LARGEST_FILE + 1, b""))


def test_too_many_files_are_refused_on_both_sides(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hosts.here)
    monkeypatch.setattr("voxpath.replica.target.MAX_FILES", 2)
    hosts.sync.use(hosts.link)
    assert "more than 2 files" in hosts.events[0].text
    hosts.sync.use(None)
    monkeypatch.setattr(module, "MAX_FILES", 2)
    with pytest.raises(LocalError, match="more than 2 files"):
        Folder(hosts.here).files()


@pytest.mark.parametrize("gone", ["a", ""])
def test_a_full_directory_becomes_equal_again(hosts: Hosts, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """As many files as are allowed: one in the place of another, and one that has changed, are no more than that."""
    monkeypatch.setattr(module, "MAX_FILES", 3)
    monkeypatch.setattr("voxpath.replica.target.MAX_FILES", 3)
    for name in "abc":
        (hosts.here / name).write_bytes(b"old")
    hosts.sync.use(hosts.link)
    if gone:
        (hosts.here / gone).rename(hosts.here / "new")
    (hosts.here / "b").write_bytes(b"changed")
    hosts.reactor.advance(POLL_S)
    assert tree(hosts.there) == tree(hosts.here)
    assert hosts.ids == ["STANDBY_FILES"] * 2
    hosts.sync.use(None)


@pytest.mark.parametrize("step", ["offer", "part", "end", "finish", "gone", "not told before", "unknown"])
def test_steps_out_of_order_are_refused(step: str, tmp_path: Path) -> None:
    target = FileTarget({"images": tmp_path}, in_thread)
    steps = {
        "offer": lambda: target.offer(File("x", 1, b"")),
        "part": lambda: target.part(b"x"),
        "end": target.end,
        "finish": target.finish,
        "gone": lambda: target.gone("x"),
        "not told before": lambda: target.begin("images", False),
        "unknown": lambda: target.begin("etc", True),
    }
    answers: list[dict[str, Any]] = []
    steps[step]().addCallback(answers.append)
    assert answers[0]["trouble"]


def test_two_steps_at_once_are_refused(tmp_path: Path) -> None:
    """Threads must not meet in one file."""
    waiting: list[Deferred[Any]] = []

    def later(step: Any) -> Deferred[Any]:
        waiting.append(Deferred())
        return waiting[-1]

    target = FileTarget({"images": tmp_path}, later)
    target.begin("images", True)
    answers: list[dict[str, Any]] = []
    target.offer(File("x", 1, b"")).addCallback(answers.append)
    assert answers == [{"trouble": "one step at a time", "wanted": False}]
    assert len(waiting) == 1
