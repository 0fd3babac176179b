"""A SIP peer of a few lines on a host's own socket: for what no stock program would say, and to see each answer as it is.

Digest is calculated here once more, from RFC 7616, so that server and test cannot agree on a mistake.
"""

import re
import secrets
import socket
from hashlib import md5
from types import TracebackType

from tests.live.namespaces import Namespaces
from tests.live.siptrace import SipText, read

MOST = 65536
ANSWER_S = 3.0
PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class SipPeer:
    """A socket in a host's namespace that speaks to one server.

    :param server: address and port that requests go to.
    :param local: the own address and port; they stand in Via and Contact.
    """

    def __init__(self, net: Namespaces, name: str, server: tuple[str, int], local: tuple[str, int]) -> None:
        with net.entered(name):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(local)
        self._socket.settimeout(ANSWER_S)
        self._server = server
        self._local = f"{local[0]}:{local[1]}"
        self._call_id = secrets.token_hex(6)
        self._number = 0

    def __enter__(self) -> "SipPeer":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, method: str, uri: str, *headers: str, user: str = "", to: str = "") -> SipText:
        """Send a request and give the final answer to it.

        :param uri: the Request-URI.
        :param headers: further ones, as they stand.
        :param user: the From URI; without one the caller is nobody in particular.
        :param to: the To URI, if it is not that of the request.
        """
        self.send(method, uri, *headers, user=user, to=to)
        number = str(self._number)
        while True:
            answer = self.hear()
            if answer.status >= 200 and answer.header("cseq").split()[0] == number:
                return answer

    def send(self, method: str, uri: str, *headers: str, user: str = "", to: str = "") -> None:
        """Send a request."""
        self._number += 1
        lines = (
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._local};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            f"From: <{user or f'sip:anonymous@{self._local}'}>;tag={self._call_id}",
            f"To: <{to or uri}>",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._number} {method}",
            *headers,
            "Content-Length: 0",
        )
        self._socket.sendto("".join(f"{line}\r\n" for line in (*lines, "")).encode(), self._server)

    def reply(self, request: SipText, status: str) -> None:
        """Answer a request of the server."""
        repeated = (f"{name}: {request.header(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
        lines = (f"SIP/2.0 {status}", *repeated, "Content-Length: 0")
        self._socket.sendto("".join(f"{line}\r\n" for line in (*lines, "")).encode(), self._server)

    def hear(self) -> SipText:
        """The next message."""
        return read(self._socket.recv(MOST).decode())

    def register(self, aor: str, contact: str, *, password: str, name: str = "", expires: int = 300) -> SipText:
        """Bind a contact (a whole Contact value) to a user, by digest if it is asked for; give the last answer.

        :param name: the digest user name; of itself that of the address-of-record.
        """
        uri = f"sip:{aor.rpartition('@')[2]}"
        headers = (f"Contact: {contact}", f"Expires: {expires}")
        first = self.ask("REGISTER", uri, *headers, user=f"sip:{aor}", to=f"sip:{aor}")
        if first.status != 401:
            return first
        credentials = answer(first.header("www-authenticate"), "REGISTER", uri, name or aor.partition("@")[0], password)
        return self.ask("REGISTER", uri, *headers, f"Authorization: {credentials}", user=f"sip:{aor}", to=f"sip:{aor}")


def answer(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """The credentials that a challenge asks for (RFC 7616 section 3.4, MD5 with ``qop=auth``)."""
    asked = {name.lower(): quoted or bare for name, quoted, bare in PARAMETER.findall(challenge)}
    realm, nonce, cnonce, count = asked["realm"], asked["nonce"], secrets.token_hex(4), "00000001"
    response = _md5(_md5(user, realm, password), nonce, count, cnonce, "auth", _md5(method, uri))
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
        f'algorithm=MD5, cnonce="{cnonce}", qop=auth, nc={count}'
    )


def _md5(*parts: str) -> str:
    return md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()
