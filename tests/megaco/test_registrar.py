"""Who is registered when several gateways claim one name, or a gateway has odd ones."""

from ipaddress import IPv4Address
from random import Random

import pytest

from voxpath.core.effects import Commit, Datagram, Done, Effects, Send
from voxpath.flow.route import NumberPlan
from voxpath.flow.triangle import select
from voxpath.megaco import wire
from voxpath.megaco.association import LONGEST_NAME, Association
from voxpath.megaco.errands import failure
from voxpath.megaco.message import (
    NULL_CONTEXT,
    ROOT,
    Action,
    Command,
    CommandKind,
    Message,
    MId,
    ServiceChangeMethod,
    Services,
    TransactionReply,
    TransactionRequest,
)
from voxpath.megaco.mgc import Controller, ControllerSettings
from voxpath.model.address import Endpoint
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.registration import Registration
from voxpath.ports.copy import LedgerCopy

PUBLIC = IPv4Address("203.0.113.1")
ONE, TWO = "02:00:00:00:0a:01", "02:00:00:00:0a:02"
MID = "[10.0.0.11]:2048"


def held(holder: str, first: int, host: int) -> PortBinding:
    """A phone's ports at the gateway."""
    block = PortBlock(PUBLIC, first, 64)
    return PortBinding(holder, block, IPv4Address(f"10.0.0.{host}"), "a", BindingState.HELD, 0.0, 1)


class Exchange:
    """A controller whose commits all succeed.

    :ivar numbers: makes transaction ids that do not repeat.
    """

    def __init__(self, *bindings: PortBinding) -> None:
        self.copy = LedgerCopy()
        self.copy.snapshot("a", 1, bindings)
        settings = ControllerSettings(MId.parse("[198.51.100.10]:2944"))
        self.controller = Controller(settings, NumberPlan({}), select, Random(1), self.copy)
        self.numbers = 0

    def change(
        self, mid: str, source: Endpoint, method: ServiceChangeMethod = ServiceChangeMethod.RESTART, termination: str = ROOT
    ) -> str:
        """Send a ServiceChange; give the error code of the answer, or nothing."""
        self.numbers += 1
        services = Services(method=method)
        actions = (Action(NULL_CONTEXT, (Command(CommandKind.SERVICE_CHANGE, termination, (services,)),)),)
        raw = wire.encode(Message(MId.parse(mid), (TransactionRequest(self.numbers, actions),)))
        sent, *_ = self.run(self.controller.receive(Datagram(raw, source), 0.0))
        [reply] = wire.decode(sent.payload).transactions
        assert isinstance(reply, TransactionReply)
        error = failure(reply)
        return "" if error is None else str(error.code)

    def run(self, effects: Effects) -> list[Send]:
        """Carry out effects; give what was sent."""
        sent: list[Send] = []
        for effect in effects:
            if isinstance(effect, Send):
                sent.append(effect)
            elif isinstance(effect, Commit):
                later = self.controller.resolve(effect.token, Done(), 0.0) if effect.token is not None else ()
                sent += [*self.run(effect.then), *self.run(later)]
        return sent

    @property
    def known(self) -> set[tuple[str, Endpoint]]:
        """Which phones are registered, and where."""
        return {(each.phone, each.contact) for each in self.controller.registrations()}


def test_a_phone_cannot_take_over_the_name_of_another_one_that_the_ledger_knows() -> None:
    """Both stand behind one public address, so the stored key would be the same."""
    exchange = Exchange(held(ONE, 2048, 11), held(TWO, 2112, 12))
    own, other = Endpoint(str(PUBLIC), 2048), Endpoint(str(PUBLIC), 2112)
    assert exchange.change(MID, own) == ""
    assert exchange.change(MID, other) == "402"
    assert exchange.known == {(ONE, own)}


def test_a_name_passes_on_with_its_address() -> None:
    """The first phone has lost its ports, so its registration is void, and another one has its address and name now."""
    exchange = Exchange(held(ONE, 2048, 11))
    assert exchange.change(MID, Endpoint(str(PUBLIC), 2048)) == ""
    exchange.copy.snapshot("a", 2, [held(TWO, 2112, 11)])
    assert exchange.change(MID, Endpoint(str(PUBLIC), 2112)) == ""
    assert exchange.known == {(TWO, Endpoint(str(PUBLIC), 2112))}


def test_a_phone_that_moves_within_its_ports_registers_anew() -> None:
    """REG-2: after a port was taken the next one of the block is used."""
    exchange = Exchange(held(ONE, 2048, 11))
    assert exchange.change(MID, Endpoint(str(PUBLIC), 2048)) == ""
    assert exchange.change(MID, Endpoint(str(PUBLIC), 2049)) == ""
    assert exchange.known == {(ONE, Endpoint(str(PUBLIC), 2049))}


def test_when_a_namesake_leaves_the_other_gateway_can_be_called_again() -> None:
    """Two gateways without a ledger may have one name at different addresses."""
    exchange = Exchange()
    first, second = Endpoint("192.0.2.1", 2944), Endpoint("192.0.2.2", 2944)
    for source in (first, second):
        assert exchange.change("gateway_ut", source) == ""
    assert exchange.change("gateway_ut", first, termination="line/1") == ""
    assert exchange.controller.lines("gateway_ut") == {}
    assert exchange.change("gateway_ut", second, ServiceChangeMethod.FORCED) == ""
    assert exchange.known == {("gateway_ut", first)}
    assert list(exchange.controller.lines("gateway_ut")) == ["line/1"]


@pytest.mark.parametrize("name", ["l\udcff/1", "line 1", "line\u2003one", "x" * (LONGEST_NAME + 1)])
def test_what_cannot_be_a_name_adds_no_line(name: str) -> None:
    """What cannot be stored as text, or would not be read back as one name, is no line."""
    place = Endpoint("192.0.2.1", 2944)
    association = Association(Registration("gw", place, place, None, "", "gw", (), 0.0, 1))
    assert association.line(name) is None
    assert association.line("line/1") is not None
