"""A line in virtual time between the two sides of a transfer: it loses, doubles and reorders messages."""

from collections.abc import Iterable
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from voxpath.tftp.content import Content, Octets
from voxpath.tftp.machine import Transfer
from voxpath.tftp.message import Message, Options, ReadRequest
from voxpath.tftp.options import Limits, answer_options
from voxpath.tftp.receiving import Reading
from voxpath.tftp.sending import Sending
from voxpath.tftp.wire import parse, write

LIMITS = Limits(65464, 64)


class Quality(NamedTuple):
    """Shares of messages that are lost and doubled, and by how many seconds one may be later than another."""

    loss: float = 0.0
    doubled: float = 0.0
    late_s: float = 0.0


CLEAN = Quality()


class Line:
    """Carries octets, as a real one; it keeps what was put in.

    :param sender: the side that sends DATA; it is not told anything any more when it has ended.
    :param short: whether the sender's short way is tried first, as a port does.
    :ivar shortened: how many messages the short way answered.
    """

    def __init__(self, sender: Sending, receiver: Transfer, dice: Random, quality: Quality = CLEAN, short: bool = False) -> None:
        self.sides: tuple[Sending, Transfer] = (sender, receiver)
        self.now = 0.0
        self.shortened = 0
        self._short = short
        self.sent: list[Message] = []
        self._dice = dice
        self._quality = quality
        self._on_the_way: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def put(self, messages: Iterable[Message], to: int) -> None:
        """Send messages to the sender (0) or the receiver (1)."""
        dice, quality = self._dice, self._quality
        for message in messages:
            octets = write(message)
            self.sent.append(parse(octets))
            for _ in range(1 + (dice.random() < quality.doubled)):
                self._count += 1
                if dice.random() >= quality.loss:
                    arrives = self.now + 0.01 + quality.late_s * dice.random()
                    heappush(self._on_the_way, (arrives, self._count, to, octets))

    def run(self) -> None:
        """Let time pass until nobody waits for anything any more."""
        while dues := [*(way[0] for way in self._on_the_way[:1]), *(side.due for side in self.sides if side.due is not None)]:
            self.now = max(self.now, min(dues))
            while self._on_the_way and self._on_the_way[0][0] <= self.now:
                _, _, to, octets = heappop(self._on_the_way)
                if to == 1 or self.sides[0].ending is None:
                    self.put(self._answer(octets, to), 1 - to)
            for to, side in enumerate(self.sides):
                self.put(side.tick(self.now), 1 - to)

    def _answer(self, octets: bytes, to: int) -> Iterable[Message]:
        if to == 0 and self._short and (train := self.sides[0].reply(octets, self.now)):
            self.shortened += 1
            return map(parse, map(bytes, train.datagrams()))
        return self.sides[to].take(parse(octets), self.now)


class Read(NamedTuple):
    """A read that is over."""

    line: Line
    sending: Sending
    reading: Reading


def read(
    content: Content | bytes, options: Options, seed: int, quality: Quality = CLEAN, mode: str = "octet", short: bool = False
) -> Read:
    """Read a file; the request has already arrived, and the line carries all that follows."""
    dice = Random(seed)
    stored = Octets(content) if isinstance(content, bytes) else content
    request = ReadRequest("f", mode, options)
    reading = Reading(request, 1 << 24, dice)
    list(reading.start(0.0))
    sending = Sending(stored, answer_options(request, stored.size, LIMITS), dice)
    line = Line(sending, reading, dice, quality, short)
    line.put(sending.start(0.0), 1)
    line.run()
    return Read(line, sending, reading)
