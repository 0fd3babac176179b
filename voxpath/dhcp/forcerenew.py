"""FORCERENEW: a server's word to a client to renew now, proven by a nonce that the client got with its lease (RFC 3203, RFC 6704).

A client that speaks RFC 6704 says so by option 145; its ACK then carries a nonce in option 90.
A FORCERENEW carries a digest that was made with that nonce.
Without that proof a client must ignore the message, and nearly all do.
"""

from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import BOOTREPLY, Message, MessageType
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Mac

HMAC_MD5 = 1
"""The only algorithm of RFC 6704."""
PROTOCOL = 3
"""Of the authentication option: forcerenew nonce."""
NONCE_OCTETS = 16
_NONCE, _DIGEST = 1, 2
_REPLAY_AT, _TYPE_AT, _VALUE_AT = 3, 11, 12


def nonce_for(secret: bytes, mac: Mac) -> bytes:
    """The nonce of a client: it follows from the server's secret, so that none has to be kept."""
    return hmac(secret, bytes(mac), sha256)[:NONCE_OCTETS]


def nonce_option(nonce: bytes) -> bytes:
    """Option 90 of an ACK: the nonce itself."""
    return _option(0, _NONCE, nonce)


def understands(request: Message) -> bool:
    """Whether a client takes a FORCERENEW that is proven by a nonce."""
    return HMAC_MD5 in request.options.get(code.FORCERENEW_NONCE_CAPABLE, b"")


def force_renew(mac: Mac, server: bytes, nonce: bytes, counter: int) -> bytes:
    """A FORCERENEW.

    :param server: the server identifier.
    :param counter: larger than in any earlier one to this client.
    """
    options = {
        code.MESSAGE_TYPE: bytes((MessageType.FORCERENEW,)),
        code.SERVER_ID: server,
        code.AUTHENTICATION: _option(counter, _DIGEST, bytes(NONCE_OCTETS)),
    }
    payload = encode(Message(BOOTREPLY, counter & 0xFFFFFFFF, mac, options))
    blank = options[code.AUTHENTICATION]
    return payload.replace(blank, blank[:_VALUE_AT] + hmac(nonce, payload, "md5"), 1)


def nonce_in(message: Message) -> bytes:
    """The nonce that an ACK gives; empty: none."""
    value = message.options.get(code.AUTHENTICATION, b"")
    return value[_VALUE_AT:] if _is_of(value, _NONCE) else b""


def counter_of(payload: bytes, mac: Mac, nonce: bytes) -> int | None:
    """The counter of a FORCERENEW that is proven to come from the server; ``None``: it is none, or is not proven."""
    try:
        message = decode(payload)
        if message.op != BOOTREPLY or message.chaddr != mac or message.type is not MessageType.FORCERENEW:
            return None
    except RemoteError:
        return None
    value = message.options.get(code.AUTHENTICATION, b"")
    if not nonce or not _is_of(value, _DIGEST):
        return None
    blank = payload.replace(value, value[:_VALUE_AT] + bytes(NONCE_OCTETS), 1)
    if not compare_digest(hmac(nonce, blank, "md5"), value[_VALUE_AT:]):
        return None
    return int.from_bytes(value[_REPLAY_AT:_TYPE_AT], "big")


def _option(counter: int, kind: int, value: bytes) -> bytes:
    return bytes((PROTOCOL, HMAC_MD5, 0)) + counter.to_bytes(8, "big") + bytes((kind,)) + value


def _is_of(value: bytes, kind: int) -> bool:
    return len(value) == _VALUE_AT + NONCE_OCTETS and value[0] == PROTOCOL and value[1] == HMAC_MD5 and value[_TYPE_AT] == kind
