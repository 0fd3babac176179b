"""The command table: each verb with its arguments, its help and what it does. Socket, command line and documentation use it."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred

from voxpath.manage import leasing, metrics, provisioning, rows, serving
from voxpath.manage.command import Answer, Command, Console
from voxpath.manage.ending import ending_of
from voxpath.manage.entry import Entry, entry_of
from voxpath.manage.facts import CommandError, Facts
from voxpath.manage.subject import Subject, subject_of
from voxpath.manage.why import check_subject, holdings, note_of, unheard
from voxpath.model.address import Mac, mac_beginning
from voxpath.model.call import KEYS, LONGEST_NUMBER
from voxpath.model.event import Level, printable
from voxpath.model.phone import identity_of

__all__ = ["COMMANDS", "Answer", "Command", "Console", "event_rows"]

EVENTS = 50
"""Events that ``events`` tells unless it is asked for another number."""

NAMES_LIMIT = 200
"""Names that ``known`` tells; whoever wants more writes more of the name."""

LEVEL_NAMES = {int(level): level.name.lower() for level in Level}


def event_rows(entries: Iterable[Entry]) -> list[rows.EventRow]:
    """Entries as rows."""
    return [
        rows.EventRow(rows.when(entry.at), _level(entry.level), entry.role, entry.phone, entry.id, entry.text) for entry in entries
    ]


def _level(level: int) -> str:
    return LEVEL_NAMES.get(level, str(level))


def _status(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.ItemRow, [rows.ItemRow(item, value) for item, value in console.facts.status()])


def _roles(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.RoleRow, list(console.facts.roles()))


def _registrations(console: Console, arguments: Sequence[str]) -> Answer:
    found = [
        rows.RegistrationRow(
            phone=entry.phone,
            mid=entry.mid,
            public=str(entry.public),
            private="" if entry.private is None else str(entry.private),
            contact=str(entry.contact),
            realm=entry.realm,
            lines=",".join(entry.terminations),
            since=rows.when(entry.since),
        )
        for entry in sorted(console.facts.registrations(), key=lambda entry: (entry.phone, entry.mid))
    ]
    return Answer(rows.RegistrationRow, found)


def _bindings(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    name = subject_of(console.facts, arguments[0]).name if arguments else ""
    return console.facts.gather(console.facts.contacts(name)).addCallback(bindings, name)


def bindings(found: Iterable[rows.ContactRow], name: str = "") -> Answer:
    """Tell SIP bindings: all of them, or those of one phone or user."""
    ordered = sorted(found, key=lambda row: (row.aor, row.contact))
    note = f"{printable(name, 64)} is not registered" if name and not ordered else ""
    return Answer(rows.ContactRow, ordered, note=note)


def _calls(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.CallRow, list(console.facts.calls()))


def _nat(console: Console, arguments: Sequence[str]) -> Answer:
    nat = console.facts.nat()
    under_way = "" if nat.generation == nat.ledger else f" (ledger: {nat.ledger})"
    items = [
        ("backend", nat.backend),
        ("reason", nat.reason),
        ("kernel", "translates without voxpath too" if nat.kernel else "translates only while voxpath runs"),
        ("generation", f"{nat.generation}{under_way}"),
        ("mappings", str(nat.mappings)),
        ("mode", f"call-aware, {nat.pinholes} pinholes open" if nat.mode == "call-aware" else nat.mode),
        *((f"probe {probe.backend}", f"{'usable' if probe.usable else 'not usable'}: {probe.reason}") for probe in nat.probes),
        *((f"drops {reason}", str(count)) for reason, count in sorted(nat.drops.items())),
    ]
    return Answer(rows.ItemRow, [rows.ItemRow(item, value) for item, value in items])


def _counters(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    wanted = identity_of(arguments[0]) if arguments else ""

    def answer(found: list[rows.CounterRow]) -> Answer:
        note = f"no port block of {printable(wanted)} is known" if wanted and not found else ""
        return Answer(rows.CounterRow, found, note=note)

    return console.facts.gather(console.facts.counters(wanted)).addCallback(answer)


def _uploads(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    wanted = identity_of(arguments[0]) if arguments else None

    def answer(found: list[rows.UploadRow]) -> Answer:
        chosen = [row for row in found if wanted in (None, row.phone)]
        return Answer(rows.UploadRow, chosen, note="" if chosen else "nothing was uploaded")

    return console.facts.uploads().addCallback(answer)


def _phones(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.PhoneRow, list(console.facts.phones()))


def _off_hook(console: Console, arguments: Sequence[str]) -> Answer:
    console.facts.off_hook(identity_of(arguments[0]), _line("off-hook", arguments[1:]))
    return Answer()


def _dial(console: Console, arguments: Sequence[str]) -> Answer:
    digits = arguments[1]
    if not 0 < len(digits) <= LONGEST_NUMBER or not KEYS.issuperset(digits):
        raise CommandError("dial", f"{printable(digits, 40)!r} is no number", f"dial 1 to {LONGEST_NUMBER} of 0-9, * and #")
    console.facts.dial(identity_of(arguments[0]), _line("dial", arguments[2:]), digits)
    return Answer()


def _on_hook(console: Console, arguments: Sequence[str]) -> Answer:
    console.facts.on_hook(identity_of(arguments[0]), _line("on-hook", arguments[1:]))
    return Answer()


def _line(verb: str, arguments: Sequence[str]) -> int:
    return _number(verb, arguments[0], 511) if arguments else 1


def _number(verb: str, text: str, largest: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 0 < int(text) <= largest:
        raise CommandError(verb, f"{printable(text, 40)!r} is no number", f"write 1 to {largest}")
    return int(text)


def _why(console: Console, arguments: Sequence[str]) -> Answer:
    """Decisions about one phone, refusals by silence included (DHC-24)."""
    console.facts.decides("why")
    subject = subject_of(console.facts, arguments[0])
    known = [entry_of(record) for record in console.memory.of(*subject.identities)]
    user = console.facts.user(subject.aor) if subject.aor else None
    if not known and user is None:
        check_subject("why", subject)
    # Looked for among all leases and bindings, so only if it is told.
    held = () if known else tuple(holdings(console.facts, subject))
    told = note_of(subject, known, user, held, unheard(console.facts, subject))
    note = "; ".join(filter(None, (told, _ending(console.facts, subject, known))))
    return Answer(rows.EventRow, event_rows(entry for entry in known if not entry.is_message), note=note)


def _ending(facts: Facts, subject: Subject, known: Sequence[Entry]) -> str:
    """What is to be said of a lease that has ended, of the subject's first phone."""
    try:
        mac = Mac.parse(subject.identities[0])
    except ValueError:
        return ""
    return ending_of(facts, mac, known)


