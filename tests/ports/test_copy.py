"""A subscriber's copy: used while fresh, silent while stale (REG-22)."""

from ipaddress import IPv4Address

from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.ports.copy import LedgerCopy

ONE, TWO = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
INSIDE = IPv4Address("10.0.0.5")


def row(holder: str, public: IPv4Address, first: int, generation: int = 1, state: BindingState = BindingState.HELD) -> PortBinding:
    return PortBinding(holder, PortBlock(public, first, 64), INSIDE, f"realm-{public}", state, 0.0, generation)


def test_two_gateways_with_the_same_inside_address_are_told_apart_by_realm() -> None:
    copy = LedgerCopy()
    a, b = row("a", ONE, 20480), row("b", TWO, 20480)
    copy.snapshot("sg-a", 1, [a])
    copy.snapshot("sg-b", 1, [b])
    assert copy.holder_of(ONE, 20500) == copy.by_private("realm-198.51.100.1", INSIDE) == a
    assert copy.holder_of(TWO, 20500) == copy.by_private("realm-198.51.100.2", INSIDE) == copy.binding_of("b") == b


def test_a_stale_gateway_answers_nothing_until_its_next_snapshot() -> None:
    copy = LedgerCopy()
    copy.snapshot("sg", 1, [row("a", ONE, 20480)])
    copy.stale("sg")
    copy.stale("never heard of")
    assert not copy.fresh("sg")
    assert copy.holder_of(ONE, 20480) is copy.by_private("realm-198.51.100.1", INSIDE) is None
    # Who held what is still known, so that nobody can take a phone's name meanwhile.
    assert copy.binding_of("a") == row("a", ONE, 20480)
    assert not copy.apply("sg", 2, [row("a", ONE, 20544, 2)], [])
    assert len(copy.bindings("sg")) == 1
    copy.snapshot("sg", 2, [row("a", ONE, 20544, 2)])
    assert copy.fresh("sg")
    assert copy.holder_of(ONE, 20480) is None
    assert copy.holder_of(ONE, 20544) is not None


def test_a_change_is_applied_once_however_often_it_comes() -> None:
    copy = LedgerCopy()
    copy.snapshot("sg", 0, [])
    old, new = row("a", ONE, 20480, 1), row("a", ONE, 20544, 2)
    for _ in range(2):
        assert copy.apply("sg", 1, [old], [])
    assert copy.apply("sg", 2, [new], [old])
    assert copy.apply("sg", 1, [old], [])
    assert copy.apply("sg", 2, [], [old])
    assert copy.bindings("sg") == (new,)
    assert copy.generation("sg") == 2
    assert copy.generation("other") == 0


def test_a_released_row_holds_no_port() -> None:
    copy = LedgerCopy()
    copy.snapshot("sg", 1, [row("a", ONE, 20480, state=BindingState.RELEASED)])
    assert copy.holder_of(ONE, 20480) is None
    assert copy.binding_of("a") is not None


def test_an_unknown_gateway_is_asked_for_a_snapshot() -> None:
    assert not LedgerCopy().apply("sg", 1, [], [])
