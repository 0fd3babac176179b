import os
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, execute, succeed

from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.io.files import BUSY, MAX_READS, FileSource, StoredFile
from voxpath.model.address import Endpoint
from voxpath.model.phone import Provision
from voxpath.tftp.content import ContentLost
from voxpath.tftp.question import Fetch, Refused

CLIENT = Endpoint("10.0.0.11", 2048)
CONTENT = b"image" * 1000
SECRET = b"what nobody may read"
FORBIDDEN = [
    "../secret",
    "..",
    "sub/../../secret",
    "../images-of-others/f",
    "..\\secret",
    "..\\..\\secret",
    "....//secret",
    "..../secret",
    "...//...//secret",
    "%2e%2e/secret",
    "..%2fsecret",
    "..%c0%afsecret",
    "\udcc0\udcae\udcc0\udcae/secret",
    "/../secret",
    "/etc/passwd",
    "//etc/passwd",
    "C:\\secret",
    "file:///etc/passwd",
    "vox.img\0.cfg",
    "out.img",
    "outdir/secret",
    "loop",
    "VOX.IMG",
    "a" * 255,
    "a" * 400,
    "a/" * 200 + "f",
    "../" * 100 + "etc/passwd",
    "sub",
    "sub/",
    ".",
    "vox.img/x",
    "\udcff\udcfe",
]
"""The corpus of the known traversal attacks on TFTP servers, and names of what is no file; :func:`plant` makes their targets."""


class Nobody:
    def provision_of(self, phone: str) -> Provision | None:
        return None

    def phone_at(self, address: str, port: int) -> str:
        return ""


def at_once(read: Callable[[], StoredFile | Refused]) -> "Deferred[StoredFile | Refused]":
    return execute(read)


def plant(directory: Path) -> Path:
    """Make images beside a secret that must never be served; give the directory of the images."""
    images = directory / "images"
    (images / "sub").mkdir(parents=True)
    (images / "vox.img").write_bytes(CONTENT)
    (images / "sub" / "x.cfg").write_bytes(b"x")
    (images / "current.img").symlink_to("vox.img")
    (images / "out.img").symlink_to(directory / "secret")
    (images / "outdir").symlink_to(directory)
    (images / "loop").symlink_to("loop")
    (directory / "secret").write_bytes(SECRET)
    (directory / "images-of-others").mkdir()
    (directory / "images-of-others" / "f").write_bytes(SECRET)
    return images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return plant(tmp_path)


def source(root: Path, **limits: int) -> FileSource:
    return FileSource(FilePolicy(Nobody()), str(root), at_once, **limits)


def fetch(files: FileSource, name: str) -> object:
    answers: list[object] = []
    files.answer(Fetch(name, CLIENT)).addBoth(answers.append)
    (answer,) = answers
    return content(answer) if isinstance(answer, StoredFile) else answer


def content(file: StoredFile) -> bytes:
    """All of a file, in the pieces in which a transfer takes it."""
    return b"".join(bytes(file.read(offset, 1000)) for offset in range(0, file.size, 1000))


def opened(files: FileSource, name: str) -> StoredFile:
    answers: list[object] = []
    files.answer(Fetch(name, CLIENT)).addBoth(answers.append)
    assert isinstance(answers[0], StoredFile)
    return answers[0]


@pytest.mark.parametrize("name", ["vox.img", "/vox.img", "./vox.img", "sub/../vox.img", "sub//../vox.img", "current.img"])
def test_an_image_is_read(root: Path, name: str) -> None:
    assert fetch(source(root), name) == CONTENT


@pytest.mark.parametrize("name", FORBIDDEN)
def test_nothing_outside_is_ever_served(root: Path, name: str) -> None:
    answer = fetch(source(root), name)
    assert isinstance(answer, Refused)
    assert answer.code in (1, 2)


def test_what_is_outside_is_refused_alike_whether_it_exists_or_not(root: Path) -> None:
    assert fetch(source(root), "../secret") == fetch(source(root), "../no-such-file")


def test_an_unchanged_file_is_shared_by_all_who_read_it(root: Path) -> None:
    files = source(root)
    first = opened(files, "vox.img")
    assert opened(files, "vox.img") is first
    assert opened(files, "current.img") is first


def test_a_changed_file_is_opened_again(root: Path) -> None:
    files = source(root)
    fetch(files, "vox.img")
    (root / "vox.img").write_bytes(b"newer")
    assert fetch(files, "vox.img") == b"newer"


