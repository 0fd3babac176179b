"""A registrar with a store behind it that answers at once, late, or not well; and a ledger of two phones."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from itertools import count
from typing import Any

import pytest

from voxpath.core.effects import Commit, Datagram, Delete, Done, Effects, Emit, Failed, Put, Send
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.model.event import Event
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.realm import Realm
from voxpath.model.user import SipDomain, SipUser
from voxpath.ports.directory import Directory, NoDirectory
from voxpath.sip.atlas import Atlas
from voxpath.sip.digest import Digest
from voxpath.sip.header import parse_via
from voxpath.sip.location import Location
from voxpath.sip.message import Request, Response
from voxpath.sip.registrar import Registrar
from voxpath.sip.reply import Incoming
from voxpath.sip.settings import SipSettings
from voxpath.sip.wire import parse

OPEN = SipDomain("voip.example", "voxpath", open=True)
A1 = SipUser("a1", "voip.example", "secret", phone="02:00:00:00:00:01")
A2 = SipUser("a2", "voip.example", "other")
AOR = "a1@voip.example"
HOME = Endpoint("203.0.113.1", 2048)
REALM = Realm("a", (IPv4Network("10.0.0.0/24"),), (IPv4Address("203.0.113.1"),))


class Ledger(NoDirectory):
    """Two phones behind one public address."""

    def __init__(self) -> None:
        self.blocks = [
            PortBinding(
                f"02:00:00:00:00:0{number}",
                PortBlock(IPv4Address("203.0.113.1"), first, 64),
                IPv4Address(f"10.0.0.1{number}"),
                "a",
                BindingState.HELD,
                9e9,
                1,
            )
            for number, first in ((1, 2048), (2, 2112))
        ]

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        return next((row for row in self.blocks if row.block.public == public and port in row.block), None)


class Desk:
    """A registrar, and the store behind it.

    :ivar rows: what the store has.
    :ivar held: commits that the store has not answered yet, the oldest first; used when ``holding``.
    """

    def __init__(
        self,
        *,
        domain: SipDomain = OPEN,
        users: Iterable[SipUser] = (A1, A2),
        directory: Directory | None = None,
        **settings: Any,
    ) -> None:
        self.settings = SipSettings(domains=(domain,), users={user.aor: user for user in users}, realms=(REALM,), **settings)
        self.location = Location()
        atlas = Atlas(directory or NoDirectory(), self.settings.realms)
        self.registrar = Registrar(self.settings, atlas, self.location, Digest(self.settings, b"key"))
        self.now = 1000.0
        self.cseq = count(1)
        self.rows: dict[tuple[str, str], Contact] = {}
        self.holding = False
        self.held: list[Commit] = []
        self.answers: list[Response] = []
        self.events: list[Event] = []

    def register(
        self,
        *contacts: str,
        aor: str = AOR,
        source: Endpoint = HOME,
        cseq: int | None = None,
        call_id: str = "call",
        uri: str = "sip:voip.example",
        **headers: str,
    ) -> Response | None:
        """Send a REGISTER; give its answer if there is one at once."""
        number = next(self.cseq) if cseq is None else cseq
        fields = {
            "via": ["SIP/2.0/UDP 10.0.0.11:2048;branch=z9hG4bK1;rport"],
            "from": [f"<sip:{aor}>;tag=1"],
            "to": [f"<sip:{aor}>"],
            "call-id": [call_id],
            "cseq": [f"{number} REGISTER"],
            **({"contact": list(contacts)} if contacts else {}),
            **{name.replace("_", "-"): [value] for name, value in headers.items()},
        }
        payload = repr((uri, fields)).encode("utf-8", "backslashreplace")
        incoming = Incoming(
            Request("REGISTER", uri, fields), Datagram(payload, source, "198.51.100.10", "eth0", "sip"), parse_via(fields["via"][0])
        )
        before = len(self.answers)
        self.run(self.registrar.register(incoming, self.now))
        return self.answers[-1] if len(self.answers) > before else None

    def refused(self, *contacts: str, **more: Any) -> int:
        """Send a REGISTER that raises; give the status of the answer that the server makes of it."""
        before = self.rows.copy(), sorted(self.location)
        with pytest.raises(RemoteError) as caught:
            self.register(*contacts, **more)
        assert (self.rows, sorted(self.location)) == before
        assert caught.value.code is not None
        return caught.value.code

    def run(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Send():
                    answer = parse(effect.payload)
                    assert isinstance(answer, Response)
                    self.answers.append(answer)
                case Emit(event=event):
                    self.events.append(event)
                case Commit() if self.holding:
                    self.held.append(effect)
                case Commit():
                    self.conclude(effect)

    def conclude(self, commit: Commit, *, fail: bool = False) -> None:
        """The store answers."""
        if fail:
            self.run(self.registrar.resolve(commit.token, Failed("the disk is full"), self.now))
            return
        for change in commit.changes:
            contact = change.value
            assert isinstance(contact, Contact)
            if isinstance(change, Put):
                self.rows[contact.aor, contact.key] = contact
            else:
                assert isinstance(change, Delete)
                self.rows.pop((contact.aor, contact.key), None)
        self.run(self.registrar.resolve(commit.token, Done(), self.now))
        self.run(commit.then)

    def answer_next(self, *, fail: bool = False) -> Response:
        """The store answers the oldest commit that it holds."""
        self.conclude(self.held.pop(0), fail=fail)
        return self.answers[-1]

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.registrar.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.run(self.registrar.tick(self.now))
        self.now = end

    def uris(self, aor: str = AOR) -> list[str]:
        return [contact.uri for contact in self.location.of(aor)]

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]
