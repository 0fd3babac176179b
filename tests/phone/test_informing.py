"""A phone whose address was configured by hand, and which asks by INFORM for what it was not told (PHN-18), in virtual time."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.phone.booting import FILES, HOME, IMAGE, LEASE, MAC, SERVER, World
from voxpath.core.effects import Datagram, Done, Failed
from voxpath.core.errors import RemoteError
from voxpath.dhcp.message import INFINITE_S
from voxpath.model.address import Endpoint
from voxpath.model.phone import OwnAddress
from voxpath.model.ports import PortBlock
from voxpath.phone.event import OfferIgnored, PhoneNotRegistered, PhoneReboots
from voxpath.phone.host import Disable, Enable, StoredImage
from voxpath.phone.informing import REMIND_S
from voxpath.phone.state import BootSettings, State

OWN = OwnAddress(MAC, IPv4Address(HOME), 24)
TOLD = replace(LEASE, lease_s=INFINITE_S)
MINE = PortBlock(IPv4Address("203.0.113.9"), 40960, 64)


def static(gives: str = "full", **told: object) -> World:
    """A phone that was told its address and whatever else; the server gives the rest."""
    world = World(BootSettings(MAC, static=replace(OWN, **told)))  # type: ignore[arg-type]  # any field
    world.gives = gives
    return world.start()


def failures(world: World) -> list[str]:
    return [event.text for event in world.told(PhoneNotRegistered)]


def test_a_phone_with_an_address_alone_is_told_the_rest_by_one_inform() -> None:
    """No DISCOVER; the address is up before the INFORM, and the router of the answer is set after it."""
    world = static()
    world.run(1010.0)
    assert world.kinds() == ["INFORM"]
    assert world.states() == ["BOOT", "STATIC", "INFORM", "STORE", "ENABLE", "IMAGE", "TFTP", "RUN"]
    booted = world.phone.booted
    assert booted is not None
    assert booted.lease == TOLD
    assert world.asked[:2] == [Enable(MAC, OWN.address, 24, None), Enable(MAC, OWN.address, 24, LEASE.router)]


def test_the_file_server_that_an_inform_told_gives_image_and_configuration() -> None:
    """Steps 542 to 546: the gateway knows the phone by its block, so it gives the configuration too."""
    world = static()
    world.run(1010.0)
    assert world.requested == ["vox.img", "020000000a01.cfg"]
    booted = world.phone.booted
    assert booted is not None
    assert (booted.image, booted.configuration) == (IMAGE, "key=value\n")


def test_what_a_person_configured_wins_over_the_answer() -> None:
    router, mgcs = IPv4Address("10.0.0.2"), (Endpoint("192.0.2.99", 2944),)
    world = static(router=router, mgcs=mgcs, block=MINE, boot_file="new.img")
    world.run(1010.0)
    booted = world.phone.booted
    assert booted is not None
    assert booted.lease == replace(TOLD, router=router, mgcs=mgcs, block=MINE, boot_file="new.img")
    assert world.requested == ["new.img"], "the server knows nobody with this block, and has no configuration for it"


def test_from_a_file_server_of_ones_own_no_configuration_is_fetched() -> None:
    """No lease proves there who asks."""
    world = static(tftp=SERVER)
    world.run(1010.0)
    assert world.requested == ["vox.img"]
    assert world.phone.state is State.RUN


@pytest.mark.parametrize(
    ("gives", "told", "missing"), [("bare", {"block": MINE}, "MGC list"), ("named", {}, "a TFTP server address")]
)
def test_an_incomplete_answer_is_ignored_and_a_complete_one_may_follow(gives: str, told: dict[str, object], missing: str) -> None:
    world = static(gives, **told)
    world.run(1000.5)
    assert world.phone.state is State.INFORM
    (ignored,) = world.told(OfferIgnored)
    assert missing in ignored.text
    world.hear("ACK", world.client.xid, "full", informs=True)
    world.run(1005.0)
    assert world.phone.state is State.RUN


def test_what_an_answer_lacks_may_be_configured() -> None:
    world = static("bare", mgcs=LEASE.mgcs)
    world.run(1010.0)
    assert world.phone.booted is not None
    assert world.phone.booted.lease == replace(TOLD, tftp="", boot_file="")
    assert world.requested == []


def test_after_three_informs_without_an_answer_the_phone_is_failed() -> None:
    """Step 606, with the waits of DISCOVER before it."""
    world = static("")
    world.run(1100.0, State.FAILED)
    assert world.phone.state is State.FAILED
    assert world.kinds() == ["INFORM"] * 3
    assert 0.75 * 28 <= world.now - 1000 <= 28.1
    (told,) = failures(world)
    assert "INFORM was not answered" in told
    assert world.phone.booted is None


def test_it_goes_on_asking_at_random_times_for_ever_and_boots_when_somebody_answers() -> None:
    """REG-24: pauses differ, grow to minutes, and never end."""
    world = static("")
    world.run(1000.0 + 36_000)
    assert set(world.kinds()) == {"INFORM"}
    pauses = [event.again_s for event in world.told(PhoneNotRegistered) if isinstance(event, PhoneNotRegistered)]
    assert len(set(pauses)) == len(pauses) > 36_000 / 330
    assert max(pauses) <= 300
    assert max(pauses) > 150
    world.gives = "full"
    world.run(world.now + 330)
    assert world.phone.state is State.RUN


def test_what_the_answers_lacked_is_the_reason_of_the_failure() -> None:
    world = static("lacking")
    world.run(1100.0, State.FAILED)
    (told,) = failures(world)
    assert "without port range (43.1 or 224), MGC list" in told
    world.gives = ""
    world.run(world.now + 10, State.INFORM)
    world.run(world.now + 100, State.FAILED)
    assert "was not answered" in failures(world)[-1]


def test_a_late_answer_ends_the_failure() -> None:
    world = static("")
    world.run(1100.0, State.FAILED)
    world.hear("ACK", world.client.xid, "full", informs=True)
    world.run(world.now + 5)
    assert world.phone.state is State.RUN


def test_a_phone_that_runs_says_once_a_day_that_it_is_there_and_no_later_message_counts() -> None:
    """The ACK has no lease time: what it told holds until the phone boots again."""
    world = static()
    world.run(1010.0)
    world.run(1010.0 + 10 * REMIND_S, None)
    assert world.kinds() == ["INFORM"] * 11
    before = len(world.events)
    for kind in ("ACK", "NAK", "OFFER"):
        world.hear(kind, world.client.xid, "moved", informs=True)
    assert world.kinds() == ["INFORM"] * 11
    assert len(world.events) == before
    world.phone.stop()
    assert world.phone.next_due() is None


def test_messages_before_the_address_is_up_are_not_heard() -> None:
    world = static()
    world.hear("ACK", world.client.xid, "full", informs=True)
    assert world.phone.state is State.STATIC
    assert world.sent == []


def test_an_offer_or_a_stranger_s_answer_is_none_to_an_inform() -> None:
    world = static("")
    world.run(1000.5)
    world.hear("OFFER", world.client.xid, "full")
    world.hear("NAK", world.client.xid, "full")
    world.hear("ACK", world.client.xid ^ 1, "full", informs=True)
    assert world.phone.state is State.INFORM
    with pytest.raises(RemoteError):
        world.phone.receive(Datagram(b"rubbish", Endpoint(SERVER, 67), "", "", "dhcp"), world.now)


def test_an_address_that_cannot_be_brought_up_is_tried_again() -> None:
    world = World(BootSettings(MAC, static=OWN))
    world.enabling = Failed("no such device")
    world.start()
    world.run(1010.0)
    assert world.sent == []
    assert 2 <= len(world.told(PhoneReboots)) <= 4
    world.enabling = Done()
    world.run(1030.0)
    assert world.phone.state is State.RUN


def test_a_phone_that_boots_again_keeps_the_address_that_a_person_gave_it() -> None:
    """Else taking it off and bringing it up would be under way at the same time; power off takes it off."""
    world = static()
    del world.files["vox.img"]
    world.run(1100.0, State.FAILED)
    assert world.told(PhoneReboots)
    assert world.kinds().count("INFORM") > 1
    world.files = dict(FILES)
    world.run(world.now + 60)
    assert world.phone.state is State.RUN
    assert not [question for question in world.asked if isinstance(question, Disable)]
    world.obey(world.phone.stop())
    assert world.asked[-1] == Disable(MAC, OWN.address, 24)
    assert world.ports == set()


def test_an_image_in_memory_is_not_fetched_again() -> None:
    world = World(BootSettings(MAC, static=OWN, configuration=False), StoredImage("vox.img", b"mine")).start()
    world.run(1010.0)
    assert world.requested == []
    assert world.phone.state is State.RUN


def test_a_port_that_cannot_be_opened_is_tried_again() -> None:
    world = static("")
    world.obey(world.phone.resolve("dhcp", Failed("address in use"), world.now))
    world.run(1004.0)
    assert world.sent == [], "there is no port to ask from, though the address is up"
    world.gives = "full"
    world.run(1010.0)
    assert world.phone.state is State.RUN
