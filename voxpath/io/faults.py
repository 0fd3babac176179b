"""What a driver remembers of faults, so that one poisonous input cannot be fed to a core for ever."""

from collections import OrderedDict
from collections.abc import Callable

from voxpath.core.effects import Datagram

QUARANTINE_AFTER = 3
"""So many exceptions for the same input put its source into quarantine."""

QUARANTINE_S = 60.0
"""How long a source in quarantine is not listened to."""

MAX_REMEMBERED = 1024
"""Inputs and sources that are remembered; the oldest is forgotten first."""


class Faults:
    """Counts exceptions by input and source, in a bounded table.

    :ivar quarantined: the sources that are in quarantine, or were and have not been heard since, and until when.
    """

    def __init__(self) -> None:
        self.count = 0
        self.malformed = 0
        self.ignored = 0
        self._seen: OrderedDict[tuple[str, int], int] = OrderedDict()
        self.quarantined: OrderedDict[str, float] = OrderedDict()

    def add(self, source: str, payload: bytes, now: float) -> bool:
        """Count an exception; tell whether its source went into quarantine by it."""
        self.count += 1
        key = (source, hash(payload))
        times = self._seen.pop(key, 0) + 1
        self._seen[key] = times
        _bound(self._seen)
        if times < QUARANTINE_AFTER:
            return False
        del self._seen[key]
        self.quarantined[source] = now + QUARANTINE_S
        _bound(self.quarantined)
        return True

    def ignores(self, datagram: Datagram, source_of: Callable[[Datagram], str], now: float) -> bool:
        """Whether the datagram's source is in quarantine; counts what is ignored. Costs nothing while nobody is."""
        if not self.quarantined:
            return False
        source = source_of(datagram)
        until = self.quarantined.get(source)
        if until is None:
            return False
        if until <= now:
            del self.quarantined[source]
            return False
        self.ignored += 1
        return True


def _bound(table: OrderedDict[tuple[str, int], int] | OrderedDict[str, float]) -> None:
    while len(table) > MAX_REMEMBERED:
        table.popitem(last=False)
