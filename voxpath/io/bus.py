"""The event bus: the one place where log, ladder and ``why`` learn what happens."""

from collections.abc import Callable

from msgspec import Struct
from twisted.logger import Logger

from voxpath.io.clock import Clock
from voxpath.model.event import Event

log = Logger()


class Record(Struct, frozen=True, gc=False):
    """An event as it was published: when (seconds of the server's clock), and by which role."""

    at: float
    role: str
    event: Event


Listener = Callable[[Record], None]


class EventBus:
    """Delivers each event to every listener, in the order in which they subscribed.

    A listener that raises is logged and passed over: no observer can stop a call.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: tuple[Listener, ...] = ()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; call what is returned to remove it again."""
        self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    def publish(self, role: str, event: Event) -> None:
        """Stamp the event with time and role, and deliver it."""
        record = Record(self._clock.now(), role, event)
        for listener in self._listeners:
            try:
                listener(record)
            # Who listens must neither stop what happened nor keep it from the others.
            except Exception:
                log.failure("an event listener failed on {event_id}", event_id=event.ID)
