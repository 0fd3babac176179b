"""GEN-12: an operator has a phone boot anew, and moves it; in memory and in virtual time, over the product's own cores."""

from ipaddress import IPv4Address

from tests.journey.test_journey import MGC, Observer, mac
from voxpath.dhcp.event import DhcpNak, DhcpRecalled
from voxpath.model.address import Mac
from voxpath.phone.event import PhoneBooted, PhoneReboots, PhoneState
from voxpath.phone.state import State
from voxpath.phone.user import Habits
from voxpath.testing.network import Quality
from voxpath.testing.world import PhoneHost, Site, World


def running(loss: float = 0.0) -> tuple[World, Observer, Site, list[PhoneHost]]:
    """Two phones of a site that have booted and registered."""
    world = World(5, Quality(loss=loss))
    site = world.add_site("site-a", "203.0.113.1", (f"{MGC}:2944",))
    phones = [world.add_phone(site, mac(0, number), 400.0, Habits()) for number in range(2)]
    observer = Observer(world)
    world.add_controller(MGC)
    world.power_on(phones)
    world.run_until(lambda: all(phone.gateway is not None and phone.gateway.controller for phone in phones), 300)
    observer.records.clear()
    return world, observer, site, phones


def recall(world: World, site: Site, phone: Mac) -> None:
    site.drivers[0].act(lambda now: site.dhcp.recall.ask(phone, now))


def test_an_operators_reboot_by_forcerenew_leads_through_502_to_the_same_block() -> None:
    world, observer, site, (phone, other) = running()
    before = site.ledger.binding_of(phone.name)
    recall(world, site, phone.mac)
    world.run_until(lambda: observer.told(PhoneBooted), 60)
    assert [event.phone for event in observer.told(PhoneReboots)] == [phone.name]
    assert observer.told(PhoneState)[0].step == State.BOOT.value
    assert {event.phone for event in observer.told(PhoneState)} == {phone.name}
    after = site.ledger.binding_of(phone.name)
    assert before is not None
    assert after is not None
    assert (after.block, after.private) == (before.block, before.private)
    assert len(observer.told(DhcpRecalled)) == len(observer.told(DhcpNak)) == 1
    assert other.user.phone.boot.state is State.RUN
    world.stop()


def test_a_forcerenew_that_is_lost_is_repeated() -> None:
    world, observer, site, (phone, _) = running()
    site.lan.quality = Quality(loss=1.0)
    recall(world, site, phone.mac)
    world.run(1.0)
    site.lan.quality = Quality()
    world.run_until(lambda: observer.told(PhoneBooted), 60)
    assert len(observer.told(DhcpNak)) == 1
    world.stop()


def test_a_moved_phone_takes_its_new_block_when_it_is_rebooted() -> None:
    world, observer, site, (phone, _) = running()
    target = site.dhcp.orders
    site.drivers[0].act(lambda now: target.move(phone.mac, IPv4Address("203.0.113.1"), 40960, now))
    recall(world, site, phone.mac)
    world.run_until(lambda: observer.told(PhoneBooted), 60)
    [booted] = observer.told(PhoneBooted)
    assert booted.block == "203.0.113.1:40960-40991"
    world.run_until(lambda: phone.gateway is not None and phone.gateway.controller is not None, 60)
    world.stop()
