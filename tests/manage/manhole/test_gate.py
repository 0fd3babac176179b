"""Who may come near the manhole, and what the audit is told."""

import pytest

from tests.manage.manhole.ground import SOURCE, Ground
from voxpath.core.errors import RemoteError
from voxpath.manage.manhole.gate import (
    ATTEMPTS_LIMIT,
    BEFORE_LOGIN_LIMIT,
    CONNECTIONS_LIMIT,
    IDLE,
    IDLE_S,
    LOGIN_S,
    PIECE,
    STARTS_LIMIT,
    STARTS_WINDOW_S,
    TOO_LATE,
    TOO_MANY,
    TOO_OFTEN,
    WHO_LIMIT,
)


def test_only_so_many_connections_at_once() -> None:
    ground = Ground()
    visits = [ground.visit("") for _ in range(CONNECTIONS_LIMIT)]
    assert ground.gate.admit("SSH", SOURCE) is None
    assert ground.gate.refused == {TOO_MANY: 1}
    visits[0].left()
    ground.reactor.advance(STARTS_WINDOW_S)
    assert ground.gate.admit("SSH", SOURCE) is not None


def test_only_so_many_connections_in_a_short_time_and_a_flood_is_told_of_once() -> None:
    """A key exchange is computed on the thread that serves the phones."""
    ground = Ground()
    for _ in range(STARTS_LIMIT):
        ground.visit("").left()
    for _ in range(1000):
        assert ground.gate.admit("SSH", SOURCE) is None
    assert ground.gate.refused == {TOO_OFTEN: 1000}
    assert ground.ids() == ["MANHOLE_REFUSED"]
    ground.reactor.advance(STARTS_WINDOW_S)
    ground.visit("").left()
    assert ground.is_left()


def test_whoever_logs_in_may_come_as_often_as_he_likes() -> None:
    ground = Ground()
    for _ in range(5 * STARTS_LIMIT):
        ground.visit("op").left()
    assert ground.gate.refused == {}


def test_a_stranger_who_does_not_log_in_is_sent_away() -> None:
    ground = Ground()
    visit = ground.visit("")
    dropped: list[bool] = []
    visit.drop = lambda: dropped.append(True)
    ground.reactor.advance(LOGIN_S - 1)
    visit.heard(100)
    assert dropped == []
    ground.reactor.advance(1)
    assert dropped == [True]
    assert ground.texts("MANHOLE_REFUSED") == [f"a connection to the manhole by SSH from {SOURCE} was ended: {TOO_LATE}"]
    assert ground.is_left()


def test_a_stranger_may_not_bring_much() -> None:
    visit = Ground().visit("")
    visit.heard(BEFORE_LOGIN_LIMIT)
    with pytest.raises(RemoteError, match="before a login"):
        visit.heard(1)


def test_logins_that_fail_are_told_and_end_the_connection_at_last() -> None:
    ground = Ground()
    visit = ground.visit("")
    for _ in range(ATTEMPTS_LIMIT):
        visit.failed("op\x1b[2J", "no\x07")
    assert ground.ids() == ["MANHOLE_LOGIN_REFUSED"] * ATTEMPTS_LIMIT + ["MANHOLE_REFUSED"]
    assert ground.told[0].text == f"op\\x1b[2J was refused by the manhole (SSH from {SOURCE}): no\\x07"
    assert ground.is_left()


def test_a_visitor_who_types_nothing_is_sent_away_whatever_his_program_sends() -> None:
    ground = Ground()
    visit = ground.visit()
    ground.reactor.advance(IDLE_S - 1)
    visit.typed()
    ground.reactor.advance(IDLE_S - 1)
    visit.heard(10 * BEFORE_LOGIN_LIMIT)
    ground.reactor.advance(1)
    assert ground.texts("MANHOLE_LEFT") == [f"op from {SOURCE} left the manhole: {IDLE}"]
    assert ground.is_left()


def test_of_a_long_line_nothing_is_lost_and_nothing_of_a_blank_one_is_told() -> None:
    ground = Ground()
    visit = ground.visit("o" * 1000)
    line = "x = '\x1b" + "a" * 3 * PIECE + "'"
    visit.runs("   ")
    visit.runs(line)
    assert "".join(ground.lines()) == line.replace("\x1b", "\\x1b")
    assert max(map(len, ground.lines())) == PIECE
    assert len(visit.who) == WHO_LIMIT + 3


def test_a_stranger_who_says_nothing_is_worth_no_event() -> None:
    ground = Ground()
    ground.visit("").left()
    assert ground.told == []
    assert ground.is_left()


def test_whatever_goes_wrong_while_looking_at_what_arrived_ends_that_connection_alone() -> None:
    ground = Ground()
    for error in (IndexError("x"), RemoteError("too long"), AssertionError()):
        visit = ground.visit("")
        with visit.guarded():
            raise error
        assert visit.over
    assert [text.rsplit(": ", 1)[1] for text in ground.texts("MANHOLE_REFUSED")] == ["IndexError", "too long", "AssertionError"]


def test_at_the_end_everybody_is_sent_away() -> None:
    ground = Ground()
    ground.visit()
    ground.visit("")
    ground.gate.close()
    assert ground.ids()[1:] in (["MANHOLE_LEFT", "MANHOLE_REFUSED"], ["MANHOLE_REFUSED", "MANHOLE_LEFT"])
    assert ground.is_left()
