"""The location service: which contacts each address-of-record has (RFC 3261 section 10.1).

A refresh replaces a value in its place and touches no order, no index and no timer: nearly everything that a registrar does is
refreshing.
The expiry heap is therefore lazy.
It holds the time at which a binding has to be looked at; a binding that was refreshed meanwhile is then put off.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import TypeAlias

from voxpath.core.timers import STALE_SHARE
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact

MOST_AT_ONCE = 1000
"""Bindings that are looked at in one go: neither putting them off nor deleting their rows must hold up the answers."""

SMALL_HEAP = 64
"""A heap of so many entries is not worth rebuilding."""


class _Binding:
    """The place that a contact has in the tables.

    :ivar look: when the heap has it looked at: never later than it ends; of a binding that is gone, what no entry has.
    """

    __slots__ = ("contact", "look")

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.look = contact.expires


_Bindings: TypeAlias = tuple[_Binding, ...]
_GONE = -1.0


class Location:
    """All bindings of one server; no look-up depends on how many there are.

    :param left: is told of each contact that is not bound any more, or whose URI or source is now another one.
    """

    def __init__(self, left: Callable[[Contact], None] | None = None) -> None:
        self._left = left
        self._by_aor: dict[str, _Bindings] = {}
        # One socket may register thousands; most register one, for which a dictionary would be larger than the contact.
        self._by_source: dict[Endpoint, _Binding | dict[_Binding, None]] = {}
        self._heap: list[tuple[float, int, _Binding]] = []
        self._count = 0
        self._entries = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Contact]:
        return (binding.contact for bindings in self._by_aor.values() for binding in bindings)

    def of(self, aor: str) -> tuple[Contact, ...]:
        """The contacts of an address-of-record: the preferred one first; of equal ones the one that was bound last."""
        return tuple([binding.contact for binding in self._by_aor.get(aor, ())])

    def find(self, aor: str, key: str) -> Contact | None:
        """One contact by what identifies it."""
        binding = self._find(aor, key)
        return binding.contact if binding is not None else None

    def at_source(self, source: Endpoint) -> Contact | None:
        """The contact that was registered from this address and port; of several, the one that was bound last."""
        found = self._by_source.get(source)
        if isinstance(found, dict):
            found = next(reversed(found))
        return found.contact if found is not None else None

    def load(self, contacts: Iterable[Contact], now: float) -> list[Contact]:
        """Take over what the store holds from an earlier run; return what has ended meanwhile."""
        ended = []
        for contact in contacts:
            if contact.expires > now:
                self.put(contact)
            else:
                ended.append(contact)
        return ended

    def put(self, contact: Contact) -> Contact | None:
        """Bind a contact, or replace the one of the same key, which is returned."""
        binding = self._find(contact.aor, contact.key)
        if binding is None:
            self._add(_Binding(contact))
            return None
        former = binding.contact
        if contact.source_port != former.source_port or contact.source_host != former.source_host:
            self._leave_source(binding)
            binding.contact = contact
            self._enter_source(binding)
        else:
            binding.contact = contact
        if self._left is not None and (contact.uri != former.uri or contact.source != former.source):
            self._left(former)
        if contact.q != former.q or contact.since != former.since:
            self._by_aor[contact.aor] = _sorted(self._by_aor[contact.aor])
        if contact.expires < binding.look:
            self._push(binding)
        return former

    def remove(self, contact: Contact) -> Contact | None:
        """Unbind the contact of this address-of-record and key; return it, if there is one."""
        binding = self._find(contact.aor, contact.key)
        if binding is None:
            return None
        left = tuple(other for other in self._by_aor[contact.aor] if other is not binding)
        if left:
            self._by_aor[contact.aor] = left
        else:
            del self._by_aor[contact.aor]
        self._leave_source(binding)
        self._count -= 1
        if self._left is not None:
            self._left(binding.contact)
        binding.look = _GONE
        self._shrink()
        return binding.contact

    def due(self, now: float) -> list[Contact]:
        """Take out contacts that have ended; after :data:`MOST_AT_ONCE` looks the rest is due again at once."""
        ended: list[Contact] = []
        for _ in range(MOST_AT_ONCE):
            if not self._heap or self._heap[0][0] > now:
                break
            look, _, binding = self._heap[0]
            expires = binding.contact.expires
            if look == binding.look and expires > now:
                self._entries += 1
                binding.look = expires
                heapreplace(self._heap, (expires, self._entries, binding))
                continue
            heappop(self._heap)
            if look == binding.look:
                ended.append(binding.contact)
                self.remove(binding.contact)
        return ended

    def next_due(self) -> float | None:
        """When :meth:`due` has to be called next, or earlier; ``None``: never."""
        return self._heap[0][0] if self._heap else None

    def _find(self, aor: str, key: str) -> _Binding | None:
        for binding in self._by_aor.get(aor, ()):
            if binding.contact.key == key:
                return binding
        return None

    def _add(self, binding: _Binding) -> None:
        aor = binding.contact.aor
        self._by_aor[aor] = _sorted((*self._by_aor.get(aor, ()), binding))
        self._enter_source(binding)
        self._count += 1
        self._push(binding)

    def _enter_source(self, binding: _Binding) -> None:
        source = binding.contact.source
        found = self._by_source.get(source)
        if found is None:
            self._by_source[source] = binding
        elif isinstance(found, dict):
            found[binding] = None
        else:
            self._by_source[source] = {found: None, binding: None}

    def _leave_source(self, binding: _Binding) -> None:
        source = binding.contact.source
        found = self._by_source[source]
        if isinstance(found, dict) and len(found) > 1:
            del found[binding]
        else:
            del self._by_source[source]

    def _push(self, binding: _Binding) -> None:
        self._entries += 1
        binding.look = binding.contact.expires
        heappush(self._heap, (binding.look, self._entries, binding))
        self._shrink()

    def _shrink(self) -> None:
        """Whoever binds and unbinds all the time leaves entries behind that nobody waits for."""
        if len(self._heap) <= SMALL_HEAP or len(self._heap) <= STALE_SHARE * self._count:
            return
        self._heap = [entry for entry in self._heap if entry[0] == entry[2].look]
        heapify(self._heap)


def _sorted(bindings: _Bindings) -> _Bindings:
    if len(bindings) == 1:
        return bindings
    return tuple(sorted(bindings, key=lambda binding: (-binding.contact.q, -binding.contact.since)))
