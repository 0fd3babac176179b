"""An acknowledgement waits for the standby's commit while that keeps up, 100 ms once when it does not, and then not any more."""

from pathlib import Path

import pytest

from tests.replica.pair import Pair
from tests.replica.values import binding, contact, lease
from voxpath.core.effects import Delete, Put
from voxpath.model.phone import Lease
from voxpath.replica.active import PATIENCE_S, PROBATION_S, REPEATED_S, State
from voxpath.replica.event import StandbyDegraded, StandbyLink, StandbyRefused, StandbySnapshot
from voxpath.replica.message import PART_OCTETS, QUIET_S, SILENCE_S


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.wait(1.0)
    assert made.following
    return made


def test_an_acknowledgement_comes_after_the_standbys_commit(pair: Pair) -> None:
    """DHC-19: what was acknowledged is on both disks."""
    pair.copy.commit_s = 0.02
    pair.commit(Put(lease(1)), Put(binding(1)))
    pair.wait(0.02)
    assert (pair.told, pair.equal) == ([], False)
    pair.wait(0.002)
    assert [number for number, _, _ in pair.told] == [0]
    assert pair.equal


def test_groups_are_under_way_together_and_told_in_their_order(pair: Pair) -> None:
    """A standby whose line is long costs each of them its own time, not the sum of all."""
    pair.line.delay_s = 0.03
    for number in range(10):
        pair.commit(Put(lease(number)))
    pair.wait(0.07)
    assert [number for number, _, _ in pair.told] == list(range(10))
    assert pair.equal
    assert pair.ladder == []


def test_a_refused_commit_is_told_in_its_place_and_is_not_sent(pair: Pair) -> None:
    pair.commit(Put(lease(1)))
    pair.commit(Put(binding(1)))
    pair.commit(Put(binding(2, place=1)))
    assert pair.told == []
    pair.wait(0.01)
    assert [(number, reason is None) for number, _, reason in pair.told] == [(0, True), (1, True), (2, False)]
    assert pair.store.position.generation == 2
    assert pair.equal


