"""Drop boxes on the disk (TFT-5): created and never overwritten, within limits, whole or not at all."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute

from voxpath.flow.uploads import UploadPolicy
from voxpath.io import uploads as module
from voxpath.io.room import REASON, Limits
from voxpath.io.uploads import IMAGE, NO_ROOM, TAKEN, TEMPORARY, Uploads
from voxpath.model.address import Endpoint
from voxpath.tftp.question import Admit, Admitted, Keep, Kept, Refused

PHONE, HOME, BOX = "02:00:00:00:0a:01", Endpoint("10.0.0.11", 2048), "020000000a01"


class House:
    def phone_at(self, address: str, port: int) -> str:
        return PHONE if address == HOME.host else ""

    def provision_of(self, phone: str) -> None:
        """Nobody else is here."""


def at_once(work: Callable[[], Any]) -> "Deferred[Any]":
    return execute(work)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "vox.img").write_bytes(b"image")
    return tmp_path


def boxes(place: Path, file: int = 1000, box: int = 2500) -> Uploads:
    return Uploads(UploadPolicy(House()), str(place / "uploads"), str(place / "images"), Limits(file, box), at_once)


def ask(uploads: Uploads, question: Admit | Keep) -> object:
    answers: list[object] = []
    uploads.answer(question).addBoth(answers.append)
    return answers[0]


def keep(uploads: Uploads, content: bytes, name: str = "boot.log", netascii: bool = False) -> object:
    return ask(uploads, Keep(name, HOME, content, netascii))


def in_box(place: Path) -> dict[str, bytes]:
    box = place / "uploads" / BOX
    return {file.name: file.read_bytes() for file in box.iterdir()} if box.exists() else {}


def test_a_file_is_kept_in_the_phones_box(place: Path) -> None:
    assert keep(boxes(place), b"log") == Kept(f"{BOX}/boot.log")
    assert in_box(place) == {"boot.log": b"log"}
    assert (place / "uploads" / BOX).stat().st_mode & 0o777 == 0o700
    assert (place / "uploads" / BOX / "boot.log").stat().st_mode & 0o777 == 0o600


def test_nothing_is_ever_overwritten(place: Path) -> None:
    """Phones write the same log at each boot."""
    uploads = boxes(place)
    assert [keep(uploads, content) for content in (b"first", b"second", b"third")] == [
        Kept(f"{BOX}/boot.log"), Kept(f"{BOX}/boot.log.2"), Kept(f"{BOX}/boot.log.3"),
    ]  # fmt: skip
    assert in_box(place) == {"boot.log": b"first", "boot.log.2": b"second", "boot.log.3": b"third"}


def test_too_many_files_of_one_name_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAME_NAME", 2)
    uploads = boxes(place)
    assert [keep(uploads, b"x") for _ in range(3)][2] == TAKEN
    assert set(in_box(place)) == {"boot.log", "boot.log.2"}


def test_text_is_kept_with_the_line_ends_of_this_side(place: Path) -> None:
    keep(boxes(place), b"a\r\nb\r\0", netascii=True)
    assert in_box(place) == {"boot.log": b"a\nb\r"}


def test_a_writer_is_told_how_much_room_there_is(place: Path) -> None:
    uploads = boxes(place)
    for room in (1000, 1000, 500):
        assert admitted(uploads).most == room
        keep(uploads, bytes(room))
    full = NO_ROOM._replace(detail=f"{place}/uploads/{BOX} has reached tftp.upload_quota; remove some files")
    assert ask(uploads, Admit("boot.log", HOME)) == full
    assert keep(uploads, b"x") == full


def admitted(uploads: Uploads) -> Admitted:
    answer = ask(uploads, Admit("boot.log", HOME))
    assert isinstance(answer, Admitted)
    return answer


@pytest.mark.parametrize(
    ("limits", "said", "limit"),
    [
        (Limits(100, 2500), "a file may have 100 octets", "tftp.upload_octets"),
        (Limits(1000, 100), "there is less room than that", "tftp.upload_quota"),
        (Limits(1000, 2500, total=100), REASON, "tftp.upload_total"),
        (Limits(1000, 2500, floor=4900), REASON, "tftp.upload_floor"),
    ],
)
def test_a_file_that_is_too_large_is_refused_with_the_limit_that_it_breaks(
    place: Path, limits: Limits, said: str, limit: str
) -> None:
    """The phone is told in few words, the operator which setting it was and what to do."""
    uploads = of_many(place, limits)
    uploads.room._free = lambda path: 5000
    beyond = admitted(uploads).beyond
    assert (admitted(uploads).most, beyond.code, beyond.reason) == (100, 3, said)
    assert limit in beyond.detail
    assert keep(uploads, bytes(101)) == beyond
    assert isinstance(keep(uploads, bytes(100)), Kept)


def test_a_box_holds_so_many_files_and_no_more(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    uploads = boxes(place)
    keep(uploads, b"", "one")
    keep(uploads, b"", "two")
    assert ask(uploads, Admit("three", HOME)) == NO_ROOM._replace(detail=f"{place}/uploads/{BOX} holds 2 files; remove some")


def test_an_image_is_never_written(place: Path) -> None:
    assert ask(boxes(place), Admit("vox.img", HOME)) == IMAGE
    assert keep(boxes(place), b"evil", "vox.img") == IMAGE
    assert (place / "images" / "vox.img").read_bytes() == b"image"


def test_a_link_in_the_place_of_a_box_is_not_followed(place: Path) -> None:
    """Whoever can make one must not have voxpath write elsewhere."""
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (place / "uploads").mkdir()
    (place / "uploads" / BOX).symlink_to(elsewhere)
    answer = keep(boxes(place), b"x")
    assert isinstance(answer, Refused)
    assert list(elsewhere.rglob("*")) == []


def test_a_link_in_the_place_of_a_file_is_left_alone(place: Path) -> None:
    box = place / "uploads" / BOX
    box.mkdir(parents=True)
    (place / "target").write_bytes(b"theirs")
    (box / "boot.log").symlink_to(place / "target")
    (box / TEMPORARY).symlink_to(place / "target")
    assert keep(boxes(place), b"x") == Kept(f"{BOX}/boot.log.2")
    assert (place / "target").read_bytes() == b"theirs"


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 3), (errno.EDQUOT, 3), (errno.EIO, 0)])
@pytest.mark.parametrize("failing", ["fsync", "link"])
def test_an_error_of_the_disk_leaves_nothing_half(
    place: Path, monkeypatch: pytest.MonkeyPatch, failing: str, number: int, code: int
) -> None:
    uploads = boxes(place)
    keep(uploads, b"before")
    real = getattr(os, failing)

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, failing, fails)
    answer = keep(uploads, b"lost")
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert os.strerror(number) in answer.detail
    assert in_box(place) == {"boot.log": b"before"}
    monkeypatch.setattr(os, failing, real)
    assert keep(uploads, b"after") == Kept(f"{BOX}/boot.log.2")


def test_a_name_that_is_not_on_the_disk_is_taken_away_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flush of the directory fails after the file has got its name: the phone will be told that nothing was kept."""
    uploads = boxes(place)
    keep(uploads, b"before")
    flushed = os.fsync

    def fails(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, "Input/output error")
        flushed(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    assert isinstance(keep(uploads, b"lost"), Refused)
    assert in_box(place) == {"boot.log": b"before"}


def test_what_a_killed_process_left_is_no_file(place: Path) -> None:
    box = place / "uploads" / BOX
    box.mkdir(parents=True)
    (box / TEMPORARY).write_bytes(b"half")
    uploads = boxes(place)
    assert listed(uploads) == []
    assert keep(uploads, b"whole") == Kept(f"{BOX}/boot.log")
    assert in_box(place) == {"boot.log": b"whole"}


def listed(uploads: Uploads) -> list[tuple[str, str, int]]:
    answers: list[Any] = []
    uploads.files().addBoth(answers.append)
    return [(file.box, file.name, file.octets) for file in answers[0]]


def test_the_operator_sees_all_files(place: Path) -> None:
    uploads = boxes(place)
    assert listed(uploads) == []
    keep(uploads, b"12", "b.log")
    keep(uploads, b"1", "a.log")
    assert listed(uploads) == [(BOX, "a.log", 1), (BOX, "b.log", 2)]


def test_files_are_kept_one_at_a_time(place: Path) -> None:
    """Two of one phone must not share its last room."""
    begun: list[Callable[[], Any]] = []
    ends: list[Deferred[Any]] = []

    def later(work: Callable[[], Any]) -> "Deferred[Any]":
        begun.append(work)
        ends.append(Deferred())
        return ends[-1]

    uploads = Uploads(UploadPolicy(House()), str(place / "uploads"), str(place / "images"), Limits(1000, 1500), later)
    answers: list[object] = []
    for _ in range(2):
        uploads.answer(Keep("boot.log", HOME, bytes(1000))).addBoth(answers.append)
    assert len(begun) == 1
    ends[0].callback(begun[0]())
    ends[1].callback(begun[1]())
    assert answers[0] == Kept(f"{BOX}/boot.log")
    assert isinstance(answers[1], Refused)
    assert "tftp.upload_quota" in answers[1].detail


def test_all_phones_together_cannot_write_more_than_the_total(place: Path) -> None:
    """Each box is far from full, and so is the disk."""
    uploads = of_many(place, Limits(1000, 2500, total=4000))
    answers = [keep_at(port, uploads, bytes(900)) for port in range(6)]
    assert [type(answer) for answer in answers] == [Kept] * 4 + [Refused] * 2
    assert isinstance(answers[4], Refused)
    assert "tftp.upload_total" in answers[4].detail
    assert sum(path.stat().st_size for path in (place / "uploads").rglob("*.log")) == 3600
    assert isinstance(keep_at(7, uploads, bytes(400)), Kept)
    refused = keep_at(8, uploads, b"x")
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason) == (3, REASON)
    assert "tftp.upload_total" in refused.detail
    assert ask(uploads, Admit("boot.log", Endpoint("10.0.0.11", 8))) == refused


