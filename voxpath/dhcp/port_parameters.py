"""Option 159: the port set of a phone whose address is shared with others (RFC 7618, RFC 7598 section 4.5, RFC 7597 section 5.1).

====================  ======  =====================================================================================
field                 octets  what voxpath writes
====================  ======  =====================================================================================
offset (*a*)          1       0: the set is one contiguous range
PSID length (*k*)     1       16 less the binary logarithm of the number of ports
PSID                  2       the first *k* bits of the first port, left-aligned; the other bits are zero
====================  ======  =====================================================================================

A block of the ledger is aligned to its size, a power of two, so it is just such a set: its PSID, left-aligned, is its first port.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.cursor import Reader
from voxpath.core.errors import RemoteError
from voxpath.model.ports import PortBlock

LENGTH = 4
MAX_OFFSET = 15
PORT_BITS = 16


class PortSet(NamedTuple):
    """A port set.

    :ivar offset: bits before the PSID in each port.
    :ivar length: bits of the PSID; 0: the set is all ports, whatever the PSID.
    :ivar psid: the port set identifier, as a number of ``length`` bits.
    """

    offset: int
    length: int
    psid: int


def encode_port_set(ports: PortSet) -> bytes:
    """Write option 159."""
    aligned = ports.psid << (PORT_BITS - ports.length)
    return bytes((ports.offset, ports.length)) + aligned.to_bytes(2, "big")


def decode_port_set(data: bytes) -> PortSet:
    """Read option 159.

    :raises RemoteError: its length is not 4, offset and PSID length leave 16 bits, or bits behind the PSID are set.
    """
    with Reader(data).within(len(data)) as fields:
        offset, length, aligned = fields.u8(), fields.u8(), fields.u16()
    if offset > MAX_OFFSET or offset + length > PORT_BITS:
        raise RemoteError(f"a port set with offset {offset} and {length} bits", offset=0, section="RFC 7598 section 4.5")
    psid = aligned >> (PORT_BITS - length)
    if psid << (PORT_BITS - length) != aligned:
        raise RemoteError(f"bits behind a PSID of {length} bits", offset=2, section="RFC 7618 section 7")
    return PortSet(offset, length, psid)


def port_set_of(block: PortBlock) -> PortSet:
    """The port set that a block is."""
    length = PORT_BITS - (block.size.bit_length() - 1)
    return PortSet(0, length, block.first >> (PORT_BITS - length))


def block_of(public: IPv4Address, ports: PortSet) -> PortBlock:
    """The block that a contiguous port set is.

    :raises ValueError: it is not contiguous, or no block: too large, or with port 0.
    """
    if ports.offset:
        raise ValueError(f"a port set with offset {ports.offset} is not contiguous")
    size = 1 << (PORT_BITS - ports.length)
    return PortBlock(public, ports.psid * size, size)
