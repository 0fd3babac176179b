"""Digest authentication (RFC 7616, RFC 8760; RFC 2617 and RFC 2069 for old phones): who may register, and who may ask.

A challenge costs no memory, and neither do wrong credentials.
Credentials of a user who does not exist take the same way, and the same time, as wrong ones of a user who does: the answer tells
nobody which users there are.
"""

import hashlib
import re
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from voxpath.core.errors import LocalError, RemoteError
from voxpath.model.address import Endpoint
from voxpath.model.event import printable
from voxpath.model.user import Algorithm, SipDomain, SipUser
from voxpath.sip.header import credentials, quoted
from voxpath.sip.memo import LONGEST_KEPT
from voxpath.sip.message import Request
from voxpath.sip.nonce import NonceCounts, Nonces, Use
from voxpath.sip.settings import SipSettings
from voxpath.sip.status import BAD_REQUEST
from voxpath.sip.uri import SipUri

LONGEST_CREDENTIALS: Final = 2048
"""Characters of one Authorization header."""
MOST_CREDENTIALS: Final = 8
"""Authorization headers of one request."""
SHOWN_WORD: Final = 32
"""Characters of a parameter's value in a reason."""

_HASHES: Final = {Algorithm.MD5: "md5", Algorithm.SHA_256: "sha256", Algorithm.SHA_512_256: "sha512_256"}
_ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in Algorithm}
_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
_MESSAGE_OCTETS: Final = 8
"""Of a message's hash, which needs no more than to be keyed."""


class Verdict(NamedTuple):
    """What the credentials of a request are worth.

    :ivar user: whose they are; ``None``: they show nobody, and the request is to be challenged.
    :ivar name: the user name that was given, as it was written.
    :ivar reason: why they are refused; empty when there are none, or when they are right but have to be made anew.
    :ivar stale: the password is right and the nonce is not: the phone can try again without asking anybody.
    :ivar repeated: the request came before: it may be answered again, but must change nothing.
    """

    user: SipUser | None
    name: str = ""
    reason: str = ""
    stale: bool = False
    repeated: bool = False


class _Claim(NamedTuple):
    """Credentials as they were read.

    :ivar qop: ``auth``, or empty (RFC 2069).
    :ivar nc: the nonce count as it was written.
    """

    algorithm: Algorithm
    name: str
    nonce: str
    uri: str
    response: bytes
    qop: str
    nc: str
    cnonce: str


class _Known(NamedTuple):
    """H(A1) of a user; no user: of nobody."""

    secret: str
    user: SipUser | None


