"""What a receiver knows of a stream: sequence, loss and jitter, RFC 3550 appendices A.1, A.3 and A.8."""

MIN_SEQUENTIAL = 2
"""Packets in order before a source counts as valid."""
MAX_DROPOUT = 3000
"""The largest jump forward that is taken for loss and not for a restarted source."""
MAX_MISORDER = 100
"""The largest jump back that is taken for reordering."""
SEQUENCE_MODULUS = 1 << 16
_NO_SEQUENCE = SEQUENCE_MODULUS + 1


class Reception:
    """The state of one source.

    :ivar received: packets that count, since the source became valid.
    :ivar jitter: interarrival jitter in timestamp units.
    """

    __slots__ = ("_bad", "_base", "_cycles", "_highest", "_probation", "_rate_hz", "_transit", "jitter", "received")

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._probation = MIN_SEQUENTIAL
        self._highest = -1
        self._transit: float | None = None
        self.jitter = 0.0
        self._base = self._cycles = self.received = 0
        self._bad = _NO_SEQUENCE

    @property
    def valid(self) -> bool:
        """Whether the source has shown itself by packets in order (A.1)."""
        return self._probation == 0

    @property
    def expected(self) -> int:
        """Packets that should have come, by their sequence numbers (A.3)."""
        return self._cycles + self._highest - self._base + 1 if self.valid else 0

    @property
    def lost(self) -> int:
        """Packets that did not come; 0 while duplicates outnumber the lost ones (A.3)."""
        return max(0, self.expected - self.received)

    def take(self, sequence: int, timestamp: int, arrival: float) -> bool:
        """Count a packet that arrived at ``arrival`` (seconds); tell whether it belongs to the valid stream (A.1)."""
        belongs = self._follow(sequence) if self._probation == 0 else self._try(sequence)
        if belongs:
            self.received += 1
            self._measure(timestamp, arrival)
        return belongs

    def _try(self, sequence: int) -> bool:
        """RFC 3550 A.1: a new source is on probation."""
        in_order = sequence == (self._highest + 1) % SEQUENCE_MODULUS
        self._highest = sequence
        self._probation = self._probation - 1 if in_order else MIN_SEQUENTIAL - 1
        if self._probation == 0:
            self._restart(sequence)
        return self._probation == 0

    def _follow(self, sequence: int) -> bool:
        """RFC 3550 A.1: order, loss, wrap, restart."""
        ahead = (sequence - self._highest) % SEQUENCE_MODULUS
        if ahead < MAX_DROPOUT:
            if sequence < self._highest:
                self._cycles += SEQUENCE_MODULUS
            self._highest = sequence
        elif ahead <= SEQUENCE_MODULUS - MAX_MISORDER:
            if sequence != self._bad:
                self._bad = (sequence + 1) % SEQUENCE_MODULUS
                return False
            # Two packets in order after a large jump: the other side restarted without telling.
            self._restart(sequence)
        return True

    def _restart(self, sequence: int) -> None:
        self._base = sequence
        self._highest = sequence
        self._cycles = 0
        self._bad = _NO_SEQUENCE
        self._transit = None
        self.received = 0

    def _measure(self, timestamp: int, arrival: float) -> None:
        """RFC 3550 A.8: the jitter follows the change of transit time with a gain of 1/16."""
        transit = arrival * self._rate_hz - timestamp
        if self._transit is not None:
            # Timestamps wrap: the difference that is nearest to zero is meant.
            change = (transit - self._transit + 0x80000000) % 0x100000000 - 0x80000000
            self.jitter += (abs(change) - self.jitter) / 16
        self._transit = transit
