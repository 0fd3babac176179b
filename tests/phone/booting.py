"""A phone that boots in virtual time: a DHCP server made of Python objects, and the real TFTP server."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from random import Random

from voxpath.core.effects import Ask, Close, Datagram, Done, Effect, Emit, Failed, Open, Send
from voxpath.dhcp import options as code
from voxpath.dhcp.client import DhcpClient
from voxpath.dhcp.message import ANY, BOOTREPLY, Message, MessageType
from voxpath.dhcp.options import Assignment, flat_options
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import Event
from voxpath.model.phone import BootLease
from voxpath.model.ports import PortBlock
from voxpath.phone.boot import BootMachine
from voxpath.phone.event import PhoneState
from voxpath.phone.host import Enable, StoredImage
from voxpath.phone.state import BootSettings, State
from voxpath.tftp.question import Fetch, Refused
from voxpath.tftp.server import TftpServer

MAC = Mac.parse("02:00:00:00:0a:01")
SERVER = "10.0.0.1"
HOME = "10.0.0.11"
LEASE = BootLease(
    mac=MAC,
    address=IPv4Address(HOME),
    prefix_length=24,
    router=IPv4Address(SERVER),
    server=IPv4Address(SERVER),
    lease_s=3600,
    tftp=SERVER,
    boot_file="vox.img",
    block=PortBlock(IPv4Address("203.0.113.1"), 2048, 64),
    mgcs=(Endpoint("192.0.2.10", 2944), Endpoint("192.0.2.11", 2944)),
)
IMAGE = Random(1).randbytes(20_000)
FILES: dict[str, bytes] = {"vox.img": IMAGE, "new.img": b"new", "020000000a01.cfg": b"key=value\n"}


def answer(kind: MessageType, xid: int, lease: BootLease | None, *, informs: bool = False) -> bytes:
    """A server's answer; without a lease it is that of a server which knows nothing of ports.

    To an INFORM it tells neither an address nor a time (RFC 2131 section 4.3.5).
    """
    given = lease or LEASE
    options = {
        code.MESSAGE_TYPE: bytes((kind,)),
        code.SUBNET_MASK: IPv4Address("255.255.255.0").packed,
        code.ROUTER: IPv4Address(SERVER).packed,
        code.SERVER_ID: given.server.packed,
        code.LEASE_TIME: given.lease_s.to_bytes(4, "big"),
        code.TFTP_SERVER: given.tftp.encode(),
        code.BOOT_FILE: given.boot_file.encode(),
    }
    if lease is not None:
        options |= flat_options(Assignment(given.block, given.mgcs, given.block.public))
    if informs:
        del options[code.LEASE_TIME]
    return encode(Message(BOOTREPLY, xid, MAC, options, yiaddr=ANY if informs else given.address))


GIVEN: dict[str, BootLease] = {
    "full": LEASE,
    "new": replace(LEASE, boot_file="new.img"),
    "none": replace(LEASE, boot_file=""),
    "bare": replace(LEASE, tftp="", boot_file="", mgcs=()),
    "named": replace(LEASE, tftp="tftp.example"),
    "moved": replace(LEASE, block=PortBlock(IPv4Address("203.0.113.1"), 4096, 64)),
}


class House:
    def phone_at(self, address: str, port: int) -> str:
        return str(MAC)


class World:
    """A phone, a TFTP server with its files, and a DHCP server that the test directs.

    :ivar gives: what the DHCP server answers with; empty: it is silent.
    :ivar loss: the share of TFTP messages that are lost.
    """

    def __init__(
        self, settings: BootSettings | None = None, stored: StoredImage | None = None, seed: int = 1, registers: bool = True
    ) -> None:
        self.dice = Random(seed)
        self.client = DhcpClient(MAC, "voxpath-phone", self.dice, registers=registers)
        self.phone = BootMachine(settings or BootSettings(MAC), self.client, self.dice, stored)
        self.tftp = TftpServer(House(), self.dice)
        self.files = dict(FILES)
        self.gives = "full"
        self.acks = True
        self.loss = 0.0
        self.now = 1000.0
        self.sent: list[tuple[float, str]] = []
        self.requested: list[str] = []
        self.events: list[Event] = []
        self.asked: list[object] = []
        self.ports: set[str] = set()
        self.enabling: Done | Failed = Done()
        self.on_the_way: deque[tuple[float, Callable[[], None]]] = deque()

    def start(self) -> "World":
        self.obey(self.phone.start(self.now))
        return self

    def run(self, until: float, end: State | None = State.RUN) -> None:
        """Let time pass, until the state is reached or the time is over."""
        while self.phone.state is not end:
            dues = [due for due in (self.phone.next_due(), self.tftp.next_due()) if due is not None]
            dues += [due for due, _ in self.on_the_way][:1]
            if not dues or min(dues) > until:
                self.now = until
                return
            self.now = max(self.now, min(dues))
            while self.on_the_way and self.on_the_way[0][0] <= self.now:
                self.on_the_way.popleft()[1]()
            self.obey(self.phone.tick(self.now))
            self.serve(self.tftp.tick(self.now))

    def obey(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(payload, destination, port):
                    assert port in self.ports
                    self.later(partial(self.network, payload, destination, port))
                case Emit(event):
                    self.events.append(event)
                case Open(port):
                    self.ports.add(port)
                case Close(port):
                    self.ports.remove(port)
                case Ask(question, token):
                    self.asked.append(question)
                    if isinstance(question, Enable):
                        self.later(lambda token=token: self.obey(self.phone.resolve(token, self.enabling, self.now)))

    def later(self, step: Callable[[], None]) -> None:
        """Everything takes a millisecond."""
        self.on_the_way.append((self.now + 0.001, step))

    def deliver(self, datagram: Datagram) -> None:
        self.obey(self.phone.receive(datagram, self.now))

    def network(self, payload: bytes, destination: Endpoint, port: str) -> None:
        if port == "dhcp":
            self.dhcp(payload)
        elif self.dice.random() >= self.loss:
            inner = "tftp" if destination.port == 69 else f"t{destination.port - 40000}"
            source = Endpoint(HOME, 2100 + int(port.partition("/")[2]))
            self.serve(self.tftp.receive(Datagram(payload, source, SERVER, "", inner), self.now))

    def dhcp(self, payload: bytes) -> None:
        message = decode(payload)
        assert message.type is not None
        renews = message.type is MessageType.REQUEST and message.ciaddr != ANY
        kind = "RENEW" if renews else message.type.name
        self.sent.append((self.now, kind))
        if not self.gives or (kind != "DISCOVER" and not self.acks):
            return
        said = "OFFER" if kind == "DISCOVER" else "ACK"
        self.later(partial(self.hear, said, message.xid, self.gives, informs=kind == "INFORM"))

    def hear(self, kind: str, xid: int, gives: str, *, informs: bool = False) -> None:
        octets = answer(MessageType[kind], xid, GIVEN.get(gives), informs=informs)
        datagram = Datagram(octets, Endpoint(SERVER, 67), "", "", "dhcp")
        self.obey(self.phone.receive(datagram, self.now))

    def serve(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(payload, destination, port):
                    if self.dice.random() >= self.loss:
                        inner = f"tftp/{destination.port - 2100}"
                        source = Endpoint(SERVER, 69 if port == "tftp" else 40000 + int(port[1:]))
                        self.later(partial(self.deliver, Datagram(payload, source, HOME, "", inner)))
                case Ask(question, token):
                    assert isinstance(question, Fetch)
                    self.requested.append(question.name)
                    answer = self.files.get(question.name, Refused(1, "no such file"))
                    self.serve(self.tftp.resolve(token, Done(answer), self.now))

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def states(self) -> list[str]:
        return [event.state for event in self.told(PhoneState) if isinstance(event, PhoneState)]

    def kinds(self) -> list[str]:
        return [kind for _, kind in self.sent]
