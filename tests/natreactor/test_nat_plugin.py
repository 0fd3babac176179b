"""The how-to for a NAT back end of somebody else: what it shows is written into files as they are, and works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/nat-plugin.md"
FILES = ("acme_nat.py", "twisted/plugins/acme_nat_plugin.py", "test_acme_nat.py")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A directory with the files of the page."""
    for name, content in zip(FILES, re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL), strict=True):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return tmp_path


def run(package: Path, *arguments: str) -> str:
    """Run Python as somebody would who has voxpath and this package."""
    path = os.pathsep.join((str(package), str(ROOT)))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=package,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_names_its_files_in_their_order() -> None:
    text = PAGE.read_text()
    places = [text.index(f"`{name}`") for name in FILES]
    assert places == sorted(places)


def test_the_back_end_of_the_page_passes_the_suite_of_all_back_ends(package: Path) -> None:
    """NAP-14."""
    told = run(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_acme_nat.py")
    assert re.search(r"^\d{2} passed", told, re.MULTILINE), told


def test_the_back_end_of_the_page_is_found_by_its_name(package: Path) -> None:
    program = "from voxpath.natreactor.registry import back_ends; print(*back_ends())"
    assert run(package, "-c", program).split()[-1] == "acme"
