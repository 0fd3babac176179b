"""Builds the wheel and checks what is in it: one plugin file, nothing of Twisted's own, all data files."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (
    "voxpath/py.typed",
    "voxpath/store/schema/0001.sql",
    "voxpath/store/schema/0002.sql",
    "voxpath/store/schema/0003.sql",
    "voxpath/store/schema/0004.sql",
    "voxpath/store/schema/0005.sql",
    "voxpath/store/schema/0006.sql",
    "voxpath/store/schema/0007.sql",
    "voxpath/store/schema/0008.sql",
    "voxpath/app/phone_classes.toml",
    "voxpath/natreactor/ebpf/nat.bpf.c",
    "voxpath/natreactor/ebpf/nat.bpf.o",
    "voxpath/provision/shipped/files.toml",
    "voxpath/provision/shipped/baresip/uuid",
    "voxpath/provision/shipped/yealink/mac.cfg",
    "voxpath/app/taps/everything.py",
    "voxpath/app/taps/sip.py",
)


def main() -> int:
    """Return 0 when the wheel holds what it must, and nothing below ``twisted/`` but the plugin file."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", directory, str(ROOT)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(directory).glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
    problems = [f"missing: {name}" for name in NEEDED if name not in names]
    below = [name for name in names if name.startswith("twisted/")]
    if below != ["twisted/plugins/voxpath_plugins.py"]:
        problems.append(f"below twisted/ there must be the plugin file alone, found {below}")
    problems += [f"does not belong into the wheel: {name}" for name in names if name.startswith("tests/")]
    print("\n".join(problems) or f"wheel: {len(names)} files, as they should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
