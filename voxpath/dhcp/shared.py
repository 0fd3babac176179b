"""Shared addresses: who may have one, and which ports a message is about (RFC 7618 sections 6 to 9).

In a shared scope the address of a phone is the public one of its port block, and other phones have the same address with other
ports; a lease is known by address and PSID together.
A phone that does not know of this would use all ports, so it gets no such address: silence with a reason, not a NAK.
"""

from ipaddress import IPv4Address

from voxpath.dhcp import options as code
from voxpath.dhcp.layout import LAYOUTS
from voxpath.dhcp.machine import Book
from voxpath.dhcp.message import Message
from voxpath.dhcp.port_parameters import decode_port_set, port_set_of
from voxpath.dhcp.record import Client, is_shared
from voxpath.model.address import Mac
from voxpath.model.phone import PhoneClass
from voxpath.model.ports import PortBlock


def takes_port_set(message: Message, phone_class: PhoneClass) -> bool:
    """Whether this phone reads option 159 as a port set: it asks for it, and its class means nothing else by it."""
    other_use = LAYOUTS[phone_class.layout].url_159 or any(option == code.PORT_PARAMETERS for option, _ in phone_class.options)
    return message.lists(code.PORT_PARAMETERS) and not other_use


def refusal(message: Message, phone_class: PhoneClass) -> str:
    """Why a phone can have no shared address; empty: it can.

    :raises RemoteError: its option 159 is malformed.
    """
    if not message.lists(code.PORT_PARAMETERS):
        return "it does not ask for port parameters (option 159), and the addresses of its scope are shared"
    if not takes_port_set(message, phone_class):
        return f"phones of class {phone_class.name} take option 159 for something else, and the addresses of its scope are shared"
    if code.CLIENT_ID not in message.options:
        return "it sent no client identifier (option 61), and the addresses of its scope are shared"
    if code.PORT_PARAMETERS in message.options:
        decode_port_set(message.options[code.PORT_PARAMETERS])
    return ""


def differs(message: Message, block: PortBlock, address: IPv4Address) -> str:
    """Why a message is about another address, or about other ports of it, than this block has; empty: it is about this block.

    A message without option 159 names no ports.

    :raises RemoteError: its option 159 is malformed.
    """
    if address != block.public:
        return "the phone's ports are of another address"
    data = message.options.get(code.PORT_PARAMETERS)
    if data is None:
        return ""
    return "" if decode_port_set(data) == port_set_of(block) else "the ports of option 159 are not the phone's"


def bound_at(book: Book, address: IPv4Address, port: int) -> Client | None:
    """The client that is bound to a shared address and uses this port of it; ``None``: nobody does.

    Its address alone names no phone; address and port together say as much as the address does elsewhere.
    """
    row = book.ledger.holder_of(address, port)
    if row is None:
        return None
    try:
        client = book.known(Mac.parse(row.holder))
    except ValueError:
        # A service of the gateway itself, or a block that an operator placed.
        return None
    lease = client.lease if client is not None and client.bound else None
    return client if lease is not None and is_shared(lease) and lease.address == address else None
