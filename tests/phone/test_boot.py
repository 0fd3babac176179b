"""The boot machine against a DHCP server made of Python objects and the real TFTP server, in virtual time."""

import pytest

from tests.phone.booting import FILES, IMAGE, LEASE, MAC, SERVER, World
from voxpath.core.effects import Datagram, Done, Failed
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.phone.event import LeaseRenewed, LoadFailed, OfferIgnored, PhoneBooted, PhoneReboots
from voxpath.phone.host import Disable, Enable, KeepImage, StoredImage
from voxpath.phone.loading import THRESHOLD
from voxpath.phone.state import BootSettings, State


def test_a_phone_boots_through_all_states_of_the_figures() -> None:
    """PHN-1 to PHN-12, PHN-17."""
    world = World().start()
    world.run(1010.0)
    assert world.states() == [
        "BOOT",
        "STATIC",
        "DISCOVER",
        "WAIT_OFFER",
        "CHECK",
        "REQUEST",
        "WAIT_ACK",
        "STORE",
        "ENABLE",
        "IMAGE",
        "TFTP",
        "RUN",
    ]
    booted = world.phone.booted
    assert booted is not None
    assert (booted.lease, booted.image, booted.configuration) == (LEASE, IMAGE, "key=value\n")
    assert world.kinds() == ["DISCOVER", "REQUEST"]
    assert world.requested == ["vox.img", "020000000a01.cfg"]
    assert world.asked == [Enable(MAC, LEASE.address, 24, LEASE.router), KeepImage(MAC, StoredImage("vox.img", IMAGE))]
    (told,) = world.told(PhoneBooted)
    assert "203.0.113.1:2048-2111" in told.text


def test_a_phone_that_registers_nowhere_boots_with_a_lease_alone() -> None:
    world = World(registers=False)
    world.gives = "bare"
    world.start().run(1010.0)
    booted = world.phone.booted
    assert booted is not None
    assert (booted.lease.block, booted.image, booted.configuration) == (LEASE.block, None, "")
    assert "TFTP" not in world.states()
    loads = World(registers=False).start()
    loads.run(1010.0)
    assert loads.requested == ["vox.img", "020000000a01.cfg"], "what a server offers is loaded as ever"


def test_all_transfer_ports_are_closed_after_the_dally() -> None:
    world = World().start()
    world.run(1020.0, None)
    assert world.ports == {"dhcp"}
    assert world.phone.next_due() == pytest.approx(1000 + 1800, abs=30)


def test_a_static_phone_sends_no_dhcp_at_all() -> None:
    """PHN-2."""
    world = World(BootSettings(MAC, static=LEASE)).start()
    world.run(1010.0)
    assert world.sent == []
    assert world.phone.state is State.RUN
    assert world.requested == ["vox.img"]
    assert "DISCOVER" not in world.states()


def test_without_an_offer_it_discovers_for_ever() -> None:
    """PHN-4: the waits grow to about a minute and never end; when the server comes, the boot proceeds."""
    world = World()
    world.gives = ""
    world.start()
    world.run(1000.0 + 3600)
    waits = [later - earlier for (earlier, _), (later, _) in zip(world.sent, world.sent[1:], strict=False)]
    assert set(world.kinds()) == {"DISCOVER"}
    assert 3 <= waits[0] <= 4
    assert all(48 <= wait <= 64 for wait in waits[5:])
    world.gives = "full"
    world.run(world.now + 70)
    assert world.phone.state is State.RUN


def test_an_incomplete_offer_is_ignored_and_a_complete_one_may_follow() -> None:
    """PHN-6: another server without our options loses, whoever answers first."""
    world = World()
    world.gives = "lacking"
    world.start()
    world.run(1000.5)
    assert world.phone.state is State.WAIT_OFFER
    (ignored,) = world.told(OfferIgnored)
    assert "port range" in ignored.text
    assert world.kinds() == ["DISCOVER"]
    world.gives = "full"
    world.hear("OFFER", world.client.xid, "full")
    world.run(1001.0)
    assert world.phone.state is State.RUN


def test_after_incomplete_offers_only_it_discovers_again() -> None:
    world = World()
    world.gives = "lacking"
    world.start()
    world.run(1020.0)
    assert set(world.kinds()) == {"DISCOVER"}
    assert len(world.sent) > 2


def test_a_file_server_without_an_address_makes_an_offer_incomplete() -> None:
    world = World()
    world.gives = "named"
    world.start()
    world.run(1000.5)
    assert world.told(OfferIgnored)


