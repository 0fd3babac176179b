"""Random histories of REGISTERs: several contacts, removals, ends, old numbers, repeats, and a store that answers late or refuses.

The model is as plain as can be: what the store has, and the changes that it has not answered yet, in order.
What the registrar shows must be the one with the others applied, whatever comes and whatever fails.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.sip.desk import Desk
from voxpath.core.effects import Commit, Put
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.sip.registrar import Registering

AORS = ("a1@voip.example", "a2@voip.example")
MOST = 3
URIS = tuple(f"sip:a@h{number}" for number in range(4))
CONTACTS = st.lists(
    st.tuples(st.sampled_from(URIS), st.sampled_from((0, 30, 60, 100, 500))), max_size=3, unique_by=lambda contact: contact[0]
)
SOURCES = st.sampled_from([Endpoint("203.0.113.1", 2048), Endpoint("203.0.113.2", 5060)])

Rows = dict[tuple[str, str], Contact]


class RegistrarHistory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(max_contacts=MOST)
        self.desk.holding = True

    # The model.

    def shown(self) -> Rows:
        rows = dict(self.desk.rows)
        for commit in self.desk.held:
            for change in commit.changes:
                contact = change.value
                assert isinstance(contact, Contact)
                rows.pop((contact.aor, contact.key), None)
                if isinstance(change, Put):
                    rows[contact.aor, contact.key] = contact
        return {identity: contact for identity, contact in rows.items() if contact.expires > self.desk.now}

    def expected(self, aor: str, contacts: dict[str, int], call_id: str, cseq: int, source: Endpoint) -> tuple[int, Rows]:
        """The status of the answer, and what is shown after it."""
        before = self.shown()
        after = dict(before)
        if any(0 < expires_s < 60 for expires_s in contacts.values()):
            return 423, before
        for uri, expires_s in contacts.items():
            former = before.get((aor, uri))
            if former is not None and former.call_id == call_id and former.cseq >= cseq:
                if former.cseq > cseq or not expires_s:
                    return 500, before
                continue
            after.pop((aor, uri), None)
            if expires_s:
                now = self.desk.now
                since = former.since if former is not None else now
                row = Contact(
                    aor, uri, uri, 1000, source.host, source.port, call_id, cseq, now + expires_s, since, "", self.phone(aor)
                )
                after[aor, uri] = row
        count, count_before = (sum(identity[0] == aor for identity in rows) for rows in (after, before))
        if count > max(MOST, count_before):
            return 403, before
        return 200, after

    def phone(self, aor: str) -> str:
        user = self.desk.settings.user_of(aor)
        assert user is not None
        return user.phone or aor

    def honest(self, answered: int, aor: str) -> None:
        """Answers since then list what the store has, and all of it."""
        now = self.desk.now
        rows = {
            f"<{row.uri}>;expires={row.expires - now:.0f}"
            for row in self.desk.rows.values()
            if row.aor == aor and row.expires > now
        }
        for answer in self.desk.answers[answered:]:
            assert answer.status != 200 or set(answer.values("contact")) == rows

    # What happens.

    @rule(
        aor=st.sampled_from(AORS),
        contacts=CONTACTS,
        call_id=st.sampled_from(("one", "two")),
        cseq=st.integers(1, 8),
        source=SOURCES,
    )
    def register(self, aor: str, contacts: list[tuple[str, int]], call_id: str, cseq: int, source: Endpoint) -> None:
        self.ask(aor, dict(contacts), [f"<{uri}>;expires={expires_s}" for uri, expires_s in contacts], call_id, cseq, source)

    @rule(aor=st.sampled_from(AORS), call_id=st.sampled_from(("one", "two")), cseq=st.integers(1, 8), source=SOURCES)
    def remove_all(self, aor: str, call_id: str, cseq: int, source: Endpoint) -> None:
        contacts = dict.fromkeys((uri for owner, uri in self.shown() if owner == aor), 0)
        self.ask(aor, contacts, ["*"], call_id, cseq, source)

    def ask(self, aor: str, contacts: dict[str, int], written: list[str], call_id: str, cseq: int, source: Endpoint) -> None:
        desk = self.desk
        status, after = self.expected(aor, contacts, call_id, cseq, source)
        before, held, answered = self.shown(), len(desk.held), len(desk.answers)
        repeated = any(self.asks(commit, aor, call_id, cseq, source) for commit in desk.held)
        busy = any(isinstance(commit.token, Registering) and commit.token.asked.aor == aor for commit in desk.held)
        try:
            desk.register(*written, aor=aor, call_id=call_id, cseq=cseq, source=source, expires="0")
        except RemoteError as error:
            assert not repeated
            assert error.code == status
        else:
            made, told = desk.held[held:], [answer.status for answer in desk.answers[answered:]]
            if repeated:
                assert (made, told) == ([], [])
                after = before
            elif status == 200 and (after != before or busy):
                assert (len(made), told) == (1, [])
            else:
                assert (made, told) == ([], [status])
        assert self.shown() == after
        self.honest(answered, aor)

    @staticmethod
    def asks(commit: Commit, aor: str, call_id: str, cseq: int, source: Endpoint) -> bool:
        return isinstance(commit.token, Registering) and commit.token.asked[:4] == (aor, call_id, cseq, source)

    @rule(fail=st.booleans())
    def the_store_answers(self, fail: bool) -> None:
        if self.desk.held:
            commit, answered = self.desk.held.pop(0), len(self.desk.answers)
            self.desk.conclude(commit, fail=fail)
            expected = [500 if fail else 200] if isinstance(commit.token, Registering) else []
            assert [answer.status for answer in self.desk.answers[answered:]] == expected
            if isinstance(commit.token, Registering):
                self.honest(answered, commit.token.asked.aor)

    @rule(seconds=st.sampled_from((1, 59, 61, 200)))
    def time_passes(self, seconds: int) -> None:
        self.desk.wait(seconds)

    # What holds.

    @invariant()
    def what_is_shown_is_what_is_stored_with_what_is_under_way(self) -> None:
        shown = self.shown()
        now, location = self.desk.now, self.desk.location
        assert sorted(contact for contact in location if contact.expires > now) == sorted(shown.values())
        for aor in AORS:
            assert {each.key for each in location.of(aor) if each.expires > now} == {key for owner, key in shown if owner == aor}

    @invariant()
    def nothing_is_kept_of_what_is_settled(self) -> None:
        if not self.desk.held:
            assert not self.desk.registrar._under_way
            assert not len(self.desk.registrar._unsettled)

    def teardown(self) -> None:
        while self.desk.held:
            self.desk.conclude(self.desk.held.pop(0))
        self.what_is_shown_is_what_is_stored_with_what_is_under_way()
        self.nothing_is_kept_of_what_is_settled()


TestRegistrarHistory = RegistrarHistory.TestCase
TestRegistrarHistory.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
