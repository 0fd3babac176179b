"""Changes of bindings that are shown already while the store still writes them.

Whoever calls a phone that has just registered must find it, and the phone's next request must be compared with its last one;
neither can wait for the disk.
If the disk refuses, each contact becomes again what it would be without the refused change, although later ones may be under way.
"""

from collections.abc import Iterable

from voxpath.core.effects import Change, Put
from voxpath.model.contact import Contact
from voxpath.sip.location import Location


class _History:
    """One contact with its changes that are under way, the oldest first; the store settles them in that order.

    :ivar settled: what the store has; ``None``: no such contact.
    """

    __slots__ = ("changes", "settled")

    def __init__(self, settled: Contact | None, change: Contact | None) -> None:
        self.settled = settled
        self.changes = [change]

    @property
    def shown(self) -> Contact | None:
        """What it is if nothing that is still under way fails."""
        return self.changes[-1] if self.changes else self.settled


class Unsettled:
    """Shows changes in a location service, and settles or withdraws them."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._histories: dict[str, dict[str, _History]] = {}

    def __len__(self) -> int:
        return len(self._histories)

    def stored(self, aor: str) -> list[Contact]:
        """What the store has of an address-of-record, in the order of :meth:`Location.of`: nothing that may still fail."""
        shown = self._location.of(aor)
        histories = self._histories.get(aor)
        if histories is None:
            return list(shown)
        stored = [contact for contact in shown if contact.key not in histories]
        stored += [history.settled for history in histories.values() if history.settled is not None]
        return sorted(stored, key=lambda contact: (-contact.q, -contact.since))

    def show(self, changes: Iterable[Change]) -> None:
        """Make changes in memory; a commit of theirs follows."""
        location = self._location
        for change in changes:
            contact, after = _meaning(change)
            former = location.put(contact) if after is not None else location.remove(contact)
            histories = self._histories.setdefault(contact.aor, {})
            history = histories.get(contact.key)
            if history is None:
                histories[contact.key] = _History(former, after)
            else:
                history.changes.append(after)

    def settle(self, changes: Iterable[Change]) -> None:
        """The commit succeeded."""
        for change in changes:
            contact, after = _meaning(change)
            history = self._histories[contact.aor][contact.key]
            history.settled = after
            self._end(history, contact, after)

    def withdraw(self, changes: Iterable[Change]) -> None:
        """The commit failed."""
        for change in changes:
            contact, after = _meaning(change)
            history = self._histories[contact.aor][contact.key]
            self._end(history, contact, after)
            shown = history.shown
            if shown is not None:
                self._location.put(shown)
            else:
                self._location.remove(contact)

    def _end(self, history: _History, contact: Contact, after: Contact | None) -> None:
        history.changes.remove(after)
        if not history.changes:
            histories = self._histories[contact.aor]
            del histories[contact.key]
            if not histories:
                del self._histories[contact.aor]


def _meaning(change: Change) -> tuple[Contact, Contact | None]:
    """The contact that a change is about, and what is there after it."""
    contact = change.value
    assert isinstance(contact, Contact)
    return contact, contact if isinstance(change, Put) else None
