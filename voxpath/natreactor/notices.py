"""Drops become events: at once the first time, then gathered, so that a flood costs a line per interval and not per packet."""

from collections.abc import Callable
from ipaddress import IPv4Address

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from voxpath.model.event import Event
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.event import Dropped, SpoofedPort, UnknownPhone, UnleasedPort
from voxpath.natreactor.offence import MOST_SUBJECTS, Subject


def drop_event(subject: Subject, packets: int, table: Table, identify: Callable[[IPv4Address], str]) -> Event:
    """The event that says these packets were dropped, with the phones by name where they are known."""
    if subject.reason is Reason.UNLEASED_PORT:
        return UnleasedPort(packets=packets)
    if not subject.address:
        return Dropped(reason=subject.reason.value, packets=packets)
    address, port = IPv4Address(subject.address), subject.port
    phone = identify(address)
    if subject.reason is Reason.UNKNOWN_PHONE:
        return UnknownPhone(phone=phone, address=str(address), port=port, packets=packets)
    owner = port_owner(table, address, port)
    peer = identify(owner) if owner is not None else ""
    return SpoofedPort(phone=phone, peer=peer, address=str(address), port=port, packets=packets)


def port_owner(table: Table, private: IPv4Address, port: int) -> IPv4Address | None:
    """The inside address that holds this port of the public address which a phone stands behind."""
    for mapping in table.mappings_of(private):
        row = table.by_public(int(mapping.block.public), port)
        if row is not None:
            return row.mapping.private
    return None


class Notices:
    """Gathers drops and tells of them; its one timer runs only while something is gathered."""

    def __init__(self, clock: IReactorTime, interval_s: float, tell: Callable[[Subject, int], None]) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._tell = tell
        self._gathered: dict[Subject, int] = {}
        self._timer: IDelayedCall | None = None

    def drop(self, subject: Subject) -> None:
        """Note one dropped packet."""
        if subject not in self._gathered:
            if len(self._gathered) >= MOST_SUBJECTS:
                subject = Subject(subject.reason)
            else:
                self._gathered[subject] = 0
                self._tell(subject, 1)
                self._arm()
                return
        self._gathered[subject] = self._gathered.get(subject, 0) + 1

    def stop(self) -> None:
        """Tell what is gathered, and cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flush()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(self._interval_s, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._flush():
            self._arm()

    def _flush(self) -> bool:
        """Tell what came since the last time; subjects that came again stay known, so their next drop is gathered too."""
        gathered = {subject: packets for subject, packets in self._gathered.items() if packets}
        self._gathered = dict.fromkeys(gathered, 0)
        for subject, packets in gathered.items():
            self._tell(subject, packets)
        return bool(gathered)
