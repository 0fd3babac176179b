"""A phone's cable, DHCP message by DHCP message: raw Ethernet frames that scapy writes and reads, with or without tags."""

import socket
import struct

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.live.bench import Bench

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 1 << 4
XID = 0x1234
CLASS = ("vendor_class_id", b"voxpath-phone")
"""What a phone says that is served."""


class Cable:
    """The end of a cable at which a phone would be.

    :ivar phone: its name and Ethernet address.
    """

    def __init__(self, bench: Bench) -> None:
        self.phone = bench.phone()
        with bench.net.entered(self.phone.name):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind(("eth0", ETH_P_ALL))
        self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self._socket.settimeout(5)

    def send(self, packet: Packet) -> None:
        """Send a frame as it is."""
        self._socket.send(bytes(packet))

    def receive(self) -> Packet:
        """Read a frame; the kernel takes the outer tag off and tells it beside the frame, so it is put back."""
        octets, ancillary, _, _ = self._socket.recvmsg(2048, 64)
        for level, kind, data in ancillary:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, control, announced = *struct.unpack_from("=I", data), *struct.unpack_from("=HH", data, 16)
                if status & VLAN_VALID:
                    octets = octets[:12] + struct.pack("!HH", announced, control) + octets[12:]
        return Ether(octets)

    def tell(self, tags: Packet | None, kind: str, *options: tuple[str, object], broadcast: bool = False) -> None:
        """Send a DHCP message to everybody."""
        mac = bytes.fromhex(self.phone.mac.replace(":", ""))
        message = BOOTP(chaddr=mac, xid=XID, flags="B" if broadcast else 0)
        said = DHCP(options=[("message-type", kind), *options, "end"])
        link = Ether(src=self.phone.mac, dst="ff:ff:ff:ff:ff:ff")
        below = link if tags is None else link / tags
        self.send(below / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / message / said)

    def ask(self, tags: Packet | None, kind: str, *options: tuple[str, object], broadcast: bool = False) -> Packet:
        """Send a message of a phone that is served, and read the answer to it."""
        self.tell(tags, kind, CLASS, *options, broadcast=broadcast)
        while True:
            answer = self.receive()
            if BOOTP in answer and answer[BOOTP].op == 2:
                return answer

    def close(self) -> None:
        """Let go of the cable."""
        self._socket.close()


def options_of(answer: Packet) -> dict[object, object]:
    """The options of an answer, by scapy's name, or by number where it has none."""
    return {option[0]: option[1] for option in answer[DHCP].options if isinstance(option, tuple)}