def test_further_acks_are_ignored() -> None:
    """PHN-8: step 574."""
    world = World().start()
    for state in (State.TFTP, State.RUN):
        world.run(1010.0, state)
        before = len(world.events)
        world.hear("ACK", world.client.xid, "moved")
        world.hear("OFFER", world.client.xid, "moved")
        world.hear("NAK", world.client.xid, "moved")
        assert len(world.events) == before
    assert world.phone.lease == LEASE


def test_without_an_ack_it_goes_back_to_discover() -> None:
    """PHN-9."""
    world = World()
    world.acks = False
    world.start()
    world.run(1040.0)
    assert world.kinds()[:5] == ["DISCOVER", "REQUEST", "REQUEST", "REQUEST", "DISCOVER"]
    assert world.phone.lease is None


def test_a_nak_leads_to_a_wait_and_a_new_transaction() -> None:
    world = World()
    world.acks = False
    world.start()
    world.run(1000.5)
    before = world.client.xid
    world.hear("NAK", before, "full")
    assert world.phone.state is State.WAIT
    world.acks = True
    world.run(1010.0)
    assert world.client.xid != before
    assert world.phone.state is State.RUN


def test_answers_to_others_are_not_heard() -> None:
    world = World()
    world.gives = ""
    world.start()
    world.hear("OFFER", world.client.xid ^ 1, "full")
    world.hear("ACK", world.client.xid, "full")
    assert world.phone.state is State.WAIT_OFFER


def test_a_local_image_is_not_fetched() -> None:
    """PHN-10."""
    world = World(stored=StoredImage("vox.img", b"mine")).start()
    world.run(1010.0)
    assert world.requested == ["020000000a01.cfg"]
    assert world.phone.booted is not None
    assert world.phone.booted.image == b"mine"


def test_a_phone_that_needs_nothing_uses_no_tftp() -> None:
    world = World(BootSettings(MAC, configuration=False), StoredImage("vox.img", b"mine")).start()
    world.run(1010.0)
    assert world.phone.state is State.RUN
    assert world.requested == []


def test_an_older_local_image_is_fetched_again() -> None:
    """PHN-19: the name in the lease changed."""
    world = World(stored=StoredImage("vox.img", IMAGE))
    world.gives = "new"
    world.start()
    world.run(1010.0)
    assert world.phone.stored == StoredImage("new.img", b"new")
    assert world.requested[0] == "new.img"


def test_a_lease_without_an_image_boots_without() -> None:
    world = World()
    world.gives = "none"
    world.start()
    world.run(1010.0)
    assert world.phone.booted is not None
    assert world.phone.booted.image is None


@pytest.mark.parametrize("missing", ["vox.img", "020000000a01.cfg"])
def test_more_than_four_failures_lead_to_a_reboot(missing: str) -> None:
    """PHN-13, PHN-15: five requests, then from 502."""
    world = World()
    del world.files[missing]
    world.start()
    while not world.told(PhoneReboots):
        world.run(world.now + 0.001)
    assert world.requested[-THRESHOLD - 1 :] == [missing] * (THRESHOLD + 1)
    assert world.requested.count(missing) == THRESHOLD + 1
    assert len(world.told(LoadFailed)) == THRESHOLD + 1
    assert world.states().count("BOOT") == 2
    assert Disable(MAC, LEASE.address, 24) in world.asked
    world.files = dict(FILES)
    world.run(world.now + 60)
    assert world.phone.state is State.RUN


@pytest.mark.parametrize("seed", range(8))
def test_a_lossy_line_costs_attempts_but_no_octet(seed: int) -> None:
    """PHN-14: with 30 % loss the phone gets there, if need be by more than one attempt."""
    world = World(seed=seed)
    world.loss = 0.3
    world.start()
    world.run(1000.0 + 7200)
    assert world.phone.booted is not None
    assert world.phone.booted.image == IMAGE


def test_the_lease_is_renewed_at_half_its_time_and_keeps_its_block() -> None:
    world = World().start()
    world.run(1010.0)
    world.run(1000.0 + 2000, None)
    assert world.kinds() == ["DISCOVER", "REQUEST", "RENEW"]
    assert world.sent[-1][0] == pytest.approx(1000 + 1800, abs=5)
    assert len(world.told(LeaseRenewed)) == 1
    assert world.phone.state is State.RUN
    world.run(1000.0 + 36000, None)
    assert world.kinds().count("RENEW") >= 18
    assert world.phone.state is State.RUN