def test_an_error_of_who_follows_the_link_keeps_no_acknowledgement_back(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(link: object) -> None:
        raise RuntimeError("files")

    assert pair.active is not None
    assert pair.active._link is not None
    monkeypatch.setattr(pair.active, "_on_link", broken)
    pair.line.whole = False
    pair.commit(Put(lease(1)))
    with pytest.raises(RuntimeError, match="files"):
        pair.active.disconnected(pair.active._link, "a cut")
    assert [number for number, _, _ in pair.told] == [0]
    assert pair.active.state is State.ABSENT


def test_a_slow_standby_costs_100_ms_once_and_one_event(pair: Pair) -> None:
    """RED-3: the active goes on alone at once, and tells of it once."""
    pair.copy.commit_s = 0.5
    for number in range(20):
        pair.commit(Put(lease(number)))
        pair.wait(0.05)
    assert [took for _, took, _ in pair.told[:3]] == pytest.approx([0.1, 0.05, 0.0])
    assert all(took == 0.0 for _, took, _ in pair.told[3:])
    assert pair.ladder == ["STANDBY_DEGRADED"]
    pair.copy.commit_s = 0.001
    pair.wait(PROBATION_S + 10)
    assert pair.ladder == ["STANDBY_DEGRADED", "STANDBY_RESTORED"]
    assert pair.equal


@pytest.mark.parametrize(("every_s", "most"), [(0.5, 1), (8.0, 3), (100.0, 6)])
def test_a_standby_that_stays_slow_is_not_waited_for_again_and_again(pair: Pair, every_s: float, most: int) -> None:
    """Always 150 ms: under steady load it is never tried again, and after pauses that grow otherwise."""
    pair.copy.commit_s = 0.15
    for number in range(200):
        pair.commit(Put(lease(number % 20, float(number))))
        pair.wait(every_s)
    waited = [number for number, took, _ in pair.told if took > 0.05]
    assert 1 <= len(waited) <= most
    assert pair.ladder.count("STANDBY_DEGRADED") == len(waited)


def test_a_cut_line_costs_100_ms_once_and_the_journal_makes_it_good(pair: Pair) -> None:
    """DHC-19: equal after the link was cut and came back, without a snapshot."""
    snapshots = sum(isinstance(event, StandbySnapshot) for event in pair.events)
    pair.line.whole = False
    for number in range(300):
        pair.commit(Put(lease(number)), Put(binding(number)))
        pair.wait(0.1)
    assert sum(took > 0 for _, took, _ in pair.told) == 1
    assert pair.ladder == ["STANDBY_DEGRADED"]
    assert not pair.equal
    pair.line.mend()
    pair.wait(10)
    assert pair.equal
    assert pair.following
    assert pair.ladder == ["STANDBY_DEGRADED", "STANDBY_RESTORED"]
    assert sum(isinstance(event, StandbySnapshot) for event in pair.events) == snapshots
    assert [event.state.partition(":")[0] for event in pair.events if isinstance(event, StandbyLink)] == ["up", "down", "up"]


def test_a_short_cut_is_made_good_on_the_same_connection(pair: Pair) -> None:
    pair.line.whole = False
    pair.commit(Put(lease(1)))
    pair.wait(SILENCE_S / 2)
    pair.line.mend()
    pair.wait(PROBATION_S + 3)
    assert pair.equal
    assert pair.following
    assert sum(isinstance(event, StandbyLink) for event in pair.events) == 1


def test_a_standby_that_dies_is_not_waited_for(pair: Pair) -> None:
    pair.crash_standby(durable=False)
    pair.commit(Put(lease(1)))
    pair.wait(0.01)
    assert len(pair.told) == 1
    degraded = next(event for event in pair.events if isinstance(event, StandbyDegraded))
    assert degraded.reason == "the link is down"
    pair.begin_standby()
    pair.wait(2)
    assert pair.equal
    assert pair.following


def test_a_pulled_cable_is_seen_within_seconds_on_both_sides_and_nobody_is_told_that_all_is_well(pair: Pair) -> None:
    """Nothing is written meanwhile: only the heartbeats are missing."""
    assert pair.active is not None
    assert pair.standby is not None
    pair.line.whole = False
    pair.wait(QUIET_S + 0.1)
    for side in (pair.active, pair.standby):
        facts = dict(side.facts())
        assert facts["state"].startswith("connected, but silent for ")
        assert "lag" not in facts
    pair.wait(SILENCE_S)
    for side in (pair.active, pair.standby):
        assert dict(side.facts())["state"] == "not connected"
    for events in (pair.events, pair.standby_events):
        assert [event.state for event in events if isinstance(event, StandbyLink)][-1] == "down: nothing was heard for 4 s"
    pair.line.mend()
    pair.wait(5)
    assert pair.following


def test_a_standby_that_stays_away_is_told_once_and_then_rarely_whatever_the_kernel_says(pair: Pair) -> None:
    """A host that boots refuses, is unreachable and times out in turn."""
    assert pair.active is not None
    for number in range(200):
        pair.active.unreachable(("nothing listens there", "no way", "no answer")[number % 3])
        pair.wait(REPEATED_S / 100)
    assert [event.ID for event in pair.events].count("STANDBY_UNREACHABLE") == 2
    assert dict(pair.active.facts())["trouble"].startswith("it cannot be reached: ")


def test_two_refusals_in_turn_are_told_once_each() -> None:
    pair = Pair()
    assert pair.active is not None
    for number in range(100):
        pair.active.refused(f"reason {number % 2}")
    assert [event.ID for event in pair.events].count("STANDBY_REFUSED") == 2
    pair.wait(3)
    assert pair.following
    assert not pair.active.was_refused
    pair.active.refused("reason 1")
    assert [event.ID for event in pair.events].count("STANDBY_REFUSED") == 3


def test_without_its_standby_the_active_starts_alone_and_says_so() -> None:
    pair = Pair()
    pair.crash_standby(durable=False)
    pair.commit(Put(lease(1)))
    pair.wait(PATIENCE_S - 0.1)
    assert (len(pair.told), pair.ladder) == (1, [])
    pair.wait(60)
    assert pair.ladder == ["STANDBY_DEGRADED"]
    pair.begin_standby()
    pair.wait(2)
    assert pair.ladder == ["STANDBY_DEGRADED", "STANDBY_RESTORED"]


def test_a_new_standby_gets_a_snapshot_of_all_tables() -> None:
    pair = Pair()
    pair.crash_standby(durable=False)
    for number in range(500):
        pair.commit(Put(lease(number)), Put(binding(number)), Put(contact(number)))
    pair.begin_standby()
    pair.wait(3)
    assert pair.equal
    assert [event.rows for event in pair.events if isinstance(event, StandbySnapshot)] == [1500]


def test_rows_and_groups_larger_than_a_message_go_in_pieces(pair: Pair) -> None:
    """AMP's values have 65 535 octets: one URI of that size is more than a message holds."""
    long = "sip:" + "x" * (2 * PART_OCTETS) + "@h"
    pair.commit(Put(contact(1, long)), Put(contact(2, long)))
    pair.wait(0.1)
    assert pair.equal
    other = Pair()
    other.crash_standby(durable=False)
    other.commit(Put(contact(1, long)))
    other.begin_standby()
    other.wait(3)
    assert other.equal


def test_a_standby_that_was_away_for_longer_than_the_journal_gets_a_snapshot() -> None:
    pair = Pair(groups=50)
    pair.wait(1)
    pair.line.whole = False
    pair.wait(20)
    for number in range(100):
        pair.commit(Put(lease(number)))
    pair.line.mend()
    pair.wait(10)
    assert pair.equal
    reasons = [event.reason for event in pair.events if isinstance(event, StandbySnapshot)]
    assert reasons == ["the standby had nothing", "the journal does not know the standby's generation 0"]


def test_a_store_that_was_restored_from_an_old_copy_is_found_out(pair: Pair) -> None:
    """Both sides have generation 3, but not the same one: a number alone would leave them different for ever."""
    for number in range(3):
        pair.commit(Put(lease(number)))
    pair.wait(1)
    old = pair.store
    pair.crash_active()
    pair.store = type(old)("e-old")
    pair.history[pair.store.position] = {}
    pair.begin_active()
    for number in range(10, 13):
        pair.commit(Put(lease(number)))
    pair.wait(3)
    assert pair.equal
    assert {row.mac for row in pair.copy.load(type(lease(1)))} == {lease(number).mac for number in range(10, 13)}


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize("fault", ["active", "standby", "line"])
def test_a_snapshot_that_is_cut_half_way_leaves_the_old_rows(fault: str, on_disk: bool, tmp_path: Path) -> None:
    pair = Pair(groups=10, path=tmp_path / "standby.db" if on_disk else None)
    pair.commit(Put(lease(1)))
    pair.wait(1)
    pair.line.whole = False
    for number in range(2, 500):
        pair.commit(Put(lease(number)), Delete(lease(1)))
    pair.wait(20)
    pair.line.mend()
    pair.line.delay_s = 0.05
    pair.wait(0.7)
    assert pair.standby is not None
    assert pair.standby._filling
    assert [row.mac for row in pair.copy.load(Lease)] == [lease(1).mac]
    if fault == "active":
        pair.crash_active()
    elif fault == "standby":
        pair.crash_standby(durable=False)
    else:
        pair.line.whole = False
    pair.wait(20)
    assert [row.mac for row in pair.copy.load(Lease)] == [lease(1).mac]
    if fault == "active":
        pair.begin_active()
    elif fault == "standby":
        pair.begin_standby()
    pair.line.mend()
    pair.wait(5)
    assert pair.equal
    assert [event for event in pair.standby_events if event.ID == "STANDBY_BROKEN"] == []
    pair.end()
    pair.copy.close()


def test_a_change_that_does_not_fit_leads_to_a_snapshot_not_to_a_guess(pair: Pair) -> None:
    """Somebody has written to the standby's file."""
    pair.commit(Put(lease(1)))
    pair.wait(0.1)
    stranger = lease(2)
    pair.copy._tables["lease"][("x",)] = stranger
    pair.commit(Put(lease(2, 99.0)))
    pair.wait(3)
    assert [event.ID for event in pair.standby_events].count("STANDBY_BROKEN") == 1
    assert pair.equal
    assert pair.following


def test_a_stopped_active_lets_everything_be_told(pair: Pair) -> None:
    pair.copy.commit_s = 10.0
    pair.commit(Put(lease(1)))
    assert pair.told == []
    assert pair.active is not None
    pair.active.stop()
    assert len(pair.told) == 1


def test_states_are_told() -> None:
    pair = Pair()
    assert pair.active is not None
    assert dict(pair.active.facts())["state"] == "not connected"
    pair.wait(1)
    pair.commit(Put(lease(1)))
    pair.wait(1)
    facts = dict(pair.active.facts())
    assert (facts["state"], facts["generation"], facts["lag"]) == ("following", "1", "0")
    assert pair.active.state is State.FOLLOWING
    assert pair.standby is not None
    facts = dict(pair.standby.facts())
    assert (facts["state"], facts["generation"], facts["lag"]) == ("following", "1", "0")


def test_a_refusal_that_the_limit_kept_back_is_told_at_the_next_attempt(pair: Pair) -> None:
    """A stranger who comes just before the active, or all the time, must not hide why the active is refused."""
    for _ in range(3):
        pair.factory.refused("203.0.113.9", "the connection was lost")
        pair.factory.refused("192.0.2.1", "this is no certificate of sg-a")
        pair.wait(5.0)
    told = [event.peer_address for event in pair.standby_events if isinstance(event, StandbyRefused)]
    assert told == ["203.0.113.9", "192.0.2.1"]
