"""Phones that use an address before they ask for it: another server gave it to them, or this one has lost its store.

The prober has found somebody there and put the address on probation.
Who asks from the Ethernet address that answered is the one, and gets it.
Until it has it by a lease the probation only rests: a phone that is offered it and takes another server's offer uses it still.
"""

from ipaddress import IPv4Address

from voxpath.dhcp.conflicts import Conflict
from voxpath.dhcp.machine import Book
from voxpath.dhcp.record import Timer
from voxpath.dhcp.request import Request


def found_at(book: Book, request: Request, wanted: IPv4Address | None, fixed: IPv4Address | None, now: float) -> Conflict | None:
    """Where a phone was found that has nothing here yet; ``None``: nowhere that it could have.

    :param wanted: is preferred if it was found at several addresses.
    :param fixed: the only one that it may have, by a reservation or by hand, whatever it has here; ``None``: any.
    """
    client = book.known(request.mac)
    if fixed is None and client is not None and client.known:
        return None
    names = {scope.name for scope in (request.link.members if fixed is None else request.link.scopes)}
    found = [each for each in book.demand.conflicts.of(request.mac, now) if each.scope in names and fixed in (None, each.address)]
    # What is remembered or reserved for another phone stays that one's matter.
    found = [each for each in found if book.holder(each.address) is None and (fixed or not book.is_reserved(each.address))]
    return next((each for each in found if each.address == wanted), found[0] if found else None)


def claim(book: Book, conflict: Conflict) -> None:
    """End the probation of an address for the phone that was found there; :meth:`Book.resume` undoes it."""
    book.demand.conflicts.end(conflict.address)
    book.timers.disarm(Timer("probation", scope=conflict.scope, address=conflict.address))
    book.end_probation(conflict.scope, conflict.address, None)
