"""``why``: the decisions about one phone, and what is to be said when there are none, or beside them."""

from collections.abc import Iterable, Sequence

from voxpath.manage.entry import Entry
from voxpath.manage.facts import CommandError, UserFacts
from voxpath.manage.subject import Subject
from voxpath.model.address import Mac
from voxpath.model.event import printable

HIDDEN = (
    "its phone shows no combination address: a call from beyond its realm needs the proxy, "
    "or ACK and BYE go to a private address and are lost; see showing of [[user]]"
)
BINDINGS = frozenset({"CONTACT_BOUND", "CONTACT_UNBOUND"})
"""Events that tell of a registration."""


def note_of(subject: Subject, known: Sequence[Entry], user: UserFacts | None) -> str:
    """What is to be said beside the decisions, in one line; empty: nothing.

    :param known: all that is remembered, messages included.
    :raises CommandError: what was written is neither a phone nor a user.
    """
    if not known and user is None and not _is_mac(subject.identities[0]):
        kind = "user that this process knows" if subject.aor else "Ethernet address"
        todo = "add a [[user]], or ask another process by --socket" if subject.aor else "write 02:00:00:00:0a:01"
        raise CommandError("why", f"{printable(subject.name, 64)!r} is no {kind}", todo)
    notes = list(_of_user(subject, known, user)) if user is not None else []
    name = printable(subject.name, 64)
    decisions = [entry for entry in known if not entry.is_message]
    if not known:
        notes.append(f"nothing was heard of {name} since the start: its messages do not arrive here")
    elif not decisions:
        notes.append(f"{len(known)} messages and no decision: see ladder {name}")
    elif decisions[-1].id == "DHCP_IGNORED_MAC":
        notes.append(f"adopt {name} lets it be served; explain {name} tells what it would get")
    return "; ".join(notes)


def _of_user(subject: Subject, known: Iterable[Entry], user: UserFacts) -> Iterable[str]:
    if not user.contacts:
        was = any(entry.id in BINDINGS and entry.field("aor") == subject.aor for entry in known)
        yield f"{printable(subject.aor, 64)} " + ("is not registered any more" if was else "never registered since the start")
    if not user.listed:
        yield "the configuration has no such [[user]]"
    if user.hidden:
        yield HIDDEN


def _is_mac(text: str) -> bool:
    try:
        Mac.parse(text)
    except ValueError:
        return False
    return True
