"""The shim in place of a gateway: programs that know nothing of it show the combination address (DNT-3, DNT-4, DNT-7).

The higher layer, an unchanged program, builds its messages with the public address; the lower layer, rules in the kernel of the
phone's own network namespace, puts the private address into the packets and leaves ports and payload as they are.
This core decides when the shim stands; the host sets it up (:class:`~voxpath.phone.host.ShimUp`) and takes it away.

States: SETTING_UP, UP, FAILED until a pause is over.
"""

from collections.abc import Hashable
from enum import Enum
from typing import NamedTuple

from voxpath.core.effects import Ask, Datagram, Done, Effect, Effects, Emit, Failed, Outcome
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.core.timers import TimerHeap
from voxpath.model.event import printable
from voxpath.model.phone import BootLease
from voxpath.phone import event, host

AGAIN = Backoff(first_s=4.0, cap_s=64.0, give_up_s=float("inf"), spread=0.25)
"""Waits after failures, for ever, as for a lease: the right that is missing may be given meanwhile."""
LOOK_S = 5.0
"""How often the phone looks whether the shim still stands, and what it dropped."""
ANOTHER_PHONE = "programs must use ports of {block}"
IN_OUR_NAME = "they came from outside as if from {block}"


class Stage(Enum):
    """How far the shim has come."""

    SETTING_UP = "shim is set up"
    UP = "shim up"
    FAILED = "shim failed"


class Errand(Enum):
    """What the host is asked, and what the timers are for."""

    SET_UP = "set up"
    LOOK = "look"
    TAKE_AWAY = "take away"


class Token(NamedTuple):
    """Names a question; the answer to a shim that is over must not reach the next one."""

    shim: "Shim"
    errand: Errand


class Shim:
    """The core, in the place of :class:`voxpath.phone.gateway.Gateway`; it has no lines and no ports.

    :param interface: the one that the lease came by.
    :ivar stage: how far it has come.
    :ivar dropped: packets that the host dropped since it set the shim up.
    """

    def __init__(self, lease: BootLease, interface: str, entropy: Entropy) -> None:
        self.stage = Stage.SETTING_UP
        self.dropped = host.ShimDrops(0, 0)
        self._lease = lease
        self._interface = interface
        self._entropy = entropy
        self._phone = str(lease.mac)
        self._combination = str(lease.block)
        self._failures = 0
        self._timers: TimerHeap[Errand] = TimerHeap()

    # The core.

    def start(self, now: float) -> Effects:
        """Ask for the shim."""
        return self._set_up()

    def stop(self, now: float) -> Effects:
        """Take it away: the lease is over, so the combination address is somebody else's."""
        for errand in (Errand.SET_UP, Errand.LOOK):
            self._timers.disarm(errand)
        return [self._ask(host.ShimDown(self._lease.mac, self._lease.block), Errand.TAKE_AWAY)]

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take nothing: the shim has no port of its own."""
        return []

    def tick(self, now: float) -> Effects:
        """Try again, or look."""
        effects: list[Effect] = []
        for errand in self._timers.due(now):
            effects += self._set_up() if errand is Errand.SET_UP else [self._ask(host.ShimLook(self._lease.mac), Errand.LOOK)]
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._timers.next_due()

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the news that the shim stands or not."""
        if token == Token(self, Errand.SET_UP):
            return self._stands(outcome, now) if isinstance(outcome, Done) else self._fail(outcome.reason, now)
        if token == Token(self, Errand.LOOK):
            return self._looked(outcome, now)
        return []

    # A phone with a shim has no handset of its own.

    def off_hook(self, line: int, now: float) -> Effects:
        """Refuse: the handset is that of the program that runs beside the shim."""
        return self._no_line("off hook")

    def dial(self, line: int, digits: str, now: float) -> Effects:
        """Refuse."""
        return self._no_line("dial")

    def on_hook(self, line: int, now: float) -> Effects:
        """Refuse."""
        return self._no_line("on hook")

    def state(self, line: int) -> object:
        """How far it has come, whatever the line."""
        return self.stage

    # The states.

    def _set_up(self) -> Effects:
        lease = self._lease
        self.stage = Stage.SETTING_UP
        self.dropped = host.ShimDrops(0, 0)
        wanted = host.ShimUp(lease.mac, self._interface, lease.address, lease.prefix_length, lease.router, lease.block)
        return [self._ask(wanted, Errand.SET_UP)]

    def _stands(self, outcome: Done, now: float) -> Effects:
        self.stage = Stage.UP
        self._failures = 0
        self._timers.arm(Errand.LOOK, now + LOOK_S)
        told = event.ShimUp(
            phone=self._phone,
            combination=self._combination,
            private=str(self._lease.address),
            interface=self._interface,
            how="taken over" if outcome.answer else "set up",
        )
        return [Emit(told)]

    def _fail(self, reason: str, now: float) -> Effects:
        self.stage = Stage.FAILED
        again_s = AGAIN.wait_s(self._failures, 0.0, self._entropy) or 0.0
        self._failures += 1
        self._timers.arm(Errand.SET_UP, now + again_s)
        return [self._failed(reason, again_s)]

    def _looked(self, outcome: Outcome, now: float) -> Effects:
        """Tell of packets that were dropped since the last look; a shim that somebody broke is set up anew."""
        if isinstance(outcome, Failed) or not isinstance(outcome.answer, host.ShimDrops):
            reason = outcome.reason if isinstance(outcome, Failed) else "nobody could look"
            return [self._failed(reason, 0.0), *self._set_up()]
        self._timers.arm(Errand.LOOK, now + LOOK_S)
        before, self.dropped = self.dropped, outcome.answer
        grown = ((self.dropped.unleased - before.unleased, ANOTHER_PHONE), (self.dropped.bogon - before.bogon, IN_OUR_NAME))
        return [self._dropped(packets, reason) for packets, reason in grown if packets > 0]

    def _failed(self, reason: str, again_s: float) -> Effect:
        told = event.ShimFailed(phone=self._phone, combination=self._combination, reason=printable(reason), again_s=again_s)
        return Emit(told)

    def _dropped(self, packets: int, reason: str) -> Effect:
        return Emit(event.ShimDropped(phone=self._phone, packets=packets, reason=reason.format(block=self._lease.block)))

    def _ask(self, question: object, errand: Errand) -> Effect:
        return Ask(question, Token(self, errand))

    def _no_line(self, action: str) -> Effects:
        return [Emit(event.PhoneNotReady(phone=self._phone, action=action, state=self.stage.value))]
