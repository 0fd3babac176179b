"""Events of the SIP server."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class ContactBound(Event, frozen=True, kw_only=True):
    """A contact was bound to an address-of-record, or its address changed; plain refreshes are not told.

    :ivar aor: the address-of-record.
    :ivar contact: the contact as it was registered.
    :ivar source: where the REGISTER came from.
    :ivar place: which public and private address that means, and who says so.
    """

    ID: ClassVar[str] = "CONTACT_BOUND"
    TEXT: ClassVar[str] = "{aor} is at {contact}, registered from {source}: {place}"

    aor: str
    contact: str
    source: str
    place: str


class ContactUnbound(Event, frozen=True, kw_only=True):
    """A binding ended.

    :ivar reason: the phone removed it, it expired, or another one took its place.
    """

    ID: ClassVar[str] = "CONTACT_UNBOUND"
    TEXT: ClassVar[str] = "{aor} is no longer at {contact}: {reason}"

    aor: str
    contact: str
    reason: str


class SipRefused(Event, frozen=True, kw_only=True):
    """A request was refused; challenges for credentials are not told.

    :ivar method: the request's method.
    :ivar source: where it came from.
    :ivar status: the status code of the answer.
    """

    ID: ClassVar[str] = "SIP_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{method} of {aor} from {source} is answered with {status}: {reason}"

    method: str
    aor: str
    source: str
    status: int
    reason: str


class CredentialsRefused(Event, frozen=True, kw_only=True):
    """Credentials were wrong: the password, the user, or whose address-of-record it is.

    :ivar user: the user name that was given.
    """

    ID: ClassVar[str] = "CREDENTIALS_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "credentials of {user!r} for {aor} from {source} are refused: {reason}"

    user: str
    aor: str
    source: str
    reason: str


class ForeignContact(Event, frozen=True, kw_only=True):
    """A phone registered a public address and port that belong to another phone; its own source is used instead.

    :ivar holder: whose they are.
    """

    ID: ClassVar[str] = "FOREIGN_CONTACT"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{aor} from {source} claims {contact}, which belongs to {holder}: its source is used instead"

    aor: str
    contact: str
    source: str
    holder: str


class Redirected(Event, frozen=True, kw_only=True):
    """A caller was told where a user is.

    :ivar caller: who asked: as his credentials say if he was asked for any, else as its From header says.
    :ivar aor: the user who is called.
    :ivar contacts: what the caller was given, best first.
    :ivar reason: why these addresses: the triangle decision.
    """

    ID: ClassVar[str] = "REDIRECTED"
    TEXT: ClassVar[str] = "{method} of {caller} to {aor} is redirected to {contacts}: {reason}"

    method: str
    caller: str
    aor: str
    contacts: str
    reason: str


class NeedsProxy(Event, frozen=True, kw_only=True):
    """A caller beyond its realm was sent to a phone that shows its private address in its dialogs.

    The call rings, but the caller's ACK and BYE go to the private address and are lost.
    Such a phone needs the shim, a GRUU, a public address of its own setting, or a proxy.
    """

    ID: ClassVar[str] = "NEEDS_PROXY"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "{caller} calls {aor} from beyond its realm, but the phone shows its private address {contact}: "
        "ACK and BYE will be lost; set the user's showing to gruu or self"
    )

    caller: str
    aor: str
    contact: str


class NotReached(Event, frozen=True, kw_only=True):
    """A user who is called has no contact that this caller can be given.

    :ivar status: the status code of the answer.
    """

    ID: ClassVar[str] = "NOT_REACHED"
    TEXT: ClassVar[str] = "{method} of {caller} to {aor} is answered with {status}: {reason}"

    method: str
    caller: str
    aor: str
    status: int
    reason: str


class CheckSyncAnswered(Event, frozen=True, kw_only=True):
    """A phone answered a NOTIFY check-sync: with 200 it boots anew, with anything else it does not."""

    ID: ClassVar[str] = "CHECK_SYNC_ANSWERED"
    TEXT: ClassVar[str] = "{aor} was asked to boot anew and answered {status} {reason}"

    aor: str
    status: int
    reason: str


class CheckSyncLost(Event, frozen=True, kw_only=True):
    """A phone did not answer a NOTIFY check-sync."""

    ID: ClassVar[str] = "CHECK_SYNC_LOST"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{aor} was asked to boot anew and did not answer at {source}"

    aor: str
    source: str
