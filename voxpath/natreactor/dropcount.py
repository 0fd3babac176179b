"""What was dropped, and what of it an operator has not heard yet; for back ends that look at counters from time to time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as ReadOnly
from ipaddress import IPv4Address

from voxpath.model.event import Event
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.notices import drop_event
from voxpath.natreactor.offence import Subject


class Growth:
    """Counters that somebody else keeps, and may begin again from zero."""

    def __init__(self) -> None:
        self._seen: Counter[Reason] = Counter()

    def of(self, counts: ReadOnly[Reason, int]) -> "Counter[Reason]":
        """What they grew by since the last time."""
        grown: Counter[Reason] = Counter()
        for reason, count in counts.items():
            before = self._seen[reason]
            grown[reason] = count - before if count >= before else count
            self._seen[reason] = count
        return grown

    def begin_again(self) -> None:
        """They have begun again from zero."""
        self._seen.clear()


class DropCount:
    """Dropped packets by reason."""

    def __init__(self) -> None:
        self._drops: Counter[Reason] = Counter()
        self._untold: Counter[Reason] = Counter()

    def add(self, grown: "Counter[Reason]") -> None:
        """Count packets."""
        self._drops += grown
        self._untold += grown

    def drops(self) -> dict[str, int]:
        """All of them, by each reason."""
        return {reason.value: self._drops[reason] for reason in Reason}

    def has_offended(self) -> bool:
        """Whether packets were dropped that say something of their sender, and were not told of."""
        return bool(self._untold[Reason.SPOOFED_PORT] or self._untold[Reason.UNKNOWN_PHONE])

    def keep_silent(self) -> None:
        """What was counted until now is no news."""
        self._untold.clear()

    def tell(
        self, offenders: Iterable[tuple[Subject, int]], table: Table, identify: Callable[[IPv4Address], str]
    ) -> Iterator[Event]:
        """The events of what was not told yet: of offenders first, and of the others by reason."""
        untold, self._untold = self._untold, Counter()
        for subject, packets in offenders:
            untold[subject.reason] -= packets
            yield drop_event(subject, packets, table, identify)
        for reason, packets in untold.items():
            if packets > 0:
                yield drop_event(Subject(reason), packets, table, identify)
