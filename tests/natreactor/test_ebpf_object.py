"""The eBPF object that is committed, and the source beside it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from voxpath.natreactor.ebpf import layout
from voxpath.natreactor.ebpf.program import FILE

SOURCE = FILE.with_name("maps.h")
MAKE = FILE.with_name("make-object")


@pytest.mark.skipif(shutil.which("clang-14") is None, reason="clang-14 is not installed (tests/live/install-programs)")
def test_the_object_is_what_its_source_makes(tmp_path: Path) -> None:
    made = tmp_path / "nat.bpf.o"
    subprocess.run(["sh", str(MAKE), str(made)], check=True, capture_output=True, timeout=60)
    assert made.read_bytes() == FILE.read_bytes(), "run make ebpf"


def test_the_reasons_are_counted_in_the_order_of_the_source() -> None:
    body = SOURCE.read_text().partition("enum reason {")[2].partition("REASONS")[0]
    assert [name.strip() for name in body.split(",") if name.strip()] == [reason.name for reason in layout.REASONS]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOST_PREFIXES", layout.MOST_PREFIXES),
        ("MOST_LINKS", layout.MOST_LINKS),
        ("MOST_PUBLICS", layout.MOST_PUBLICS_OF_A_PHONE),
        ("SIDES", layout.SIDES),
        ("PORTS", layout.PORTS),
        ("SERVICE", layout.SERVICE),
        ("PHONE", layout.PHONE_BITS),
    ],
)
def test_both_sides_have_the_same_numbers(name: str, value: int) -> None:
    (line,) = (line for line in SOURCE.read_text().splitlines() if line.startswith(f"#define {name} "))
    assert int(line.split()[2], 0) == value
