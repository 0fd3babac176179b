"""Each long proof at a hundredth of its scale, with a fixed seed; and the page that the results are written to."""

import time
from pathlib import Path

import pytest

from tests.soak import __main__ as soak
from tests.soak import fuzz, guided
from tests.soak.disk import FLUSHES, flush_numbers, killed_at, unflushed_writes
from tests.soak.page import Result, updated
from tests.soak.proofs import PROOFS, Proof
from voxpath.core.errors import RemoteError

SCALE = 0.01
SEED = 20261120

CASES = [
    pytest.param(proof, id=proof.name, marks=[pytest.mark.live, pytest.mark.together] if proof.live else []) for proof in PROOFS
]


@pytest.mark.parametrize("proof", CASES)
def test_the_proof_holds_at_a_hundredth(proof: Proof) -> None:
    assert str(proof.scaled(SCALE)) in proof.run(SEED, proof.scaled(SCALE)).replace(",", "")


def broken(seed: int, amount: int) -> str:
    raise AssertionError(f"seed {seed}")


def test_a_failure_is_written_down_and_ends_the_command_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "PROOFS", (PROOFS[0]._replace(run=broken),))
    page = tmp_path / "docs/soak.md"
    assert soak.main(["--scale", "0.5", "--seed", "3", "--output", str(page)]) == 1
    assert "| **failed** | AssertionError: seed 3 | 3 | 0.5 |" in page.read_text()


def test_rows_of_other_proofs_stay_and_a_new_result_replaces_its_own() -> None:
    one, other = PROOFS[:2]
    page = updated("", [Result(one, True, "first", 1, 1.0, 2.0), Result(other, True, "kept", 1, 1.0, 2.0)])
    assert "| first |" in page
    again = updated(page, [Result(one, True, "second", 2, 1.0, 2.0)])
    assert "| first |" not in again
    assert again.index("second") < again.index("| kept |")


def test_the_scale_comes_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXPATH_SCALE", "0.25")
    assert soak.arguments([]).scale == 0.25
    assert soak.arguments(["--scale", "2"]).scale == 2.0


def test_every_proof_is_done_once_at_the_least() -> None:
    assert PROOFS[0].scaled(1e-9) == 1


def dear(octets: bytes) -> None:
    if len(octets) > 1 and octets[0] == 1:
        bytes(fuzz.MOST_OCTETS + 1)
    if len(octets) > 1 and octets[0] == 2:
        end = time.process_time() + 0.01
        while time.process_time() < end:
            pass
    raise RemoteError("refused")


def test_a_message_that_costs_too_much_fails_its_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemoteError):
        fuzz.bounded(dear, b"0", measured=True)
    with pytest.raises(AssertionError, match="octets of memory"):
        fuzz.bounded(dear, b"\1.", measured=True)
    monkeypatch.setattr(fuzz, "MOST_S", 0.005)
    with pytest.raises(AssertionError, match="s of processor time"):
        fuzz.bounded(dear, b"\2.", measured=False)


def test_guided_fuzzing_without_atheris_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "atheris.py").write_text("""raise ModuleNotFoundError("No module named 'atheris'")""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AssertionError, match="atheris cannot be imported"):
        guided.guided("tftp", SEED, 1)


def test_guided_fuzzing_that_ends_by_itself_fails() -> None:
    with pytest.raises(AssertionError, match=r"ended with 1: (?s:.*)KeyError"):
        guided.guided("no-codec", SEED, 1000)


CALLS = """\
77 pwrite64(5</s/voxpath.db-wal>, ""..., 32, 0) = 32
77 pwrite64(5</s/voxpath.db-wal>, ""..., 4096, 56) = 4096
77 fdatasync(5</s/voxpath.db-wal>) = 0
77 pwrite64(5</s/voxpath.db-wal>, ""..., 24, 4152) = 24
77 pwrite64(4</s/voxpath.db>, ""..., 4096, 8192) = 4096
78 fdatasync(4</s/voxpath.db> <unfinished ...>
77 pwrite64(6</s/voxpath.db-shm>, ""..., 8, 0) = 8
78 <... fdatasync resumed>) = 0
77 pwrite64(4</s/voxpath.db>, ""..., 4096, 0 <unfinished ...>
78 fdatasync(5</s/voxpath.db-wal>) = ?
77 +++ killed by SIGKILL +++
"""


def test_what_was_not_flushed_is_read_from_the_calls() -> None:
    """Only that may be torn: a sector that was flushed is the disk's promise."""
    assert unflushed_writes(CALLS) == {"/s/voxpath.db-wal": [(4152, 24)], "/s/voxpath.db": [(0, 4096)]}


def test_where_a_process_was_killed_is_read_from_the_calls() -> None:
    assert killed_at(CALLS, "fdatasync") == 2
    assert killed_at(CALLS, "fsync") == 0
    assert killed_at(CALLS.replace("KILL", "TERM"), "fdatasync") == 0


def test_kills_are_spread_over_the_flushes() -> None:
    assert flush_numbers(100) == list(range(1, FLUSHES + 1))
    assert flush_numbers(1) == [51]
    assert flush_numbers(4) == [13, 38, 63, 88]
