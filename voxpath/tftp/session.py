"""The transfers that run: one session each, found by its local port or by its client, within the limits of the server."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from voxpath.core.retransmit import Entropy
from voxpath.model.address import BROADCAST_HOST, Endpoint
from voxpath.tftp.message import Request
from voxpath.tftp.options import Limits
from voxpath.tftp.receiving import Writing
from voxpath.tftp.sending import Sending
from voxpath.tftp.share import Share

PORT = "tftp"
"""Name of the port that takes requests; it may stand for several sockets."""
DEFAULT_TRANSFERS = 1024
DEFAULT_TRANSFERS_PER_HOST = 512
"""Phones behind a NAT share an address."""
DEFAULT_WRITES = 32
"""Files that are received at once are in memory until they are kept."""
WRITES_PER_PHONE = 8
"""Files that one phone may send at once; who is no phone counts by its address until it is refused."""
OPENINGS = 8
"""Data ports that are tried for one transfer, when other programs have them."""


@dataclass(frozen=True, slots=True)
class TftpSettings:
    """The server's limits, and which ports it uses.

    :ivar limits: block and window sizes that are agreed to.
    :ivar transfers: how many transfers run at once; further requests are dropped, so that the clients repeat them.
    :ivar transfers_per_host: the same for one address.
    :ivar writes: the same for writes; 0: the server is read only.
    :ivar data_ports: first and last local port of transfers; ``None``: any; while all are taken :data:`PORT` serves.
    :ivar single_port: whether all transfers run from the port that takes requests.
    """

    limits: Limits = field(default_factory=Limits)
    transfers: int = DEFAULT_TRANSFERS
    transfers_per_host: int = DEFAULT_TRANSFERS_PER_HOST
    writes: int = 0
    data_ports: tuple[int, int] | None = None
    single_port: bool = False


DEFAULTS = TftpSettings()
"""A server that only reads, by any port."""


@dataclass(slots=True)
class Session:
    """One client's transfer.

    :ivar name: of the session, and of its own local port.
    :ivar local: the address that the request came to.
    :ivar outlet: the port that it sends from: its own, or :data:`PORT`.
    :ivar number: its own local port; 0: any.
    :ivar transfer: ``None`` until the file is there, or is allowed to be written.
    :ivar armed: when its timer fires; ``None``: it has none.
    :ivar keeping: whether a file that was written is being kept, or was.
    :ivar kept_as: where it lies.
    :ivar told: whether an event has told how it ended.
    :ivar owner: the identity of the phone whose file was asked for, if the client was refused it for that.
    """

    client: Endpoint
    local: str
    phone: str
    request: Request
    began: float
    name: str = ""
    outlet: str = PORT
    number: int = 0
    openings: int = 0
    transfer: Sending | Writing | None = None
    octets: int = 0
    armed: float | None = None
    stray_told: bool = False
    keeping: bool = False
    kept_as: str = ""
    told: bool = False
    owner: str = ""

    @property
    def writer(self) -> str:
        """Who counts as the one who writes: phones may share an address (RFC 7618)."""
        return self.phone or self.client.host

    @property
    def shares_port(self) -> bool:
        """Whether it runs from the port that takes requests, where its client's address and port tell it from others."""
        return self.outlet == PORT

    @property
    def waits_for_us(self) -> bool:
        """Whether the client cannot go on, as its file is being looked for or kept."""
        return self.transfer is None or (self.keeping and not self.told)

    @property
    def heard_at(self) -> float | None:
        """When the client last brought the transfer on; ``None``: it has not shown that it is there."""
        transfer = self.transfer
        return transfer.went_on if transfer is not None and transfer.proven else None


