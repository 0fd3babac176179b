"""SIP in memory, in virtual time: phones with one inside address at two sites register and call by way of the redirect server."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.sip.exchange import authorization, request
from voxpath.core.effects import Datagram, Send
from voxpath.flow.triangle import select
from voxpath.io.driver import Driver
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.model.event import Event
from voxpath.model.realm import Realm
from voxpath.model.user import Showing, SipDomain, SipUser
from voxpath.sip.calls import RedirectState
from voxpath.sip.event import NeedsProxy, Redirected
from voxpath.sip.header import contacts, vias
from voxpath.sip.message import Request, Response
from voxpath.sip.reply import Incoming, reply
from voxpath.sip.server import SipServer
from voxpath.sip.settings import SipSettings
from voxpath.sip.uri import SipUri
from voxpath.sip.wire import parse
from voxpath.store.memory import MemoryStore
from voxpath.testing.network import Host, Quality, Segment
from voxpath.testing.world import LAN, Site, World

SERVER = Endpoint("198.51.100.10", 5060)
DOMAIN = "voip.example"
PUBLIC = {"a": "203.0.113.1", "b": "203.0.113.2"}
NAMES = ("a1", "a2", "b1", "b2")
STEADY = Quality(least_delay_s=0.001, most_delay_s=0.001)
"""Nothing overtakes anything: what arrives, arrives in its order."""


class SipPhone:
    """An ordinary phone: it registers, follows a redirect, answers at once, and hangs up when it has called.

    :ivar contact: what it shows in its dialogs.
    :ivar heard: methods and status codes that it was sent.
    """

    def __init__(self, world: World, site: Site, name: str, private: str, showing: Showing) -> None:
        self.name = name
        self.aor = f"{name}@{DOMAIN}"
        self.mac = f"02:00:00:00:{name}:00"
        change = site.ledger.grant(self.mac, 64, IPv4Address(private), site.name, world.time.now())
        site.nat.apply(change.transaction)
        site.ledger.settle(change)
        [row] = change.written
        self.local = Endpoint(private, row.block.first)
        self.outside = Endpoint(str(row.block.public), row.block.first)
        self.contact = f"sip:{name}@{self.outside if showing is Showing.SELF else self.local}"
        self.registered = self.contact
        self.heard: list[str] = []
        self.targets: list[str] = []
        self._host = Host(name)
        self._host.attach(site.lan, "eth0", name.encode().ljust(6), private)
        self._host.bind("sip", self.local, self._take)
        self._cseq = 0

    def register(self, *headers: str) -> None:
        self._ask("REGISTER", f"sip:{DOMAIN}", SERVER, "register", *headers, to=f"<sip:{self.aor}>", contact=self.registered)

    def call(self, name: str) -> None:
        """Call a user; the name is that of the call, too."""
        self._ask("INVITE", f"sip:{name}@{DOMAIN}", SERVER, name)

    def _ask(self, method: str, uri: str, where: Endpoint, call: str, *headers: str, to: str = "", contact: str = "") -> None:
        self._cseq += method != "ACK"
        via = f"SIP/2.0/UDP {self.local};rport"
        written = [f"Contact: <{contact or self.contact}>", *headers]
        call_id, sender = f"{self.name} to {call}".replace(" ", "-"), f"sip:{self.aor}"
        self._send(request(method, uri, sender=sender, to=to, call_id=call_id, cseq=self._cseq, via=via, headers=written), where)

    def _send(self, payload: bytes, where: Endpoint) -> None:
        self._host.send(Send(payload, where, "sip"), self.local)

    def _take(self, datagram: Datagram) -> None:
        message = parse(datagram.payload)
        if isinstance(message, Request):
            self.heard.append(message.method)
            if message.method != "ACK":
                answer = reply(Incoming(message, datagram, vias(message)[0]), 200, headers=[("Contact", f"<{self.contact}>")])
                self._send(answer.payload, answer.destination)
        else:
            self.heard.append(str(message.status))
            self._answered(message)

    def _answered(self, response: Response) -> None:
        match response.value("cseq").split()[1], response.status:
            case "REGISTER", 401:
                self.register(authorization(response, "REGISTER", f"sip:{DOMAIN}", self.name, f"{self.name}-secret"))
            case "REGISTER", 200:
                [own] = contacts(response)
                self.contact = (own.params.get("pub-gruu") or "").strip('"') or self.contact
            case "INVITE", 302:
                [target] = contacts(response)
                self.targets.append(target.uri)
                self._follow("ACK", f"sip:{self._called(response)}@{DOMAIN}", response, SERVER)
                self._follow("INVITE", target.uri, response)
            case "INVITE", 200:
                [remote] = contacts(response)
                self._follow("ACK", remote.uri, response)
                self._follow("BYE", remote.uri, response)

    def _follow(self, method: str, uri: str, response: Response, where: Endpoint | None = None) -> None:
        target = SipUri.parse(uri)
        to = response.value("to") if method != "INVITE" else f"<sip:{self._called(response)}@{DOMAIN}>"
        self._ask(method, uri, where or Endpoint(target.host, target.port or 5060), self._called(response), to=to)

    def _called(self, response: Response) -> str:
        return response.value("call-id").rpartition("-")[2]


class Telephony:
    """Four phones at two sites, the first and the second of each with the same inside addresses, and the server between them.

    :ivar seen: what was on the wires: segment, source, destination, first word of the message.
    """

    def __init__(self, showing: Showing) -> None:
        self.world = World(1, STEADY, STEADY)
        for name, public in PUBLIC.items():
            self.world.add_site(name, public, ())
        self.phones = {
            name: SipPhone(self.world, self.world.sites[name[0] == "b"], name, f"10.0.0.1{name[1]}", showing) for name in NAMES
        }
        users = [SipUser(name, DOMAIN, f"{name}-secret", phone.mac, showing) for name, phone in self.phones.items()]
        realms = tuple(Realm(name, (IPv4Network(LAN),), (IPv4Address(public),)) for name, public in PUBLIC.items())
        self.settings = SipSettings((SipDomain(DOMAIN, "voxpath"),), {user.aor: user for user in users}, realms)
        self.store = MemoryStore()
        self.events: list[Event] = []
        self.world.bus.subscribe(lambda record: self.events.append(record.event))
        self.seen: list[tuple[str, Endpoint, Endpoint, str]] = []
        self.world.network.tap = self._see
        self._host = Host("server")
        self._host.attach(self.world.provider, "wan0", b"server", SERVER.host)
        self._ports = self._host.ports()
        self.start_server()
        for phone in self.phones.values():
            phone.register()
        self.world.run(1.0)
        self.seen.clear()

    def start_server(self) -> None:
        """Start the server on what the store holds, also in place of one that runs."""
        world = self.world
        self.core = SipServer(self.settings, select, b"secret", world.copy)
        self.core.load(self.store.load(Contact), world.time.now())
        self._driver = Driver("sip", self.core, world.time, world.bus, ports=self._ports, store=self.store)
        self._ports.open("sip", SERVER, self._driver.feed)

    def call(self, caller: str, callee: str) -> tuple[SipPhone, SipPhone]:
        for phone in self.phones.values():
            phone.heard.clear()
        self.phones[caller].call(callee)
        self.world.run(1.0)
        return self.phones[caller], self.phones[callee]

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def between_phones(self) -> list[tuple[str, Endpoint, Endpoint, str]]:
        """Packets that are neither to nor from the server."""
        return [packet for packet in self.seen if SERVER not in packet]

    def _see(self, segment: Segment, source: Endpoint, destination: Endpoint, payload: bytes) -> None:
        self.seen.append((segment.name, source, destination, payload.split(b" ", 1)[0].decode()))


WHOLE_CALL = ["INVITE", "ACK", "BYE"]
SHOWN = [Showing.GRUU, Showing.SELF]


def test_phones_with_one_inside_address_register_with_digest() -> None:
    """Issue 3: a1 and b1 are both 10.0.0.11."""
    telephony = Telephony(Showing.NOT)
    assert [phone.heard for phone in telephony.phones.values()] == [["401", "200"]] * 4
    assert telephony.phones["a1"].local == telephony.phones["b1"].local
    assert {contact.aor: contact.phone for contact in telephony.core.contacts()} == {
        phone.aor: phone.mac for phone in telephony.phones.values()
    }


@pytest.mark.parametrize("showing", SHOWN)
def test_a_call_between_sites_comes_and_goes_by_the_public_addresses(showing: Showing) -> None:
    """DNT-4: ACK and BYE arrive, and every port is the same inside and outside."""
    telephony = Telephony(showing)
    caller, callee = telephony.call("b1", "a1")
    assert caller.targets == [f"sip:a1@{callee.outside}"]
    assert callee.heard == WHOLE_CALL
    assert caller.heard == ["302", "200", "200"]
    outside = [packet for packet in telephony.between_phones() if packet[0] == "provider"]
    assert {(source, destination) for _, source, destination, _ in outside} == {
        (caller.outside, callee.outside),
        (callee.outside, caller.outside),
    }
    assert telephony.told(NeedsProxy) == []
    [call] = telephony.core.calls()
    assert (call.path, call.state) == ("public", RedirectState.ACKNOWLEDGED)
    assert (call.caller_phone, call.callee_phone) == (caller.mac, callee.mac)


def test_a_call_within_a_site_stays_on_its_lan() -> None:
    """Issue 3, plain private phones: the gateway sees the packets for the server and no others."""
    telephony = Telephony(Showing.NOT)
    caller, callee = telephony.call("a2", "a1")
    assert caller.targets == [f"sip:a1@{callee.local}"]
    assert callee.heard == WHOLE_CALL
    assert {packet[0] for packet in telephony.between_phones()} == {"a"}
    assert {source.host for _, source, _, _ in telephony.between_phones()} == {"10.0.0.11", "10.0.0.12"}
    [call] = telephony.core.calls()
    assert call.path == "private"


@pytest.mark.parametrize("showing", SHOWN)
def test_a_call_within_a_site_turns_round_in_the_gateway_if_the_phones_show_their_public_addresses(showing: Showing) -> None:
    """Issue 3: by the gateway's hairpin, and nothing of it is on the provider's side."""
    telephony = Telephony(showing)
    _, callee = telephony.call("a2", "a1")
    assert callee.heard == WHOLE_CALL
    assert {packet[0] for packet in telephony.between_phones()} == {"a"}


def test_a_phone_that_shows_its_inside_address_loses_ack_and_bye_of_other_sites() -> None:
    """Issue 3: it needs the proxy, and the operator is told so; the call rings nevertheless."""
    telephony = Telephony(Showing.NOT)
    caller, callee = telephony.call("b1", "a1")
    assert caller.targets == [f"sip:a1@{callee.outside}"]
    assert callee.heard == ["INVITE"]
    [event] = telephony.told(NeedsProxy)
    assert (event.phone, event.peer) == (callee.mac, caller.mac)


@pytest.mark.parametrize("showing", SHOWN)
def test_calls_go_on_while_the_gateways_cannot_be_heard(showing: Showing) -> None:
    """REG-23: their copies are stale, and the packets' sources stand for the ledger."""
    telephony = Telephony(showing)
    for name in PUBLIC:
        telephony.world.copy.stale(name)
    for phone in telephony.phones.values():
        phone.register()
    telephony.world.run(1.0)
    for caller, callee in (("b1", "a1"), ("a1", "b2"), ("a2", "a1"), ("b2", "b1")):
        assert telephony.call(caller, callee)[1].heard == WHOLE_CALL


def test_a_server_that_is_killed_forgets_no_phone() -> None:
    """What was acknowledged is in the store."""
    telephony = Telephony(Showing.GRUU)
    before = set(telephony.core.contacts())
    telephony.start_server()
    assert set(telephony.core.contacts()) == before
    assert telephony.call("b1", "a1")[1].heard == WHOLE_CALL


def test_every_phone_reaches_every_other_one() -> None:
    """TRI-1: realms decide; within a site the address is private, between sites it is public."""
    telephony = Telephony(Showing.GRUU)
    for caller in NAMES:
        for callee in NAMES:
            if caller == callee:
                continue
            one, other = telephony.call(caller, callee)
            wanted = other.local if caller[0] == callee[0] else other.outside
            assert one.targets[-1] == f"sip:{callee}@{wanted}"
            assert other.heard == WHOLE_CALL
    assert len(telephony.told(Redirected)) == len(telephony.core.calls()) == 12
