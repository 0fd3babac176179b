"""The sections of SIP; :mod:`voxpath.app.schema` has the whole file."""

from typing import Annotated, Literal

from voxpath.app.kinds import EndpointText
from voxpath.app.section import Port, Section, doc
from voxpath.model.address import Mac
from voxpath.sip.settings import DEFAULT_EXPIRES_S, DEFAULT_SIP_PORT, MAX_CONTACTS, MAX_EXPIRES_S, MIN_EXPIRES_S

DAY_S = 86400

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = {"pattern": rf"^(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z", "words": "a domain name or an IPv4 address"}
ANY_DOMAIN = {**DOMAIN, "pattern": rf"^\Z|{DOMAIN['pattern']}"}
REALM = {
    "pattern": r'^[^"\\\x00-\x1f\x7f]{0,128}\Z',
    "words": "up to 128 characters, but no quotes, backslashes and control characters",
}
USER = {"pattern": r"^[A-Za-z0-9._~*!+-]{1,64}\Z", "words": "1 to 64 letters, digits and . _ ~ * ! + -"}
"""What stands in a SIP URI without escapes."""
PASSWORD = {
    "pattern": r'^[^\s;,"<>\\\x00-\x1f\x7f-\x9f]{0,128}\Z',
    "words": 'up to 128 characters without blanks, ; , " < > \\ and control characters, which phone programs would misread',
}
"""It stands as it is in the account line of a phone program, whose parts these characters separate."""


class Sip(Section, frozen=True):
    """The SIP server: it takes registrations for each `[[domain]]`, and redirects callers to where a user is."""

    enabled: Annotated[bool, doc("Whether the role starts.", False)] = True
    listen: Annotated[tuple[EndpointText, ...], doc("Where it listens (UDP).", ["192.0.2.10:5060"], min_length=1)] = (
        EndpointText("127.0.0.1:5060"),
    )
    min_expires_s: Annotated[int, doc("Seconds: shorter registrations are refused and told this time.", 120, ge=1, le=DAY_S)] = (
        MIN_EXPIRES_S
    )
    default_expires_s: Annotated[
        int, doc("Seconds that a registration lasts which names no time, and that phones' files ask for.", 1800, ge=1, le=DAY_S)
    ] = DEFAULT_EXPIRES_S
    max_expires_s: Annotated[int, doc("Seconds: longer registrations are cut.", 3600, ge=1, le=DAY_S)] = MAX_EXPIRES_S
    max_contacts: Annotated[int, doc("Contacts of one user; more are refused.", 4, ge=1, le=100)] = MAX_CONTACTS


class Domain(Section, frozen=True):
    """A domain whose users register here."""

    name: Annotated[str, doc("What stands behind the @ of its users: a name or an IPv4 address.", "voip.example", **DOMAIN)]
    realm: Annotated[str, doc("Digest realm; empty: the domain's name.", "Phones of Example", **REALM)] = ""
    algorithms: Annotated[
        tuple[Literal["MD5", "SHA-256", "SHA-512-256"], ...],
        doc(
            "Digest algorithms that a challenge offers, the preferred one first; some phones never answer when two are offered.",
            ["SHA-256", "MD5"],
            min_length=1,
        ),
    ] = ("MD5",)
    callers: Annotated[
        Literal["anyone", "users"],
        doc("Who is told where a user is: `anyone`, or `users` of this server alone, who show it by digest.", "users"),
    ] = "anyone"
    open: Annotated[bool, doc("Whether any user may be registered without a password, listed or not; for labs only.", True)] = False
    port: Annotated[Port, doc("Port of the SIP server that phones' files name.", 5070)] = DEFAULT_SIP_PORT


class User(Section, frozen=True):
    """A user of a `[[domain]]`: the registrar knows it, and its phone's configuration file has it."""

    name: Annotated[str, doc("What stands before the @, whatever its letter case; the digest user name, too.", "a1", **USER)]
    domain: Annotated[str, doc("Its domain; empty: the only one.", "voip.example", **ANY_DOMAIN)] = ""
    password: Annotated[str, doc("Its password; only an open domain needs none.", "7hUq-2mPz-w9Rc", **PASSWORD)] = ""
    phone: Annotated[Mac | None, doc("The phone whose file has this user; not set: none.", "02:00:00:00:0a:01")] = None
    showing: Annotated[
        Literal["not", "gruu", "self"],
        doc(
            "How that phone shows its public address and port in calls: `not` at all, by the registrar's `gruu`, "
            "or by it`self`: with the shim, or by a setting of its own.",
            "gruu",
        ),
    ] = "not"
