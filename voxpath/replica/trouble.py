"""Why there is no connection, in one line for an operator: what is wrong, where, and what to do about it."""

import os
from typing import Final

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.error import (
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.python.failure import Failure

from voxpath.io.tls import said
from voxpath.model.event import printable

_LOOK: Final = "look at the cable, at its host and at redundancy.address"

_PLAIN: Final[dict[type[Exception], str]] = {
    ConnectionDone: "the other side closed the connection",
    ConnectionLost: "the connection was lost",
    ConnectionAborted: "this side cut the connection",
    ConnectionRefusedError: "its host answers, but nothing listens there; start voxpath on it, or correct redundancy.address",
    NoRouteError: f"there is no way to its address; {_LOOK}",
    **dict.fromkeys((TimeoutError, TCPTimedOutError), f"its address does not answer; {_LOOK}"),
}

_NOT_OURS: Final = "its certificate is not of the authority in tls.ca, or not valid now; compare that with its tls.certificate"
_NOT_FOR_IT: Final = "its certificate is for another name than redundancy.peer; correct one of them"
_NOT_TAKEN: Final = "it does not take this host's certificate ({alert}); compare tls.certificate with its tls.ca, and both clocks"
_NONE_SHOWN: Final = "it showed no certificate; only a voxpath with a certificate of tls.ca may connect"
_NO_TLS: Final = "no TLS could be agreed on ({reason}); see whether redundancy.address leads to the other voxpath"

_ALERT: Final = "alert "


def reason_of(failure: Failure) -> str:
    """What a connection, or an attempt to connect, ended by."""
    error = failure.value
    if isinstance(error, VerificationError):
        return _NOT_FOR_IT
    if isinstance(error, SSL.SysCallError | SSL.ZeroReturnError):
        return _PLAIN[ConnectionLost]
    if isinstance(error, SSL.Error):
        return _of_tls(error)
    for kind, text in _PLAIN.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, ConnectError) and error.osError:
        # EHOSTUNREACH is one of those that have no class of their own: the other host, or the way to it, is down.
        said = os.strerror(error.osError) if isinstance(error.osError, int) else str(error.osError)
        return printable(f"there is no way to its address ({said[:1].lower()}{said[1:]}); {_LOOK}")
    return printable(failure.getErrorMessage())


def _of_tls(error: SSL.Error) -> str:
    """What OpenSSL says, turned into what an operator can do."""
    text = printable(said(error), 100)
    if "certificate verify failed" in text:
        return _NOT_OURS
    if "did not return a certificate" in text:
        return _NONE_SHOWN
    if _ALERT in text and ("certificate" in text or "unknown ca" in text):
        return _NOT_TAKEN.format(alert=text.partition(_ALERT)[2])
    return _NO_TLS.format(reason=text)
