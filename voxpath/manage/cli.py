"""``voxpath ctl``: ask running processes, and show what they answer.

Exit codes: 0 done; 1 the process refused; 2 the command is written wrongly; 3 no process answers.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence

import msgspec

from voxpath.manage.client import NoServer, Refused, ask
from voxpath.manage.commands import COMMANDS, Command, event_rows
from voxpath.manage.entry import Entry, merged
from voxpath.manage.ladder import LINE_WIDTH, ladder
from voxpath.manage.rows import EventRow, as_dict, columns_of, draw
from voxpath.manage.wire import Reply
from voxpath.model.event import printable
from voxpath.model.phone import identity_of

DEFAULT_SOCKET = "run/control.sock"
"""Where the default configuration puts it."""

DONE, REFUSED, USAGE, NO_SERVER = range(4)


def add_ctl(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``ctl`` to the subcommands of ``voxpath``."""
    width = max(len(command.usage) for command in COMMANDS.values())
    verbs = "\n".join(f"  {command.usage.ljust(width)}  {command.help}" for command in COMMANDS.values())
    parser = commands.add_parser(
        "ctl",
        help="ask a running process",
        description="Ask a running voxpath over its control socket.",
        epilog=f"verbs:\n{verbs}\n\nexit codes: 0 done, 1 refused, 2 written wrongly, 3 no process answers",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--socket",
        action="append",
        metavar="PATH",
        help=f"control socket (default: {DEFAULT_SOCKET}); repeat it to merge ladder or events of several processes",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of columns")
    parser.add_argument("verb", choices=COMMANDS, metavar="VERB")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT")
    parser.set_defaults(run=run_ctl, parser=parser)


def run_ctl(options: argparse.Namespace) -> int:
    """Carry out ``voxpath ctl``."""
    command = COMMANDS[options.verb]
    sockets: list[str] = options.socket or [DEFAULT_SOCKET]
    if not command.accepts(len(options.arguments)):
        options.parser.error(f"write {command.usage}")
    if len(sockets) > 1 and not command.merges:
        options.parser.error(f"{command.verb} asks one process: give --socket once")
    replies: list[Reply] = []
    code = DONE
    for path in sockets:
        try:
            replies.append(ask(path, command.verb, options.arguments))
        except (NoServer, Refused) as error:
            print(f"voxpath ctl: {printable(str(error), 1000)}", file=sys.stderr)
            code = max(code, NO_SERVER if isinstance(error, NoServer) else REFUSED)
    if replies:
        show(command, options.arguments, replies, options.json)
    return code


def show(command: Command, arguments: Sequence[str], replies: Sequence[Reply], as_json: bool) -> None:
    """Print what was answered; notes go to standard error, so that columns stay columns."""
    for reply in replies:
        if reply.note:
            print(printable(reply.note, 1000), file=sys.stderr)
        if reply.left_off:
            print(f"{reply.left_off} more rows are left off", file=sys.stderr)
    if command.merges:
        _show_entries(command, arguments, merged(reply.entries for reply in replies), as_json)
    elif as_json:
        _print_json(replies[0].rows)
    elif replies[0].columns:
        sys.stdout.write(draw(replies[0].columns, replies[0].rows))


def _show_entries(command: Command, arguments: Sequence[str], entries: list[Entry], as_json: bool) -> None:
    if as_json:
        _print_json(entries)
    elif command.verb == "ladder":
        width = shutil.get_terminal_size((LINE_WIDTH, 0)).columns if sys.stdout.isatty() else LINE_WIDTH
        sys.stdout.write(ladder(entries, identity_of(arguments[0]), width))
    else:
        sys.stdout.write(draw(columns_of(EventRow), [as_dict(row) for row in event_rows(entries)]))


def _print_json(objects: Sequence[object]) -> None:
    for item in objects:
        sys.stdout.write(msgspec.json.encode(item).decode() + "\n")
