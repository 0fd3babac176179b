"""Whether a phone whose lease has ended gets its former address again, in words for ``why`` (decision D17).

It follows what :meth:`~voxpath.dhcp.machine.Book.offer` does when the phone comes back.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.dhcp.machine import Book
from voxpath.dhcp.policy import Applicant, Policy
from voxpath.model.event import printable
from voxpath.model.octets import write_octets
from voxpath.model.phone import Lease, Reservation, Scope


class Keeping(NamedTuple):
    """What becomes of a former address.

    :ivar kept: whether the phone gets it again.
    :ivar words: for how long, or why not and what to do about it; safe for a terminal.
    """

    kept: bool
    words: str


def keeping(book: Book, policy: Policy, lease: Lease) -> Keeping:
    """Tell of the address of a lease that has ended; of shared addresses nothing is remembered."""
    scope, address = book.scopes.get(lease.scope), lease.address
    if scope is None or address not in scope.subnet:
        return Keeping(False, "it lies in no scope any more; give the scope back if the phone shall have it again")
    own = policy.reservation_of(Applicant(lease.mac, client_id=lease.client_id or None))
    if own is not None and own.address == address:
        return Keeping(True, "reserved, for ever")
    if own is not None and own.address in scope.subnet:
        return Keeping(False, f"a [[reservation]] gives it {own.address}")
    other = next((each for each in policy.reservations if each.address == address), None)
    if other is not None:
        return _reserved(other)
    if book.pool(scope.name).is_contested(address):
        return Keeping(False, "another machine was found to use it; see status, and give that machine another address")
    if lease.static:
        return _by_hand(scope, address)
    if not book.pool(scope.name).serves(address):
        return Keeping(
            False, f"it is outside the range of scope {scope.name}; write a [[reservation]] if the phone shall have it again"
        )
    return Keeping(True, f"as long as scope {scope.name} has a free one for others")


def _reserved(other: Reservation) -> Keeping:
    todo = "correct that [[reservation]] if the phone shall have it again"
    if other.mac is not None:
        return Keeping(False, f"it is reserved for {other.mac}; {todo}")
    if other.client_id is not None:
        return Keeping(False, f"it is reserved for the client identifier {printable(write_octets(other.client_id), 80)}; {todo}")
    # By which circuit the phone will ask nobody knows before it does.
    return Keeping(True, f"reserved for whoever asks by circuit {printable(write_octets(other.circuit_id or b''), 80)}")


def _by_hand(scope: Scope, address: IPv4Address) -> Keeping:
    if not scope.is_host(address):
        return Keeping(False, "it is no address for a phone; set another one by hand")
    if scope.first <= address <= scope.last:
        return Keeping(True, f"set by hand, yet in the range of scope {scope.name}, which may give it to another phone")
    return Keeping(True, f"set by hand, and outside the range of scope {scope.name}, so nobody else gets it")
