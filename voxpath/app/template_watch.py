"""Templates that an operator changes while phones are served: read anew when they are right, and left as they were when not."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from voxpath.app.event import TemplatesRead, TemplatesRefused
from voxpath.app.schema import Config
from voxpath.app.shelf import Fault, Read, faults, look_at, make_shelf, read_templates
from voxpath.io.bus import EventBus
from voxpath.io.clock import Clock
from voxpath.provision.table import Shelf

LOOK_S = 2.0
"""Seconds between two looks at the directory."""
TOLD = 5
"""Faults that are told of one look; ``voxpath check`` tells all."""


class TemplateWatch:
    """Looks at the directory of templates, in a thread, and gives a new shelf when it changed for the better.

    :param use: takes the new shelf.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        bus: EventBus,
        in_thread: Callable[[Callable[[], Any]], "Deferred[Any]"],
        use: Callable[[Shelf], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._bus = bus
        self._in_thread = in_thread
        self._use = use
        self._seen: object = None
        self._call: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to look, from now on; without a directory there is nothing to look at."""
        if self._config.tftp.templates:
            self._seen = look_at(self._config)
            self._wait()

    def stop(self) -> None:
        """Look no more; what a look that is under way finds is dropped."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self) -> None:
        self._call = self._clock.call_at(self._clock.now() + LOOK_S, self._look)

    def _look(self) -> None:
        self._call = None
        self._in_thread(self._found).addCallbacks(self._take, self._failed)

    def _found(self) -> tuple[Read, Shelf, tuple[Fault, ...]] | None:
        """Runs in a thread; ``None``: nothing changed."""
        seen = look_at(self._config)
        if seen == self._seen:
            return None
        self._seen = seen
        read = read_templates(self._config)
        shelf = make_shelf(self._config, read.texts)
        return read, shelf, (*read.faults, *faults(shelf))

    def _take(self, found: tuple[Read, Shelf, tuple[Fault, ...]] | None) -> None:
        if self._stopped:
            return
        self._wait()
        if found is None:
            return
        read, shelf, wrong = found
        if wrong:
            for fault in wrong[:TOLD]:
                self._bus.publish("tftp", TemplatesRefused(where=fault.where, reason=fault.what))
        else:
            self._use(shelf)
            self._bus.publish("tftp", TemplatesRead(count=len(read.texts)))

    def _failed(self, failure: Failure) -> None:
        """No fault of a template: tell it, and go on looking."""
        if not self._stopped:
            self._wait()
            self._bus.publish("tftp", TemplatesRefused(where="tftp.templates", reason=failure.getErrorMessage()))
