"""The console script ``voxpath``: ``check``, ``ctl``, ``shell``, ``manhole-password`` and ``version``.

Exit codes of ``check``: 0 nothing is wrong, 1 something is, 2 the command is written wrongly.
Those of ``ctl`` and ``shell`` are told in :mod:`voxpath.manage.cli`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from voxpath import __version__
from voxpath.app.check import load, machine_for, notes, off
from voxpath.app.decode import LINE_LIMIT
from voxpath.manage.cli import add_ctl
from voxpath.manage.manhole.command import add_password
from voxpath.manage.shell import add_shell
from voxpath.model.event import printable

INTERRUPTED = 130
"""Exit code of a command that was given up by Ctrl-C, as shells tell it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="voxpath", description="Check configurations and ask running processes.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    checking = commands.add_parser("check", help="check a configuration file and tell all that is wrong")
    checking.add_argument("file", type=Path, metavar="FILE")
    checking.set_defaults(run=run_check)
    add_ctl(commands)
    add_shell(commands)
    add_password(commands)
    commands.add_parser("version", help="print the version").set_defaults(run=run_version)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain again at its end.
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def run_check(options: argparse.Namespace) -> int:
    """Carry out ``voxpath check``: errors on standard error, what is off or noteworthy on standard output."""
    file: Path = options.file
    name = printable(str(file), LINE_LIMIT)
    config, problems = load(file, thorough=True)
    for problem in problems:
        print(f"{name}: {problem}", file=sys.stderr)
    if config is None:
        return 1
    for line in (*off(config, machine_for(config)), *notes(config, file)):
        print(f"note: {line}")
    print(f"{name}: nothing is wrong")
    return 0


def run_version(options: argparse.Namespace) -> int:
    """Carry out ``voxpath version``."""
    print(f"voxpath {__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
