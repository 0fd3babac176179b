"""A fresh environment gets working commands by ``pip install .`` and by ``pip install -e .`` alike."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = ("voxpath", "voxpath-sg", "voxpath-mgc", "voxpath-sip", "voxpath-phone")
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "voxpath", "twisted")


def run(*argv: object, cwd: Path) -> str:
    """Run a program to its end; fail with its output when it fails."""
    done = subprocess.run([str(word) for word in argv], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [(), ("--editable",)], ids=["wheel", "editable"])
def test_an_installation_has_its_commands(options: tuple[str, ...], tmp_path: Path) -> None:
    source, environment, elsewhere = tmp_path / "source", tmp_path / "environment", tmp_path / "elsewhere"
    elsewhere.mkdir()
    source.mkdir()
    for name in SOURCES:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
        else:
            shutil.copy(origin, source / name)
    run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    bin_directory = environment / "bin"
    run(bin_directory / "pip", "install", "--quiet", *options, source, cwd=elsewhere)
    listed = run(bin_directory / "twistd", "--help", cwd=elsewhere)
    assert all(f"\n    {command} " in listed for command in COMMANDS), listed
    for command in COMMANDS[:-1]:
        checked = run(bin_directory / "twistd", "--nodaemon", "--pidfile=", command, "--check", cwd=elsewhere)
        assert "can be started here" in checked
    assert run(bin_directory / "voxpath", "version", cwd=elsewhere).startswith("voxpath ")
