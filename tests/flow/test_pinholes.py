"""Which pinholes calls need: events fed by hand, in virtual time."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import LocalError
from voxpath.flow import pinholes
from voxpath.flow.pinholes import UNKNOWN_S, CallPinholes
from voxpath.model.media import MediaEnd, MediaSession, pair
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.ports.directory import NoDirectory

HOME, AWAY = IPv4Address("203.0.113.1"), IPv4Address("198.51.100.2")
ONE, TWO = "02:00:00:00:0a:01", "02:00:00:00:0a:02"
PRIVATE = {ONE: IPv4Address("10.0.0.11"), TWO: IPv4Address("10.0.0.12")}
FIRST = {ONE: 2048, TWO: 2112}


class Ledger(NoDirectory):
    """Two phones behind one public address; nothing else is ours."""

    def __init__(self) -> None:
        self.rows = [
            PortBinding(phone, PortBlock(HOME, FIRST[phone], 64), PRIVATE[phone], "a", BindingState.HELD, 0.0, 1)
            for phone in (ONE, TWO)
        ]

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        return next((row for row in self.rows if row.block.public == public and port in row.block), None)


def end(phone: str, *ports: int) -> MediaEnd:
    return MediaEnd(phone, HOME, ports, PRIVATE[phone])


FAR = MediaEnd("away", AWAY, (4000, 4001))


def hole(port: int, peer: IPv4Address = AWAY) -> Pinhole:
    return Pinhole(int(HOME), port, int(peer))


MEDIA = MediaSession("1", end(ONE, 2050, 2051), FAR)
OPEN = {hole(2050), hole(2051)}


def test_a_session_admits_its_peer_to_rtp_and_rtcp_for_its_time() -> None:
    calls = CallPinholes(Ledger())
    assert set(calls.connect("mgc", MEDIA, 0.0).open) == OPEN
    assert calls.connect("mgc", MEDIA, 1.0).close == ()
    assert set(calls.disconnect("mgc", "1").close) == OPEN
    assert calls.disconnect("mgc", "1") == PinholeChange()
    assert len(calls) == 0
    assert calls.next_due() is None


def test_the_last_port_of_all_has_no_next_one() -> None:
    assert pair(65535) == (65535,)
    assert pair(2050) == (2050, 2051)


def test_a_session_between_inside_addresses_needs_none() -> None:
    inside = MediaSession("1", end(ONE, 2050), end(TWO, 2112), inside=True)
    assert CallPinholes(Ledger()).connect("mgc", inside, 0.0) == PinholeChange()


def test_two_phones_of_one_gateway_are_let_in_by_their_public_address() -> None:
    change = CallPinholes(Ledger()).connect("sip", MediaSession("1", end(ONE, 2050), end(TWO, 2112)), 0.0)
    assert set(change.open) == {hole(2050, HOME), hole(2112, HOME)}


def test_ports_of_another_phone_are_opened_by_nobody_s_word() -> None:
    """A gateway that names its neighbour's port, or one that nobody holds, opens nothing to it."""
    claimed = MediaSession("1", end(ONE, 2050, 2112, 9000), FAR)
    assert set(CallPinholes(Ledger()).connect("mgc", claimed, 0.0).open) == {hole(2050)}


def test_an_end_that_the_ledger_knows_by_its_name_alone_is_let_in_to() -> None:
    """As of a gateway that says nothing of an inside address."""
    named = MediaSession("1", MediaEnd(ONE, HOME, (2050,)), FAR)
    assert set(CallPinholes(Ledger()).connect("mgc", named, 0.0).open) == {hole(2050)}
    unnamed = MediaSession("1", MediaEnd("gateway_ut", HOME, (2050,)), FAR)
    assert CallPinholes(Ledger()).connect("mgc", unnamed, 0.0).open == ()


def test_what_two_calls_need_stays_until_both_are_over() -> None:
    """Such as a call that is held, and the one that takes its place."""
    calls = CallPinholes(Ledger())
    for key in ("1", "2"):
        calls.connect("mgc", MediaSession(key, end(ONE, 2050), FAR), 0.0)
    assert calls.disconnect("mgc", "1").close == ()
    assert calls.disconnect("mgc", "2").close == (hole(2050),)


def test_a_session_that_moves_leaves_nothing_behind() -> None:
    calls = CallPinholes(Ledger())
    calls.connect("mgc", MEDIA, 0.0)
    change = calls.connect("mgc", MediaSession("1", end(ONE, 2051, 2052), FAR), 1.0)
    assert set(change.open) == {hole(2051), hole(2052)}
    assert set(change.close) == {hole(2050)}


def test_two_roles_may_use_one_key() -> None:
    calls = CallPinholes(Ledger())
    calls.connect("mgc", MEDIA, 0.0)
    calls.connect("sip", MediaSession("1", end(TWO, 2112), FAR), 0.0)
    assert calls.disconnect("sip", "1").close == (hole(2112),)
    assert len(calls) == 2


