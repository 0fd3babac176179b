"""``voxpath manhole-password USER``: make a line for the file of the telnet manhole's passwords."""

import argparse
import getpass
import sys
from secrets import token_bytes

from voxpath.core.errors import LocalError
from voxpath.manage.manhole.passwords import SALT_OCTETS, line_of


def add_password(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``manhole-password`` to the subcommands of ``voxpath``."""
    parser = commands.add_parser(
        "manhole-password",
        help="make a line for the telnet manhole's password file",
        description="Ask for a password, or read it from standard input, and print the line that admits it; append it to the file.",
    )
    parser.add_argument("user", metavar="USER")
    parser.set_defaults(run=run_password)


def run_password(options: argparse.Namespace) -> int:
    """Carry out ``voxpath manhole-password``."""
    try:
        print(line_of(options.user, _asked(), token_bytes(SALT_OCTETS)))
    except (LocalError, EOFError, UnicodeDecodeError) as error:
        print(f"voxpath manhole-password: {error or 'no password was given'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != password:
        raise LocalError("the two differ; try again")
    return password
