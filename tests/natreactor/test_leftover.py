"""What a look at the kernel's table of a process that is gone tells."""

from typing import Any

import pytest

from voxpath.core.errors import LocalError
from voxpath.natreactor import leftover
from voxpath.natreactor.claim import claim


class Kernel:
    """nftables with one set, or with an error."""

    def __init__(self, answer: list[dict[str, Any]] | LocalError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self) -> "Kernel":
        return self

    def read(self, command: str) -> list[dict[str, Any]]:
        self.asked.append(command)
        if isinstance(self.answer, LocalError):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.asked.append("closed")


@pytest.fixture(autouse=True)
def nftables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are asked in live tests."""
    monkeypatch.setattr(leftover, "LOOKS", leftover.LOOKS[:1])


def state(comment: str) -> list[dict[str, Any]]:
    return [{"set": {"name": "state", "elem": [{"elem": {"val": 1, "comment": comment}}]}}]


@pytest.mark.parametrize(
    ("answer", "generation"),
    [
        (state("1 64 4711"), 4711),
        (state("99 64 4711"), None),
        (state("what else"), None),
        ([{"set": {"name": "state"}}], None),
        (LocalError("No such file or directory"), None),
    ],
    ids=["ours", "of another version", "somebody else's", "empty", "none"],
)
def test_a_table_that_nobody_keeps_is_told_by_its_generation(monkeypatch, answer, generation: int | None) -> None:
    kernel = Kernel(answer)
    monkeypatch.setattr(leftover, "Nftables", kernel)
    assert leftover.generation_left("tried_left") == generation
    assert kernel.asked == ["list set ip tried_left state", "closed"], "it is looked at, and nothing is changed"


def test_a_table_that_a_process_keeps_is_not_left(monkeypatch) -> None:
    kernel = Kernel(state("1 64 4711"))
    monkeypatch.setattr(leftover, "Nftables", kernel)
    with claim("tried_left"):
        assert leftover.generation_left("tried_left") is None
    assert leftover.generation_left("tried_left") == 4711


def test_without_nftables_nobody_tells(monkeypatch) -> None:
    def missing() -> None:
        raise LocalError("libnftables.so.1 is missing")

    monkeypatch.setattr(leftover, "Nftables", missing)
    assert leftover.generation_left("tried_left") is None


def test_it_is_asked_what_every_back_end_may_have_left(monkeypatch) -> None:
    """Where one cannot tell, for want of rights, the next one is asked."""

    def refused(_: str) -> int | None:
        raise LocalError("Operation not permitted")

    monkeypatch.setattr(leftover, "LOOKS", (refused, lambda _: None, {"tried_left": 7}.get))
    assert leftover.generation_left("tried_left") == 7
    monkeypatch.setattr(leftover, "LOOKS", (refused, lambda _: None))
    assert leftover.generation_left("tried_left") is None
