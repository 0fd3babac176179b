"""What every NAT back end is made from."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from twisted.internet.interfaces import IReactorTime

from voxpath.core.errors import LocalError
from voxpath.nappt.pinhole import Pinholes
from voxpath.nappt.pool import PoolPorts
from voxpath.nappt.table import DEFAULT_BLOCK_SIZE, Table
from voxpath.natreactor.interface import Outside

DEFAULT_TABLE = "voxpath"
DEFAULT_POLL_S = 1.0


def nobody(_: IPv4Address) -> str:
    """No address is known to belong to a phone."""
    return ""


@dataclass(frozen=True, slots=True)
class NatSettings:
    """What every back end needs to know.

    :ivar clock: the reactor's timers.
    :ivar table: name of the kernel's table, so that two instances on one machine do not meet.
    :ivar block_size: the most usual block size; larger blocks take several entries, smaller ones an entry for each port.
    :ivar poll_s: how often drops are looked at, and the least time between two events of one kind, in seconds.
    :ivar call_aware: whether peers from outside reach a leased port only while a call lets them (FWL-4); else everybody does.
    :ivar trusted: addresses that reach every leased port in that mode, too: the controllers and the SIP servers.
    :ivar pool: of the ordinary NAPT for what phones send from outside their blocks (NAP-15); its address is one of the public ones.
        ``None``: that is dropped.
    :ivar mss: octets of a TCP segment that may be announced at the most, for tunnels with a smaller MTU; 0: any.
    :ivar fast: whether nftables may lead packets of calls from interface to interface, past routing and the host's own rules.
    :ivar identify: names the phone that has an inside address; empty text for none.
    """

    outside: Outside
    clock: IReactorTime
    table: str = DEFAULT_TABLE
    block_size: int = DEFAULT_BLOCK_SIZE
    poll_s: float = DEFAULT_POLL_S
    identify: Callable[[IPv4Address], str] = nobody
    call_aware: bool = False
    trusted: tuple[IPv4Address, ...] = ()
    pool: PoolPorts | None = None
    mss: int = 0
    fast: bool = False

    def make_table(self) -> Table:
        """An empty table with these prefixes and addresses.

        :raises LocalError: a prefix is wrong, or the two sides overlap.
        """
        try:
            prefixes = tuple(IPv4Network(text) for text in self.outside.private)
        except ValueError as error:
            raise LocalError(f"inside prefix: {error}") from None
        table = Table(prefixes, self.outside.public, self.block_size, self.outside.services)
        if self.call_aware:
            table.pinholes = Pinholes(map(int, self.trusted))
        return table
