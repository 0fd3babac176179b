"""The call-aware mode end to end in memory: phones of two sites call each other by MEGACO while a stranger sends to their ports."""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from voxpath.core.effects import Send
from voxpath.io.event import CoreFault
from voxpath.megaco.call import CallState
from voxpath.megaco.event import CallReleased
from voxpath.model.address import Endpoint, Mac
from voxpath.model.call import Line
from voxpath.model.ports import PortBinding
from voxpath.natreactor.event import PeersAdmitted
from voxpath.phone.user import Habits, Timetable
from voxpath.testing.network import Host, MemoryPorts, Segment
from voxpath.testing.world import PhoneHost, World

PUBLIC = {"site-a": "203.0.113.1", "site-b": "203.0.113.2"}
MGC, STRANGER = "198.51.100.10", "198.51.100.66"
RTP_OCTETS = 172


class Scene:
    """Two phones, each at a site of its own, the first of which calls the other one; and a stranger at the provider's.

    :ivar media: RTP packets on the sites' segments, by where they came from.
    """

    def __init__(self, *, talk_s: float = 20.0) -> None:
        self.world = World(7, trusted=[MGC])
        self.phones: list[PhoneHost] = []
        self.events: list[object] = []
        self.media: Counter[tuple[str, str]] = Counter()
        for place, (name, public) in enumerate(PUBLIC.items()):
            site = self.world.add_site(name, public, [f"{MGC}:2944"])
            identity = Mac(bytes([2, 0, 0, 0, 0, place + 1]))
            self.world.numbers[f"100{place}"] = Line(str(identity), "line/1")
            calls = (Timetable("1001", after_s=30.0, length_s=talk_s),) if not place else ()
            self.phones.append(self.world.add_phone(site, identity, 400.0, Habits(answer_after_s=2.0, calls=calls)))
        self.mgc = self.world.add_controller(MGC)
        self.stranger = self._stranger()
        self.world.network.tap = self._see
        self.world.bus.subscribe(lambda record: self.events.append(record.event))
        self.world.power_on(self.phones)
        self.world.run_until(lambda: len(self.mgc.registrations()) == 2, 60)

    def _stranger(self) -> MemoryPorts:
        host = Host("stranger")
        host.attach(self.world.provider, "eth0", b"\x02stran", STRANGER)
        ports = host.ports()
        ports.open("rtp", Endpoint(STRANGER, 7078), lambda datagram: None)
        return ports

    def _see(self, segment: Segment, source: Endpoint, destination: Endpoint, payload: bytes) -> None:
        if len(payload) == RTP_OCTETS:
            self.media[segment.name, source.host] += 1

    @property
    def blocks(self) -> list[PortBinding]:
        return [row for site in self.world.sites for row in site.ledger.bindings()]

    def send_to_every_port(self) -> int:
        """The stranger tries all ports of both phones; give how many packets came through."""
        before = self._strange()
        for row in self.blocks:
            for port in range(row.block.first, row.block.last + 1):
                self.stranger.send(Send(b"\x80" + bytes(RTP_OCTETS - 1), Endpoint(str(row.block.public), port), "rtp"))
        self.world.run(0.1)
        return self._strange() - before

    def _strange(self) -> int:
        return sum(count for (segment, source), count in self.media.items() if source == STRANGER and segment != "provider")

    def strangers(self) -> int:
        return sum(site.nat.drops()["stranger"] for site in self.world.sites)

    def pinholes(self) -> set[tuple[str, int, str]]:
        return {
            (str(IPv4Address(public)), port, str(IPv4Address(peer)))
            for site in self.world.sites
            for public, port, peer in site.nat.pinholes()
        }

    def call(self) -> CallState:
        [call] = self.mgc.calls()
        return call

    def until(self, condition: Callable[[], bool]) -> None:
        self.world.run_until(condition, 120)

    def talking(self) -> bool:
        return [call.phase for call in self.mgc.calls()] == ["talking"]


def test_the_signalled_peer_is_heard_and_a_stranger_is_not_before_during_and_after_the_call() -> None:
    """FWL-4."""
    scene = Scene()
    ports = sum(row.block.size for row in scene.blocks)
    assert scene.send_to_every_port() == 0
    assert scene.strangers() == ports
    scene.until(scene.talking)
    scene.world.run(5.0)
    assert scene.send_to_every_port() == 0
    assert scene.strangers() == 2 * ports
    for name, peer in (("site-a", PUBLIC["site-b"]), ("site-b", PUBLIC["site-a"])):
        assert scene.media[name, peer] > 200, "the peer's media comes in"
    caller, callee = scene.call().caller_media, scene.call().callee_media
    expected = set()
    for media, other in ((caller, callee), (callee, caller)):
        public, _, port = media.partition(":")
        peer, _, _ = other.partition(":")
        expected |= {(public, int(port), peer), (public, int(port) + 1, peer)}
    assert scene.pinholes() == expected
    scene.until(lambda: any(isinstance(event, CallReleased) for event in scene.events))
    assert scene.pinholes() == set()
    assert scene.send_to_every_port() == 0
    assert scene.strangers() >= 3 * ports
    assert len([event for event in scene.events if isinstance(event, PeersAdmitted)]) == 1
    scene.world.stop()


@pytest.mark.parametrize("dies", [0, 1])
def test_the_pinholes_of_a_call_are_closed_when_a_leg_dies(dies: int) -> None:
    """A phone that begins anew registers anew: its side of the call is gone, and nobody reaches the other one any more."""
    scene = Scene(talk_s=3600.0)
    scene.until(scene.talking)
    scene.world.run(2.0)
    assert len(scene.pinholes()) == 4
    site, phone = scene.world.sites[dies], scene.phones[dies]
    site.drivers[0].act(lambda now: site.dhcp.recall.ask(phone.mac, now))
    scene.until(lambda: not scene.mgc.calls())
    assert scene.pinholes() == set()
    assert not [event for event in scene.events if isinstance(event, CoreFault)]
    scene.world.stop()


def test_a_phone_whose_ports_are_taken_away_in_a_call_leaves_no_pinhole_to_their_next_holder() -> None:
    scene = Scene(talk_s=3600.0)
    scene.until(scene.talking)
    site, (phone, other) = scene.world.sites[0], scene.phones
    site.drivers[0].act(lambda now: site.dhcp.orders.move(phone.mac, IPv4Address(PUBLIC["site-a"]), 40960, now))
    scene.world.run(0.1)
    assert {public for public, _, _ in scene.pinholes()} == {PUBLIC["site-b"]}
    other.driver.act(lambda now: other.user.on_hook(1, now))
    scene.until(lambda: not scene.pinholes())
    scene.world.stop()


def test_what_a_phone_sends_to_its_peers_other_ports_stays_outside() -> None:
    """The pinhole is for the ports of the call, and not for all of the phone."""
    scene = Scene(talk_s=3600.0)
    scene.until(scene.talking)
    callee = scene.blocks[1].block
    host = scene.phones[0].host
    free = host.ports()
    block = scene.blocks[0].block
    taken = int(scene.call().callee_media.partition(":")[2])
    free.open("free", Endpoint(str(scene.blocks[0].private), block.last), lambda datagram: None)
    before = scene.strangers()
    others = [port for port in range(callee.first, callee.last + 1) if port not in {taken, taken + 1}]
    for port in others:
        free.send(Send(b"x", Endpoint(str(callee.public), port), "free"))
    scene.world.run(0.1)
    assert scene.strangers() == before + len(others)
    free.close_all()
    scene.world.stop()