def _ladder(console: Console, arguments: Sequence[str]) -> Answer:
    console.facts.decides("ladder")
    subject = subject_of(console.facts, arguments[0])
    known = [entry_of(record) for record in console.memory.of(*subject.identities)]
    # Of several processes one may know a user or a message identifier that another one does not.
    if not known and not subject.aor and not subject.name.startswith(("<", "[")):
        check_subject("ladder", subject)
    return Answer(entries=known, about=subject.identities[0])


def _events(console: Console, arguments: Sequence[str]) -> Answer:
    count = _number("events", arguments[0], 100_000) if arguments else EVENTS
    return Answer(entries=[entry_of(record) for record in console.memory.last(count)])


def _known(console: Console, arguments: Sequence[str]) -> Answer:
    """Phones that leases, registrations or events speak of, and users; what this process does not run is passed over."""
    prefix = arguments[0].lower() if arguments else ""
    names = {*console.memory.phones(), *console.facts.aors()}
    facts = console.facts
    sources: Sequence[Callable[[], Iterable[Any]]] = (facts.leases, facts.registrations, facts.phones)
    for source in sources:
        with suppress(CommandError):
            names.update(each.phone for each in source())
    beginnings = (prefix, mac_beginning(prefix))
    found = sorted({printable(name) for name in names if name.lower().startswith(beginnings)})
    note = f"{len(found) - NAMES_LIMIT} more: write more of the name" if len(found) > NAMES_LIMIT else ""
    return Answer(rows.ItemRow, [rows.ItemRow(name, "known") for name in found[:NAMES_LIMIT]], note=note)


def _standby(console: Console, arguments: Sequence[str]) -> "Answer | Deferred[Answer]":
    if arguments and arguments[0] != "sync":
        raise CommandError("standby", f"{printable(arguments[0], 40)!r} is nothing that it does", "write standby, or standby sync")

    def told(_: object) -> Answer:
        return Answer(rows.ItemRow, [rows.ItemRow(item, value) for item, value in console.facts.standby()])

    return console.facts.sync_standby().addCallback(told) if arguments else told(None)


COMMANDS: dict[str, Command] = {
    command.verb: command
    for command in (
        Command("status", (), "what this process is, and which parts that its configuration asks for are off, and why", _status),
        Command("roles", (), "roles with their state, faults and restarts", _roles),
        leasing.LEASES,
        leasing.BLOCKS,
        leasing.SCOPES,
        leasing.POOLS,
        Command("registrations", (), "registered media gateways", _registrations),
        Command("bindings", ("[PHONE|AOR]",), "SIP bindings: who is registered where, and what the phone shows", _bindings),
        Command("calls", (), "calls under way or redirected, with the address that was chosen and why", _calls),
        Command("why", ("MAC|AOR",), "decisions about one phone or user, also why it gets no answer", _why),
        serving.EXPLAIN,
        serving.ADOPT,
        serving.ADOPTED,
        serving.DISOWN,
        Command("ladder", ("PHONE|AOR",), "every message and decision of one phone as a diagram", _ladder, merges=True),
        Command("events", ("[COUNT]",), "the last events", _events, merges=True),
        Command("known", ("[BEGINNING]",), "phones and users whose name begins so, as completion offers them", _known),
        Command("nat", (), "the NAT back end, why it was chosen, what it dropped", _nat),
        Command("counters", ("[PHONE]",), "by phone: packets and octets through the NAT, drops by reason", _counters),
        metrics.METRICS,
        provisioning.FILES,
        provisioning.RENDER,
        Command("uploads", ("[PHONE]",), "files that phones wrote by TFTP: logs and error reports", _uploads),
        Command("standby", ("[sync]",), "active server and standby: generation, lag, files; sync compares the files now", _standby),
        leasing.RELEASE,
        leasing.MOVE,
        leasing.RESERVE,
        leasing.UNRESERVE,
        leasing.REBOOT,
        Command("phones", (), "software phones: state, signal, level heard", _phones),
        Command("off-hook", ("PHONE", "[LINE]"), "lift a software phone's handset", _off_hook),
        Command("dial", ("PHONE", "DIGITS", "[LINE]"), "dial on a software phone", _dial),
        Command("on-hook", ("PHONE", "[LINE]"), "put a software phone's handset down", _on_hook),
    )
}
"""All commands by verb."""
