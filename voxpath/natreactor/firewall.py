"""What of this host itself may be reached from outside (FWL-1): a table of nftables beside every NAT back end.

Ports of phones are the back end's business: of a public address it delivers no other packets than those for services.
Here is what is left: the host's own sockets, on whatever address they listen.

Nothing is remembered of a connection: of TCP the packet that asks for one is refused, and of UDP all but the ports that the host
itself takes when it asks somebody (``ip_local_port_range``).
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from voxpath.core.errors import LocalError
from voxpath.model.address import ANY_HOST
from voxpath.model.event import Event
from voxpath.natreactor.event import FirewallLost
from voxpath.natreactor.libnftables import Nftables

LOOK_S: Final = 1.0
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
TCP, UDP = "tcp", "udp"
OTHERS: Final = {"ah": 51, "esp": 50, "gre": 47, "ospf": 89, "vrrp": 112}
"""Protocols on IP without ports that a host may have to hear from outside."""

_TABLE = Template("""\
$remove
table inet $name {
  counter closed { }
  chain from_outside {
    tcp flags & (fin | syn | rst | ack) != syn accept
    meta l4proto { icmp, ipv6-icmp$protocols } accept
    udp dport $first-$last accept
$openings
    counter name closed drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname { $outside } goto from_outside
  }
}
""")


class Opening(NamedTuple):
    """What may be reached.

    :ivar protocol: :data:`TCP`, :data:`UDP`, or one of :data:`OTHERS`, which have no ports.
    :ivar host: the one address that it is open on; :data:`ANY_HOST`: all.
    """

    protocol: str
    first: int = 0
    last: int = 0
    host: str = ANY_HOST


def name_of(table: str) -> str:
    """What the kernel's table is called, by ``nat.table``."""
    return f"{table}_host"


def remove(table: str) -> str:
    """Commands that remove the table, whether it exists or not."""
    return f"add table inet {name_of(table)}\ndelete table inet {name_of(table)}"


def rules(table: str, outside: Iterable[str], openings: Iterable[Opening], ephemeral: tuple[int, int]) -> str:
    """Commands that make the whole table, in the place of one that is there.

    :param ephemeral: first and last local port of what the host asks by UDP.
    """
    chosen = dict.fromkeys(openings)
    first, last = ephemeral
    return _TABLE.substitute(
        remove=remove(table),
        name=name_of(table),
        outside=", ".join(f'"{name}"' for name in outside),
        protocols="".join(f", {OTHERS[opening.protocol]}" for opening in chosen if opening.protocol in OTHERS),
        first=first,
        last=last,
        openings="\n".join(_rule(opening) for opening in chosen if opening.protocol not in OTHERS),
    )


def _rule(opening: Opening) -> str:
    where = "" if opening.host == ANY_HOST else f"ip daddr {opening.host} "
    return f"    {where}{opening.protocol} dport {opening.first}-{opening.last} accept"


class HostFirewall:
    """Keeps the table in the network namespace in which :meth:`start` is called.

    :param table: ``nat.table``; ``outside``: the interfaces whose packets are looked at.
    :param tell: is told when somebody else removed it, such as a restart of another firewall.
    """

    def __init__(
        self,
        clock: IReactorTime,
        table: str,
        outside: tuple[str, ...],
        openings: tuple[Opening, ...],
        tell: Callable[[Event], None],
    ) -> None:
        self._table = table
        self._outside = outside
        self._openings = openings
        self._tell = tell
        self._nft: Nftables | None = None
        self._poll = LoopingCall(self._look)
        self._poll.clock = clock

    def start(self) -> None:
        """Close the host.

        :raises LocalError: nftables is missing, or the kernel refuses.
        """
        self._nft = Nftables()
        try:
            self._install(self._nft)
        except LocalError:
            self.stop()
            raise
        self._poll.start(LOOK_S, now=False)

    def stop(self) -> None:
        """End; the table stays, as that of the NAT does. Stopping twice is allowed."""
        if self._poll.running:
            self._poll.stop()
        if self._nft is not None:
            self._nft.close()
            self._nft = None

    def _install(self, nft: Nftables) -> None:
        try:
            first, last = map(int, EPHEMERAL.read_text(encoding="ascii").split())
        except OSError as error:
            raise LocalError(f"{EPHEMERAL} cannot be read: {error.strerror}") from None
        nft.run(rules(self._table, self._outside, self._openings, (first, last)))

    def _look(self) -> None:
        if self._nft is None:
            return
        try:
            self._nft.read(f"list chain inet {name_of(self._table)} input")
        except LocalError as error:
            with suppress(LocalError):  # the next look tries it again
                self._install(self._nft)
                self._tell(FirewallLost(reason=str(error)))


def open_host(table: str) -> None:
    """Take away what a former run closed the host by; without nftables there is nothing of it."""
    with suppress(LocalError):
        nft = Nftables()
        try:
            nft.run(remove(table))
        finally:
            nft.close()
