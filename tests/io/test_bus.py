"""The event bus delivers to everybody, whatever a single listener does."""

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from voxpath.io.bus import EventBus, Record
from voxpath.io.clock import VirtualClock
from voxpath.model.event import Malformed

EVENT = Malformed(protocol="dhcp", source="192.0.2.1:68", reason="too short")


def test_a_listener_that_raises_is_logged_and_passed_over() -> None:
    bus = EventBus(VirtualClock(Clock()))
    heard: list[Record] = []
    logged: list[str] = []

    def broken(record: Record) -> None:
        raise ZeroDivisionError("listener")

    bus.subscribe(broken)
    bus.subscribe(heard.append)

    def observe(event: dict[str, object]) -> None:
        # Taken away, so that the fixture against logged failures does not see the one that is meant here.
        logged.append(str(event.pop("log_failure").value))

    observers = list(globalLogPublisher._observers)
    globalLogPublisher._observers[:] = [observe]
    try:
        bus.publish("dhcp", EVENT)
    finally:
        globalLogPublisher._observers[:] = observers
    assert heard == [Record(0.0, "dhcp", EVENT)]
    assert logged == ["listener"]


def test_an_unsubscribed_listener_hears_nothing() -> None:
    bus = EventBus(VirtualClock(Clock()))
    heard: list[Record] = []
    bus.subscribe(heard.append)()
    bus.publish("dhcp", EVENT)
    assert heard == []
