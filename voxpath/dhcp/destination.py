"""Where replies go (RFC 2131 section 4.1)."""

from ipaddress import IPv4Address

from voxpath.core.effects import Send
from voxpath.dhcp.message import ANY, SERVER_PORT, MessageType
from voxpath.dhcp.request import Request
from voxpath.model.address import BROADCAST_HOST, Endpoint, text_of


def address_reply(payload: bytes, request: Request, given: IPv4Address | None, client_port: int) -> Send:
    """Address a reply.

    What came through a relay goes back to that relay, and it alone knows how to go on.
    The answer to an INFORM does not: it goes to ciaddr (section 4.3.5), since a relay would pass it on to yiaddr, which is 0 there.
    A NAK goes to everybody on the link, since the phone's address may be wrong there; beyond a relay there is no such way, and a
    renewing phone is told at the address that it has.

    :param given: the address that the phone has or is given; ``None``: the reply is a NAK.
    """
    message, scope = request.message, request.scope
    has_address = message.ciaddr != ANY
    port, link = client_port, b""
    past_relay = message.type is MessageType.INFORM and has_address and not scope.shared
    if message.giaddr != ANY and not past_relay:
        host, port = text_of(message.giaddr), SERVER_PORT
    elif has_address and not scope.shared and (given is not None or scope.relays):
        host = text_of(message.ciaddr)
    elif given is None or (message.broadcast and not has_address):
        host = BROADCAST_HOST
    else:
        # The client cannot answer ARP for an address that it does not have yet, or that others have, too.
        host, link = text_of(given), message.chaddr
    return Send(payload, Endpoint(host, port), request.port, text_of(scope.server), scope.interface, link)
