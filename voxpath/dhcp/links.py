"""Links: which scopes a message may be about, by where it came from (DHC-14; RFC 2131 section 4.3.1, RFC 3011, RFC 3527).

A link is what one interface is on, or what one relay speaks for.
A relay is known by its giaddr, by the interface behind which it stands, and by the address that its messages come from, so that a
phone elsewhere cannot pass for one.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.errors import VoxpathError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, Message
from voxpath.dhcp.relay import RelayAgent
from voxpath.model.address import text_of
from voxpath.model.event import printable
from voxpath.model.phone import Scope

TRUST = "if it is yours, name it in relays of its [[scope]]"


class NoLink(VoxpathError):
    """A message came from nowhere that is served; the text says why in one line.

    :ivar kind: the same without what a stranger may choose, for counting.
    :ivar todo: what there is to do if it should be served; empty: that depends.
    """

    def __init__(self, kind: str, detail: str = "", todo: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.todo = todo


class Link(NamedTuple):
    """The scopes of one link.

    :ivar scopes: all of them, those that new phones get addresses of first: reservations and leases may be in any.
    :ivar giving: how many of them give addresses to new phones: the first, and the others of its group in their order.
    """

    scopes: tuple[Scope, ...]
    giving: int = 1

    @property
    def first(self) -> Scope:
        """The scope that speaks for the link."""
        return self.scopes[0]

    @property
    def members(self) -> tuple[Scope, ...]:
        """The scopes that give addresses to new phones, in the order in which they are asked."""
        return self.scopes[: self.giving]

    def scope_of(self, address: IPv4Address) -> Scope | None:
        """The scope that an address is of; ``None``: it belongs to another network."""
        for scope in self.scopes:
            if address in scope.subnet:
                return scope
        return None

    def named(self, name: str) -> Scope | None:
        """The scope of this name, if it is on this link."""
        for scope in self.scopes:
            if scope.name == name:
                return scope
        return None

    def at(self, subnet: IPv4Address) -> "Link | None":
        """The part of the link that an address selects: its scope and that one's group; ``None``: there is none."""
        scope = self.scope_of(subnet)
        if scope is None:
            return None
        chosen = _link(self.scopes, scope)
        return Link(chosen.members, chosen.giving)


def _link(scopes: Iterable[Scope], first: Scope) -> Link:
    others = [scope for scope in scopes if scope is not first]
    members = [scope for scope in others if first.group and scope.group == first.group]
    rest = [scope for scope in others if scope not in members]
    return Link((first, *members, *rest), 1 + len(members))


class Links:
    """The links of a gateway, from the scopes of its configuration.

    A relay may send from another address than its giaddr; then both are configured.
    """

    def __init__(self, scopes: Iterable[Scope]) -> None:
        own: dict[str, list[Scope]] = {}
        behind: dict[str, dict[IPv4Address, list[Scope]]] = {}
        for scope in scopes:
            if not scope.relays:
                own.setdefault(scope.interface, []).append(scope)
            for relay in scope.relays:
                behind.setdefault(scope.interface, {}).setdefault(relay, []).append(scope)
        self._own = {interface: _link(found, found[0]) for interface, found in own.items()}
        self._behind = {
            interface: {relay: _link(found, _nearest(found, relay)) for relay, found in relays.items()}
            for interface, relays in behind.items()
        }
        self._senders = {
            interface: {
                giaddr: frozenset(text_of(relay) for scope in found for relay in scope.relays) for giaddr, found in relays.items()
            }
            for interface, relays in behind.items()
        }
        self.interfaces = tuple(dict.fromkeys((*own, *behind)))
        """The interfaces that messages come by."""

    def find(self, message: Message, agent: RelayAgent, interface: str, source: str = "") -> Link:
        """The link that a message came from.

        :param source: the address that sent it; empty: it is not known, and nothing is concluded from it.
        :raises NoLink: it came from nowhere that is served.
        """
        if not interface and len(self.interfaces) == 1:
            # A port that does not tell the interface can serve one only.
            interface = self.interfaces[0]
        if message.giaddr == ANY:
            link = self._direct(message.ciaddr, interface)
        else:
            link = self._relayed(message.giaddr, interface, source)
        # RFC 3527 section 3: the relay's word comes before the subnet selection option.
        selected = agent.link or message.address(code.SUBNET_SELECTION)
        if selected is None:
            return link
        part = link.at(selected)
        if part is None:
            raise NoLink("it selects a subnet that is no scope of its link", str(selected))
        return part

    def only(self, relay: IPv4Address | None) -> str:
        """The only interface that a client, or a relay, can be heard on.

        :raises NoLink: there is none, or more than one.
        """
        found = list(self._own) if relay is None else [name for name, relays in self._behind.items() if relay in relays]
        if len(found) == 1:
            return found[0]
        if relay is not None:
            raise NoLink("this relay is not trusted", str(relay))
        raise NoLink("it may come by each of several interfaces" if found else "no interface serves its own link", ", ".join(found))

    def _relayed(self, giaddr: IPv4Address, interface: str, source: str) -> Link:
        link = self._behind.get(interface, {}).get(giaddr)
        if link is None:
            raise NoLink("its relay is none of those that are trusted on its interface", str(giaddr), TRUST)
        if source and source not in self._senders[interface][giaddr]:
            detail = f"{giaddr}, sent from {printable(source)}, which is none of the relays of that scope"
            raise NoLink("it was not sent by the relay that it names", detail, TRUST)
        return link

    def _direct(self, ciaddr: IPv4Address, interface: str) -> Link:
        """A phone beyond a relay renews without the relay: its address then tells where it is."""
        own = self._own.get(interface)
        relays = self._behind.get(interface)
        if relays is not None and ciaddr != ANY and (own is None or own.scope_of(ciaddr) is None):
            for link in relays.values():
                if link.scope_of(ciaddr) is not None:
                    return link
        if own is None:
            reason = "its interface serves relays only" if relays is not None else "its interface has no scope"
            raise NoLink(reason)
        return own


def _nearest(scopes: list[Scope], relay: IPv4Address) -> Scope:
    """The scope that the relay itself is in, else the first one."""
    return next((scope for scope in scopes if relay in scope.subnet), scopes[0])
