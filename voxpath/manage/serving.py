"""Commands about whom DHCP serves: ``explain``, ``adopt``, ``adopted`` and ``disown``."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from twisted.internet.defer import Deferred

from voxpath.dhcp.message import ANY
from voxpath.dhcp.question import Question
from voxpath.manage import rows
from voxpath.manage.command import Answer, Command, Console
from voxpath.manage.facts import CommandError
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.octets import read_octets

DETAILS = ("class", "client", "wants", "circuit", "relay", "interface")
"""What ``explain`` may be told of the message, as ``NAME=VALUE``; all but the last may be empty: that is not sent then."""

MAX_DIGITS, LAST_CODE = 3, 255
"""Of an option's number, and the one that is the end of all options."""


def _mac(verb: str, text: str) -> Mac:
    try:
        return Mac.parse(text)
    except ValueError:
        raise CommandError(verb, f"{printable(text, 40)!r} is no Ethernet address", "write 02:00:00:00:0a:01") from None


def _adopted(console: Console, arguments: Sequence[str]) -> Answer:
    found = [rows.AdoptedRow(adoption.phone, rows.when(adoption.since)) for adoption in console.facts.adopted()]
    return Answer(rows.AdoptedRow, found)


def _adopt(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    return console.facts.adopt(_mac("adopt", arguments[0])).addCallback(lambda mac: _done("adopted", mac))


def _disown(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    return console.facts.disown(_mac("disown", arguments[0])).addCallback(lambda mac: _done("disowned", mac))


def _done(item: str, value: str) -> Answer:
    return Answer(rows.ItemRow, [rows.ItemRow(item, value)])


def _explain(console: Console, arguments: Sequence[str]) -> Answer:
    """A dry run of a DISCOVER; nothing is sent, stored or kept."""
    question = Question(_mac("explain", arguments[0]))
    for argument in arguments[1:]:
        question = _with(question, argument)
    found = [rows.ItemRow(finding.step, finding.result) for finding in console.facts.explain(question)]
    return Answer(rows.ItemRow, found)


def _with(question: Question, argument: str) -> Question:
    name, equals, value = argument.partition("=")
    todo = f"write one of {', '.join(f'{detail}=' for detail in DETAILS)} and its value"
    if not equals or name not in DETAILS:
        raise CommandError("explain", f"{printable(argument, 60)!r} is no detail of a message", todo)
    try:
        match name:
            case "relay":
                return question._replace(relay=IPv4Address(value) if value else ANY)
            case "interface":
                return question._replace(interface=value)
            case "class":
                return question._replace(vendor_class=value.encode("ascii")[:255])
            case "client":
                return question._replace(client_id=read_octets(value) if value else b"")
            case "wants":
                return question._replace(wanted=_codes(value))
            case _:
                return question._replace(circuit_id=read_octets(value) if value else b"")
    except ValueError as error:
        raise CommandError("explain", f"{name}: {printable(str(error), 80)}", todo) from None


def _codes(text: str) -> bytes:
    """Read numbers of options; raise :class:`ValueError` for anything else."""
    words = text.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS and 0 < int(word) < LAST_CODE for word in words):
        raise ValueError("numbers of options are wanted, such as 1,3,6,66")
    return bytes(map(int, words))


ADOPT = Command("adopt", ("MAC",), "serve a phone whose Ethernet address the configuration does not name", _adopt)
ADOPTED = Command("adopted", (), "Ethernet addresses that were adopted", _adopted)
DISOWN = Command("disown", ("MAC",), "take an adoption back; a lease stays until it runs out, or release takes it", _disown)
EXPLAIN = Command(
    "explain",
    ("MAC", *(f"[{detail}=...]" for detail in DETAILS)),
    "what a DISCOVER of this phone would lead to, step by step, as it asked last or as written; nothing is changed",
    _explain,
)
