"""Who is asked about in a dry run, and what phones said last: what an operator does not write is taken from that."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.dhcp import options as code
from voxpath.dhcp.message import BOOTREQUEST, BROADCAST_FLAG, Message, MessageType
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.octets import write_octets

REMEMBERED = 1024
"""Phones whose last message is remembered at least; twice as many at the most."""

_OF_OTHERS = frozenset((code.MESSAGE_TYPE, code.REQUESTED_ADDRESS, code.SERVER_ID, code.RELAY_AGENT))
"""Options of a message that do not tell what a phone is: its wishes of that moment, and what a relay added."""

_SAID_IN = (MessageType.DISCOVER, MessageType.REQUEST)


class Finding(NamedTuple):
    """One step of a dry run, and what it led to, safe for a terminal."""

    step: str
    result: str


class Said(NamedTuple):
    """The last DISCOVER or REQUEST of a phone.

    :ivar at: when it came, in seconds of the server's clock.
    """

    message: Message
    at: float


class LastHeard:
    """What phones said last, those that were refused too; each note costs the same, and the phones heard longest ago are forgotten.

    :param most: phones of one generation: when there are so many new ones, those that said nothing since are forgotten.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._young: dict[Mac, Said] = {}
        self._old: dict[Mac, Said] = {}

    def note(self, mac: Mac, message: Message, now: float) -> None:
        """Remember a DISCOVER or a REQUEST; others tell less of a phone, and are passed over."""
        if message.type not in _SAID_IN:
            return
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young
        self._young[mac] = Said(message, now)

    def of(self, mac: Mac) -> Said | None:
        """What a phone said last; ``None``: that is not remembered."""
        return self._young.get(mac) or self._old.get(mac)


class Question(NamedTuple):
    """Who would ask; what is ``None`` here is as the phone said it last, and an empty one is not sent.

    :ivar vendor_class: option 60.
    :ivar client_id: option 61.
    :ivar circuit_id: option 82, sub-option 1; empty: none.
    :ivar relay: giaddr; ``None``: it asks on the link itself.
    :ivar interface: where it would arrive; empty: where the phone was last, or else the only possible one.
    :ivar wanted: option 55, the options that it asks for.
    """

    mac: Mac
    vendor_class: bytes | None = None
    client_id: bytes | None = None
    circuit_id: bytes = b""
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

    def message(self, said: Said | None) -> Message:
        """The DISCOVER that such a client sends."""
        options = {code.MESSAGE_TYPE: bytes((MessageType.DISCOVER,))}
        if said is not None:
            options |= {option: value for option, value in said.message.options.items() if option not in _OF_OTHERS}
        for option, value in self._written.items():
            if value:
                options[option] = value
            elif value is not None:
                options.pop(option, None)
        if self.circuit_id:
            options[code.RELAY_AGENT] = bytes((1, len(self.circuit_id))) + self.circuit_id
        message = Message(BOOTREQUEST, 0, self.mac, options, flags=BROADCAST_FLAG)
        return message if self.relay is None else message._replace(giaddr=self.relay)

    def findings(self, said: Said | None, now: float) -> Iterator[Finding]:
        """Tell what the message says, and from where that is known."""
        if said is None:
            heard = "no DISCOVER and no REQUEST of it is remembered; what is not written counts as not sent"
        else:
            kind = said.message.type
            assert kind is not None  # only these two are remembered
            heard = f"its {kind.name} {now - said.at:.0f} s ago; what is not written is as it was there"
        yield Finding("heard", heard)
        options = self.message(said).options
        for name, (option, written) in zip(("class", "client", "wants"), self._written.items(), strict=True):
            value = options.get(option)
            source = "as written" if written is not None else "as heard" if said is not None else f"write {name}=... to say it"
            yield Finding(f"sends {name}", f"{'none' if value is None else _shown(option, value)}, {source}")


def _shown(option: int, value: bytes) -> str:
    if option == code.PARAMETER_REQUEST_LIST:
        return ",".join(map(str, value))
    if option == code.VENDOR_CLASS:
        return f"'{printable(value.rstrip(bytes(1)).decode('ascii', 'replace'))}'"
    return printable(write_octets(value))
