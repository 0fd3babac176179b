"""A DHCP server whose addresses are verified ahead of need: the server and the prober as one core (DHC-16)."""

from collections.abc import Hashable

from voxpath.core.effects import Datagram, Effects, Outcome
from voxpath.core.timers import earliest
from voxpath.dhcp.probe import ARP_PORT, ECHO_PORT, Prober, ProbeToken
from voxpath.dhcp.server import DhcpServer


class VerifiedServer:
    """The core.

    What the server takes from a stock the prober replaces in a later turn: an answer never waits for a probe.
    """

    def __init__(self, server: DhcpServer, prober: Prober) -> None:
        self._server = server
        self._prober = prober

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a DHCP message, an ARP packet or an ICMP message."""
        if datagram.port in (ARP_PORT, ECHO_PORT):
            return self._prober.receive(datagram, now)
        return self._server.receive(datagram, now)

    def next_due(self) -> float | None:
        """When one of the two has something to do."""
        return earliest(self._server.next_due(), self._prober.next_due())

    def tick(self, now: float) -> Effects:
        """Run the timers that are due."""
        return [*self._server.tick(now), *self._prober.tick(now)]

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit or of a NAT change, or hear that a probe did not leave."""
        if isinstance(token, ProbeToken):
            return self._prober.resolve(token, outcome, now)
        return self._server.resolve(token, outcome, now)