def test_a_file_that_is_replaced_is_read_to_its_old_end_by_those_who_began(root: Path) -> None:
    large = bytes(range(256)) * 1024
    (root / "vox.img").write_bytes(large)
    files = source(root)
    old = opened(files, "vox.img")
    (root / "new").write_bytes(b"new")
    (root / "new").replace(root / "vox.img")
    assert content(old) == large
    assert fetch(files, "vox.img") == b"new"


@pytest.mark.parametrize("changed", [b"", bytes(1 << 18)])
def test_a_file_that_is_changed_while_it_is_read_is_lost_and_not_mixed(root: Path, changed: bytes) -> None:
    """A file mapped into memory would end the process when it is shortened."""
    (root / "vox.img").write_bytes(b"x" * (1 << 18))
    os.utime(root / "vox.img", ns=(1, 1))
    file = opened(source(root), "vox.img")
    (root / "vox.img").write_bytes(changed)
    with pytest.raises(ContentLost, match="changed"):
        file.read(1 << 17, 1000)


def test_an_error_of_the_disk_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "vox.img").write_bytes(b"x" * (1 << 18))
    file = opened(source(root), "vox.img")

    def fails(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(ContentLost, match="Input/output error"):
        file.read(1 << 17, 1000)


def test_files_are_closed_when_nobody_reads_them_any_more(root: Path) -> None:
    files = source(root, kept_open=1)
    before = len(os.listdir("/proc/self/fd"))
    fetch(files, "vox.img")
    fetch(files, "sub/x.cfg")
    assert len(os.listdir("/proc/self/fd")) == before + 1


def test_a_file_beyond_the_limit_is_refused(root: Path) -> None:
    answer = fetch(source(root, largest=len(CONTENT) - 1), "vox.img")
    assert isinstance(answer, Refused)
    assert answer.code == 0


def test_a_fifo_neither_blocks_nor_is_served(root: Path) -> None:
    os.mkfifo(root / "pipe")
    answer = fetch(source(root), "pipe")
    assert isinstance(answer, Refused)
    assert answer.code == 1


def test_a_missing_directory_is_an_empty_one(tmp_path: Path) -> None:
    answer = fetch(source(tmp_path / "none"), "vox.img")
    assert isinstance(answer, Refused)
    assert answer.code == 1


def test_many_who_want_one_file_cost_one_read(root: Path) -> None:
    begun: list[Callable[[], StoredFile | Refused]] = []
    later: Deferred[StoredFile | Refused] = Deferred()

    def in_thread(read: Callable[[], StoredFile | Refused]) -> "Deferred[StoredFile | Refused]":
        begun.append(read)
        return later

    files = FileSource(FilePolicy(Nobody()), str(root), in_thread)
    answers: list[object] = []
    for _ in range(50):
        files.answer(Fetch("vox.img", CLIENT)).addBoth(answers.append)
    assert len(begun) == 1
    later.callback(begun[0]())
    assert len({id(answer) for answer in answers}) == 1
    assert isinstance(answers[0], StoredFile)
    assert content(answers[0]) == CONTENT


def test_a_failed_read_fails_for_all_who_wait_and_not_for_the_next(root: Path) -> None:
    outcomes: list[Deferred[StoredFile | Refused]] = [Deferred(), succeed(Refused(1, "gone"))]
    waiting = outcomes[0]
    files = FileSource(FilePolicy(Nobody()), str(root), lambda read: outcomes.pop(0))
    reasons: list[str] = []
    for _ in range(2):
        files.answer(Fetch("vox.img", CLIENT)).addErrback(lambda failure: reasons.append(failure.getErrorMessage()))
    waiting.errback(OSError("input/output error"))
    assert reasons == ["input/output error"] * 2
    assert fetch(files, "vox.img") == Refused(1, "gone")


def test_too_many_reads_at_once_are_refused_as_busy(root: Path) -> None:
    files = FileSource(FilePolicy(Nobody()), str(root), lambda read: Deferred())
    for number in range(MAX_READS):
        files.answer(Fetch(f"f{number}", CLIENT))
    assert fetch(files, "one-more") == BUSY


def test_what_is_not_in_the_directory_may_be_rendered_instead(root: Path) -> None:
    """A file of the operator's counts; only one that is not there is made, and none that is forbidden."""

    class Common(FilePolicy):
        def choose(self, fetch: Fetch) -> Image:
            return Image(fetch.name, Rendered(b"made"))

    files = FileSource(Common(Nobody()), str(root), at_once)
    assert fetch(files, "vox.img") == CONTENT
    assert fetch(files, "none.img") == b"made"
    refused = fetch(files, "out.img")
    assert isinstance(refused, Refused)
    assert refused.code == 2