def hash_of(algorithm: Algorithm, text: str) -> str:
    """H() of RFC 7616 section 3.3, in lower-case hexadecimal digits; octets that were no UTF-8 are hashed as they came."""
    # Not for hiding anything: what RFC 3261 phones speak is MD5.
    return hashlib.new(_HASHES[algorithm], text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def secret_of(algorithm: Algorithm, name: str, realm: str, password: str) -> str:
    """H(A1) (RFC 7616 section 3.4.2)."""
    return hash_of(algorithm, f"{name}:{realm}:{password}")


def response_of(algorithm: Algorithm, secret: str, method: str, uri: str, nonce: str, qop: str, nc: str, cnonce: str) -> str:
    """The response (RFC 7616 section 3.4.1); without qop that of RFC 2069.

    :param secret: H(A1).
    :param qop: ``auth``, or empty.
    :param nc: the nonce count as it was written.
    """
    use = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    action = _action_of(algorithm, method, uri) if len(uri) <= LONGEST_KEPT else _hash_of_action(algorithm, method, uri)
    return hash_of(algorithm, f"{secret}:{use}:{action}")


@lru_cache(maxsize=256)
def _action_of(algorithm: Algorithm, method: str, uri: str) -> str:
    """H(A2) as it is remembered: all phones of a domain register with the same one."""
    return _hash_of_action(algorithm, method, uri)


def _hash_of_action(algorithm: Algorithm, method: str, uri: str) -> str:
    """H(A2) for qop ``auth`` (RFC 7616 section 3.4.3)."""
    return hash_of(algorithm, f"{method}:{uri}")


class Digest:
    """Challenges and checks credentials for all domains of a server.

    :param secret: what nonces are made with; nobody else may know it.
    :raises LocalError: a domain offers an algorithm that this machine's cryptographic library does not have.
    """

    def __init__(self, settings: SipSettings, secret: bytes) -> None:
        self._nonces = Nonces(secret, settings.nonce_life_s)
        self._counts = NonceCounts(settings.nonce_life_s)
        self._key = blake2b(secret, person=b"voxpath message").digest()
        self._users: dict[tuple[str, Algorithm], dict[str, _Known]] = {
            (domain.name, algorithm): {} for domain in settings.domains for algorithm in domain.algorithms
        }
        for algorithm in {algorithm for _, algorithm in self._users}:
            _require(algorithm)
        # A user who does not exist has a password, too, which nobody knows.
        unknown = blake2b(secret, person=b"voxpath nobody").hexdigest()
        self._nobody = {algorithm: _Known(secret_of(algorithm, "", "", unknown), None) for _, algorithm in self._users}
        for user in settings.users.values():
            self._enter(user, settings.domain_of(user.domain.lower()))

    def challenge(self, domain: SipDomain, host: str, now: float, *, stale: bool = False) -> list[tuple[str, str]]:
        """Make the headers of a 401 for a request from this host: one for each algorithm, the preferred one first (RFC 8760)."""
        nonce = self._nonces.make(domain.realm, host, now)
        head = f'Digest realm={quoted(domain.realm)}, nonce="{nonce}", algorithm='
        tail = ', qop="auth", stale=true' if stale else ', qop="auth"'
        return [("WWW-Authenticate", f"{head}{algorithm.value}{tail}") for algorithm in domain.algorithms]

    def verify(self, request: Request, payload: bytes, domain: SipDomain, source: Endpoint, now: float) -> Verdict:
        """Check the credentials of a request.

        :param payload: the datagram that it came in.
        :param domain: whose users are asked for.
        :param source: where the datagram came from.
        :raises RemoteError: code 400: the credentials are malformed.
        """
        given = _given(request, domain.realm)
        if not given:
            return Verdict(None)
        claim, defect = _claim(given, domain)
        if claim is None:
            return Verdict(None, given["username"], defect)
        known = self._users[domain.name, claim.algorithm].get(claim.name)
        secret, user = known or self._nobody[claim.algorithm]
        right = compare_digest(_expected(claim, secret, request.method), claim.response)
        if not right or user is None:
            return Verdict(None, claim.name, "the password is wrong" if user is not None else "there is no such user")
        if not _same_target(claim.uri, request.uri):
            return Verdict(None, claim.name, "they were made for another Request-URI")
        made = self._nonces.made_at(claim.nonce, domain.realm, source.host, now)
        if made is None:
            return Verdict(None, claim.name, stale=True)
        # The nonce holds for the host alone; what it came in is a retransmission from the same port only.
        message = blake2b(b"%d\n%b" % (source.port, payload), digest_size=_MESSAGE_OCTETS, key=self._key).digest()
        use = self._counts.take(claim.nonce, made, int(claim.nc, 16) if claim.qop else 0, message, now)
        if use is Use.REFUSED:
            return Verdict(None, claim.name, stale=True)
        return Verdict(user, claim.name, repeated=use is Use.REPEATED)

    def _enter(self, user: SipUser, domain: SipDomain | None) -> None:
        if domain is None or not user.password:
            # An empty password, which an open domain allows, is one that everybody knows.
            return
        for algorithm in domain.algorithms:
            secret = secret_of(algorithm, user.name, domain.realm, user.password)
            self._users[domain.name, algorithm][user.name] = _Known(secret, user)


def _require(algorithm: Algorithm) -> None:
    try:
        hash_of(algorithm, "")
    except ValueError:
        text = f"this machine's cryptographic library has no {algorithm.value}: leave it out of the domain's algorithms"
        raise LocalError(text) from None


def _given(request: Request, realm: str) -> dict[str, str]:
    """The parameters of the credentials for a realm; empty when there are none; those for others are nobody's business here.

    :raises RemoteError: code 400: they cannot be read, or lack what each must have.
    """
    fields = request.values("authorization")
    if len(fields) > MOST_CREDENTIALS:
        raise _malformed(f"more than {MOST_CREDENTIALS} Authorization headers")
    for field in fields:
        if len(field) > LONGEST_CREDENTIALS:
            raise _malformed(f"credentials of more than {LONGEST_CREDENTIALS} characters")
        params = credentials(field)[1]
        if params.get("realm") == realm:
            for name in ("username", "nonce", "uri", "response"):
                if name not in params:
                    raise _malformed(f"credentials without {name}")
            return params
    return {}


def _claim(given: dict[str, str], domain: SipDomain) -> tuple[_Claim | None, str]:
    """Read credentials; in place of those that we did not ask for, what is wrong with them.

    :raises RemoteError: code 400: the nonce count is malformed or missing.
    """
    word = given.get("algorithm", Algorithm.MD5.value)
    algorithm = _ALGORITHMS.get(word.upper())
    if algorithm is None or algorithm not in domain.algorithms:
        return None, f"algorithm {printable(word, SHOWN_WORD)} is not offered"
    qop = given.get("qop", "").lower()
    if qop not in {"auth", ""}:
        return None, f"qop {printable(qop, SHOWN_WORD)} is not offered"
    if not qop and algorithm is not Algorithm.MD5:
        # RFC 7616 section 3.3: phones that know these algorithms know qop.
        return None, f"qop is missing, which {algorithm.value} needs"
    nc, cnonce = given.get("nc", ""), given.get("cnonce", "")
    if qop and (not cnonce or _COUNT.fullmatch(nc) is None):
        raise _malformed("credentials with qop, but without cnonce and a nonce count of eight hexadecimal digits")
    response = given["response"].lower().encode("utf-8", "surrogateescape")
    return _Claim(algorithm, given["username"], given["nonce"], given["uri"], response, qop, nc, cnonce), ""


def _expected(claim: _Claim, secret: str, method: str) -> bytes:
    use = (claim.nonce, claim.qop, claim.nc, claim.cnonce)
    return response_of(claim.algorithm, secret, method, claim.uri, *use).encode()


def _same_target(given: str, asked: str) -> bool:
    """Whether the URI of credentials means the Request-URI (RFC 7616 section 3.4.6).

    Phones leave out ports and parameters, or write the address-of-record for its domain: the host decides, and the user if both
    name one.
    """
    if given == asked:
        return True
    try:
        one, two = SipUri.parse(given), SipUri.parse(asked)
    except RemoteError:
        return False
    return one.host == two.host and (one.user == two.user or not (one.user and two.user))


def _malformed(reason: str) -> RemoteError:
    return RemoteError(f"Authorization: {reason}", code=BAD_REQUEST, section="RFC 7616 section 3.4")
