"""Templates that an operator changes while phones are served: read anew when they are right, and left as they were when not.

At a start there are none of before: what is wrong then is told, and makes no file, until it is corrected.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from voxpath.app.event import TemplatesFaulty, TemplatesRead, TemplatesRefused
from voxpath.app.schema import Config
from voxpath.app.shelf import Fault, Found, find, look_at
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
        self._faulty: frozenset[str] = frozenset()
        self._call: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> Shelf:
        """Begin to look, tell what is wrong now, and give the shelf as it is; without a directory there is nothing to look at.

        A standby makes no files, and is sent its templates: there it is no fault that they are not there yet.
        """
        config = self._config
        if config.tftp.templates:
            self._seen = look_at(config)
            self._wait()
        found = find(config)
        if config.redundancy.role != "standby":
            self._take_faults(found.faults)
        return found.shelf

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

    def _found(self) -> Found | None:
        """Runs in a thread; ``None``: nothing changed."""
        seen = look_at(self._config)
        if seen == self._seen:
            return None
        self._seen = seen
        return find(self._config)

    def _take(self, found: Found | None) -> None:
        if self._stopped:
            return
        self._wait()
        if found is None:
            return
        if not self._is_better(found.faults):
            for fault in found.faults[:TOLD]:
                self._bus.publish("tftp", TemplatesRefused(where=fault.where, reason=fault.what))
            return
        self._use(found.shelf)
        if found.own or not found.faults:
            self._bus.publish("tftp", TemplatesRead(count=found.own))
        self._take_faults(found.faults)

    def _is_better(self, faults: tuple[Fault, ...]) -> bool:
        """Whether no template is wrong that is right in the shelf that is in use."""
        return "" in self._faulty or self._faulty.issuperset(fault.template for fault in faults)

    def _take_faults(self, faults: tuple[Fault, ...]) -> None:
        """Tell what is wrong with the shelf that is in use from now on."""
        self._faulty = frozenset(fault.template for fault in faults)
        if faults:
            first, *others = faults
            more = f"; voxpath check tells {len(others)} more" if others else ""
            self._bus.publish("tftp", TemplatesFaulty(where=first.where, reason=first.what, more=more))

    def _failed(self, failure: Failure) -> None:
        """No fault of a template: tell it, and go on looking."""
        if not self._stopped:
            self._wait()
            self._bus.publish("tftp", TemplatesRefused(where="tftp.templates", reason=failure.getErrorMessage()))
