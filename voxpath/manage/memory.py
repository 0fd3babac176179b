"""What a process remembers of each phone, fed by the event bus alone: ladders, ``why`` and ``events`` read it."""

from collections import OrderedDict, deque
from heapq import merge
from operator import attrgetter

from voxpath.io.bus import Record
from voxpath.model.event import Level

RECORDS_PER_PHONE = 256
"""Records kept of each phone; the oldest is forgotten first."""

PHONES = 1024
"""Phones remembered; the one of which nothing was heard for longest is forgotten first."""

RECENT = 1024
"""Events of level INFO and above that are kept in the order in which they happened."""


class Memory:
    """A bounded memory of records; subscribe it to the bus.

    :ivar forgotten: phones that were forgotten for want of room.
    """

    def __init__(self, per_phone: int = RECORDS_PER_PHONE, phones: int = PHONES, recent: int = RECENT) -> None:
        self.forgotten = 0
        self._per_phone = per_phone
        self._room = phones
        self._phones: OrderedDict[str, deque[Record]] = OrderedDict()
        self._recent: deque[Record] = deque(maxlen=recent)

    def __call__(self, record: Record) -> None:
        """Take a record of the bus."""
        event = record.event
        if event.LEVEL >= Level.INFO:
            self._recent.append(record)
        if event.phone:
            self._keep(event.phone, record)
        if event.peer and event.peer != event.phone:
            self._keep(event.peer, record)

    def of(self, *phones: str) -> list[Record]:
        """What is remembered of a phone, or of one that has several names, oldest first; empty when nothing is."""
        parts = [records for phone in phones if (records := self._phones.get(phone))]
        if len(parts) < 2:
            return list(*parts)
        # An event stands under both names when it is about both.
        return list({id(record): record for record in merge(*parts, key=attrgetter("at"))}.values())

    def last(self, count: int) -> list[Record]:
        """The last events of level INFO and above, oldest first."""
        return list(self._recent)[-count:] if count > 0 else []

    def phones(self) -> list[str]:
        """The phones remembered; the one heard of last comes last."""
        return list(self._phones)

    def _keep(self, phone: str, record: Record) -> None:
        records = self._phones.get(phone)
        if records is None:
            if len(self._phones) >= self._room:
                self._phones.popitem(last=False)
                self.forgotten += 1
            records = self._phones[phone] = deque(maxlen=self._per_phone)
        else:
            self._phones.move_to_end(phone)
        records.append(record)
