"""What a SIP server is told by its configuration: registrar and redirect server read the same values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from voxpath.model.realm import Realm
from voxpath.model.user import Showing, SipDomain, SipUser

PORT = "sip"
"""Name of the port that takes messages; it may stand for several sockets."""
DEFAULT_SIP_PORT = 5060
"""Where a host is reached whose URI or Via names no port (RFC 3261 section 19.1.2)."""
MIN_EXPIRES_S = 60
DEFAULT_EXPIRES_S = 3600
MAX_EXPIRES_S = 7200
MAX_CONTACTS = 10
NONCE_LIFE_S = 300.0


@dataclass(frozen=True, slots=True)
class SipSettings:
    """How the server behaves.

    :ivar users: by address-of-record, ``user@host`` in lower case.
    :ivar realms: which addresses reach each other without NAT, for the triangle decision.
    :ivar min_expires_s: shorter registrations are refused with 423.
    :ivar default_expires_s: how long a registration lasts that says nothing.
    :ivar max_expires_s: longer registrations are cut.
    :ivar max_contacts: of one address-of-record; more are refused.
    :ivar nonce_life_s: how long credentials made with one nonce are taken.
    :ivar role: our own name in ladders.
    :ivar media: whether somebody wants to know of the media of calls: a gateway in the same process.
    """

    domains: tuple[SipDomain, ...] = ()
    users: Mapping[str, SipUser] = field(default_factory=dict)
    realms: tuple[Realm, ...] = ()
    min_expires_s: int = MIN_EXPIRES_S
    default_expires_s: int = DEFAULT_EXPIRES_S
    max_expires_s: int = MAX_EXPIRES_S
    max_contacts: int = MAX_CONTACTS
    nonce_life_s: float = NONCE_LIFE_S
    role: str = "sip"
    media: bool = False
    _by_host: dict[str, SipDomain] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_host", {domain.name.lower(): domain for domain in self.domains})

    def domain_of(self, host: str) -> SipDomain | None:
        """The domain of a URI's host part, which is in lower case; ``None``: not ours."""
        return self._by_host.get(host)

    def user_of(self, aor: str) -> SipUser | None:
        """The user of an address-of-record in its canonical form; ``None``: not listed."""
        return self.users.get(aor)

    def showing_of(self, aor: str) -> Showing:
        """How the user's phone shows its combination address; of users who are not listed nothing is known."""
        user = self.users.get(aor)
        return user.showing if user is not None else Showing.NOT
