"""PHN-18: a static phone between others, in memory and in virtual time, over the product's own cores."""

from ipaddress import IPv4Address

import pytest

from tests.journey.test_journey import MGC, Observer, mac
from voxpath.dhcp.event import DhcpAck
from voxpath.model.phone import OwnAddress
from voxpath.phone.event import PhoneBooted, PhoneState
from voxpath.phone.state import State
from voxpath.phone.user import Habits
from voxpath.testing.network import Quality
from voxpath.testing.world import World

OWN = IPv4Address("10.0.9.9")
WITHOUT_INFORM = {State.DISCOVER.value, State.WAIT_OFFER.value, State.REQUEST.value, State.WAIT_ACK.value}


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_a_static_phone_registers_with_the_block_and_the_files_of_the_gateway(loss: float) -> None:
    """The gateway's file server knows it by the lease without end that its INFORM made; lost messages cost time only."""
    world = World(7, Quality(loss=loss))
    site = world.add_site("site-a", "203.0.113.1", (f"{MGC}:2944",))
    static = world.add_phone(site, mac(0, 0), 400.0, Habits(), OwnAddress(mac(0, 0), OWN, 16))
    other = world.add_phone(site, mac(0, 1), 600.0, Habits())
    observer = Observer(world)
    world.add_controller(MGC)
    phones = (static, other)
    world.power_on(phones)
    world.run_until(lambda: all(phone.gateway is not None and phone.gateway.controller for phone in phones), 1200)
    booted = static.user.phone.boot.booted
    assert booted is not None
    assert static.mac.hex() in booted.configuration.replace(":", "").lower()
    binding = site.ledger.binding_of(static.name)
    assert binding is not None
    assert (booted.lease.address, booted.lease.block) == (OWN, binding.block)
    assert {event.address for event in observer.told(DhcpAck) if event.phone == static.name} == {str(OWN)}
    steps = {event.step for event in observer.told(PhoneState) if event.phone == static.name}
    assert not steps & WITHOUT_INFORM
    assert {event.phone for event in observer.told(PhoneBooted)} == {phone.name for phone in phones}
    world.stop()
