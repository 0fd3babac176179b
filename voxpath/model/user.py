"""SIP domains and their users, as the configuration has them; registrar and served configuration files use the same records."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

SIP_PORT = 5060
"""Where a domain's server listens that is named without a port (RFC 3261 section 19.1.2)."""


class Showing(Enum):
    """How a phone shows its combination address, public address and own port, to those it talks to (DNT-4)."""

    NOT = "not"
    """Not at all: its messages carry its private address. Calls beyond its realm need a proxy."""
    GRUU = "gruu"
    """Its file names the public address for media, and the registrar gives it a ``pub-gruu`` with the public address."""
    SELF = "self"
    """By itself: it has the shim, or can be told its public address; its file names the public address everywhere."""


class Algorithm(Enum):
    """A digest algorithm (RFC 7616, RFC 8760)."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"


class Callers(Enum):
    """Whose requests the redirect server answers with contacts."""

    ANYONE = "anyone"
    USERS = "users"
    """Users of this server alone, who show it by digest."""


@dataclass(frozen=True, slots=True)
class SipDomain:
    """A domain whose users register here.

    :ivar name: the host part of its addresses-of-record, in lower case: a domain name or an IPv4 address.
    :ivar realm: the digest realm.
    :ivar algorithms: what a challenge offers, the first one first; one alone unless the phones are known to take several.
    :ivar callers: who is told where a user is.
    :ivar open: whether any user may be registered without a password, listed or not: for labs.
    """

    name: str
    realm: str
    algorithms: tuple[Algorithm, ...] = (Algorithm.MD5,)
    callers: Callers = Callers.ANYONE
    open: bool = False


@dataclass(frozen=True, slots=True)
class SipUser:
    """One user of a domain.

    :ivar name: the user part of its address-of-record and its digest user name.
    :ivar password: its digest password; never part of a text that is shown.
    :ivar phone: the identity of the phone whose file has this user; empty: none.
    :ivar showing: how that phone shows its combination address.
    """

    name: str
    domain: str
    password: str = field(repr=False)
    phone: str = ""
    showing: Showing = Showing.NOT

    @property
    def aor(self) -> str:
        """The address-of-record without scheme, in lower case."""
        return f"{self.name}@{self.domain}".lower()


class SipAccount(NamedTuple):
    """A user as its phone's configuration file has it.

    :ivar port: the SIP server's port in that domain.
    :ivar expires_s: for how long the phone is to register at a time.
    """

    user: SipUser
    port: int
    expires_s: int

    @property
    def host(self) -> str:
        """The domain as a phone is told of it: with the port unless it is the well-known one."""
        return self.user.domain if self.port == SIP_PORT else f"{self.user.domain}:{self.port}"

    @property
    def uri(self) -> str:
        """The address-of-record as a phone is told of it, without scheme."""
        return f"{self.user.name}@{self.host}"
