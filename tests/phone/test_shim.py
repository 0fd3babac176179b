"""When the shim stands: asked for, told of, looked after, tried again and taken away, in virtual time."""

from dataclasses import replace
from ipaddress import IPv4Address
from random import Random
from typing import Any

import pytest

from voxpath.core.effects import Ask, Datagram, Done, Effects, Emit, Failed
from voxpath.dhcp.client import DhcpClient
from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import Event
from voxpath.model.phone import BootLease
from voxpath.model.ports import PortBlock
from voxpath.phone import event
from voxpath.phone.host import Disable, ShimDown, ShimDrops, ShimLook, ShimUp
from voxpath.phone.phone import Phone
from voxpath.phone.shim import AGAIN, LOOK_S, Shim, Stage
from voxpath.phone.state import BootSettings

MAC = Mac.parse("02:00:00:00:0a:01")
BLOCK = PortBlock(IPv4Address("203.0.113.1"), 2048, 64)
PRIVATE, ROUTER = IPv4Address("10.0.0.11"), IPv4Address("10.0.0.1")
LEASE = BootLease(MAC, PRIVATE, 24, ROUTER, ROUTER, 0xFFFFFFFF, "", "", BLOCK, ())
UP, DOWN, LOOK = ShimUp(MAC, "eth0", PRIVATE, 24, ROUTER, BLOCK), ShimDown(MAC, BLOCK), ShimLook(MAC)


def asked(effects: Effects) -> Ask:
    """The only question among these effects."""
    (question,) = [effect for effect in effects if isinstance(effect, Ask)]
    return question


def told(effects: Effects) -> list[Event]:
    return [effect.event for effect in effects if isinstance(effect, Emit)]


def standing() -> Shim:
    """A shim that stands since second 0."""
    shim = Shim(LEASE, "eth0", Random(1))
    shim.resolve(asked(shim.start(0.0)).token, Done(False), 0.0)
    return shim


def looked(shim: Shim, outcome: Done | Failed) -> list[Any]:
    """The effects of the next look."""
    now = shim.next_due()
    assert now is not None
    question = asked(shim.tick(now))
    assert question.question == LOOK
    return list(shim.resolve(question.token, outcome, now))


@pytest.mark.parametrize(("adopted", "how"), [(False, "set up"), (True, "taken over")])
def test_a_shim_is_asked_for_and_told_of_when_it_stands(adopted: bool, how: str) -> None:
    shim = Shim(LEASE, "eth0", Random(1))
    question = asked(shim.start(5.0))
    assert (question.question, shim.stage) == (UP, Stage.SETTING_UP)
    (up,) = told(shim.resolve(question.token, Done(adopted), 5.0))
    assert isinstance(up, event.ShimUp)
    assert (up.phone, up.combination, up.private, up.how) == (str(MAC), "203.0.113.1:2048-2111", "10.0.0.11", how)
    assert (shim.stage, shim.state(1)) == (Stage.UP, Stage.UP)


def test_a_failure_is_told_and_tried_again_after_growing_pauses_for_ever() -> None:
    shim = Shim(LEASE, "eth0", Random(1))
    question, now = asked(shim.start(0.0)), 0.0
    pauses = []
    for _ in range(8):
        (failed,) = told(shim.resolve(question.token, Failed("no right\x1b"), now))
        assert isinstance(failed, event.ShimFailed)
        assert failed.reason == "no right\\x1b"
        assert shim.stage is Stage.FAILED
        due = shim.next_due()
        assert due == now + failed.again_s
        pauses.append(failed.again_s)
        question, now = asked(shim.tick(due)), due
        assert question.question == UP
    assert AGAIN.first_s * 0.75 <= pauses[0] <= AGAIN.first_s
    assert AGAIN.cap_s * 0.75 <= pauses[-1] <= AGAIN.cap_s
    shim.resolve(question.token, Done(False), now)
    assert shim.stage is Stage.UP


def test_dropped_packets_are_told_once_by_reason() -> None:
    shim = standing()
    assert told(looked(shim, Done(ShimDrops(0, 0)))) == []
    (dropped,) = told(looked(shim, Done(ShimDrops(3, 0))))
    assert isinstance(dropped, event.ShimDropped)
    assert dropped.packets == 3
    assert "ports of 203.0.113.1:2048-2111" in dropped.reason
    first, second = told(looked(shim, Done(ShimDrops(5, 1))))
    assert isinstance(first, event.ShimDropped)
    assert isinstance(second, event.ShimDropped)
    assert (first.packets, second.packets) == (2, 1)
    assert told(looked(shim, Done(ShimDrops(5, 1)))) == []
    assert shim.dropped == ShimDrops(5, 1)
    assert shim.next_due() == 5 * LOOK_S


def test_a_shim_that_somebody_broke_is_set_up_anew_at_once() -> None:
    shim = standing()
    looked(shim, Done(ShimDrops(3, 0)))
    effects = looked(shim, Failed("somebody removed it"))
    (failed,) = told(effects)
    assert isinstance(failed, event.ShimFailed)
    assert (failed.reason, failed.again_s) == ("somebody removed it", 0.0)
    assert (asked(effects).question, shim.stage) == (UP, Stage.SETTING_UP)
    shim.resolve(asked(effects).token, Done(False), 20.0)
    (dropped,) = told(looked(shim, Done(ShimDrops(1, 0))))
    assert isinstance(dropped, event.ShimDropped), "a new shim counts from zero"


def test_a_shim_is_taken_away_with_its_timers_in_every_stage() -> None:
    shim = standing()
    assert asked(shim.stop(1.0)).question == DOWN
    assert shim.next_due() is None
    shim = Shim(LEASE, "eth0", Random(1))
    shim.resolve(asked(shim.start(0.0)).token, Failed("no right"), 0.0)
    assert asked(shim.stop(1.0)).question == DOWN
    assert shim.next_due() is None


def test_the_answer_to_a_shim_that_is_over_does_not_reach_the_next_one() -> None:
    first, second = Shim(LEASE, "eth0", Random(1)), Shim(LEASE, "eth0", Random(1))
    late = asked(first.start(0.0))
    second.start(0.0)
    assert second.resolve(late.token, Done(False), 0.0) == []
    assert second.stage is Stage.SETTING_UP


def test_a_shim_has_no_handset_and_no_port() -> None:
    shim = standing()
    events = [*told(shim.off_hook(1, 0.0)), *told(shim.dial(1, "1", 0.0)), *told(shim.on_hook(1, 0.0))]
    assert [type(each) for each in events] == [event.PhoneNotReady] * 3
    assert shim.receive(Datagram(b"x", Endpoint("192.0.2.1", 1)), 0.0) == []


def test_a_phone_sets_its_shim_up_after_the_boot_and_takes_it_away_before_its_address() -> None:
    entropy = Random(1)
    lease = replace(LEASE, mgcs=())
    client = DhcpClient(MAC, "voxpath-phone", entropy, registers=False)

    def shim_of(given: BootLease) -> Shim:
        return Shim(given, "eth0", entropy)

    phone = Phone(BootSettings(MAC, static=lease), client, entropy, shim_of, lines=0)
    phone.start(0.0)
    question = asked(phone.resolve("enable", Done(), 0.0))
    assert question.question == UP
    phone.resolve(question.token, Done(False), 0.0)
    assert isinstance(phone.gateway, Shim)
    assert (phone.gateway.stage, phone.view().lines, phone.next_due()) == (Stage.UP, (), LOOK_S)
    questions = [effect.question for effect in phone.stop(1.0) if isinstance(effect, Ask)]
    assert questions == [DOWN, Disable(MAC, PRIVATE, 24)]
