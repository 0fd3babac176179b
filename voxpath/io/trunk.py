"""A trunk without an interface for each VLAN: DHCP messages in tagged frames, read and written as whole frames (DHC-14, ADR-3).

A host with the kernel's 802.1Q needs none of it: there each VLAN has an interface of its own, such as ``eth1.20``.
An answer leaves with the tags of the request: the same VLAN, and the same priority unless another one is asked for.
"""

import ctypes
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable

from voxpath.core.effects import Datagram, Send
from voxpath.core.errors import RemoteError
from voxpath.dhcp.wire import CHADDR_AT
from voxpath.io.backlog import Backlog
from voxpath.io.ethernet import CUSTOMER_TAG, IPV4, Frame, Tag, read_frame, tag_of
from voxpath.io.local import LocalPort, Readers
from voxpath.io.packet import read_udp, udp_packet
from voxpath.model.address import ANY_HOST, BROADCAST_HOST, MAC_LENGTH, Endpoint

MAX_REMEMBERED = 20_000
"""Clients whose tags are remembered; the one that was silent longest gives way."""

BUFFER_OCTETS = 4 * 1024 * 1024
LARGEST_FRAME = 65535
BROADCAST_LINK = b"\xff" * 6

_ETH_P_ALL = 3
_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA, _SO_ATTACH_FILTER = 263, 8, 26
_AUXDATA = struct.Struct("=IIIHHHH")
_ANCILLARY = socket.CMSG_SPACE(_AUXDATA.size)
_TAG_VALID, _KIND_VALID = 1 << 4, 1 << 6


class TrunkPort(LocalPort):
    """A UDP port in one VLAN of an interface that carries several.

    Its datagrams tell ``INTERFACE.VID`` as their interface, as the kernel would call it.

    :param vid: the VLAN; of two tags the inner one counts.
    :param port: the UDP port.
    :param priority: of all answers; ``None``: each has that of its request.
    :param backlog: takes the datagrams in place of ``receive``.
    :raises PermissionError: this process may not open raw sockets.
    :raises OSError: there is no such interface.
    """

    def __init__(
        self,
        reactor: Readers,
        name: str,
        receive: Callable[[Datagram], None],
        device: str,
        vid: int,
        port: int,
        priority: int | None = None,
        on_lost: Callable[[str], None] = lambda reason: None,
        backlog: Backlog | None = None,
    ) -> None:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
            opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            _attach(opened, port)
            opened.bind((device, _ETH_P_ALL))
        except OSError as error:
            opened.close()
            raise OSError(error.errno, f"the trunk {device} cannot be heard: {error.strerror}") from error
        super().__init__(reactor, name, opened, Endpoint(ANY_HOST, port), receive, device, on_lost, backlog)
        self._vid = vid
        self._priority = priority
        self._interface = f"{device}.{vid}"
        # By the client's hardware address, which request and answer carry; a relay's frame comes from another one.
        self._clients: OrderedDict[bytes, tuple[bytes, tuple[Tag, ...]]] = OrderedDict()

    def answers_for(self, interface: str) -> bool:
        """Whether datagrams to this interface leave here."""
        return interface == self._interface

    def send(self, send: Send) -> None:
        """Send a datagram in the tags of the client that it goes to; raise :class:`OSError` when the kernel does not take it."""
        link, tags = self._clients.get(_client(send.payload), (BROADCAST_LINK, (Tag(self._vid),)))
        if send.destination.host == BROADCAST_HOST:
            link = BROADCAST_LINK
        if self._priority is not None:
            tags = tuple(tag._replace(priority=self._priority) for tag in tags)
        packet = udp_packet(send.payload, Endpoint(send.source, self.local.port), send.destination)
        own = self._socket.getsockname()[4]
        self._socket.send(Frame(link, own, tags, IPV4, packet).octets)

    def reader(self) -> Callable[[], Datagram | None]:
        """How one frame is read; those of other VLANs are passed over."""
        return self._read

    def _read(self) -> Datagram | None:
        octets, ancillary, _flags, address = self._socket.recvmsg(LARGEST_FRAME, _ANCILLARY)
        if address[2] == _OUTGOING:
            return None
        try:
            return self.take(octets, _stripped(ancillary))
        except RemoteError:
            # Whatever is broken below UDP is for the kernel to count, which has seen the frame, too.
            return None

    def take(self, octets: bytes, stripped: Tag | None = None) -> Datagram | None:
        """Read a frame and remember its tags; ``None``: it is not for this VLAN or not for this port.

        :raises RemoteError: it is cut off.
        """
        frame = read_frame(octets, stripped)
        if not frame.tags or frame.tags[-1].vid != self._vid or frame.kind != IPV4:
            return None
        packet = read_udp(frame.payload)
        if packet is None or packet.destination.port != self.local.port:
            return None
        self._remember(_client(packet.payload), frame)
        return Datagram(packet.payload, packet.source, packet.destination.host, self._interface, self.name)

    def _remember(self, client: bytes, frame: Frame) -> None:
        self._clients[client] = (frame.source, frame.tags)
        self._clients.move_to_end(client)
        if len(self._clients) > MAX_REMEMBERED:
            self._clients.popitem(last=False)


def _client(message: bytes) -> bytes:
    return message[CHADDR_AT : CHADDR_AT + MAC_LENGTH]


def _stripped(ancillary: list[tuple[int, int, bytes]]) -> Tag | None:
    """The tag that the kernel took off a frame before it showed it to us."""
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA) and len(data) >= _AUXDATA.size:
            status, _, _, _, _, control, announced = _AUXDATA.unpack_from(data)
            if status & _TAG_VALID:
                return tag_of(control, announced if status & _KIND_VALID else CUSTOMER_TAG)
    return None


def _attach(opened: socket.socket, port: int) -> None:
    """Let the kernel pass on UDP to this port alone, and frames with a tag that it left where it was (classic BPF)."""
    program = (
        (0x28, 0, 0, 12),  # the EtherType
        (0x15, 8, 0, CUSTOMER_TAG),
        (0x15, 0, 8, IPV4),
        (0x30, 0, 0, 23),  # the protocol
        (0x15, 0, 6, socket.IPPROTO_UDP),
        (0x28, 0, 0, 20),  # no later fragment
        (0x45, 4, 0, 0x1FFF),
        (0xB1, 0, 0, 14),  # the length of the IPv4 header
        (0x48, 0, 0, 16),  # the destination port
        (0x15, 0, 1, port),
        (0x06, 0, 0, 0x40000),
        (0x06, 0, 0, 0),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(code)))
