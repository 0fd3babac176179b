"""How much all uploads may take together, and what the disk must keep (TFT-5)."""

from pathlib import Path

import pytest

from voxpath.io import room as module
from voxpath.io.room import FULL_RECOUNT_S, REASON, RECOUNT_S, Limits, Room, free_octets
from voxpath.tftp.question import Admitted, Refused


class Disk:
    """What an operator and the phones have on it."""

    def __init__(self, total: int = 1000, floor: int = 100) -> None:
        self.sizes = [100, 200]
        self.free = 10_000
        self.now = 0.0
        self.counts = 0
        self.room = Room(Limits(500, 500, total, floor), "/uploads", self.count, lambda path: self.free, lambda: self.now)

    def count(self) -> list[int]:
        self.counts += 1
        return self.sizes


def octets(disk: Disk) -> int:
    answer = disk.room.left()
    assert isinstance(answer, Admitted)
    return answer.most


def test_what_fits_is_the_least_of_what_the_limit_and_the_disk_leave() -> None:
    disk = Disk()
    assert octets(disk) == 700
    disk.free = 400
    assert octets(disk) == 300


@pytest.mark.parametrize(("free", "limit"), [(10_000, "upload_total"), (400, "upload_floor")])
def test_what_does_not_fit_any_more_is_told_with_the_limit_that_it_would_break(free: int, limit: str) -> None:
    disk = Disk()
    disk.free = free
    answer = disk.room.left()
    assert isinstance(answer, Admitted)
    assert (answer.beyond.code, answer.beyond.reason) == (3, REASON)
    assert f"tftp.{limit}" in answer.beyond.detail


def test_what_is_kept_is_counted_without_reading_the_boxes_again() -> None:
    disk = Disk()
    disk.room.left()
    disk.room.took(250)
    assert octets(disk) == 450
    assert disk.counts == 1
    assert disk.room.summary == "3 of 10000 files, 550 of 1000 octets"


def test_room_that_an_operator_made_is_found_soon_and_a_flood_reads_no_boxes() -> None:
    disk = Disk()
    disk.sizes = [600, 400]
    for _ in range(100):
        refused = disk.room.left()
    assert disk.counts == 1
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason) == (3, REASON)
    disk.sizes = [400]
    assert isinstance(disk.room.left(), Refused)
    disk.now += FULL_RECOUNT_S
    assert octets(disk) == 600


def test_what_others_wrote_is_found_in_the_end() -> None:
    disk = Disk()
    disk.room.left()
    disk.sizes = [900]
    disk.now += RECOUNT_S
    assert octets(disk) == 100


def test_files_without_octets_are_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a name, a place in the list, and a message to the standby."""
    monkeypatch.setattr(module, "MOST_IN_ALL", 2)
    refused = Disk().room.left()
    assert isinstance(refused, Refused)
    assert "2 files" in refused.detail


def test_nothing_fits_below_the_floor_whatever_the_boxes_hold() -> None:
    disk = Disk()
    disk.free = 100
    refused = disk.room.left()
    assert isinstance(refused, Refused)
    assert "tftp.upload_floor" in refused.detail
    assert disk.counts == 0
    assert disk.room.summary == ""


def test_a_directory_that_is_not_there_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    assert free_octets(str(tmp_path / "a" / "b")) > 0
