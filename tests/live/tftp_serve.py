"""The real TFTP server for one address: ``python tftp_serve.py ADDRESS DIRECTORY PHONE_ADDRESS UPLOADS SETTINGS``.

One phone, 02:00:00:00:0a:01, holds PHONE_ADDRESS.
UPLOADS is the directory of drop boxes, empty for none; SETTINGS are those of the server, as JSON.
It prints ``ready`` and then the text of every event.
"""

import json
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from random import SystemRandom
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from voxpath.app.files import answerer
from voxpath.flow.files import FilePolicy
from voxpath.flow.uploads import UploadPolicy
from voxpath.io.bus import EventBus
from voxpath.io.clock import ServerClock
from voxpath.io.driver import Driver
from voxpath.io.files import FileSource
from voxpath.io.gathered import Gathered
from voxpath.io.ports import UdpPorts
from voxpath.io.room import Limits
from voxpath.io.uploads import Uploads
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import Lease, PhoneClass, Provision, Scope
from voxpath.model.ports import PortBlock
from voxpath.tftp.server import TftpServer
from voxpath.tftp.session import PORT, TftpSettings

MAC = Mac.parse("02:00:00:00:0a:01")


class Residents:
    """The one phone."""

    def __init__(self, server: str, address: str) -> None:
        here, home = IPv4Address(server), IPv4Address(address)
        lease = Lease(MAC, b"", "lan", home, "desk", "phone1", 2e9)
        scope = Scope("lan", "eth0", IPv4Network("10.9.0.0/24"), here, home, home, "a")
        kind = PhoneClass("desk", ("voxpath-phone",), 64, 3600, "f.bin", ("192.0.2.10",))
        self._provision = Provision(lease, PortBlock(IPv4Address("203.0.113.1"), 2048, 64), kind, scope)

    def phone_at(self, address: str, port: int) -> str:
        return str(MAC) if address == str(self._provision.lease.address) else ""

    def provision_of(self, phone: str) -> Provision | None:
        return self._provision if phone == str(MAC) else None


def main() -> None:
    address, directory, phone, boxes, settings = sys.argv[1:]
    reactor: Any = global_reactor
    residents = Residents(address, phone)
    clock = ServerClock(reactor)
    bus = EventBus(clock)
    bus.subscribe(lambda record: print(record.event.ID, record.event.text, flush=True))

    def in_thread(work: Callable[[], Any]) -> "Deferred[Any]":
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    source = FileSource(FilePolicy(residents), directory, in_thread)
    uploads = Uploads(UploadPolicy(residents), boxes, directory, Limits(1 << 20, 3 << 19), in_thread) if boxes else None
    core = TftpServer(residents, SystemRandom(), TftpSettings(**{"writes": 4 if boxes else 0, **json.loads(settings)}))
    ports = UdpPorts(Gathered(reactor))
    driver = Driver(PORT, core, clock, bus, ports=ports, answer=answerer(source, uploads))
    ports.open(PORT, Endpoint(address, 69), driver.feed)
    reactor.callWhenRunning(print, "ready", flush=True)
    reactor.run()


main()
