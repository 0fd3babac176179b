"""What an operator has the server do: moves and reservations of blocks, with calls, failures and phones in between."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError
from voxpath.dhcp.client import Acknowledged, Refused
from voxpath.dhcp.event import (
    AddressesLow,
    AddressesRecovered,
    BlockLoosened,
    BlockMoved,
    BlockReserved,
    DhcpDropped,
    DhcpExhausted,
    DhcpFailed,
    PortsLow,
    PortsRecovered,
)
from voxpath.dhcp.pressure import Watermark
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.change import Taken

PUBLIC = IPv4Address("198.51.100.1")
FAR = PortBlock(PUBLIC, 20480 + 64 * 9, 64)


def move(site, phone, first: int | None = FAR.first) -> None:
    site.run(site.server.orders.move(phone.mac, PUBLIC, first, site.now))


def test_a_move_is_stored_and_in_the_nat_before_it_is_told_and_the_phone_hears_of_it_when_it_renews(site, phone) -> None:
    lease = phone.boot()
    move(site, phone)
    assert site.bindings[str(phone.mac)].block == FAR
    assert site.nat == {FAR: lease.address}
    assert site.last_event(BlockMoved).text == f"moved from ports {lease.block} to {FAR}"
    answer = phone.ask(phone.client.renew(lease))
    assert isinstance(answer, Acknowledged)
    assert (answer.lease.address, answer.lease.block) == (lease.address, FAR)


def test_the_old_block_of_a_moved_phone_is_in_quarantine(site, phone, make_phone) -> None:
    lease = phone.boot()
    move(site, phone)
    former = site.ledger.row_at(PUBLIC, lease.block.first)
    assert (former.state, former.until) == (BindingState.RELEASED, site.now + 100.0)
    assert make_phone(site, 2).boot().block != lease.block


def test_while_a_move_is_under_way_nothing_else_happens_to_the_phone(site, phone) -> None:
    lease = phone.boot()
    site.holding = True
    move(site, phone)
    assert phone.ask(phone.client.renew(lease)) is None
    assert "under way" in site.last_event(DhcpDropped).reason
    for order in (lambda: move(site, phone), lambda: site.server.orders.reserve(phone.mac, None, site.now)):
        with pytest.raises(LocalError, match="under way"):
            order()
    assert site.server.orders.withdraw_lease(phone.mac, site.now) == []
    site.wait(4000)
    site.holding = False
    for effect in site.held:
        site.conclude(effect)
    assert site.bindings[str(phone.mac)].block == FAR


def test_an_order_during_a_change_is_refused(site, phone) -> None:
    site.holding = True
    phone.ask(phone.client.request(phone.offer()))
    with pytest.raises(LocalError, match="under way"):
        move(site, phone)


@pytest.mark.parametrize("part", ["store", "NAT"])
def test_a_move_that_fails_changes_nothing(site, phone, part: str) -> None:
    lease = phone.boot()
    before = (dict(site.bindings), dict(site.nat), dict(site.leases))
    site.store_fails, site.nat_fails = part == "store", part == "NAT"
    move(site, phone)
    assert site.last_event(DhcpFailed).text == f"move of {FAR} failed at the {part}: broken"
    site.store_fails = site.nat_fails = False
    assert (site.bindings, site.nat, site.leases) == before
    answer = phone.ask(phone.client.renew(lease))
    assert isinstance(answer, Acknowledged)
    assert answer.lease.block == lease.block


def test_a_phone_that_was_offered_a_block_before_it_was_moved_is_acknowledged_the_new_one(site, phone) -> None:
    phone.boot()
    offered = phone.offer()
    move(site, phone)
    answer = phone.ask(phone.client.request(offered))
    assert isinstance(answer, Acknowledged)
    assert answer.lease.block == FAR
    assert site.nat == {FAR: answer.lease.address}


def test_a_phone_without_a_block_cannot_be_moved_and_is_not_remembered(site, phone) -> None:
    with pytest.raises(Taken, match="has no block"):
        move(site, phone)
    with pytest.raises(Taken, match="has no block"):
        site.server.orders.reserve(phone.mac, None, site.now)
    assert site.server.leases() == []
    assert site.server._book.known(phone.mac) is None


def test_a_block_is_reserved_for_a_phone_that_has_never_been_there(site, phone, make_phone) -> None:
    site.run(site.server.orders.reserve(phone.mac, FAR, site.now))
    assert site.last_event(BlockReserved).text == f"ports {FAR} are reserved"
    assert site.server._book.known(phone.mac) is None
    site.start()
    assert phone.boot().block == FAR
    site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    site.now += 1e6
    with pytest.raises(Taken, match="reserved for"):
        move(site, _with_lease(make_phone(site, 2)))


def _with_lease(phone):
    phone.boot()
    return phone


def test_a_reservation_ends_by_an_order_and_changes_nothing_else(site, phone) -> None:
    lease = phone.boot()
    orders = site.server.orders
    site.run(orders.reserve(phone.mac, None, site.now))
    assert site.bindings[str(phone.mac)].reserved
    site.run(orders.loosen(phone.mac, site.now))
    assert site.last_event(BlockLoosened).block == str(lease.block)
    assert not site.bindings[str(phone.mac)].reserved
    assert site.nat == {lease.block: lease.address}
    events = len(site.events)
    site.run(orders.place(phone.mac, lease.block, site.now))
    assert len(site.events) == events + 1


# Thresholds (DHC-24).


def test_a_watermark_tells_a_threshold_once_and_its_end_only_well_below() -> None:
    mark = Watermark((80, 95), 100)
    told = []
    for used in (10, 79, 80, 79, 85, 80, 76, 94, 95, 96, 92, 91, 90, 89, 76, 75, 74, 80, 100, 0):
        if mark.moves(used):
            told.append((used, mark.level))
    assert told == [(80, 80), (95, 95), (89, 80), (74, 0), (80, 80), (100, 95), (0, 0)]
    assert not Watermark((80,), 0).moves(0)


@given(total=st.integers(1, 300), walk=st.lists(st.floats(0, 1), max_size=40))
def test_a_watermark_has_the_level_of_its_definition_after_any_walk(total: int, walk: list[float]) -> None:
    """A threshold holds from its share on until the share is five percent points below it."""
    mark, levels = Watermark((60, 80, 95), total), {60: False, 80: False, 95: False}
    for used in (round(share * total) for share in walk):
        mark.moves(used)
        for level, held in levels.items():
            levels[level] = used * 100 >= (level - 5 if held else level) * total
        assert mark.level == max((level for level, held in levels.items() if held), default=0)


def test_ports_that_run_short_are_told_before_there_are_none(make_site, make_phone) -> None:
    site = make_site(last=40, blocks=10, quarantine_s=100.0)
    phones = [make_phone(site, number) for number in range(1, 11)]
    told = []
    for phone in phones:
        phone.boot()
        told.append([event.threshold for event in site.events if isinstance(event, PortsLow)])
    assert told[6:] == [[], [80], [80], [80, 95]]
    assert not any(isinstance(event, DhcpExhausted) for event in site.events)
    for phone in phones[:4]:
        site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert not any(isinstance(event, PortsRecovered) for event in site.events), "what is in quarantine is still used"
    site.now += 101
    site.run(site.server.orders.withdraw_lease(phones[4].mac, site.now))
    assert [event.threshold for event in site.events if isinstance(event, PortsRecovered)] == [95]


def test_addresses_that_run_short_are_told_and_remembered_ones_do_not_count(make_site, make_phone) -> None:
    site = make_site(last=19)
    phones = [make_phone(site, number) for number in range(1, 11)]
    for phone in phones:
        phone.boot()
    assert [event.threshold for event in site.events if isinstance(event, AddressesLow)] == [80, 95]
    (_, usage), _ = site.server.scopes(site.now)
    assert (usage.total, usage.used, usage.kept, usage.free) == (10, 10, 0, 0)
    for phone in phones[:5]:
        site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert [event.threshold for event in site.events if isinstance(event, AddressesRecovered)] == [95, 80]
    (_, usage), _ = site.server.scopes(site.now)
    assert (usage.total, usage.used, usage.kept, usage.free) == (10, 5, 5, 0)


@pytest.mark.parametrize("by_operator", [True, False], ids=["by an operator", "by the phone"])
def test_scopes_and_events_agree_on_an_address_that_was_released(make_site, make_phone, by_operator: bool) -> None:
    """By an operator it gives way at once; by its phone when the ports are out of quarantine, which a look at everything shows."""
    site = make_site(last=19, blocks=32, quarantine_s=100.0)
    phones = [make_phone(site, number) for number in range(1, 11)]
    leases = [phone.boot() for phone in phones]
    for phone, lease in list(zip(phones, leases, strict=True))[:3]:
        if by_operator:
            site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
        else:
            site.tell(phone.client.release(lease))

    def agreed() -> tuple[int, int, list[tuple[int, int]]]:
        site.run(site.server.pressure.look(site.now))
        (_, usage), _ = site.server.scopes(site.now)
        told = [(event.used, event.threshold) for event in site.events if isinstance(event, AddressesRecovered)]
        return usage.used, site.server.pressure.level_of_scope("lan"), told

    at_once = (7, 0, [(8, 95), (7, 80)])
    assert agreed() == (at_once if by_operator else (10, 95, []))
    site.now += 101
    assert agreed() == (at_once if by_operator else (7, 0, [(7, 95)]))


def test_a_storm_of_newcomers_on_a_full_pool_starves_nobody_who_has_a_lease(make_site, make_phone) -> None:
    site = make_site(last=250, blocks=16, max_offers=4)
    phones = [make_phone(site, number) for number in range(1, 17)]
    leases = [phone.boot() for phone in phones]
    site.run(site.server.orders.withdraw_lease(phones[0].mac, site.now))
    site.now += 101
    strangers = [make_phone(site, number) for number in range(20, 200)]
    answered = [stranger for stranger in strangers if stranger.ask(stranger.client.discover()) is not None]
    assert len(answered) == 1, "one block was given up, and one newcomer gets it"
    for phone, lease in list(zip(phones, leases, strict=True))[1:]:
        assert not isinstance(phone.ask(phone.client.renew(lease)), Refused | None)
        assert phone.boot().block == lease.block
        for stranger in strangers[:5]:
            stranger.ask(stranger.client.discover())


def test_open_offers_of_strangers_keep_no_phone_with_a_lease_waiting(make_site, make_phone) -> None:
    site = make_site(last=250, max_offers=4)
    phone = make_phone(site, 1)
    lease = phone.boot()
    for number in range(2, 10):
        stranger = make_phone(site, number)
        stranger.ask(stranger.client.discover())
    assert site.server._book.offers == 4
    assert phone.boot().block == lease.block


def test_many_newcomers_are_given_remembered_addresses_without_looking_at_each_other(make_site, make_phone) -> None:
    """What is on offer leaves the queue of those that give way, and is back in its place when the offer ends."""
    site = make_site(last=29, blocks=64)
    phones = [make_phone(site, number) for number in range(1, 21)]
    leases = [phone.boot() for phone in phones]
    for phone in phones:
        site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
        site.now += 1
    queue = site.server._book._unbound["lan"]
    for taken, number in enumerate(range(40, 50)):
        assert make_phone(site, number).offer().address == leases[taken].address
        assert len(queue) == 20 - taken - 1
    site.wait(61)
    assert len(queue) == 20
    assert phones[3].boot().address == leases[3].address
    assert len(queue) == 19


def test_shares_that_were_passed_before_a_restart_are_told_at_the_start(make_site, make_phone) -> None:
    site = make_site(last=19, blocks=10)
    for number in range(1, 11):
        make_phone(site, number).boot()
    site.events.clear()
    site.start()
    assert site.server.pressure.level_of_scope(site.scopes[0].name) == 0
    site.run(site.server.pressure.look(site.now))
    assert [event.threshold for event in site.events if isinstance(event, PortsLow)] == [95]
    assert [event.threshold for event in site.events if isinstance(event, AddressesLow)] == [95]
