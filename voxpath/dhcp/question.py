"""Who is asked about in a dry run, and what phones said last: what an operator does not write is taken from that."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, BOOTREQUEST, BROADCAST_FLAG, Message, MessageType
from voxpath.dhcp.relay import relay_agent, with_circuit
from voxpath.dhcp.shown import shown
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.octets import write_octets
from voxpath.model.phone import Scope

REMEMBERED = 1024
"""Phones whose last message is remembered at least; twice as many at the most."""

_OF_OTHERS = frozenset((code.MESSAGE_TYPE, code.REQUESTED_ADDRESS, code.SERVER_ID, code.RELAY_AGENT))
"""Options of a message that do not tell what a phone is: its wishes of that moment, and what a relay added (:class:`Origin`)."""

_SAID_IN = (MessageType.DISCOVER, MessageType.REQUEST)


class Finding(NamedTuple):
    """One step of a dry run, and what it led to, safe for a terminal."""

    step: str
    result: str


class Origin(NamedTuple):
    """Where a phone asks.

    :ivar interface: by which its message arrives; empty: not known.
    :ivar relay: giaddr; ``ANY``: it asks on the link itself.
    :ivar agent: option 82, as a relay or a switch added it; ``None``: it has none.
    :ivar source: the address that a relay's message was sent from; empty: it is not known, and nothing is concluded from it.
    """

    interface: str
    relay: IPv4Address = ANY
    agent: bytes | None = None
    source: str = ""

    def is_way_of(self, said: "Said | None") -> bool:
        """Whether a phone was heard by just this interface and relay."""
        return said is not None and said.origin is not None and said.origin[:2] == self[:2]


class Said(NamedTuple):
    """The last DISCOVER or REQUEST of a phone.

    :ivar at: when it came, in seconds of the server's clock.
    :ivar origin: where it asked last by broadcast; ``None``: it was heard renewing alone, which goes past a relay.
    """

    message: Message
    at: float
    origin: Origin | None = None


class LastHeard:
    """What phones said last, those that were refused too; each note costs the same, and the phones heard longest ago are forgotten.

    :param most: phones of one generation: when there are so many new ones, those that said nothing since are forgotten.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._young: dict[Mac, Said] = {}
        self._old: dict[Mac, Said] = {}

    def note(self, mac: Mac, message: Message, now: float, interface: str = "", source: str = "") -> None:
        """Remember a DISCOVER or a REQUEST; others tell less of a phone, and are passed over."""
        if message.type not in _SAID_IN:
            return
        origin: Origin | None = Origin(interface, message.giaddr, message.options.get(code.RELAY_AGENT), source)
        if message.giaddr == ANY and message.ciaddr != ANY:
            before = self.of(mac)
            origin = before.origin if before is not None else None
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young
        self._young[mac] = Said(message, now, origin)

    def of(self, mac: Mac) -> Said | None:
        """What a phone said last; ``None``: that is not remembered."""
        return self._young.get(mac) or self._old.get(mac)


