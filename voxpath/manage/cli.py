"""``voxpath ctl``: ask running processes, and show what they answer.

Exit codes: 0 done; 1 the process refused; 2 the command is written wrongly; 3 no process answers.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from voxpath.manage.client import NoServer, Refused, ask
from voxpath.manage.commands import COMMANDS, Command
from voxpath.manage.ladder import LINE_WIDTH
from voxpath.manage.show import NOTE_LIMIT, columns, json_lines, notes
from voxpath.manage.wire import Reply
from voxpath.model.event import printable

DEFAULT_SOCKET = "run/control.sock"
"""Where the default configuration puts it."""

DONE, REFUSED, USAGE, NO_SERVER = range(4)


def add_ctl(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``ctl`` to the subcommands of ``voxpath``."""
    parser = commands.add_parser(
        "ctl",
        help="ask a running process",
        description="Ask a running voxpath over its control socket.",
        epilog=f"verbs:\n{verbs()}\n\nexit codes: 0 done, 1 refused, 2 written wrongly, 3 no process answers",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument("verb", choices=COMMANDS, metavar="VERB")
    parser.add_argument("arguments", nargs="*", default=[], metavar="ARGUMENT")
    parser.set_defaults(run=run_ctl, parser=parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whom to ask and how to show it."""
    parser.add_argument(
        "--socket",
        action="append",
        metavar="PATH",
        help=f"control socket (default: {DEFAULT_SOCKET}); repeat it to merge ladder or events of several processes",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of columns")


def verbs() -> str:
    """The command table, a line for each verb."""
    width = max(len(command.usage) for command in COMMANDS.values())
    return "\n".join(f"  {command.usage.ljust(width)}  {command.help}" for command in COMMANDS.values())


def run_ctl(options: argparse.Namespace) -> int:
    """Carry out ``voxpath ctl``."""
    command = COMMANDS[options.verb]
    sockets: list[str] = options.socket or [DEFAULT_SOCKET]
    if not command.accepts(len(options.arguments)):
        options.parser.error(f"write {command.usage}")
    if len(sockets) > 1 and not command.merges:
        options.parser.error(f"{command.verb} asks one process: give --socket once")
    replies, failures = ask_all(sockets, command.verb, options.arguments)
    for failure in failures:
        complain("voxpath ctl", str(failure))
    if replies:
        show(command, options.arguments, replies, options.json)
    return code_of(failures)


def ask_all(sockets: Sequence[str], verb: str, arguments: Sequence[str]) -> tuple[list[Reply], list[NoServer | Refused]]:
    """Ask one process after the other: the answers, and why there is none."""
    replies: list[Reply] = []
    failures: list[NoServer | Refused] = []
    for path in sockets:
        try:
            replies.append(ask(path, verb, arguments))
        except (NoServer, Refused) as error:
            failures.append(error)
    return replies, failures


def code_of(failures: Sequence[NoServer | Refused]) -> int:
    """The exit code that tells the worst of what went wrong."""
    return max((NO_SERVER if isinstance(failure, NoServer) else REFUSED for failure in failures), default=DONE)


def complain(program: str, what: str) -> None:
    """Say in one line what is wrong."""
    print(f"{program}: {printable(what, NOTE_LIMIT)}", file=sys.stderr)


def show(command: Command, arguments: Sequence[str], replies: Sequence[Reply], as_json: bool) -> None:
    """Print what was answered; notes go to standard error."""
    for note in notes(replies):
        print(note, file=sys.stderr)
    on_screen = sys.stdout.isatty()
    width = shutil.get_terminal_size((LINE_WIDTH, 0)).columns if on_screen else LINE_WIDTH
    if as_json:
        write(json_lines(command, replies).encode())
    elif replies[0].text and not on_screen:
        write(replies[0].text.encode())
    else:
        write(columns(command, arguments, replies, width).encode(errors="backslashreplace"))


def write(octets: bytes) -> None:
    """Write to standard output, as it is; whoever reads no further, as ``head`` does, has what he wanted."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What Python would still flush at its end must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
