"""A TLS handshake of this host with itself, in memory: whether a peer that has the same authority would take its certificate.

Both ends are those that are used between hosts.
Only this host's certificate is verified, by the other end, as a listener's or as that of who connects: what the peer will show
is not known here, and a certificate may be for one of the two purposes only.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from OpenSSL import SSL

from voxpath.io.tls import Identity, client_connection, said

_TURNS: Final = 16
"""So often each end may go on: a handshake has some three flights, in either version of TLS."""

_OCTETS: Final = 1 << 16
"""Octets that are taken over at a time; what is left comes with the next turn."""

_NAME: Final = "localhost"
"""Who connects has to look for some name; whether the certificate is for the right one is no question here."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a certificate is not taken.

    :ivar code: OpenSSL's number of what is wrong with a certificate (``X509_V_ERR_...``); 0: the handshake failed otherwise.
    :ivar depth: which certificate: 0 for this host's own, more for that of the authority.
    :ivar reason: what OpenSSL says of the handshake.
    """

    code: int
    depth: int
    reason: str


def rehearsed(identity: Identity, *, listens: bool) -> Refusal | None:
    """Have this host's certificate verified.

    :param listens: whether it is that of the side that listens.
    :raises UnusableFiles: when a file cannot be read, or OpenSSL does not take it.
    """
    server = SSL.Connection(identity.server_options().getContext(), None)
    client = client_connection(identity.client_options(_NAME))
    server.set_accept_state()
    client.set_connect_state()
    own, peer = (server, client) if listens else (client, server)
    found: list[tuple[int, int]] = []

    def verified(_: SSL.Connection, certificate: object, code: int, depth: int, good: int) -> bool:
        if not good:
            found.append((code, depth))
        return bool(good)

    # Without a function of its own it would keep the one that it has.
    own.set_verify(SSL.VERIFY_NONE, lambda *_: True)
    peer.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verified)
    reason = _shaken(client, server)
    if not reason:
        return None
    code, depth = found[0] if found else (0, 0)
    return Refusal(code, depth, reason)


def _shaken(client: SSL.Connection, server: SSL.Connection) -> str:
    """Shake hands; tell why that failed, or nothing."""
    for _ in range(_TURNS):
        try:
            done = [_went_on(client, server), _went_on(server, client)]
        except SSL.Error as error:
            return said(error)
        if all(done):
            return ""
    return "the handshake does not end"


def _went_on(end: SSL.Connection, other: SSL.Connection) -> bool:
    """Let one end go on, and take over what it sends; tell whether it has finished."""
    try:
        end.do_handshake()
        done = True
    except SSL.WantReadError:
        done = False
    with suppress(SSL.WantReadError):
        other.bio_write(end.bio_read(_OCTETS))
    return done
