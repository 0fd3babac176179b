"""What relays say: the relay agent information option (82; RFC 3046, 3527, 5107), and subnet selection (118; RFC 3011)."""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.cursor import Reader
from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, Message

CIRCUIT_ID = 1
REMOTE_ID = 2
LINK_SELECTION = 5
SERVER_ID_OVERRIDE = 11

ECHOED = (code.CLIENT_ID, code.SUBNET_SELECTION, code.RELAY_AGENT)
"""Every reply repeats these as they came, option 82 last (RFC 6842 section 3, RFC 3011 section 4, RFC 3046 section 2.2)."""

LONGEST_ECHO = 255
"""What has more octets is of no client (RFC 4361) and of no relay (RFC 3046 section 2.0), and is not sent back."""


class RelayAgent(NamedTuple):
    """The sub-options of option 82 that are looked at.

    :ivar circuit_id: the line or switch port that the phone is connected to.
    :ivar remote_id: the relay's name for the phone's end of that line.
    :ivar link: an address of the phone's link, when giaddr is none (RFC 3527).
    :ivar server: what phones shall take for the server's identifier, so that their renewals pass the relay (RFC 5107).
    """

    circuit_id: bytes | None = None
    remote_id: bytes | None = None
    link: IPv4Address | None = None
    server: IPv4Address | None = None


NO_AGENT = RelayAgent()


def relay_agent(message: Message) -> RelayAgent:
    """Read option 82; a message without it has :data:`NO_AGENT`.

    Only a relay with an address of its own may select links and stand for the server; a switch on the phone's link may not.

    :raises RemoteError: a sub-option runs over the end, or an address has not four octets.
    """
    data = message.options.get(code.RELAY_AGENT)
    if data is None:
        return NO_AGENT
    found: dict[int, bytes] = {}
    fields = Reader(data)
    while fields.remaining:
        sub = fields.u8()
        found[sub] = fields.take(fields.u8())
    circuit, remote = found.get(CIRCUIT_ID), found.get(REMOTE_ID)
    if message.giaddr == ANY:
        return RelayAgent(circuit, remote)
    return RelayAgent(circuit, remote, _address(found, LINK_SELECTION), _address(found, SERVER_ID_OVERRIDE))


def with_circuit(agent: bytes | None, circuit: bytes) -> bytes | None:
    """The same option 82 with another circuit; an empty one is none, and an option without sub-options is none either.

    :raises RemoteError: a sub-option runs over the end.
    """
    written = bytes((CIRCUIT_ID, len(circuit))) + circuit if circuit else b""
    fields = Reader(agent or b"")
    while fields.remaining:
        sub = fields.u8()
        value = fields.take(fields.u8())
        if sub != CIRCUIT_ID:
            written += bytes((sub, len(value))) + value
    return written or None


def echo(request: Message, options: dict[int, bytes], server: IPv4Address) -> None:
    """Let a reply repeat what its request said of client and relay.

    A relay that wants to be taken for the server is told to phones as the server.

    :param server: our own identifier.
    """
    for option in ECHOED:
        value = request.options.get(option)
        if value is not None and len(value) <= LONGEST_ECHO:
            options[option] = value
    if code.RELAY_AGENT in options and code.MESSAGE_TYPE in request.options:
        stands_for = relay_agent(request).server
        if stands_for is not None:
            options[code.SERVER_ID] = stands_for.packed


def _address(found: dict[int, bytes], sub: int) -> IPv4Address | None:
    value = found.get(sub)
    if value is None:
        return None
    if len(value) != 4:
        raise RemoteError(f"sub-option {sub} of option 82 has {len(value)} octets", section="RFC 3527 section 2")
    return IPv4Address(value)
