"""The event bus delivers to everybody, whatever a single listener does."""

from twisted.internet.task import Clock
from twisted.logger import LogEvent

from voxpath.io.bus import EventBus, Record
from voxpath.model.event import Malformed
from voxpath.testing.clock import VirtualClock

EVENT = Malformed(protocol="dhcp", source="192.0.2.1:68", reason="too short")


def test_a_listener_that_raises_is_logged_and_passed_over(no_logged_failure: list[LogEvent]) -> None:
    bus = EventBus(VirtualClock(Clock()))
    heard: list[Record] = []

    def broken(record: Record) -> None:
        raise ZeroDivisionError("listener")

    bus.subscribe(broken)
    bus.subscribe(heard.append)
    bus.publish("dhcp", EVENT)
    assert heard == [Record(0.0, "dhcp", EVENT)]
    assert [event["log_failure"].type for event in no_logged_failure] == [ZeroDivisionError]
    no_logged_failure.clear()


def test_an_unsubscribed_listener_hears_nothing() -> None:
    bus = EventBus(VirtualClock(Clock()))
    heard: list[Record] = []
    bus.subscribe(heard.append)()
    bus.publish("dhcp", EVENT)
    assert heard == []
