"""A message together with what was found out about it before any decision."""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.dhcp import options as code
from voxpath.dhcp.links import Link
from voxpath.dhcp.message import ANY, Message
from voxpath.dhcp.policy import Applicant
from voxpath.dhcp.relay import RelayAgent
from voxpath.model.address import Mac
from voxpath.model.phone import Scope


class Request(NamedTuple):
    """A client's message.

    :ivar phone: the phone's identity in events, ledger and commands.
    :ivar applicant: who asks, for the policy.
    :ivar link: where it came from.
    :ivar scope: the scope of the link that it is about: the first one, until more is known.
    :ivar agent: what the relay said of it.
    :ivar port: name of the local port that it came to.
    :ivar told: whether its messages are told for ladders.
    :ivar source: the address that it was sent from; empty: it is not known.
    """

    message: Message
    mac: Mac
    phone: str
    applicant: Applicant
    link: Link
    scope: Scope
    agent: RelayAgent
    port: str
    told: bool = True
    source: str = ""

    @property
    def name(self) -> str:
        """The message type, for events."""
        kind = self.message.type
        return kind.name if kind is not None else "BOOTP"

    def about(self, address: IPv4Address) -> "Request":
        """The same request, about the scope of this address if that is on its link."""
        if len(self.link.scopes) == 1:
            return self
        scope = self.link.scope_of(address)
        return self if scope is None or scope is self.scope else self._replace(scope=scope)

    def is_for(self, server: IPv4Address) -> bool:
        """Whether a server identifier is ours: any of this link's, or the relay that stands for us (RFC 5107)."""
        for scope in self.link.scopes:
            if server == scope.server:
                return True
        return server == self.agent.server


def applicant_of(message: Message, mac: Mac, link: Link, agent: RelayAgent, *, adopted: bool) -> Applicant:
    """Tell who asks.

    A circuit identifier counts if a trusted relay wrote it, or a switch on a link where the configuration says so; what a phone
    writes itself does not.
    """
    trusted = message.giaddr != ANY or code.RELAY_AGENT not in message.options or link.first.trust_circuits
    options = message.options
    return Applicant(
        mac,
        message.vendor_class,
        options.get(code.CLIENT_ID),
        agent.circuit_id if trusted else None,
        options.get(code.PARAMETER_REQUEST_LIST),
        adopted,
    )
