"""``voxpath check``: everything that is wrong at once, and an exit code."""

from pathlib import Path

import pytest

from voxpath.app.cli import main


def test_a_right_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "voxpath.toml"
    file.write_text("")
    assert main(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "note: dhcp: off" in out
    assert out.endswith("nothing is wrong\n")
    assert err == ""


def test_a_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "voxpath.toml"
    file.write_text("nam = 1\n[nat]\nbackand = 2\n")
    assert main(["check", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{file}: nam: is not an option; did you mean name?",
        f"{file}: nat.backand: is not an option; did you mean backend?",
    ]


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.toml")]) == 1
    assert "No such file" in capsys.readouterr().err
