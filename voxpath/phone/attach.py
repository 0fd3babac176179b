"""Where a phone registers next, and whether a controller's answer is good (REG-4, REG-8, REG-19, RFC 3525 section 11.5).

States: REGISTERING at one controller after the other, REGISTERED, FAILED until a random time is over.
"""

from enum import Enum
from ipaddress import IPv4Address

from voxpath.core.retransmit import Backoff, Entropy
from voxpath.megaco.incoming import Peer
from voxpath.megaco.message import ROOT, CommandKind, MId, ServiceChangeMethod, Services, TransactionReply
from voxpath.model.address import Endpoint
from voxpath.model.phone import MEGACO_PORT

RETRY = Backoff(first_s=8.0, cap_s=300.0, give_up_s=float("inf"), factor=2.0, spread=0.9)
"""After a failure: at random, so that phones which lost power together do not come back together (REG-24, decision D14)."""

COLD_BOOT = "901 Cold Boot"
CONTROLLER_FAILED = "909 Media Gateway Controller Impending Failure"
RESTORED = "900 Service Restored"


class Stage(Enum):
    """How far the registration has come."""

    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"


class Refused(Exception):
    """The controller's answer is no registration; the text is the reason."""


class Attachment:
    """A phone's list of controllers, and its place in it.

    :ivar controller: where the phone is registered or registering; ``None``: nowhere.
    :ivar method: the ServiceChange method of the next attempt, with its reason.
    """

    def __init__(self, controllers: tuple[Endpoint, ...], entropy: Entropy, retry: Backoff = RETRY) -> None:
        self.stage = Stage.FAILED
        self.controller: Endpoint | None = None
        self.method: tuple[ServiceChangeMethod, str] = (ServiceChangeMethod.RESTART, COLD_BOOT)
        self._controllers = controllers
        self._entropy = entropy
        self._retry = retry
        self._left: list[Endpoint] = []
        self._redirected = False
        self._failures = 0

    def begin(self) -> Endpoint | None:
        """Start with the primary; ``None``: the lease names no controller (REG-3)."""
        self._left = list(self._controllers)
        self._redirected = False
        return self.next()

    def next(self) -> Endpoint | None:
        """Go to the next controller of the list; ``None``: all were tried (REG-8)."""
        self.controller = self._left.pop(0) if self._left else None
        if self.controller is not None:
            self.stage = Stage.REGISTERING
        return self.controller

    def fail_over(self) -> Endpoint | None:
        """The controller failed: go to the next one, in the order of the list, and to the failed one last."""
        failed = self.controller
        controllers = self._controllers
        if failed in controllers:
            place = controllers.index(failed) + 1
            controllers = controllers[place:] + controllers[:place]
        self.method = (ServiceChangeMethod.FAILOVER, CONTROLLER_FAILED)
        self._left = list(controllers)
        self._redirected = False
        return self.next()

    def return_to(self) -> Endpoint | None:
        """The controller has forgotten the phone: register there again."""
        self.method = (ServiceChangeMethod.DISCONNECTED, RESTORED)
        self._left = [each for each in (self.controller,) if each is not None]
        self._left += [each for each in self._controllers if each not in self._left]
        self._redirected = False
        return self.next()

    def fail(self) -> float:
        """Nobody took the phone: tell how long to wait before beginning again, in seconds."""
        self.stage, self.controller = Stage.FAILED, None
        wait_s = self._retry.wait_s(self._failures, 0.0, self._entropy) or 0.0
        self._failures += 1
        return wait_s

    def accept(self, peer: Peer, reply: TransactionReply) -> Peer | None:
        """Judge the answer of a controller: who it is from now on; ``None``: it sends the phone elsewhere, see ``controller``.

        :raises Refused: it is an error, or no answer to a registration.
        """
        services = _services(reply)
        target = _target(services.mgc_id)
        if services.mgc_id is not None and not _same(services.mgc_id, target, peer):
            if target is None:
                raise Refused("it sends the phone to a controller without an address")
            if self._redirected:
                raise Refused("it sends the phone elsewhere for a second time")
            self._redirected = True
            self.controller = target
            return None
        self.stage = Stage.REGISTERED
        self._failures = 0
        self.method = (ServiceChangeMethod.RESTART, COLD_BOOT)
        if isinstance(services.address, int):
            return Peer(peer.mid, Endpoint(peer.address.host, services.address))
        moved = _target(services.address)
        return Peer(peer.mid, moved) if moved is not None else peer


def _services(reply: TransactionReply) -> Services:
    error = reply.error
    for action in reply.actions:
        error = error or action.error
        for command in action.replies:
            error = error or command.error
            services = command.find(Services)
            is_root = command.kind is CommandKind.SERVICE_CHANGE and command.termination.upper() == ROOT
            if is_root and error is None:
                return services or Services()
    if error is not None:
        raise Refused(f"error {error.code} {error.text}".strip())
    raise Refused("its answer is none to a registration")


def _target(mid: MId | int | None) -> Endpoint | None:
    if isinstance(mid, MId) and isinstance(mid.address, IPv4Address):
        return Endpoint(str(mid.address), mid.port or MEGACO_PORT)
    return None


def _same(mid: MId, target: Endpoint | None, peer: Peer) -> bool:
    """Whether a controller names itself: some do so in every answer, and mean no redirection."""
    return mid.key == peer.mid or target == peer.address