def test_an_end_that_nobody_signals_comes_by_time() -> None:
    calls = CallPinholes(Ledger())
    calls.connect("sip", MediaSession("1", end(ONE, 2050), FAR, limit_s=100.0), 10.0)
    assert calls.next_due() == 110.0
    assert calls.tick(109.0) == PinholeChange()
    assert calls.tick(110.0) == PinholeChange(close=(hole(2050),))


def test_of_sessions_without_an_end_the_oldest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinholes, "MOST_LIMITED", 2)
    calls = CallPinholes(Ledger())
    closed = [calls.connect("sip", MediaSession(str(key), end(ONE, 2050 + key), FAR, limit_s=9.0), 0.0).close for key in range(3)]
    assert closed == [(), (), (hole(2050),)]


def test_who_calls_everybody_ends_no_other_ones_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinholes, "MOST_LIMITED", 3)
    calls = CallPinholes(Ledger())
    calls.connect("sip", MediaSession("other", end(TWO, 2112), FAR, limit_s=9.0), 0.0)
    closed = [calls.connect("sip", MediaSession(str(key), end(ONE, 2050 + key), FAR, limit_s=9.0), 0.0).close for key in range(4)]
    assert closed == [(), (), (hole(2050),), (hole(2051),)]


def test_a_call_that_is_made_again_is_a_young_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinholes, "MOST_LIMITED", 2)
    calls = CallPinholes(Ledger())
    for key in (0, 1, 0, 2):
        change = calls.connect("sip", MediaSession(str(key), end(ONE, 2050 + key), FAR, limit_s=9.0), 0.0)
    assert change.close == (hole(2051),)


def test_sessions_without_an_end_leave_room_however_large_their_blocks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinholes, "MOST_LIMITED_PINHOLES", 40)
    calls = CallPinholes(Ledger())
    for key in range(3):
        calls.connect("sip", MediaSession(str(key), end(ONE, *range(2048 + 16 * key, 2064 + 16 * key)), FAR, limit_s=9.0), 0.0)
    assert len(calls) == 32
    assert calls.take_over() == [("sip", "0")]


def test_calls_of_a_run_before_stay_for_some_hours() -> None:
    """Nobody will tell their end; a known call that uses the same pinhole does."""
    calls = CallPinholes(Ledger())
    assert set(calls.renew((hole(2050), hole(2051)), 0.0).open) == OPEN
    calls.connect("mgc", MediaSession("1", end(ONE, 2050), FAR), 1.0)
    assert calls.disconnect("mgc", "1").close == (hole(2050),)
    assert calls.tick(UNKNOWN_S - 1) == PinholeChange()
    assert calls.tick(UNKNOWN_S) == PinholeChange(close=(hole(2051),))
    assert len(calls) == 0


def test_what_a_lease_has_closed_meanwhile_is_not_opened_to_the_next_phone() -> None:
    """The gateway begins anew in this process, and found less open than was left before."""
    calls = CallPinholes(Ledger())
    calls.renew((hole(2050), hole(2051)), 0.0)
    assert set(calls.renew((hole(2051),), 60.0).open) == {hole(2051)}
    assert calls.tick(UNKNOWN_S) == PinholeChange(close=(hole(2051),))


def test_calls_of_a_role_that_begins_anew_go_on_likewise() -> None:
    """Its numbers begin anew, too, and a new call is not one of before."""
    calls = CallPinholes(Ledger())
    calls.connect("mgc", MEDIA, 0.0)
    calls.abandon("mgc", 5.0)
    assert calls.connect("mgc", MediaSession("1", end(TWO, 2112), FAR), 6.0).close == ()
    assert calls.disconnect("mgc", "1").close == (hole(2112),)
    assert set(calls.tick(5.0 + UNKNOWN_S).close) == OPEN


def test_a_gateway_that_begins_after_a_call_lets_its_peer_in() -> None:
    """Before, its ledger told nobody whose ports they are."""
    ledger = Ledger()
    rows, ledger.rows = ledger.rows, []
    calls = CallPinholes(ledger)
    assert calls.connect("mgc", MEDIA, 0.0).open == ()
    ledger.rows = rows
    assert set(calls.renew((hole(2051),), 1.0).open) == OPEN
    assert set(calls.disconnect("mgc", "1").close) == OPEN


def test_more_sessions_than_there_is_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is known may still change."""
    monkeypatch.setattr(pinholes, "MOST_SESSIONS", 1)
    calls = CallPinholes(Ledger())
    calls.connect("mgc", MEDIA, 0.0)
    with pytest.raises(LocalError, match="there are 1 calls already"):
        calls.connect("mgc", MediaSession("2", end(TWO, 2112), FAR), 0.0)
    assert calls.connect("mgc", MediaSession("1", end(ONE, 2050), FAR), 0.0).close == (hole(2051),)
