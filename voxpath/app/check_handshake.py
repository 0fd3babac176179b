"""Check of ``[tls]``: whether peers that have the same authority would take this host's certificate, by OpenSSL's own judgement."""

from collections.abc import Iterator
from typing import Final

from OpenSSL.SSL import X509VerificationCodes as Code

from voxpath.app import values
from voxpath.app.decode import Problem
from voxpath.app.schema import Config
from voxpath.io.rehearsal import Refusal, rehearsed
from voxpath.io.tls import SUPPORTED_REMEDY, UnusableFiles
from voxpath.model.event import printable

_OWN: Final = "tls.certificate"
_CA: Final = "tls.ca"

_NO_CA: Final = (
    "is no certificate of an authority: that has basicConstraints=CA:TRUE, and keyUsage=keyCertSign or none",
    "have one made with these, and tls.certificate signed by it; docs/tutorial.md, section 7, tells how",
)
_OTHER_CA: Final = (
    "was issued by an authority with the name and the key of tls.ca, but with another identifier or serial number",
    "name the authority's certificate that it was issued by, or have it issued anew",
)
_UNKNOWN_EXTENSION: Final = ("has a critical extension that OpenSSL does not know, or cannot read", "have one made without it")
_NAMES_FORBIDDEN: Final = ("has a name that the nameConstraints of tls.ca do not allow", "have one made for a name that they allow")

_WRONG: Final[dict[tuple[str, int], tuple[str, str]]] = {
    (_CA, Code.ERR_INVALID_CA): _NO_CA,
    (_CA, Code.ERR_KEYUSAGE_NO_CERTSIGN): _NO_CA,
    (_OWN, Code.ERR_KEYUSAGE_NO_CERTSIGN): _NO_CA,
    (_CA, Code.ERR_UNABLE_TO_GET_ISSUER_CERT): (
        "was itself issued by another authority",
        "name an authority that has signed itself, and have it sign tls.certificate",
    ),
    (_CA, Code.ERR_INVALID_PURPOSE): (
        "has an extendedKeyUsage that does not allow what tls.certificate is for",
        "have one made without extendedKeyUsage",
    ),
    (_OWN, Code.ERR_DEPTH_ZERO_SELF_SIGNED_CERT): (
        "has the same subject as the authority that issued it, and is taken for that",
        "have one made with a subject of its own",
    ),
    (_OWN, Code.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY): _OTHER_CA,
    (_OWN, Code.ERR_UNHANDLED_CRITICAL_EXTENSION): _UNKNOWN_EXTENSION,
    (_CA, Code.ERR_UNHANDLED_CRITICAL_EXTENSION): _UNKNOWN_EXTENSION,
    (_OWN, Code.ERR_PERMITTED_VIOLATION): _NAMES_FORBIDDEN,
    (_OWN, Code.ERR_EXCLUDED_VIOLATION): _NAMES_FORBIDDEN,
}
"""What is wrong with which certificate, and what to do about it, by OpenSSL's number of it."""


def check_handshake(config: Config) -> Iterator[Problem]:
    """Shake hands with ourselves in each direction that the roles need."""
    yield from dict.fromkeys(problem for listens in _directions(config) for problem in _refusals(config, listens))


def _directions(config: Config) -> Iterator[bool]:
    """Whether this host listens, and whether it connects; a standby has no feed."""
    role = config.redundancy.role
    if role == "standby" or config.subscription.enabled:
        yield True
    if role == "active" or (config.subscribers and role != "standby"):
        yield False


def _refusals(config: Config, listens: bool) -> Iterator[Problem]:
    try:
        refusal = rehearsed(values.identity(config), listens=listens)
    except UnusableFiles as error:
        yield Problem(_OWN, printable(error.what), error.todo)
        return
    if refusal is not None:
        yield _told(refusal, listens)


def _told(refusal: Refusal, listens: bool) -> Problem:
    # What OpenSSL says of a chain without a verification begins with whose certificate it is, "ca" or "ee" (end entity).
    path = _CA if refusal.depth or refusal.reason.startswith("ca ") else _OWN
    if (path, refusal.code) == (_OWN, Code.ERR_INVALID_PURPOSE):
        does = "listens" if listens else "connects to its peer"
        what = f"may not be shown by a host that {does}: its extendedKeyUsage or keyUsage does not allow that"
        return Problem(path, what, "have one made with extendedKeyUsage=serverAuth,clientAuth and keyUsage=digitalSignature")
    known = _WRONG.get((path, refusal.code))
    if known is not None:
        return Problem(path, *known)
    number = f" (error {refusal.code})" if refusal.code else ""
    return Problem(path, f"is not taken by OpenSSL: {printable(refusal.reason, 80)}{number}", SUPPORTED_REMEDY)
