"""How the demonstration speaks: what happens and when, an operator's commands with their answers, and facts that were measured."""

import subprocess
import sys
import time

from tests.live.sites import Stage

BEGAN = time.monotonic()
MARGIN = " " * 11


def say(text: str) -> None:
    """Print what happens, with the time since the beginning."""
    print(f"[{time.monotonic() - BEGAN:6.2f} s] {text}", flush=True)


def show(text: str) -> None:
    """Print what a program or a file says, line by line."""
    print("".join(f"{MARGIN}{line}\n" for line in text.splitlines()), flush=True)


def ctl(stage: Stage, names: tuple[str, ...], *command: str) -> None:
    """Ask processes by the command line, as an operator does, and show the answer."""
    sockets = [word for name in names for word in ("--socket", stage.socket(name))]
    shown = " ".join(f"--socket {name}/control.sock" for name in names)
    print(f"{MARGIN}$ voxpath ctl {shown} {' '.join(command)}", flush=True)
    argv = [sys.executable, "-m", "voxpath.app.cli", "ctl", *sockets, *command]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"NOT SO: voxpath ctl {' '.join(command)} answers: {done.stderr}")
    show(done.stdout + done.stderr)


def check(holds: bool, what: str) -> None:
    """State a fact that was just measured; the demonstration ends when it is none."""
    if not holds:
        raise AssertionError(f"NOT SO: {what}")
    say(f"  ok: {what}")