def test_nothing_is_taken_when_the_disk_has_less_than_the_floor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database of leases lies there, too."""
    uploads = of_many(place, Limits(1000, 2500, floor=5000))
    uploads.room._free = lambda path: 5300
    assert admitted(uploads).most == 300
    assert isinstance(keep_at(1, uploads, bytes(301)), Refused)
    uploads.room._free = lambda path: 5000
    refused = keep_at(1, uploads, b"x")
    assert isinstance(refused, Refused)
    assert refused.code == 3
    assert "tftp.upload_floor" in refused.detail
    assert not (place / "uploads").exists()


def test_a_disk_that_cannot_be_asked_is_a_refusal(place: Path) -> None:
    def fails(path: str) -> int:
        raise OSError(errno.EIO, "Input/output error")

    uploads = of_many(place, Limits(1000, 2500))
    uploads.room._free = fails
    answer = ask(uploads, Admit("boot.log", HOME))
    assert isinstance(answer, Refused)
    assert "Input/output error" in answer.detail


class Street:
    """A phone at each port."""

    def phone_at(self, address: str, port: int) -> str:
        return f"02:00:00:00:0a:{port % 256:02x}"

    def provision_of(self, phone: str) -> None:
        """Of no interest here."""


def of_many(place: Path, limits: Limits) -> Uploads:
    return Uploads(UploadPolicy(Street()), str(place / "uploads"), str(place / "images"), limits, at_once)


def keep_at(port: int, uploads: Uploads, content: bytes) -> object:
    return ask(uploads, Keep("boot.log", Endpoint("10.0.0.11", port), content))
