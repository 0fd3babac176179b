"""Whom a gateway serves, on an operator's word: adopted Ethernet addresses, and dry runs."""

from collections.abc import Callable, Iterable, Mapping

from twisted.internet.defer import Deferred

from voxpath.core.effects import Effect
from voxpath.core.errors import RemoteError, VoxpathError
from voxpath.dhcp.event import DhcpAdopted, DhcpAdoptionFailed, DhcpDisowned
from voxpath.dhcp.explain import NOTHING
from voxpath.dhcp.links import NoLink
from voxpath.dhcp.policy import Applicant
from voxpath.dhcp.question import Finding, Question
from voxpath.dhcp.server import DhcpServer
from voxpath.io.bus import EventBus, Record
from voxpath.io.clock import Clock
from voxpath.io.driver import Driver
from voxpath.manage.facts import CommandError
from voxpath.model.address import Mac
from voxpath.model.phone import Adoption

TOLD = DhcpAdopted | DhcpDisowned | DhcpAdoptionFailed


class Serving:
    """What an operator may ask of, and have done by, a running DHCP server.

    :param deaf: links on which no phone is heard at the moment, each with the reason.
    """

    def __init__(self, server: DhcpServer, driver: Driver, bus: EventBus, clock: Clock, deaf: Mapping[str, str]) -> None:
        self._server = server
        self._driver = driver
        self._bus = bus
        self._clock = clock
        self._deaf = deaf

    def adopted(self) -> Iterable[Adoption]:
        """The adopted addresses."""
        return self._server.adoptions.all()

    def adopt(self, mac: Mac) -> "Deferred[str]":
        """Serve an address from now on; fires once that is stored, with what that leads to."""
        if self._server.serves(Applicant(mac)):
            raise CommandError("adopt", f"{mac} is served already, by the configuration", "see why for what else it is refused for")
        return self._changed("adopt", mac, lambda now: self._server.adoptions.adopt(mac, now), self._outlook)

    def disown(self, mac: Mac) -> "Deferred[str]":
        """Serve an address no longer; fires once that is stored."""
        return self._changed("disown", mac, lambda now: self._server.adoptions.disown(mac), _farewell)

    def explain(self, question: Question) -> Iterable[Finding]:
        """Tell what would become of a DISCOVER."""
        try:
            return self._server.explain(question, self._clock.now(), self._deaf)
        except NoLink as error:
            raise CommandError("explain", str(error), "name another one by interface= or relay=") from None
        except RemoteError as error:
            todo = "the server refuses such a message, too: see why, and write class=, client= and wants="
            raise CommandError("explain", f"what the phone said last is malformed: {error}", todo) from None

    def _outlook(self, mac: Mac) -> str:
        """What becomes of the next DISCOVER of an adopted phone, as far as it is known what it will say."""
        try:
            found = dict(self.explain(Question(mac)))
        except CommandError:
            # Of a phone that was not heard yet it is not known by which of several interfaces it will ask.
            found = {}
        answer = found.get("answer", "")
        if answer.startswith("OFFER"):
            return f"{mac}, served from now on as class {found['class']}; its next DISCOVER is answered by {answer}"
        if self._server.heard(mac):
            why = answer.removeprefix(NOTHING).lstrip(",: ") or found.get("class", "explain tells why")
            return f"{mac}, its Ethernet address is accepted from now on, but its next DISCOVER is not answered: {why}"
        return f"{mac}, served from now on; it was not heard yet: its next DISCOVER is answered if what it says selects a class"

    def _changed(
        self, verb: str, mac: Mac, change: Callable[[float], list[Effect]], outcome: Callable[[Mac], str]
    ) -> "Deferred[str]":
        try:
            effects = change(self._clock.now())
        except VoxpathError as error:
            raise CommandError(verb, str(error), "see adopted") from None
        done: Deferred[str] = Deferred()

        def heard(record: Record) -> None:
            if record.event.phone != str(mac) or not isinstance(record.event, TOLD):
                return
            unsubscribe()
            if isinstance(record.event, DhcpAdoptionFailed):
                done.errback(CommandError(verb, record.event.text, "try again"))
            else:
                done.callback(outcome(mac))

        unsubscribe = self._bus.subscribe(heard)
        self._driver.act(lambda now: effects)
        return done


def _farewell(mac: Mac) -> str:
    return f"{mac}, not adopted any more; its lease, if it has one, stays until it runs out, or release takes it"
