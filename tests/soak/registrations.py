"""A client that registers many users over one socket, and notes what each of them was told.

It keeps the books for whoever kills the server: what was acknowledged must be there afterwards, and what was asked and not answered
may be there or not.
"""

import re
import socket
import time
from collections.abc import Iterable
from random import Random
from typing import NamedTuple, TypeAlias

from tests.bench.sip.servers import OPEN_DOMAIN
from tests.bench.sip.site import HOME, LOAD_HOST, LOAD_PORT, SERVER_HOST, SERVER_PORT
from tests.bench.site import Site

CONTACTS_EACH = 3
"""Different contacts that one user has at most."""

AT_ONCE = 64
"""Users that are asked for at the same time."""

AGAIN_S = 0.5
"""A request is sent again after so long without an answer (RFC 3261, T1)."""
TRIES_S = 16.0
"""So long a request is sent again before the server counts as dead."""
READ_S = 0.01
BUFFER_OCTETS = 4 * 1024 * 1024
LARGEST = 65535

CALL_ID = re.compile(rb"^Call-ID:\s*(\S+)", re.MULTILINE | re.IGNORECASE)
CSEQ = re.compile(rb"^CSeq:\s*(\d+)", re.MULTILINE | re.IGNORECASE)
CONTACT = re.compile(rb"^Contact:(.*)$", re.MULTILINE | re.IGNORECASE)
URI = re.compile(rb"<([^>]+)>")

Contacts: TypeAlias = frozenset[str]


class Asked(NamedTuple):
    """A request that waits for its answer.

    :ivar may: what the user's contacts may be when it is answered: one for a change, as many as are allowed for a question.
    :ivar began: when it was sent first.
    """

    number: int
    payload: bytes
    may: frozenset[Contacts]
    began: float
    sent: float


class Registrations:
    """The client.

    :ivar bound: the contacts of each user as they were acknowledged last; a user that was never asked for is missing.
    :ivar changed: how many changes of a user's contacts were seen, and in how many of them one was removed.
    """

    def __init__(self, site: Site, chance: Random) -> None:
        self.bound: dict[str, Contacts] = {}
        self.changed = self.removed = 0
        self._chance = chance
        self._numbers: dict[str, int] = {}
        self._asked: dict[str, Asked] = {}
        with site.net.entered(HOME):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        self._socket.bind((LOAD_HOST, LOAD_PORT))
        self._socket.settimeout(READ_S)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def change(self, users: list[str], seconds: float) -> None:
        """Bind and remove contacts of users by chance, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while len(self._asked) < min(AT_ONCE, len(users)):
                user = self._chance.choice(users)
                if user not in self._asked:
                    headers, after = self._any_change(user)
                    self._ask(user, headers, [after])
            self._read()

    def bind(self, users: Iterable[str]) -> None:
        """Bind one contact of each user."""
        self._ask_all((user, [f"Contact: <{contact(user, 0)}>"], [frozenset((contact(user, 0),))]) for user in users)

    def last_words(self, seconds: float) -> None:
        """Take what a server that has been killed said before; its other answers will never come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._receive()

    def check(self) -> None:
        """Compare with what a restarted server has: what was acknowledged, or that and the change that was under way.

        :raises AssertionError: a user has other contacts.
        """
        allowed = {user: {contacts} for user, contacts in self.bound.items()}
        for user, asked in self._asked.items():
            allowed.setdefault(user, {frozenset()}).update(asked.may)
        self._asked.clear()
        self._ask_all((user, [], contacts) for user, contacts in allowed.items())

    # One request.

    def _any_change(self, user: str) -> tuple[list[str], Contacts]:
        before = self.bound.get(user, frozenset())
        chosen = contact(user, self._chance.randrange(CONTACTS_EACH))
        other = contact(user, self._chance.randrange(CONTACTS_EACH))
        kind = self._chance.random()
        if kind < 0.1:
            return ["Contact: *", "Expires: 0"], frozenset()
        if kind < 0.3:
            return [f"Contact: <{chosen}>;expires=0"], before - {chosen}
        if kind < 0.4 and other != chosen:
            return [f"Contact: <{chosen}>", f"Contact: <{other}>;expires=0"], (before | {chosen}) - {other}
        return [f"Contact: <{chosen}>"], before | {chosen}

    def _ask_all(self, questions: Iterable[tuple[str, list[str], Iterable[Contacts]]]) -> None:
        for user, headers, may in questions:
            while len(self._asked) >= AT_ONCE:
                self._read()
            self._ask(user, headers, may)
        while self._asked:
            self._read()

    def _ask(self, user: str, headers: list[str], may: Iterable[Contacts]) -> None:
        number = self._numbers[user] = self._numbers.get(user, 0) + 1
        payload = request(user, number, headers)
        now = time.monotonic()
        self._asked[user] = Asked(number, payload, frozenset(may), now, now)
        self._send(payload)

    def _send(self, payload: bytes) -> None:
        try:
            self._socket.sendto(payload, (SERVER_HOST, SERVER_PORT))
        except ConnectionRefusedError:
            # It says that an earlier datagram met no server: this one was not sent, and will be sent again.
            return

    def _read(self) -> None:
        """Take one answer; ask again who did not get one in time."""
        if not self._receive():
            now = time.monotonic()
            for user, asked in self._asked.items():
                assert now - asked.began < TRIES_S, f"no answer to request {asked.number} of {user}"
                if now - asked.sent >= AGAIN_S:
                    self._asked[user] = asked._replace(sent=now)
                    self._send(asked.payload)

    def _receive(self) -> bool:
        try:
            answer = self._socket.recv(LARGEST)
        except (TimeoutError, ConnectionRefusedError):
            return False
        call_id, number = CALL_ID.search(answer), CSEQ.search(answer)
        assert call_id is not None, answer
        assert number is not None, answer
        user = call_id[1].decode().partition("-")[0]
        asked = self._asked.get(user)
        if asked is not None and asked.number == int(number[1]):
            del self._asked[user]
            self._take(user, asked, answer)
        return True

    def _take(self, user: str, asked: Asked, answer: bytes) -> None:
        assert answer.startswith(b"SIP/2.0 200 "), answer
        told = frozenset(uri.decode() for value in CONTACT.findall(answer) for uri in URI.findall(value))
        ways = " or ".join(str(sorted(contacts)) for contacts in asked.may)
        assert told in asked.may, f"{user} should have {ways}, and has {sorted(told)}"
        before = self.bound.get(user, frozenset())
        self.changed += told != before
        self.removed += not before <= told
        self.bound[user] = told


def contact(user: str, number: int) -> str:
    """One of the contacts of a user."""
    return f"sip:{user}@{LOAD_HOST}:{7000 + number}"


def request(user: str, number: int, headers: list[str]) -> bytes:
    """A REGISTER of the user; Call-ID and tag are the same in all of them."""
    lines = [
        f"REGISTER sip:{OPEN_DOMAIN} SIP/2.0",
        f"Via: SIP/2.0/UDP {LOAD_HOST}:{LOAD_PORT};branch=z9hG4bK-{user}-{number};rport",
        "Max-Forwards: 70",
        f"From: <sip:{user}@{OPEN_DOMAIN}>;tag={user}",
        f"To: <sip:{user}@{OPEN_DOMAIN}>",
        f"Call-ID: {user}-calls",
        f"CSeq: {number} REGISTER",
        *headers,
        "Content-Length: 0",
    ]
    return "\r\n".join((*lines, "", "")).encode()