def test_a_lease_that_nobody_renews_is_lost_at_its_end() -> None:
    world = World().start()
    world.run(1010.0)
    world.gives = ""
    world.run(1000.0 + 3700, State.WAIT_OFFER)
    assert world.phone.booted is None
    assert world.now == pytest.approx(1000 + 3600, abs=5)
    (reboot,) = world.told(PhoneReboots)
    assert "expired" in reboot.text
    assert 3 < world.kinds().count("RENEW") < 40


@pytest.mark.parametrize(("kind", "gives"), [("NAK", "full"), ("ACK", "moved")])
def test_a_lease_taken_back_or_moved_is_lost(kind: str, gives: str) -> None:
    world = World().start()
    world.run(1010.0)
    world.gives = ""
    world.run(1000.0 + 1830, None)
    world.hear(kind, world.client.xid, gives)
    assert world.phone.booted is None
    assert world.phone.state is State.WAIT_OFFER
    assert world.told(PhoneReboots)


def test_an_address_that_cannot_be_enabled_reboots_the_phone() -> None:
    world = World()
    world.enabling = Failed("no such device")
    world.start()
    world.run(1010.0)
    assert 2 <= len(world.told(PhoneReboots)) <= 4
    world.enabling = Done()
    world.run(1030.0)
    assert world.phone.state is State.RUN


def test_rubbish_is_a_remote_error_and_changes_nothing() -> None:
    world = World()
    world.gives = ""
    world.start()
    with pytest.raises(RemoteError):
        world.phone.receive(Datagram(b"rubbish", Endpoint(SERVER, 67), "", "", "dhcp"), 0.0)
    assert world.phone.state is State.WAIT_OFFER


def test_power_off_closes_everything() -> None:
    world = World().start()
    world.run(1010.0, State.TFTP)
    world.obey(world.phone.stop())
    assert world.ports == set()
    assert world.phone.next_due() is None
    assert world.phone.state is State.OFF


def test_a_dhcp_port_that_cannot_be_opened_is_tried_again() -> None:
    world = World()
    world.gives = ""
    world.start()
    world.obey(world.phone.resolve("dhcp", Failed("address in use"), world.now))
    assert world.told(PhoneReboots)
    world.gives = "full"
    world.run(1010.0)
    assert world.phone.state is State.RUN


def test_a_transfer_port_that_cannot_be_opened_counts_as_a_failure() -> None:
    world = World()
    world.loss = 1.0
    world.start()
    world.run(1000.1, State.TFTP)
    world.obey(world.phone.resolve("tftp/1", Failed("too many open files"), world.now))
    assert world.told(LoadFailed)
    world.ports.discard("tftp/1")
    world.loss = 0.0
    world.run(1010.0)
    assert world.phone.state is State.RUN


def with_application(content: bytes | None) -> World:
    world = World()
    world.files["020000000a01.cfg"] = b"# voxpath-phone 1\napplication=app-2.bin\n"
    if content is not None:
        world.files["app-2.bin"] = content
    return world.start()


def test_the_application_is_loaded_after_the_boot_image_and_the_configuration() -> None:
    """TFT-10: two stages, in order; the phone runs when all is there."""
    world = with_application(IMAGE[::-1])
    world.run(1100.0)
    assert world.requested == ["vox.img", "020000000a01.cfg", "app-2.bin"]
    booted = world.phone.booted
    assert booted is not None
    assert (booted.image, booted.application) == (IMAGE, IMAGE[::-1])
    assert world.phone.stored == StoredImage("vox.img", IMAGE), "the image stays the one that was indicated"


def test_an_application_that_is_not_there_is_tried_again_and_then_the_phone_reboots() -> None:
    """TFT-10, PHN-13 to PHN-15: a failed second stage goes to step 582, and after more than four to 502."""
    world = with_application(None)
    while not world.told(PhoneReboots):
        world.run(world.now + 0.001)
    assert world.requested == ["vox.img", "020000000a01.cfg", *["app-2.bin"] * (THRESHOLD + 1)]
    assert len(world.told(LoadFailed)) == THRESHOLD + 1
    world.files["app-2.bin"] = b"found"
    world.run(world.now + 60)
    assert world.phone.booted is not None
    assert world.phone.booted.application == b"found"
