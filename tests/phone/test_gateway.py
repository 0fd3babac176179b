"""The controller and phones against each other, in memory: registration, calls, and what goes wrong with them."""

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest

from voxpath.core.effects import Close, Commit, Datagram, Delete, Done, Effects, Emit, Failed, Open, Put, Send
from voxpath.core.errors import RemoteError
from voxpath.flow.route import NumberPlan
from voxpath.flow.triangle import select
from voxpath.megaco import wire
from voxpath.megaco.call import Cause
from voxpath.megaco.event import (
    CallAnswered,
    CallRefused,
    CallReleased,
    CallRinging,
    GatewayLost,
    GatewayRegistered,
    RegistrationRefused,
    TriangleDecided,
)
from voxpath.megaco.message import MId, TransactionReply, TransactionRequest
from voxpath.megaco.mgc import Controller, ControllerSettings
from voxpath.model.address import Endpoint, Mac
from voxpath.model.call import Line
from voxpath.model.event import Event
from voxpath.model.phone import BootLease
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.realm import Realm
from voxpath.model.registration import Registration
from voxpath.phone.attach import Stage
from voxpath.phone.event import ControllerLost, PhoneNotRegistered
from voxpath.phone.gateway import Gateway
from voxpath.phone.line import Sound
from voxpath.phone.media import Media

MGC = Endpoint("192.0.2.10", 2944)
BACKUP = Endpoint("192.0.2.11", 2944)
SITE_A, SITE_B = IPv4Address("203.0.113.1"), IPv4Address("203.0.113.2")


def mac(number: int) -> Mac:
    return Mac(bytes((2, 0, 0, 0, 0, number)))


class Ledger:
    """A directory of fixed bindings."""

    def __init__(self, bindings: Iterable[PortBinding] = ()) -> None:
        self.bindings = list(bindings)

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        return next((each for each in self.bindings if each.block.public == public and port in each.block), None)

    def binding_of(self, holder: str) -> PortBinding | None:
        return next((each for each in self.bindings if each.holder == holder), None)

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        return next((each for each in self.bindings if (each.realm, each.private) == (realm, private)), None)


def lease(number: int, site: IPv4Address, host: int, mgcs: tuple[Endpoint, ...] = (MGC, BACKUP)) -> BootLease:
    address = IPv4Address(f"10.0.0.{host}")
    block = PortBlock(site, 19968 + 64 * host, 64)
    return BootLease(mac(number), address, 24, None, IPv4Address("10.0.0.1"), 3600, "10.0.0.1", "", block, mgcs)


def binding(lease: BootLease) -> PortBinding:
    return PortBinding(str(lease.mac), lease.block, lease.address, "site", BindingState.HELD, 0.0, 1)


