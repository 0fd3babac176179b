"""Addresses that are remembered for phones whose lease has ended, and which of them gives way to another phone.

The phone whose lease ended first gives way first, but none while its port block is in quarantine.
Else who takes and releases leases under many names would leave one more block in quarantine by each: more than the scope has
addresses, and in the end all of the realm.
Nor does one whose phone was found to use its address still, after its lease has ended, until a look finds that it does no longer.
Nobody remembers through a restart who was found, and a phone may be on when its lease ends: so each is *unseen* from then, or from
the start, until a look at its address is over, and gives way before that only where nothing can be looked at.
"""

from voxpath.core.timers import AgeHeap
from voxpath.dhcp.record import Client
from voxpath.model.address import Mac
from voxpath.model.ports import BindingState
from voxpath.ports.change import Exhausted
from voxpath.ports.ledger import Ledger


def quarantine_end(client: Client, ledger: Ledger) -> float:
    """When a phone's block leaves quarantine, in seconds of the server's clock; 0: nobody has to wait for that.

    So it is with an operator's word: a lease that he ended, or a block that he reserved and that is never another's anyway.
    """
    row = ledger.binding_of(client.phone)
    if row is None or row.state is BindingState.HELD or row.reserved or client.withdrawn:
        return 0.0
    return row.until


class Remembered:
    """The phones of one scope whose addresses may be given away; every operation costs the same however many there are.

    :param scope: its name, for reasons.
    """

    __slots__ = ("_ended", "_held_back", "_lingering", "_ready", "_scope", "_unseen", "_waiting")

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._ended: dict[Mac, float] = {}
        self._ready: AgeHeap[Mac] = AgeHeap()
        # Those whose block is in quarantine, by its end.
        self._waiting: AgeHeap[Mac] = AgeHeap()
        # Those that would be ready if they were not unseen.
        self._held_back: AgeHeap[Mac] = AgeHeap()
        self._lingering: dict[Mac, None] = {}
        self._unseen: dict[Mac, None] = {}

    def __len__(self) -> int:
        """How many there are, those whose block is in quarantine too."""
        return len(self._ended)

    def __contains__(self, mac: Mac) -> bool:
        return mac in self._ended

    def add(self, mac: Mac, ended: float, quarantined: float) -> None:
        """Let a phone's address give way; one that stands here already keeps its place.

        :param ended: when its lease ended.
        :param quarantined: the end of its block's quarantine.
        """
        if mac not in self._ended:
            self._ended[mac] = ended
            self._waiting.arm(mac, quarantined)

    def remove(self, mac: Mac) -> None:
        """Let a phone's address alone; it is no error when it does not stand here."""
        if self._ended.pop(mac, None) is not None:
            self._waiting.disarm(mac)
            self._ready.disarm(mac)
            self._held_back.disarm(mac)

    def suspect(self, mac: Mac) -> None:
        """A phone's lease has ended, or had before the start: it may use its address still. The caller adds it after that."""
        self._unseen[mac] = None

    def is_unseen(self, mac: Mac) -> bool:
        """Whether nobody has looked yet if a phone uses its former address."""
        return mac in self._unseen

    def unseen(self) -> Mac | None:
        """One of the phones that nobody has looked for yet, each in turn; ``None``: there is none."""
        return _in_turn(self._unseen)

    def linger(self, mac: Mac, *, found: bool) -> None:
        """Note whether the last look found a phone at its former address; the caller takes it out of the queue, or puts it back."""
        self._unseen.pop(mac, None)
        if self._held_back.disarm(mac):
            self._ready.arm(mac, self._ended[mac])
        if found:
            self._lingering[mac] = None
        else:
            self._lingering.pop(mac, None)

    def lingers(self, mac: Mac) -> bool:
        """Whether a phone was found at its former address."""
        return mac in self._lingering

    def forget(self, mac: Mac) -> None:
        """Its address is no former one any more, or it is another phone's now."""
        self.remove(mac)
        self._lingering.pop(mac, None)
        self._unseen.pop(mac, None)

    def doubtful(self, now: float) -> Mac | None:
        """The phone that would give way if it had been looked for, else one that was found, each in turn; ``None``: neither is."""
        return self._head(self._held_back, now) or _in_turn(self._lingering)

    def ready(self, now: float) -> int:
        """How many are in nobody's way, or only until a look: their blocks are not in quarantine."""
        self._advance(now)
        return len(self._ready) + len(self._held_back)

    def first(self, now: float, *, unseen: bool) -> Mac:
        """The phone that gives way; it keeps its place.

        :param unseen: whether one will do that nobody has looked for.
        :raises Exhausted: nobody gives way.
        """
        self._advance(now)
        heads = [self._head(self._ready, now), self._head(self._held_back, now) if unseen else None]
        found = min((mac for mac in heads if mac is not None), key=lambda mac: (self._ended[mac], mac), default=None)
        if found is None:
            raise Exhausted(f"no address of scope {self._scope} is left{self._kept()}")
        return found

    def _kept(self) -> str:
        """Why those that stand here do not give way, to follow a reason."""
        more = ""
        if waiting := len(self._waiting):
            more += f"; those that {waiting} phones left are kept until their ports are out of quarantine"
        if held_back := len(self._held_back):
            more += f"; {held_back} are looked at first, since phones whose lease has ended may use them still"
        if lingering := len(self._lingering):
            more += f"; {lingering} are still used by phones whose lease has ended"
        return more

    def _head(self, heap: AgeHeap[Mac], now: float) -> Mac | None:
        mac = next(heap.due(now), None)
        if mac is not None:
            heap.arm(mac, self._ended[mac])
        return mac

    def _advance(self, now: float) -> None:
        for mac in self._waiting.due(now):
            heap = self._held_back if mac in self._unseen else self._ready
            heap.arm(mac, self._ended[mac])


def _in_turn(macs: dict[Mac, None]) -> Mac | None:
    """The first, which becomes the last."""
    mac = next(iter(macs), None)
    if mac is not None:
        del macs[mac]
        macs[mac] = None
    return mac
