"""``why``: the decisions about one phone, and what is to be said when there are none, or beside them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from voxpath.manage.entry import Entry
from voxpath.manage.facts import CommandError, Facts, UserFacts
from voxpath.manage.rows import when
from voxpath.manage.subject import Subject
from voxpath.model.address import is_mac
from voxpath.model.event import printable

HIDDEN = (
    "its phone shows no combination address: a call from beyond its realm needs the proxy, "
    "or ACK and BYE go to a private address and are lost; see showing of [[user]]"
)
HOLDINGS = 4
"""Leases and bindings that a note tells, and reasons why a phone is not heard."""

BINDINGS = frozenset({"CONTACT_BOUND", "CONTACT_UNBOUND"})
"""Events that tell of a registration."""


def check_subject(verb: str, subject: Subject) -> None:
    """Refuse what nothing is known of, unless it is a phone of which nothing was heard yet.

    :raises CommandError: what was written is neither a phone nor a user.
    """
    if not is_mac(subject.identities[0]):
        kind = "user that this process knows" if subject.aor else "Ethernet address and no address-of-record"
        todo = "add a [[user]], or ask another process by --socket" if subject.aor else "write 02:00:00:00:0a:01 or a1@voip.example"
        raise CommandError(verb, f"{printable(subject.name, 64)!r} is no {kind}", todo)


def holdings(facts: Facts, subject: Subject) -> Iterator[str]:
    """What a phone or user holds now, from whatever time; parts that do not run here are passed over."""
    with suppress(CommandError):
        for lease in facts.leases():
            if lease.phone in subject.identities and lease.expires > facts.now():
                yield f"a lease of {lease.address} until {when(lease.expires)}"
    with suppress(CommandError):
        for contact in facts.contacts(subject.name):
            yield f"a SIP binding of {printable(contact.aor, 64)} until {contact.expires}"


def unheard(facts: Facts, subject: Subject) -> tuple[str, ...]:
    """Why DHCP cannot hear the subject's first phone at the moment."""
    phone = subject.identities[0]
    return tuple(islice(facts.unheard(phone), HOLDINGS)) if is_mac(phone) else ()


def note_of(
    subject: Subject, known: Sequence[Entry], user: UserFacts | None, held: Sequence[str] = (), deaf: Sequence[str] = ()
) -> str:
    """What is to be said beside the decisions, in one line; empty: nothing.

    :param known: all that is remembered, messages included.
    :param held: what the phone or user holds; without a word of it since the start, it is older than that.
    :param deaf: why it cannot be heard.
    """
    notes = list(_of_user(subject, known, user)) if user is not None else []
    name = printable(subject.name, 64)
    decisions = [entry for entry in known if not entry.is_message]
    if not known:
        older = f", but from before it there is {' and '.join(held[:HOLDINGS])}: it need not say anything until it renews that"
        silent = "" if deaf else ": its messages do not arrive here"
        notes.append(f"nothing was heard of {name} since the start{older if held else silent}")
    elif not decisions:
        notes.append(f"{len(known)} messages and no decision: see ladder {name}")
    elif decisions[-1].id == "DHCP_IGNORED_MAC":
        notes.append(f"adopt {name} lets it be served; explain {name} tells what it would get")
    return "; ".join([*notes, *deaf])


def _of_user(subject: Subject, known: Iterable[Entry], user: UserFacts) -> Iterable[str]:
    if not user.contacts:
        was = any(entry.id in BINDINGS and entry.field("aor") == subject.aor for entry in known)
        yield f"{printable(subject.aor, 64)} " + ("is not registered any more" if was else "never registered since the start")
    if not user.listed:
        yield "the configuration has no such [[user]]"
    if user.hidden:
        yield HIDDEN
