"""One-way audio of a MEGACO call between two sites is named within seconds, with its cause; all in memory and in virtual time."""

from ipaddress import IPv4Address

from tests.journey.test_call_aware import PUBLIC, Scene
from voxpath.flow.event import AudioBack, OneWayAudio
from voxpath.flow.oneway import LATER_S, LOOK_LATER_S, LOOK_S, SILENT_S
from voxpath.nappt.pinhole import PinholeChange


def talking() -> Scene:
    """Both hear each other."""
    scene = Scene(talk_s=3600.0)
    scene.until(scene.talking)
    return scene


def told(scene: Scene) -> list[tuple[str, str, str]]:
    return [(event.phone, event.peer, event.cause) for event in scene.events if isinstance(event, OneWayAudio)]


def test_a_call_that_works_is_not_told() -> None:
    scene = talking()
    scene.world.run(60.0)
    assert told(scene) == []
    scene.world.stop()


def test_a_phone_that_never_hears_its_peer_is_told_within_seconds_of_the_answer() -> None:
    """Its peer's media comes from an address that no call lets in; when that is mended, that is told, too."""
    scene = talking()
    nat = scene.world.sites[0].nat
    lost = tuple(nat.pinholes())
    nat.admit(PinholeChange(close=lost))
    scene.world.run(SILENT_S + 2 * LOOK_S)
    caller, callee = (phone.name for phone in scene.phones)
    assert told(scene) == [(caller, callee, "wrong source address")]
    nat.admit(PinholeChange(open=lost))
    scene.world.run(2 * LOOK_S)
    assert AudioBack(phone=caller, peer=callee) in scene.events
    scene.world.stop()


def test_a_phone_whose_ports_were_taken_away_sends_from_a_wrong_port() -> None:
    scene = talking()
    scene.world.run(5.0)
    site, phone = scene.world.sites[0], scene.phones[0]
    site.drivers[0].act(lambda now: site.dhcp.orders.move(phone.mac, IPv4Address(PUBLIC["site-a"]), 40960, now))
    scene.world.run(2 * LOOK_LATER_S + SILENT_S)
    caller, callee = (each.name for each in scene.phones)
    assert (callee, caller, "wrong source port") in told(scene)
    scene.world.stop()


def test_a_phone_that_falls_silent_is_named() -> None:
    scene = talking()
    scene.world.run(5.0)
    scene.phones[1].host.up = False
    scene.world.run(LATER_S + 2 * LOOK_LATER_S)
    caller, callee = (each.name for each in scene.phones)
    assert told(scene) == [(caller, callee, "peer silent")]
    scene.world.stop()
