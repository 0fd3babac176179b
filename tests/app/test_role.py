"""A role restarts alone, with growing pauses and a limit, and always closes what it opened."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from voxpath.app.event import RoleFailed, RoleReloaded
from voxpath.app.role import FAULTS, FIRST_PAUSE_S, RELOAD_WINDOW_S, RESTARTS, Role, RoleState
from voxpath.io.bus import EventBus, Record
from voxpath.testing.clock import VirtualClock


class ScriptedRole(Role):
    """Begins as the test says, and notes what it did."""

    def __init__(self, clock: VirtualClock, bus: EventBus) -> None:
        super().__init__("scripted", clock, bus)
        self.steps: list[str] = []
        self.error: Exception | None = None
        self.wait: Deferred[None] | None = None

    async def begin(self) -> None:
        self.steps.append("begin")
        if self.wait is not None:
            await self.wait
        if self.error is not None:
            raise self.error

    async def end(self) -> None:
        self.steps.append("end")


def bench() -> tuple[Clock, ScriptedRole, list[Record]]:
    clock = Clock()
    bus = EventBus(VirtualClock(clock))
    records: list[Record] = []
    bus.subscribe(records.append)
    return clock, ScriptedRole(VirtualClock(clock), bus), records


def test_it_begins_and_ends() -> None:
    _, role, records = bench()
    role.startService()
    assert role.state is RoleState.RUNNING
    assert role.stopService().called
    assert (role.steps, role.state, records) == (["begin", "end"], RoleState.OFF, [])


@pytest.mark.parametrize(("error", "tracebacks"), [(KeyError("device"), 1), (OSError("Address already in use"), 0)])
def test_a_fault_at_the_start_is_told_with_its_place_and_what_is_to_be_expected_is_not(error: Exception, tracebacks: int) -> None:
    """Of a plug-in's fault its own words may say nothing."""
    _, role, records = bench()
    role.error = error
    with capturedLogs() as logs:
        role.startService()
    assert ["test_role.py" in entry["error"] for entry in logs if "error" in entry] == [True] * tracebacks
    assert isinstance(records[0].event, RoleFailed)
    role.stopService()


def test_a_failed_start_is_closed_told_and_tried_again_after_a_pause() -> None:
    clock, role, records = bench()
    role.error = OSError("Address already in use")
    role.startService()
    assert role.steps == ["begin", "end"]
    assert role.state is RoleState.PAUSED
    assert isinstance(records[0].event, RoleFailed)
    role.error = None
    clock.advance(1.0)
    assert role.steps == ["begin", "end", "begin"]
    assert role.state is RoleState.RUNNING
    assert role.restarts == 1
    role.stopService()


def test_pauses_grow_but_no_role_stays_off_for_good() -> None:
    clock, role, records = bench()
    role.error = OSError("broken")
    role.startService()
    clock.pump([1.0] * 7200)
    pauses = [record.event.pause_s for record in records if isinstance(record.event, RoleFailed)]
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert len(pauses) == len(records) == role.restarts + 1
    assert max(pauses) <= FIRST_PAUSE_S * 2**RESTARTS
    role.error = None
    clock.pump([1.0] * int(max(pauses)))
    assert role.state is RoleState.RUNNING
    role.stopService()


def test_many_faults_in_a_short_time_restart_it_and_few_do_not() -> None:
    clock, role, _ = bench()
    role.startService()
    for _ in range(3 * FAULTS):
        clock.advance(1.0)
        role.fault()
    assert role.steps == ["begin"]
    for _ in range(FAULTS):
        role.fault()
    assert role.steps == ["begin", "end"]
    clock.advance(1.0)
    assert role.state is RoleState.RUNNING
    role.stopService()


def test_a_stop_waits_for_a_start_that_is_under_way() -> None:
    _, role, _ = bench()
    role.wait = Deferred()
    role.startService()
    stopped = role.stopService()
    assert not stopped.called
    role.wait.callback(None)
    assert stopped.called
    assert role.steps == ["begin", "end"]


def test_a_restart_waits_for_a_start_that_is_under_way() -> None:
    clock, role, _ = bench()
    role.wait = Deferred()
    role.startService()
    role.restart("an interface went away")
    assert role.steps == ["begin"]
    role.wait.callback(None)
    assert role.steps == ["begin", "end"]
    clock.advance(1.0)
    assert role.state is RoleState.RUNNING
    role.stopService()


def test_two_reasons_for_one_restart_restart_once() -> None:
    clock, role, _ = bench()
    role.startService()
    role.restart("one")
    role.restart("the other")
    assert role.steps == ["begin", "end"]
    clock.advance(1.0)
    assert (role.restarts, role.state) == (1, RoleState.RUNNING)
    role.stopService()


def test_a_stop_during_a_pause_leaves_no_timer() -> None:
    clock, role, _ = bench()
    role.error = OSError("broken")
    role.startService()
    role.stopService()
    assert clock.getDelayedCalls() == []
    assert role.state is RoleState.OFF


def reloaded(role: ScriptedRole, clock: Clock) -> float:
    """Have a role load anew, and tell after how many seconds it ran again."""
    role.reload("the store had failed")
    assert role.state is RoleState.PAUSED
    assert role.trouble == "the store had failed"
    began = clock.seconds()
    while role.state is not RoleState.RUNNING:
        clock.advance(0.5)
    return clock.seconds() - began


def test_the_pause_of_a_role_that_is_only_to_load_anew_grows_to_some_seconds() -> None:
    """A disk that is full again and again fills no events, and does not keep the gateway out of service for long."""
    clock, role, records = bench()
    role.startService()
    assert [reloaded(role, clock) for _ in range(RESTARTS)] == [1, 2, 4, 8, 8, 8, 8, 8]
    assert {type(record.event) for record in records} == {RoleReloaded}
    clock.advance(RELOAD_WINDOW_S)
    assert reloaded(role, clock) == FIRST_PAUSE_S
    role.stopService()


def test_reloads_do_not_lengthen_the_pause_of_a_failure() -> None:
    clock, role, records = bench()
    role.startService()
    for _ in range(RESTARTS):
        reloaded(role, clock)
    role.restart("20 exceptions")
    assert isinstance(records[-1].event, RoleFailed)
    assert records[-1].event.pause_s == FIRST_PAUSE_S
    role.stopService()
