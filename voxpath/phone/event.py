"""What happens on the phone's own side."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class MediaSent(Event, frozen=True, kw_only=True):
    """The first packet of a stream left the phone."""

    ID: ClassVar[str] = "MEDIA_SENT"
    TEXT: ClassVar[str] = "{phone} sends a tone of {tone_hz} Hz from {local} to {remote}"

    local: str
    remote: str
    tone_hz: int


class MediaHeard(Event, frozen=True, kw_only=True):
    """What the phone hears changed: a tone began, or another one, or silence (``tone_hz`` 0)."""

    ID: ClassVar[str] = "MEDIA_HEARD"
    TEXT: ClassVar[str] = "{phone} hears {tone_hz} Hz at {level_dbm0} dBm0 from {remote}"

    remote: str
    tone_hz: int
    level_dbm0: int


class MediaRefused(Event, frozen=True, kw_only=True):
    """A packet came from elsewhere than the remote side of the call; told once per remote, counted always."""

    ID: ClassVar[str] = "MEDIA_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} drops media from {source}: the call is with {remote}"

    source: str
    remote: str


class PhoneState(Event, frozen=True, kw_only=True):
    """The boot machine entered a state (figures 5A and 5B of the source; the number is the figure's step)."""

    ID: ClassVar[str] = "PHONE_STATE"
    TEXT: ClassVar[str] = "{phone} is in {state} ({step})"

    state: str
    step: int


class OfferIgnored(Event, frozen=True, kw_only=True):
    """An OFFER, or the answer to an INFORM, lacked what the phone cannot do without (PHN-6, PHN-18)."""

    ID: ClassVar[str] = "PHONE_OFFER_IGNORED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} ignores the answer of {server}: it lacks {missing}"

    server: str
    missing: str


class LoadFailed(Event, frozen=True, kw_only=True):
    """A file could not be read from the server (PHN-13, PHN-14)."""

    ID: ClassVar[str] = "PHONE_LOAD_FAILED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} could not load {name} (attempt {attempt}): {reason}"

    name: str
    attempt: int
    reason: str


class PhoneReboots(Event, frozen=True, kw_only=True):
    """The phone begins again at step 502."""

    ID: ClassVar[str] = "PHONE_REBOOTS"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} boots again: {reason}"

    reason: str


class PhoneBooted(Event, frozen=True, kw_only=True):
    """The phone runs, with all that it was given (PHN-17)."""

    ID: ClassVar[str] = "PHONE_BOOTED"
    TEXT: ClassVar[str] = "{phone} runs at {address}, outside {block}, image {image!r}, controllers {mgcs}"

    address: str
    block: str
    image: str
    mgcs: str


class LeaseRenewed(Event, frozen=True, kw_only=True):
    """The lease was extended; address and block are the same."""

    ID: ClassVar[str] = "PHONE_LEASE_RENEWED"
    TEXT: ClassVar[str] = "{phone} keeps {address} for another {lease_s} s"

    address: str
    lease_s: int


class PhoneRegistering(Event, frozen=True, kw_only=True):
    """The phone asks a controller to register it."""

    ID: ClassVar[str] = "PHONE_REGISTERING"
    TEXT: ClassVar[str] = "{phone} registers as {mid} at {controller}, {method}"

    mid: str
    controller: str
    method: str


class PhoneRegistered(Event, frozen=True, kw_only=True):
    """A controller registered the phone."""

    ID: ClassVar[str] = "PHONE_REGISTERED"
    TEXT: ClassVar[str] = "{phone} is registered as {mid} at {controller}"

    mid: str
    controller: str


class PhoneNotRegistered(Event, frozen=True, kw_only=True):
    """No controller registered the phone, or nobody tells it of one (PHN-18): state FAILED of the source documents (606).

    It tries again after a random time.


    :ivar again_s: when; 0: never, since another lease is needed.
    """

    ID: ClassVar[str] = "PHONE_NOT_REGISTERED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} is not registered: {reason}; again in {again_s:.1f} s"

    reason: str
    again_s: float


class ControllerLost(Event, frozen=True, kw_only=True):
    """The controller does not answer, or does not know the phone any more."""

    ID: ClassVar[str] = "PHONE_CONTROLLER_LOST"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} lost its controller {controller}: {reason}"

    controller: str
    reason: str


class PortFailed(Event, frozen=True, kw_only=True):
    """A port of the phone's block cannot be opened."""

    ID: ClassVar[str] = "PHONE_PORT_FAILED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} cannot open its port {port}: {reason}"

    port: str
    reason: str


class PhoneNotReady(Event, frozen=True, kw_only=True):
    """The user did something before the phone had booted."""

    ID: ClassVar[str] = "PHONE_NOT_READY"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} is not ready for {action}: it is in {state}"

    action: str
    state: str


class ShimUp(Event, frozen=True, kw_only=True):
    """Programs on the phone's host show its combination address from now on (DNT-4, DNT-7).

    :ivar combination: public address and ports.
    :ivar how: ``set up``, or ``taken over`` from a run that had ended without taking it away.
    """

    ID: ClassVar[str] = "SHIM_UP"
    TEXT: ClassVar[str] = "{phone} lets programs beside it show {combination} for {private} on {interface}: {how}"

    combination: str
    private: str
    interface: str
    how: str


class ShimDown(Event, frozen=True, kw_only=True):
    """The shim was taken away: the phone stops, or its lease is over."""

    ID: ClassVar[str] = "SHIM_DOWN"
    TEXT: ClassVar[str] = "{phone} does not show {combination} any more"

    combination: str


class ShimFailed(Event, frozen=True, kw_only=True):
    """The shim could not be set up, or was found broken; it is tried again.

    :ivar again_s: when; 0: at once.
    """

    ID: ClassVar[str] = "SHIM_FAILED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} cannot show {combination}: {reason}; again in {again_s:.1f} s"

    combination: str
    reason: str
    again_s: float


class ShimNotRemoved(Event, frozen=True, kw_only=True):
    """The shim could not be taken away: what is left of it is replaced when one is set up here again."""

    ID: ClassVar[str] = "SHIM_NOT_REMOVED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the shim of {phone} cannot be taken away: {reason}"

    reason: str


class ShimDropped(Event, frozen=True, kw_only=True):
    """The shim dropped packets: a program used a port that is not the phone's, or somebody sends in its name.

    :ivar packets: how many since the last event of this reason.
    """

    ID: ClassVar[str] = "SHIM_DROPPED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} dropped {packets} packets: {reason}"

    packets: int
    reason: str