class Question(NamedTuple):
    """Who would ask; what is ``None`` here is as the phone said it last, and an empty one is not sent.

    :ivar vendor_class: option 60.
    :ivar client_id: option 61.
    :ivar circuit_id: option 82, sub-option 1.
    :ivar relay: giaddr; ``ANY``: it asks on the link itself.
    :ivar interface: where it would arrive; empty: where the phone was heard, or has its lease, or else the only possible one.
    :ivar wanted: option 55, the options that it asks for.
    """

    mac: Mac
    vendor_class: bytes | None = None
    client_id: bytes | None = None
    circuit_id: bytes | None = None
    relay: IPv4Address | None = None
    interface: str = ""
    wanted: bytes | None = None

    @property
    def _written(self) -> dict[int, bytes | None]:
        return {
            code.VENDOR_CLASS: self.vendor_class,
            code.CLIENT_ID: self.client_id,
            code.PARAMETER_REQUEST_LIST: self.wanted,
        }

    @property
    def selects(self) -> bool:
        """Whether anything is written that could select a class, if only that it is not sent."""
        return any(value is not None for value in self._written.values())

    def origin(self, said: Said | None, scope: Scope | None) -> Origin:
        """Where the phone would ask; its interface may be left open.

        :param scope: that of the lease which the phone has or had last.
        """
        known = said.origin if said is not None else None
        if known is None and scope is not None:
            known = _home_of(scope)
        if known is None or (self.interface and known.interface and known.interface != self.interface):
            # On another interface it asks in another place.
            known = Origin(self.interface)
        if self.relay is not None and self.relay != known.relay:
            known = Origin(self.interface, self.relay)
        agent = known.agent if self.circuit_id is None else with_circuit(known.agent, self.circuit_id)
        return Origin(self.interface or known.interface, known.relay, agent, known.source)

    def message(self, said: Said | None, origin: Origin) -> Message:
        """The DISCOVER that such a client sends."""
        options = {code.MESSAGE_TYPE: bytes((MessageType.DISCOVER,))}
        if said is not None:
            options |= {option: value for option, value in said.message.options.items() if option not in _OF_OTHERS}
        for option, value in self._written.items():
            if value:
                options[option] = value
            elif value is not None:
                options.pop(option, None)
        if origin.agent is not None:
            options[code.RELAY_AGENT] = origin.agent
        return Message(BOOTREQUEST, 0, self.mac, options, flags=BROADCAST_FLAG, giaddr=origin.relay)

    def findings(self, said: Said | None, scope: Scope | None, origin: Origin, now: float) -> Iterator[Finding]:
        """Tell what the message says, and from where that is known; ``scope`` is that of the phone's lease."""
        if said is None:
            heard = "no DISCOVER and no REQUEST of it is remembered; what is not written counts as not sent"
        else:
            kind = said.message.type
            assert kind is not None  # only these two are remembered
            heard = f"its {kind.name} {now - said.at:.0f} s ago; what is not written is as it was there"
        yield Finding("heard", heard)
        message = self.message(said, origin)
        options = message.options
        for name, (option, written) in zip(("class", "client", "wants"), self._written.items(), strict=True):
            value = options.get(option)
            source = "as written" if written is not None else "as heard" if said is not None else f"write {name}=... to say it"
            yield Finding(f"sends {name}", f"{'none' if value is None else _quoted(option, value)}, {source}")
        if self.interface or self.relay is not None:
            source = "as written"
        elif said is not None and said.origin is not None:
            source = "as heard"
        else:
            source = "as its lease" if scope is not None else "the only possible way"
        yield from self._places(origin, source, relay_agent(message).circuit_id)

    def _places(self, origin: Origin, source: str, circuit: bytes | None) -> Iterator[Finding]:
        """Where it comes from."""
        way = "on the link itself" if origin.relay == ANY else f"through relay {origin.relay}"
        if origin.relay != ANY and origin.source not in ("", str(origin.relay)):
            way += f" (sent from {printable(origin.source)})"
        yield Finding("comes by", f"{printable(origin.interface) or 'the only interface'}, {way}, {source}")
        if circuit is not None or self.circuit_id is not None:
            shown = "none" if circuit is None else printable(write_octets(circuit))
            yield Finding("sends circuit", f"{shown}, {'as written' if self.circuit_id is not None else 'as heard'}")


def _home_of(scope: Scope) -> Origin:
    """Where phones of a scope ask: through the relay that is in their subnet, if several are named."""
    if not scope.relays:
        return Origin(scope.interface)
    return Origin(scope.interface, next((relay for relay in scope.relays if relay in scope.subnet), scope.relays[0]))


def _quoted(option: int, value: bytes) -> str:
    """A vendor class may end with blanks, so it stands between quotation marks."""
    return f"'{shown(option, value)}'" if option == code.VENDOR_CLASS else shown(option, value)