class DataPorts:
    """Local ports for transfers, in an order that nobody can foretell (RFC 1350 section 4): who knows one can forge an ACK.

    Those that were free for the shorter time wait, since packets of their last transfers may be on the way.
    """

    def __init__(self, ports: tuple[int, int] | None, entropy: Entropy) -> None:
        self._entropy = entropy
        self._free = list(range(ports[0], ports[1] + 1)) if ports else None

    @property
    def exhausted(self) -> bool:
        """Whether none is free."""
        return self._free is not None and not self._free

    def take(self) -> int:
        """One of the half that has been free for longest; 0: the kernel chooses."""
        if not self._free:
            return 0
        return self._free.pop(int(self._entropy.random() * ((len(self._free) + 1) // 2)))

    def give(self, number: int) -> None:
        """Take one back."""
        if self._free is not None and number:
            self._free.append(number)


class _Lack(NamedTuple):
    """What there is no room in for one more session; :ivar share: those that take that room."""

    reason: str
    share: Share


class Sessions:
    """The table of the transfers.

    :ivar named: finds the session of a name.
    :ivar of: finds the session of a client.
    """

    def __init__(self, settings: TftpSettings, entropy: Entropy) -> None:
        self._settings = settings
        self._by_name: dict[str, Session] = {}
        self._by_client: dict[Endpoint, Session] = {}
        self._all, self._writes = Share(), Share()
        self._of_host: dict[str, Share] = {}
        self._of_writer: dict[str, Share] = {}
        self._begun = 0
        self.data_ports = DataPorts(settings.data_ports, entropy)
        # With every datagram: a method of our own around it would cost as much again.
        self.named = self._by_name.get
        self.of = self._by_client.get

    def __len__(self) -> int:
        return len(self._by_name)

    def begin(self, session: Session) -> None:
        """Enter a session, and give it a name and a port."""
        self._begun += 1
        session.name = f"t{self._begun}"
        if not self._settings.single_port and not self.data_ports.exhausted:
            session.outlet = session.name
            session.number = self.data_ports.take()
        self._by_name[session.name] = self._by_client[session.client] = session
        self._all.enter(session)
        self._of_host.setdefault(session.client.host, Share()).enter(session)
        if session.request.writes:
            self._writes.enter(session)
            self._of_writer.setdefault(session.writer, Share()).enter(session)

    def another_port(self, session: Session) -> None:
        """Give a session another port of the range, as its own cannot be opened; none that is left: the one that takes requests."""
        number = 0
        if session.openings < OPENINGS and not self.data_ports.exhausted:
            number = self.data_ports.take()
        self.data_ports.give(session.number)
        session.number, session.outlet = number, session.name if number else PORT

    def end(self, session: Session) -> None:
        """Forget a session, and take its port back."""
        del self._by_name[session.name]
        del self._by_client[session.client]
        self.data_ports.give(session.number)
        self._all.leave(session.name)
        _leave(self._of_host, session.client.host, session)
        self._release(session)

    def told(self, session: Session) -> None:
        """Its end was told: a file that was written takes no memory any more, whatever may have to be repeated."""
        session.told = True
        self._release(session)

    def _release(self, session: Session) -> None:
        if session.name in self._writes:
            self._writes.leave(session.name)
            _leave(self._of_writer, session.writer, session)

    def giving_way(self, wanting: Session) -> Session | None:
        """The session that makes room for this one; ``None``: there is room anyway, or nobody's can be taken."""
        lack = self._lack(wanting)
        return self._by_name.get(lack.share.giving_way(wanting.began)) if lack is not None else None

    def full(self, session: Session) -> str:
        """Why there is no room for one more session; empty: there is."""
        lack = self._lack(session)
        return lack.reason if lack is not None else ""

    def _lack(self, session: Session) -> _Lack | None:
        """What there is no room in; the narrowest first: nobody gives way where that would not help."""
        settings, of_host, of_writer = self._settings, self._of_host.get(session.client.host), self._of_writer.get(session.writer)
        writes = session.request.writes
        if writes and of_writer is not None and len(of_writer) >= WRITES_PER_PHONE:
            return _Lack(f"{WRITES_PER_PHONE} files of this phone are being written", of_writer)
        if of_host is not None and len(of_host) >= settings.transfers_per_host:
            return _Lack(f"{settings.transfers_per_host} transfers to this address are running", of_host)
        if writes and len(self._writes) >= settings.writes:
            return _Lack(f"{settings.writes} files are being written", self._writes)
        if len(self) >= settings.transfers:
            return _Lack(f"{settings.transfers} transfers are running", self._all)
        return None


def _leave(shares: dict[str, Share], key: str, session: Session) -> None:
    shares[key].leave(session.name)
    if not len(shares[key]):
        del shares[key]


def is_group(address: str) -> bool:
    """Whether an address is multicast or the limited broadcast."""
    if not address:
        return False
    return ip_address(address).is_multicast or address == BROADCAST_HOST
