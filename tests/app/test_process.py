"""After a failure of the disk the roles of a process load the store again; and what their rows tell."""

import socket
from pathlib import Path
from random import SystemRandom
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from voxpath.app.assembly import Process
from voxpath.app.decode import decode
from voxpath.app.event import RoleReloaded
from voxpath.app.facts import ProcessFacts
from voxpath.app.node import Node
from voxpath.app.parts import Part
from voxpath.app.role import FIRST_PAUSE_S, RoleState
from voxpath.core.effects import Put
from voxpath.io.bus import EventBus
from voxpath.manage.memory import Memory
from voxpath.model.address import Endpoint
from voxpath.model.registration import Registration
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_after_a_failure_of_the_disk_the_roles_load_the_store_again(tmp_path: Path) -> None:
    """A change that was refused may be in the file all the same: what was loaded before is not to be trusted."""
    text = f'state = "{tmp_path}"\n[control]\nenabled = false\n[mgc]\nlisten = ["127.0.0.1:{free_port()}"]'
    config = decode(text.encode()).config
    assert config is not None
    reactor: Any = MemoryReactorClock()
    clock = VirtualClock(reactor)
    store = MemoryStore()
    node = Node(config, reactor, clock, EventBus(clock), Memory(), SystemRandom(), store)
    node.bus.subscribe(node.memory)
    process = Process(node, (Part.CONTROLLER,))
    process.startService()
    controller = process.controller
    assert controller is not None
    assert controller.core is not None
    assert controller.core.registrations() == ()
    home = Endpoint("192.0.2.1", 2944)
    store.commit((Put(Registration("gw", home, home, None, "", "gw", (), 0.0)),), lambda reason: None)
    controller.silent = lambda: {"refused by mac": 2, "nothing is left": 0}
    (row,) = ProcessFacts(process).roles()
    assert (row.role, row.detail) == ("mgc", "2 times: refused by mac")
    node.on_reopened("the store voxpath.db failed: database or disk is full")
    (told,) = [record.event for record in node.memory.last(100) if isinstance(record.event, RoleReloaded)]
    assert told.text == (
        "the role mgc begins anew in 1 s: the store voxpath.db failed: database or disk is full; "
        "it is good again and read anew, but look at the disk: room, health"
    )
    assert controller.state is RoleState.PAUSED
    reactor.advance(FIRST_PAUSE_S)
    assert controller.state is RoleState.RUNNING
    assert [each.mid for each in controller.core.registrations()] == ["gw"]
    process.stopService()
    assert reactor.getDelayedCalls() == []
