"""What nobody gets for a while, in words: addresses on probation and port blocks in quarantine, and when the next of them is free.

Each count and each time costs the same however many there are, since a full scope is asked again and again (DHC-24).
"""

from collections.abc import Iterable, Iterator

from voxpath.core.timers import earliest
from voxpath.dhcp.machine import Book
from voxpath.model.phone import Scope


def waiting(book: Book, scopes: Iterable[Scope], now: float) -> str:
    """What a phone on a link of these scopes could have later, to follow a reason; empty: nothing."""
    scopes = tuple(scopes)
    realms = dict.fromkeys(scope.realm for scope in scopes)
    probations = _addresses(book, scopes, now)
    quarantines = dict.fromkeys(_blocks(book, realm, now) for realm in realms)
    found = [f"on probation: {probations}"] if probations else []
    found += [f"in quarantine: {told}" for told in quarantines if told]
    return "".join(f"; {told}" for told in found)


def summary(book: Book, now: float) -> Iterator[tuple[str, str]]:
    """The same as named facts: of each scope and each realm that has any."""
    for scope in book.scopes.values():
        if told := _addresses(book, (scope,), now):
            yield f"on probation in {scope.name}", told
    for realm in dict.fromkeys(scope.realm for scope in book.scopes.values()):
        if told := _blocks(book, realm, now):
            yield f"in quarantine for {realm}", told


def _addresses(book: Book, scopes: Iterable[Scope], now: float) -> str:
    ends = [book.probations[scope.name] for scope in scopes]
    return _told(sum(map(len, ends)), "address", "addresses", earliest(*(end.next_due() for end in ends)), now)


def _blocks(book: Book, realm: str, now: float) -> str:
    count, due = book.ledger.quarantined(realm, now)
    return _told(count, "port block", "port blocks", due, now)


def _told(count: int, one: str, several: str, due: float | None, now: float) -> str:
    if due is None:
        return ""
    # A timer that is due has its turn in a moment.
    return f"{count} {one if count == 1 else several}, the next one is free in {max(due - now, 0):.0f} s"
