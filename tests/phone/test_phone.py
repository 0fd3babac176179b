from ipaddress import IPv4Address
from random import Random

import pytest

from voxpath.core.effects import Ask, Close, Datagram, Done, Effects, Emit, Failed, Open, Outcome, Send
from voxpath.dhcp.client import DhcpClient
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import BootLease
from voxpath.model.ports import PortBlock
from voxpath.phone.event import PhoneNotReady
from voxpath.phone.gateway import Gateway as RealGateway
from voxpath.phone.host import Disable, Enable
from voxpath.phone.media import Media
from voxpath.phone.phone import Phone
from voxpath.phone.state import BootSettings, State

MAC = Mac.parse("02:00:00:00:0a:01")
ADDRESS = IPv4Address("10.0.0.11")
BLOCK = PortBlock(IPv4Address("203.0.113.1"), 2048, 64)
LEASE = BootLease(MAC, ADDRESS, 24, None, IPv4Address("10.0.0.1"), 0xFFFFFFFF, "", "", BLOCK, (Endpoint("192.0.2.10", 2944),))


class Gateway:
    """Records what it is given."""

    def __init__(self, lease: BootLease) -> None:
        self.lease = lease
        self.got: list[object] = []

    def start(self, now: float) -> Effects:
        return [Open("megaco", Endpoint(str(self.lease.address), self.lease.block.first))]

    def stop(self, now: float) -> Effects:
        return [Close("megaco")]

    def off_hook(self, line: int, now: float) -> Effects:
        self.got.append(("off hook", line))
        return []

    def dial(self, line: int, digits: str, now: float) -> Effects:
        self.got.append(("dial", line, digits))
        return []

    def on_hook(self, line: int, now: float) -> Effects:
        self.got.append(("on hook", line))
        return []

    def state(self, line: int) -> object:
        return f"line {line}"

    def receive(self, datagram: Datagram, now: float) -> Effects:
        self.got.append(datagram.port)
        return []

    def tick(self, now: float) -> Effects:
        self.got.append(("tick", now))
        return []

    def next_due(self) -> float | None:
        return 77.0

    def resolve(self, token: object, outcome: Outcome, now: float) -> Effects:
        self.got.append(token)
        return []


def phone() -> Phone:
    entropy = Random(1)
    settings = BootSettings(MAC, static=LEASE)
    return Phone(settings, DhcpClient(MAC, "voxpath-phone", entropy), entropy, Gateway, lines=2)


def running() -> tuple[Phone, Gateway]:
    made = phone()
    made.start(0.0)
    made.resolve("enable", Done(), 0.0)
    gateway = made.gateway
    assert isinstance(gateway, Gateway)
    return made, gateway


def test_the_gateway_starts_when_the_boot_is_through() -> None:
    made = phone()
    assert Ask(Enable(MAC, ADDRESS, 24, None), "enable") in made.start(0.0)
    assert made.gateway is None
    assert Open("megaco", Endpoint("10.0.0.11", 2048)) in made.resolve("enable", Done(), 0.0)
    assert made.view().boot is State.RUN
    assert made.view().lines == ("line 1", "line 2")
    assert made.view().lease == LEASE


def test_the_real_gateway_registers_when_the_boot_is_through() -> None:
    """GEN-1: initialise, then register, from the first port of the block."""
    entropy = Random(1)
    client = DhcpClient(MAC, "voxpath-phone", entropy)

    def gateway_of(lease: BootLease) -> RealGateway:
        return RealGateway(lease, 1, entropy, lambda: Media(440, entropy, str(lease.mac)))

    made = Phone(BootSettings(MAC, static=LEASE), client, entropy, gateway_of)
    made.start(0.0)
    effects = list(made.resolve("enable", Done(), 0.0))
    assert Open("megaco", Endpoint("10.0.0.11", 2048)) in effects
    assert [effect.destination for effect in effects if isinstance(effect, Send)] == [LEASE.mgcs[0]]
    made.off_hook(1, 1.0)
    assert len(made.view().lines) == 1
    assert Close("megaco") in list(made.stop(2.0))


def test_the_users_actions_go_to_the_gateway() -> None:
    made, gateway = running()
    made.off_hook(1, 1.0)
    made.dial(1, "1002", 1.0)
    made.on_hook(1, 2.0)
    assert gateway.got == [("off hook", 1), ("dial", 1, "1002"), ("on hook", 1)]


def test_a_phone_that_boots_takes_no_action() -> None:
    made = phone()
    made.start(0.0)
    effects = [*made.off_hook(1, 0.0), *made.dial(1, "1", 0.0), *made.on_hook(1, 0.0)]
    assert [type(effect.event) for effect in effects if isinstance(effect, Emit)] == [PhoneNotReady] * 3
    assert made.view().lines == ()


def test_ports_timers_and_outcomes_go_to_the_part_they_belong_to() -> None:
    made, gateway = running()
    made.receive(Datagram(b"x", Endpoint("192.0.2.10", 2944), port="megaco"), 1.0)
    made.receive(Datagram(b"x", Endpoint("192.0.2.10", 2944), port="rtp/1"), 1.0)
    made.resolve("rtp/1", Failed("address in use"), 1.0)
    made.resolve("keep", Done(), 1.0)
    assert made.next_due() == 77.0
    made.tick(77.0)
    assert gateway.got == ["megaco", "rtp/1", "rtp/1", ("tick", 77.0)]


def test_before_it_runs_nothing_reaches_a_gateway() -> None:
    made = phone()
    made.start(0.0)
    assert made.receive(Datagram(b"x", Endpoint("192.0.2.10", 2944), port="megaco"), 1.0) == []
    assert made.resolve("rtp/1", Failed("late"), 1.0) == []


def test_power_off_ends_the_gateway_before_the_address_goes() -> None:
    made, _ = running()
    effects = list(made.stop(1.0))
    assert effects == [Close("megaco"), Ask(Disable(MAC, ADDRESS, 24), "disable")]
    assert made.gateway is None
    assert made.next_due() is None


def test_a_lost_lease_ends_the_gateway_before_the_address_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = running()
    monkeypatch.setattr(made.boot, "_settings", BootSettings(MAC))
    monkeypatch.setattr(made.boot, "receive", lambda datagram, now: made.boot._reboot("the lease is lost", now))
    effects = list(made.receive(Datagram(b"", Endpoint("10.0.0.1", 67), port="dhcp"), 1.0))
    assert effects.index(Close("megaco")) < effects.index(Ask(Disable(MAC, ADDRESS, 24), "disable"))
    assert made.gateway is None
