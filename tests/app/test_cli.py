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


def test_what_a_file_holds_cannot_write_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names come from the file, and a problem is one line of bounded length."""
    evil = "a\\nERROR: everything is fine\\u001b[31m"
    file = tmp_path / "voxpath.toml"
    file.write_text(
        f"""
        state = "{tmp_path}"
        [manhole]
        ssh = ["127.0.0.1:2222"]
        authorized_keys = "{evil}"
        [tls]
        ca = "{evil}"
        [[realm]]
        name = "{evil}{"x" * 5000}"
        private = ["10.0.0.0/24"]
        public = ["203.0.113.1"]
        [[pool]]
        public = "203.0.113.1"
        ports = [2048, 4095]
        realm = "b"
        """
    )
    assert main(["check", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() and len(line) < 4000 for line in lines)
    file.write_text(f'[[class]]\nname = "{evil}"\nvendor_classes = ["x"]\n')
    assert main(["check", str(file)]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('[user]\nname = "a"\n[[user]]\nname = "b"\n', "write [[user]] above each user, with two brackets"),
        ('[user]\nname = "a"\n[user]\nname = "b"\n', "write [[user]] above each user, with two brackets"),
        ("[sip]\n[sip]\n", "[sip] stands there before: write all its options below one heading"),
        ("[sip\n", "correct the syntax there"),
        ("a = 1\na = 2\n", "correct the syntax there"),
    ],
)
def test_a_heading_that_stands_there_twice_is_told_by_its_name(
    text: str, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "voxpath.toml"
    file.write_text(text)
    assert main(["check", str(file)]) == 1
    assert capsys.readouterr().err.endswith(f"; {advice}\n")


def test_the_file_of_a_phone_has_no_parts_that_are_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "phone.toml"
    file.write_text(f'state = "{tmp_path}"\n[phone]\ninterface = "lo"\n')
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: nothing is wrong\n"


def test_a_command_without_a_verb_is_told_what_it_needs_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ctl"])
    assert capsys.readouterr().err.endswith("required: VERB\n")