class World:
    """Sites behind NAPPTs, controllers on the public side, in virtual time; the NAPPT keeps ports."""

    def __init__(self, plan: NumberPlan, ledger: Ledger | None = None, realms: tuple[Realm, ...] = (), loss: float = 0.0) -> None:
        self.now = 1_700_000_000.0
        self.random = Random(7)
        self.loss = loss
        self.ledger = ledger
        self.events: list[Event] = []
        self.rows: dict[tuple[str, str], Registration] = {}
        self.refuse_commits = False
        self.phones: dict[int, tuple[Gateway, BootLease]] = {}
        self.open: dict[tuple[int, str], Endpoint] = {}
        self.dead: set[Endpoint] = set()
        self.media: list[tuple[Endpoint, Endpoint]] = []
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.controllers = {
            each: Controller(ControllerSettings(MId.of_address(each.host, each.port), realms), plan, select, Random(3), ledger)
            for each in (MGC, BACKUP)
        }

    def phone(self, number: int, lease: BootLease, lines: int = 1) -> Gateway:
        gateway = Gateway(lease, lines, Random(number), lambda: Media(300 + 100 * number, Random(number), str(lease.mac)))
        self.phones[number] = gateway, lease
        self.of_phone(number, gateway.start(self.now))
        return gateway

    def of_phone(self, number: int, effects: Effects) -> None:
        lease = self.phones[number][1]
        for effect in effects:
            match effect:
                case Open(port=port, local=local):
                    self.open[number, port] = local
                case Close(port=port):
                    self.open.pop((number, port), None)
                case Emit(event=event):
                    self.events.append(event)
                case Send(destination=destination):
                    source = self.open[number, effect.port]
                    if not effect.port.startswith("megaco"):
                        self.media.append((source, destination))
                    inside = destination.host.startswith("10.")
                    self.later(
                        lambda e=effect, s=source, i=inside: self.carry(
                            e.payload, s if i else Endpoint(str(lease.block.public), s.port), e.destination, lease.block.public
                        )
                    )

    def of_controller(self, at: Endpoint, effects: Effects) -> None:
        controller = self.controllers[at]
        for effect in effects:
            match effect:
                case Emit(event=event):
                    self.events.append(event)
                case Commit(changes=changes, then=then, token=token):
                    self.later(lambda c=changes, t=then, k=token: self.commit(at, c, t, k), sure=True)
                case Send(payload=payload, destination=destination):
                    self.later(lambda p=payload, d=destination: self.carry(p, at, d, None))
        assert controller is self.controllers[at]

    def commit(self, at: Endpoint, changes: object, then: Effects, token: object) -> None:
        if self.refuse_commits:
            self.of_controller(at, self.controllers[at].resolve(token, Failed("disk full"), self.now))
            return
        for change in changes:
            match change:
                case Put(value=Registration() as row):
                    self.rows[row.key] = row
                case Delete(value=Registration() as row):
                    self.rows.pop(row.key, None)
        if token is not None:
            self.of_controller(at, self.controllers[at].resolve(token, Done(), self.now))
        self.of_controller(at, then)

    def carry(self, payload: bytes, source: Endpoint, destination: Endpoint, site: IPv4Address | None) -> None:
        if destination in self.dead or source in self.dead:
            return
        if destination in self.controllers:
            controller = self.controllers[destination]
            self.of_controller(destination, controller.receive(Datagram(payload, source, port="megaco"), self.now))
            return
        for number, (gateway, lease) in self.phones.items():
            public = str(lease.block.public) == destination.host and destination.port in lease.block
            private = site == lease.block.public and str(lease.address) == destination.host
            for (owner, port), local in list(self.open.items()):
                if owner == number and local.port == destination.port and (public or private):
                    self.of_phone(number, gateway.receive(Datagram(payload, source, port=port), self.now))

    def later(self, action: Callable[[], None], *, sure: bool = False) -> None:
        self.count += 1
        if sure or self.random.random() >= self.loss:
            heappush(self.queue, (self.now + (0.001 if not self.loss or sure else 0.1 * self.random.random()), self.count, action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            dues = [(due, 0, at) for at, each in self.controllers.items() if (due := each.next_due()) is not None]
            dues += [(due, 1, n) for n, (each, _) in self.phones.items() if (due := each.next_due()) is not None]
            timer = min(dues, key=lambda each: each[0], default=None)
            first = min(timer[0] if timer else end, self.queue[0][0] if self.queue else end)
            if first >= end:
                break
            self.now = max(self.now, first)
            if self.queue and self.queue[0][0] <= first:
                heappop(self.queue)[2]()
            elif timer is not None and timer[1] == 0:
                self.of_controller(timer[2], self.controllers[timer[2]].tick(self.now))
            elif timer is not None:
                number: int = timer[2]
                self.of_phone(number, self.phones[number][0].tick(self.now))
        self.now = end

    def lift(self, number: int, line: int = 1) -> None:
        self.of_phone(number, self.phones[number][0].off_hook(line, self.now))

    def dial(self, number: int, digits: str, line: int = 1) -> None:
        self.of_phone(number, self.phones[number][0].dial(line, digits, self.now))

    def hang_up(self, number: int, line: int = 1) -> None:
        self.of_phone(number, self.phones[number][0].on_hook(line, self.now))

    def sound(self, number: int, line: int = 1) -> Sound:
        return self.phones[number][0].state(line).sound

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def idle(self) -> None:
        """Nothing of a call is left anywhere."""
        for at, controller in self.controllers.items():
            assert at in self.dead or controller.calls() == ()
        for gateway, _ in self.phones.values():
            assert gateway._terminations._contexts == {}
            assert gateway._terminations.streams == {}


PLAN = NumberPlan({f"10{n}": Line(str(mac(n)), "line/1") for n in range(1, 5)} | {"111": Line(str(mac(1)), "line/2")})


def three_phones(loss: float = 0.0, known: bool = True, realms: tuple[Realm, ...] = ()) -> World:
    """Phones 1 and 2 at site A, phone 3 at site B with the private address of phone 1."""
    leases = [lease(1, SITE_A, 11), lease(2, SITE_A, 12), lease(3, SITE_B, 11)]
    world = World(PLAN, Ledger(binding(each) for each in leases) if known else None, realms, loss)
    for number, each in enumerate(leases, 1):
        world.phone(number, each, lines=2 if number == 1 else 1)
    world.run(30.0 if loss else 2.0)
    return world


def talk(world: World, caller: int, callee: int, patience: float = 2.0) -> None:
    world.lift(caller)
    world.run(patience)
    assert world.sound(caller) is Sound.DIAL_TONE
    world.dial(caller, f"10{callee}")
    world.run(patience)
    assert (world.sound(caller), world.sound(callee)) == (Sound.RINGBACK, Sound.RINGING)
    world.lift(callee)
    world.run(patience)
    assert (world.sound(caller), world.sound(callee)) == (Sound.CONNECTED, Sound.CONNECTED)


@pytest.mark.parametrize("known", [True, False], ids=["from the ledger", "from the message identifier"])
def test_registration_stores_both_addresses(known: bool) -> None:
    """REG-15, REG-22 with a copy of the ledger, REG-23 without."""
    world = three_phones(known=known)
    rows = {each.phone: each for each in world.controllers[MGC].registrations()}
    assert rows == {each.phone: each for each in world.rows.values()}
    first, third = rows[str(mac(1))], rows[str(mac(3))]
    assert (first.public, first.private) == (Endpoint(str(SITE_A), 20672), IPv4Address("10.0.0.11"))
    assert (third.public, third.private) == (Endpoint(str(SITE_B), 20672), IPv4Address("10.0.0.11"))
    # Both phones have the message identifier [10.0.0.11]:20672.
    assert first.mid == third.mid
    assert first.terminations == ("line/1", "line/2")
    assert set(world.controllers[MGC].lines(str(mac(1))).values()) == {"idle"}


def test_a_call_within_a_site_uses_private_addresses() -> None:
    world = three_phones()
    talk(world, 1, 2)
    [decision] = world.told(TriangleDecided)
    assert isinstance(decision, TriangleDecided)
    assert (decision.kind, decision.first, decision.second) == ("private", "10.0.0.11", "10.0.0.12")
    world.media.clear()
    world.run(1.0)
    assert {destination.host for _, destination in world.media} == {"10.0.0.11", "10.0.0.12"}
    for number, heard in ((1, 500), (2, 400)):
        media = world.phones[number][0].state(1).media
        assert media is not None
        assert media.packets_received > 40
        assert media.foreign == 0
        assert media.tone_hz == pytest.approx(heard, abs=5)


def test_a_call_between_sites_uses_public_addresses_and_keeps_ports() -> None:
    """Both phones have the same private address, so anything else would fail."""
    world = three_phones()
    talk(world, 1, 3)
    world.media.clear()
    world.run(1.0)
    assert {destination.host for _, destination in world.media} == {str(SITE_A), str(SITE_B)}
    assert {source.port for source, _ in world.media} == {destination.port for _, destination in world.media}
    assert [call.private for call in world.controllers[MGC].calls()] == [False]


def test_a_common_realm_makes_a_call_between_sites_private() -> None:
    """The two sites are joined by a tunnel without NAT (decision D7)."""
    realm = Realm("campus", (IPv4Network("10.0.0.0/24"),), (SITE_A, SITE_B))
    leases = [lease(1, SITE_A, 11), lease(2, SITE_B, 12)]
    world = World(PLAN, Ledger(binding(each) for each in leases), (realm,))
    for number, each in enumerate(leases, 1):
        world.phone(number, each)
    world.run(2.0)
    world.lift(1)
    world.run(1.0)
    world.dial(1, "102")
    world.run(1.0)
    [decision] = world.told(TriangleDecided)
    assert isinstance(decision, TriangleDecided)
    assert (decision.kind, decision.reason) == ("private", "both are in realm campus")


def test_hanging_up_releases_everything_with_statistics_and_the_lines_can_call_again() -> None:
    world = three_phones()
    talk(world, 1, 3)
    world.run(2.0)
    world.hang_up(3)
    world.run(1.0)
    world.idle()
    assert (world.sound(1), world.sound(3)) == (Sound.BUSY, Sound.SILENCE)
    [released] = world.told(CallReleased)
    assert isinstance(released, CallReleased)
    assert released.cause == Cause.HANG_UP.value
    assert released.talked_s == pytest.approx(4.0, abs=0.1)
    assert int(released.caller_statistics["rtp/ps"]) > 90
    assert int(released.callee_statistics["rtp/pr"]) > 90
    world.hang_up(1)
    world.run(1.0)
    talk(world, 3, 1)


def test_the_caller_may_give_up_while_it_rings() -> None:
    world = three_phones()
    world.lift(1)
    world.run(1.0)
    world.dial(1, "102")
    world.run(1.0)
    world.hang_up(1)
    world.run(1.0)
    world.idle()
    assert (world.sound(1), world.sound(2)) == (Sound.SILENCE, Sound.SILENCE)
    talk(world, 2, 1)


@pytest.mark.parametrize("wait", [0.0005, 0.0015, 0.0025, 0.0035, 0.0045, 0.0055, 0.0065])
def test_hanging_up_at_any_moment_of_the_set_up_leaves_nothing(wait: float) -> None:
    world = three_phones()
    world.lift(1)
    world.run(1.0)
    world.dial(1, "103")
    world.run(wait)
    world.hang_up(1)
    world.run(3.0)
    world.idle()
    assert world.controllers[MGC].lines(str(mac(1)))["line/1"] == "idle"
    assert world.controllers[MGC].lines(str(mac(3)))["line/1"] == "idle"
    talk(world, 1, 3)


@pytest.mark.parametrize("wait", [0.0005, 0.0015, 0.0025, 0.0035, 0.0045])
def test_glare_is_an_answer(wait: float) -> None:
    """The callee lifts its receiver during the set-up: it is connected, or it dials and the caller finds it busy."""
    world = three_phones()
    world.lift(1)
    world.run(1.0)
    world.dial(1, "103")
    world.run(wait)
    world.lift(3)
    world.run(3.0)
    assert (world.sound(1), world.sound(3)) in {(Sound.CONNECTED, Sound.CONNECTED), (Sound.BUSY, Sound.DIAL_TONE)}
    world.hang_up(1)
    world.hang_up(3)
    world.run(3.0)
    world.idle()


def test_each_refusal_is_told_to_the_caller_and_has_its_cause() -> None:
    """CSU-14."""
    world = three_phones()
    expected = {
        "109": (Sound.UNKNOWN_NUMBER, Cause.UNKNOWN_NUMBER),
        "104": (Sound.CONGESTION, Cause.NOT_REGISTERED),
        "102": (Sound.BUSY, Cause.BUSY),
        "101": (Sound.BUSY, Cause.BUSY),
    }
    world.lift(2)
    for number, (sound, _) in expected.items():
        world.lift(1)
        world.run(1.0)
        world.dial(1, number)
        world.run(1.0)
        assert world.sound(1) is sound, number
        world.hang_up(1)
        world.run(1.0)
    causes = [each.cause for each in world.told(CallRefused) if isinstance(each, CallRefused) and each.phone == str(mac(1))]
    assert causes == [cause.value for _, cause in expected.values()]
    world.idle()


def test_a_call_between_two_lines_of_one_phone() -> None:
    world = three_phones()
    world.lift(1)
    world.run(1.0)
    world.dial(1, "111")
    world.run(1.0)
    assert world.sound(1, 2) is Sound.RINGING
    world.lift(1, 2)
    world.run(1.0)
    assert (world.sound(1, 1), world.sound(1, 2)) == (Sound.CONNECTED, Sound.CONNECTED)
    world.run(1.0)
    media = world.phones[1][0].state(2).media
    assert media is not None
    assert media.packets_received > 40
    world.hang_up(1, 2)
    world.run(1.0)
    world.hang_up(1, 1)
    world.run(1.0)
    world.idle()


def test_nobody_answers() -> None:
    world = three_phones()
    world.lift(1)
    world.run(1.0)
    world.dial(1, "102")
    world.run(125.0)
    assert (world.sound(1), world.sound(2)) == (Sound.CONGESTION, Sound.SILENCE)
    world.idle()
    world.hang_up(1)
    world.run(1.0)
    talk(world, 2, 1)


def test_a_lost_gateway_is_cleared_and_its_partner_hears_it() -> None:
    world = three_phones()
    talk(world, 1, 3)
    world.dead.add(Endpoint(str(SITE_B), 20672))
    world.hang_up(1)
    world.run(40.0)
    [lost] = world.told(GatewayLost)
    assert lost.phone == str(mac(3))
    assert world.controllers[MGC].calls() == ()
    assert {row.phone for row in world.rows.values()} == {str(mac(1)), str(mac(2))}
    talk(world, 1, 2)


def test_the_backup_takes_over_and_the_call_goes_on_until_it_is_hung_up() -> None:
    """REG-8, and the media of a running call need no controller."""
    world = three_phones()
    talk(world, 1, 3)
    world.dead.add(MGC)
    world.lift(2)
    world.run(17.0)
    assert world.phones[2][0].controller == BACKUP
    assert world.sound(2) is Sound.DIAL_TONE
    assert world.phones[1][0].state(1).connected
    world.hang_up(1)
    world.run(40.0)
    assert world.phones[1][0].controller == BACKUP
    world.hang_up(3)
    world.hang_up(2)
    world.run(40.0)
    world.idle()
    talk(world, 1, 3)
    assert len(world.told(ControllerLost)) == 3


def test_with_no_controller_the_phone_fails_after_both_and_tries_again_at_random() -> None:
    """REG-8, decision D14: exactly two addresses, then a random wait."""
    world = World(PLAN)
    world.dead |= {MGC, BACKUP}
    gateway = world.phone(1, lease(1, SITE_A, 11))
    world.run(30.5)
    [failed] = world.told(PhoneNotRegistered)
    assert isinstance(failed, PhoneNotRegistered)
    assert failed.again_s > 0
    assert gateway.stage is Stage.FAILED
    world.dead.clear()
    world.run(failed.again_s + 1)
    assert gateway.controller == MGC


def test_a_lease_without_controllers_fails_at_once() -> None:
    world = World(PLAN)
    assert world.phone(1, lease(1, SITE_A, 11, ())).stage is Stage.FAILED
    assert len(world.told(PhoneNotRegistered)) == 1


def test_a_controller_that_lost_its_memory_is_registered_with_again() -> None:
    world = three_phones()
    plan = PLAN
    world.controllers[MGC] = Controller(ControllerSettings(MId.of_address(MGC.host, MGC.port)), plan, select, Random(9))
    world.lift(1)
    world.run(2.0)
    assert world.sound(1) is Sound.DIAL_TONE
    assert [each.phone for each in world.controllers[MGC].registrations()] == [str(mac(1))]


def test_a_controller_that_kept_its_rows_goes_on() -> None:
    world = three_phones()
    world.controllers[MGC] = Controller(ControllerSettings(MId.of_address(MGC.host, MGC.port)), PLAN, select, Random(9))
    world.controllers[MGC].load(world.rows.values())
    talk(world, 1, 3)
    world.controllers[MGC] = Controller(ControllerSettings(MId.of_address(MGC.host, MGC.port)), PLAN, select, Random(10))
    world.controllers[MGC].load(world.rows.values())
    world.run(1.0)
    assert world.phones[1][0].state(1).connected
    # The new run knows nothing of the call, but each line that gives a sign leaves its context and can be called again.
    world.hang_up(1)
    world.hang_up(3)
    world.run(1.0)
    world.idle()
    talk(world, 3, 1)


@pytest.mark.parametrize("tenths", range(0, 70, 3))
def test_a_controller_that_is_started_anew_at_any_moment_of_a_call_leaves_nothing_behind(tenths: int) -> None:
    """Whatever a call had come to, once its lines have been picked up and put down nothing of it is left on the phones."""
    world = three_phones()
    deeds = [lambda: world.lift(1), lambda: world.dial(1, "103"), lambda: world.lift(3), lambda: None, lambda: world.hang_up(1)]
    for tenth in range(70):
        if tenth == tenths:
            world.controllers[MGC] = Controller(
                ControllerSettings(MId.of_address(MGC.host, MGC.port)), PLAN, select, Random(10), world.ledger
            )
            world.controllers[MGC].load(world.rows.values())
        if tenth % 10 == 0 and tenth // 10 < len(deeds):
            deeds[tenth // 10]()
        world.run(0.1)
    for number in (3, 1):
        world.lift(number)
        world.run(0.5)
        world.hang_up(number)
        world.run(1.0)
    world.idle()
    talk(world, 3, 1)


def test_a_registration_that_cannot_be_stored_is_refused() -> None:
    """The reply follows the commit, so a phone never believes what the store does not hold."""
    world = World(PLAN)
    world.refuse_commits = True
    gateway = world.phone(1, lease(1, SITE_A, 11))
    world.run(1.0)
    assert gateway.stage is Stage.FAILED
    assert world.controllers[MGC].registrations() == ()
    world.refuse_commits = False
    world.run(10.0)
    assert gateway.controller == MGC


def test_a_borrowed_identity_is_refused() -> None:
    """The ledger knows who holds the port, and where a MAC has its ports."""
    honest, thief = lease(1, SITE_A, 11), lease(1, SITE_A, 12)
    holder = lease(2, SITE_A, 12)
    world = World(PLAN, Ledger([binding(honest), binding(holder)]))
    assert world.phone(1, thief).stage is Stage.REGISTERING
    world.run(1.0)
    [refused] = world.told(RegistrationRefused)
    assert isinstance(refused, RegistrationRefused)
    assert str(mac(2)) in refused.reason
    elsewhere = World(PLAN, Ledger([binding(honest)]))
    elsewhere.phone(1, lease(1, SITE_B, 11))
    elsewhere.run(1.0)
    assert len(elsewhere.told(RegistrationRefused)) == 1
    assert elsewhere.rows == {}


def test_the_same_phone_at_a_new_port_replaces_its_registration() -> None:
    world = World(PLAN)
    world.phone(1, lease(1, SITE_A, 11))
    world.run(1.0)
    world.phone(1, lease(1, SITE_A, 12))
    world.run(1.0)
    assert [each.public.port for each in world.controllers[MGC].registrations()] == [19968 + 64 * 12]
    assert len(world.rows) == 1


def test_foreign_gateways_are_tolerated() -> None:
    """What Erlang's megaco_simple_mg sends: Method and Reason only; it answers each request with 501."""
    world = World(PLAN)
    controller = world.controllers[MGC]
    source = Endpoint(str(SITE_A), 2070)
    services = b"Services { Method = Restart, Reason = 901 }"
    text = b"MEGACO/1 gateway_ut Transaction = 1 { Context = - { ServiceChange = ROOT { " + services + b" } } }"
    replies: deque[Send] = deque()

    def carry(payload: bytes, source_: Endpoint, destination: Endpoint, site: IPv4Address | None) -> None:
        replies.append(Send(payload, destination))

    world.carry = carry
    world.of_controller(MGC, controller.receive(Datagram(text, source), world.now))
    world.run(0.02)
    [reply] = replies
    assert reply.destination == source
    [transaction] = wire.decode(reply.payload).transactions
    assert isinstance(transaction, TransactionReply)
    assert b"MgcIdToTry" not in reply.payload
    world.run(0.1)
    [audit] = wire.decode(replies[-1].payload).transactions
    assert isinstance(audit, TransactionRequest)
    refusal = f'MEGACO/1 gateway_ut Reply = {audit.id} {{ Error = 501 {{ "Transaction requests not handled" }} }}'.encode()
    world.of_controller(MGC, controller.receive(Datagram(refusal, source), world.now))
    world.run(40.0)
    [row] = controller.registrations()
    assert (row.mid, row.phone, row.public, row.private) == ("gateway_ut", "gateway_ut", source, None)
    assert len(world.told(GatewayRegistered)) == 1
    assert world.told(GatewayLost) == []


def test_a_stranger_is_refused_with_505() -> None:
    world = World(PLAN)
    text = b"MEGACO/1 [10.0.0.9]:2944 Transaction = 9 { Context = - { Notify = line/1 { ObservedEvents = 1 { al/of } } } }"
    effects = list(world.controllers[MGC].receive(Datagram(text, Endpoint("192.0.2.99", 2944)), world.now))
    [reply] = [wire.decode(effect.payload).transactions[0] for effect in effects if isinstance(effect, Send)]
    assert isinstance(reply, TransactionReply)
    assert reply.error is not None
    assert (reply.id, reply.error.code) == (9, 505)


def test_calls_survive_a_bad_line() -> None:
    """A fifth of all signalling is lost and the rest is out of order: calls take longer, and nothing else."""
    world = three_phones(loss=0.2)
    for _ in range(3):
        talk(world, 1, 3, patience=9.0)
        world.hang_up(1)
        world.run(20.0)
        world.hang_up(3)
        world.run(20.0)
        world.idle()
    assert len(world.told(CallRinging)) == len(world.told(CallAnswered)) == len(world.told(CallReleased)) == 3
    assert world.told(GatewayLost) == []


def test_mutated_messages_never_break_controller_or_phone() -> None:
    """Seeded mutation of a whole call's messages, fed to both ends."""
    world = three_phones()
    seen: list[bytes] = []
    carry = world.carry

    def watch(payload: bytes, source: Endpoint, destination: Endpoint, site: IPv4Address | None) -> None:
        if payload[:6] == b"MEGACO":
            seen.append(payload)
        carry(payload, source, destination, site)

    world.carry = watch
    talk(world, 1, 3)
    world.hang_up(1)
    world.run(1.0)
    random = Random(99)
    sources = [Endpoint(str(SITE_A), 20672), Endpoint(str(SITE_B), 20672), MGC]
    for _ in range(1500):
        octets = bytearray(random.choice(seen))
        for _ in range(random.randrange(1, 5)):
            position = random.randrange(len(octets))
            octets[position : position + random.randrange(3)] = random.choice([b"1", b"}", b"{", b"$", b"*", b"=", b" ", b"\xff"])
        source = random.choice(sources)
        for receive in (world.controllers[MGC].receive, world.phones[1][0].receive):
            try:
                list(receive(Datagram(bytes(octets), source, port="megaco"), world.now))
            except RemoteError:
                continue
