"""The role ``sip``: registrar and redirect server."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from twisted.internet.defer import Deferred

from voxpath.app import garbage, values_sip
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.core.errors import LocalError
from voxpath.flow.triangle import select
from voxpath.io.bus import Record
from voxpath.io.driver import Driver, Sessions
from voxpath.io.ports import UdpPorts
from voxpath.manage.facts import CommandError, UserFacts
from voxpath.manage.rows import CallRow, ContactRow, when
from voxpath.model.address import Endpoint
from voxpath.model.contact import FULL_Q, Contact
from voxpath.model.event import printable
from voxpath.model.user import Showing
from voxpath.ports.directory import Directory
from voxpath.sip.checksync import SUCCESS
from voxpath.sip.event import CheckSyncAnswered, CheckSyncLost
from voxpath.sip.reach import Nature, Whereabouts, combination, locate
from voxpath.sip.server import SipServer
from voxpath.sip.settings import PORT, SipSettings
from voxpath.sip.uri import SipUri

PRIVATE = "private"
"""What a phone shows that shows no combination address."""

SECRET_OCTETS = 32
"""Of the key that nonces are made with."""


class SipRole(Role):
    """Registers users and redirects their callers.

    :param directory: the ledger, or the copy of gateways' ledgers.
    :param sessions: who is told of calls: the gateway beside it, or those on other hosts; ``None``: nobody.
    :ivar settings: what the configuration says.
    :ivar directory: as above.
    :ivar core: the server; ``None`` while the role does not run.
    """

    def __init__(self, node: Node, directory: Directory, sessions: Sessions | None = None) -> None:
        super().__init__("sip", node.clock, node.bus)
        self.settings: SipSettings = replace(values_sip.sip_settings(node.config), media=sessions is not None)
        self.directory = directory
        self.core: SipServer | None = None
        self._driver: Driver | None = None
        self._node = node
        self._sessions = sessions

    async def begin(self) -> None:
        """Load the bindings and listen."""
        node = self._node
        # A new secret only means that each phone is asked for its credentials once more.
        self.core = SipServer(self.settings, select, node.entropy.randbytes(SECRET_OCTETS), self.directory)
        self.core.load(node.store.load(Contact), self.clock.now())
        garbage.spare()
        ports = UdpPorts(node.reactor, self.restart)
        driver = Driver(
            self.role,
            self.core,
            node.clock,
            node.bus,
            ports=ports,
            store=node.store,
            sessions=self._sessions,
            on_fault=self.fault,
        )
        self._driver = node.own(self.role, driver)
        for text in node.config.sip.listen:
            ports.open(PORT, text.endpoint, driver.feed)

    async def end(self) -> None:
        """Finish the commits and close every port."""
        await self._node.stop_drivers(self.role)
        self.core = self._driver = None
        if self._sessions is not None:
            self._sessions.abandon(self.role)

    def silent(self) -> Mapping[str, int]:
        """How many messages were not answered, and how many were refused, by reason."""
        return dict(self._counted()) if self.core is not None else {}

    # What the commands ask.

    def contacts(self, identity: str = "") -> Iterator[ContactRow]:
        """The bindings, all of them or those of one phone or address-of-record."""
        for contact in self._bound():
            if identity in {"", contact.phone, contact.aor}:
                yield self._row(contact)

    def aors(self) -> set[str]:
        """The addresses-of-record that have a binding."""
        return {contact.aor for contact in self._bound()}

    def phones_of(self, aor: str) -> tuple[str, ...]:
        """The phones that a user is registered from, as far as they are known."""
        return tuple(contact.phone for contact in self._bound() if contact.aor == aor and contact.phone != aor)

    def user(self, aor: str) -> UserFacts | None:
        """What is known of a user; ``None``: neither the configuration nor a phone told of it."""
        listed = self.settings.user_of(aor)
        bound = [contact for contact in self._bound() if contact.aor == aor]
        if listed is None and not bound:
            return None
        if bound:
            hidden = any(self._shows(contact, self._where(contact)) == PRIVATE for contact in bound)
        else:
            hidden = self.settings.showing_of(aor) is Showing.NOT
        return UserFacts(listed is not None, len(bound), hidden)

    def reboot(self, phone: str) -> "Deferred[str] | None":
        """Have a phone boot anew; fires with what it answered. ``None``: it is not registered here.

        The first contact that answers decides; one that refuses, or none that answers, is a :class:`CommandError`.
        """
        contacts = [contact for contact in self._bound() if contact.phone == phone]
        if not contacts or self._driver is None:
            return None
        assert self.core is not None
        try:
            effects = self.core.check_sync.ask(contacts, self.clock.now())
        except LocalError as error:
            raise CommandError("reboot", str(error), "try again in some seconds") from None
        outcome: Deferred[str] = Deferred()
        left = len(contacts)

        def heard(record: Record) -> None:
            nonlocal left
            event = record.event
            if event.phone != phone or not isinstance(event, CheckSyncAnswered | CheckSyncLost):
                return
            left -= 1
            done = isinstance(event, CheckSyncAnswered) and event.status in SUCCESS
            if done or not left:
                unsubscribe()
                outcome.callback(event.text) if done else outcome.errback(CommandError("reboot", event.text, "see ladder"))

        unsubscribe = self.bus.subscribe(heard)
        self._driver.act(lambda now: effects)
        return outcome

    def calls(self) -> Iterator[CallRow]:
        """The last calls that were redirected."""
        for call in self.core.calls() if self.core is not None else ():
            yield CallRow(
                phone=call.caller_phone or call.caller,
                peer=call.callee_phone,
                number=call.aor,
                state=call.state.value,
                path=call.path,
                media="",
                peer_media="",
                since=when(call.at),
                reason=f"{call.contact}: {call.reason}",
            )

    def _bound(self) -> tuple[Contact, ...]:
        return self.core.contacts() if self.core is not None else ()

    def _where(self, contact: Contact) -> Whereabouts:
        return locate(SipUri.parse(contact.uri), contact.source, self.directory, self.settings.realms)

    def _shows(self, contact: Contact, where: Whereabouts) -> str:
        if where.nature is not Nature.INSIDE:
            return where.nature.name.lower()
        gruu = self.settings.showing_of(contact.aor) is Showing.GRUU and combination(where, self.settings.realms) is not None
        return "gruu" if gruu else PRIVATE

    def _row(self, contact: Contact) -> ContactRow:
        where = self._where(contact)
        inside = where.inside
        if inside is None and where.place.private is not None:
            inside = Endpoint(str(where.place.private), where.place.public.port)
        return ContactRow(
            phone=contact.phone,
            aor=printable(contact.aor),
            contact=printable(contact.uri),
            source=str(contact.source),
            public=str(where.outside or ""),
            private=str(inside or ""),
            realm=where.place.realm,
            shows=self._shows(contact, where),
            q=contact.q / FULL_Q,
            expires=when(contact.expires),
            since=when(contact.since),
            agent=printable(contact.agent),
        )

    def _counted(self) -> Iterator[tuple[str, int]]:
        assert self.core is not None
        yield from self.core.tally.silent.items()
        for reason, count in self.core.tally.refused.items():
            yield f"refused: {reason}", count
        yield "refused and not told, since too many were", self.core.tally.untold
