"""Random histories with cuts, crashes of either side and slow disks: what the standby has is always a state that the active had.

And when everybody is left in peace for a while, both have the same.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.replica.pair import Pair
from tests.replica.values import binding, contact, lease
from voxpath.core.effects import Change, Delete, Put
from voxpath.replica.active import LONGEST_PROBATION_S
from voxpath.replica.message import HEARTBEAT_S
from voxpath.store.memory import MemoryStore

PHONES = st.integers(0, 8)
DELAYS = st.sampled_from((0.0, 0.0005, 0.02, 0.2))
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(lambda number, expires: Put(lease(number, expires)), PHONES, st.floats(0, 100)),
    st.builds(lambda number: Delete(lease(number)), PHONES),
    # Blocks of other phones as well, so that some commits are refused.
    st.builds(lambda number, place: Put(binding(number, place)), PHONES, PHONES),
    st.builds(lambda number: Delete(binding(number)), PHONES),
    st.builds(lambda number, uri: Put(contact(number, uri)), PHONES, st.text(max_size=5)),
)


def copy_of(store: MemoryStore) -> MemoryStore:
    """What a copy of the file would hold."""
    made = MemoryStore("", store._groups)
    made._tables = {kind: dict(rows) for kind, rows in store._tables.items()}
    made._journal = list(store._journal)
    return made


class Histories(RuleBasedStateMachine):
    """One pair of servers."""

    on_disk = False

    @initialize(groups=st.sampled_from((2, 5, 1000)), seconds=st.sampled_from((0.0, 1.0)))
    def begin(self, groups: int, seconds: float) -> None:
        self.directory = TemporaryDirectory()
        self.pair = Pair(groups, remembers=True, path=Path(self.directory.name, "standby.db") if self.on_disk else None)
        self.pair.wait(seconds)
        self.backup = copy_of(self.pair.store)

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=4), seconds=DELAYS)
    def commit(self, changes: list[Change], seconds: float) -> None:
        if self.pair.active is not None:
            self.pair.commit(*changes)
        self.pair.wait(seconds)

    @rule(seconds=st.sampled_from((0.001, 0.05, 0.3, 3.0, 30.0)))
    def time_passes(self, seconds: float) -> None:
        self.pair.wait(seconds)

    @rule(commit_s=DELAYS, delay_s=DELAYS)
    def speed(self, commit_s: float, delay_s: float) -> None:
        self.pair.copy.commit_s, self.pair.line.delay_s = commit_s, delay_s

    @rule()
    def cut(self) -> None:
        self.pair.line.whole = False

    @rule()
    def mend(self) -> None:
        self.pair.line.mend()

    @precondition(lambda self: self.pair.active is not None)
    @rule()
    def crash_active(self) -> None:
        self.pair.crash_active()

    @rule()
    def back_up(self) -> None:
        self.backup = copy_of(self.pair.store)

    @precondition(lambda self: self.pair.active is None)
    @rule()
    def restore(self) -> None:
        """The operator puts an older copy of the file in place: generations are given a second time."""
        epoch = self.pair.store._epoch
        self.pair.store = copy_of(self.backup)
        self.pair.store.begin(epoch)

    @precondition(lambda self: self.pair.active is None)
    @rule()
    def begin_active(self) -> None:
        self.pair.begin_active()

    @precondition(lambda self: self.pair.standby is not None)
    @rule(durable=st.booleans())
    def crash_standby(self, durable: bool) -> None:
        self.pair.crash_standby(durable)

    @precondition(lambda self: self.pair.standby is None)
    @rule()
    def begin_standby(self) -> None:
        self.pair.begin_standby()

    @rule()
    def peace(self) -> None:
        """Both run, the line is whole and the disks are quick: in the end both are equal, and the active waits again."""
        pair = self.pair
        self.speed(0.001, 0.0005)
        pair.line.mend()
        if pair.active is None:
            pair.begin_active()
        if pair.standby is None:
            pair.begin_standby()
        pair.wait(20)
        assert pair.equal
        pair.wait(LONGEST_PROBATION_S + HEARTBEAT_S)
        assert pair.following
        told = len(pair.told)
        pair.commit(Put(lease(0, float(pair.given))))
        pair.wait(0.05)
        assert len(pair.told) == told + 1
        assert pair.equal

    @invariant()
    def the_copy_is_a_state_that_the_active_had(self) -> None:
        pair = self.pair
        pair.check()
        if pair.active is not None and pair.following and not pair.active._held:
            # Nobody waits, so all that was acknowledged while it followed is on both disks.
            # The last commit may have been told before it followed: that one may be on its way still.
            assert pair.copy.position == pair.store.position or pair.store.position.generation == pair.unfollowed
        assert [event.ID for event in pair.standby_events if event.ID == "STANDBY_BROKEN"] == []

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.end()
            self.pair.copy.crash(durable=False).close()
            self.directory.cleanup()


class HistoriesOnDisk(Histories):
    """The same with the standby's rows in a file."""

    on_disk = True


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHistoriesOnDisk = HistoriesOnDisk.TestCase
TestHistoriesOnDisk.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)
