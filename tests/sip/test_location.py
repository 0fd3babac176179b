"""The location service: contacts of addresses-of-record, in order, by source, and until they end."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voxpath.model.address import Endpoint
from voxpath.model.contact import FULL_Q, Contact
from voxpath.sip.location import MOST_AT_ONCE, SMALL_HEAP, Location


def contact(
    aor: str = "a1@voip.example",
    key: str = "sip:a1@10.0.0.11:2048",
    *,
    q: int = FULL_Q,
    source: Endpoint = Endpoint("203.0.113.1", 2048),  # noqa: B008 - a frozen value
    expires: float = 3600.0,
    since: float = 0.0,
    cseq: int = 1,
) -> Contact:
    return Contact(aor, key, key, q, source.host, source.port, "call", cseq, expires, since, "", aor)


def test_the_preferred_contact_comes_first_and_of_equal_ones_the_newest() -> None:
    location = Location()
    late, early, poor = contact(key="late", since=2.0), contact(key="early", since=1.0), contact(key="poor", q=500, since=3.0)
    for each in (poor, early, late):
        location.put(each)
    assert location.of("a1@voip.example") == (late, early, poor)


def test_a_refresh_replaces_the_contact_and_keeps_its_rank() -> None:
    location = Location()
    location.put(contact(key="first", since=1.0))
    location.put(contact(key="second", since=2.0))
    location.put(contact(key="first", since=1.0, cseq=2, expires=9999.0))
    assert [(each.key, each.cseq) for each in location.of("a1@voip.example")] == [("second", 1), ("first", 2)]
    assert len(location) == 2


def test_a_refresh_with_another_q_changes_the_rank() -> None:
    location = Location()
    location.put(contact(key="first", q=900))
    location.put(contact(key="second", q=800))
    location.put(contact(key="first", q=100))
    assert [each.key for each in location.of("a1@voip.example")] == ["second", "first"]


def test_a_contact_is_found_by_the_source_that_it_was_registered_from_last() -> None:
    location = Location()
    before, after = Endpoint("203.0.113.1", 2048), Endpoint("203.0.113.1", 4096)
    location.put(contact(source=before))
    location.put(contact(source=after, cseq=2))
    assert location.at_source(before) is None
    assert location.at_source(after) == contact(source=after, cseq=2)


def test_of_several_contacts_at_one_source_the_last_one_is_told_and_the_others_are_not_forgotten() -> None:
    location = Location()
    source = Endpoint("203.0.113.1", 2048)
    users = [contact(f"a{number}@voip.example", source=source) for number in range(3)]
    for each in users:
        location.put(each)
    for each in reversed(users):
        assert location.at_source(source) == each
        location.remove(each)
    assert location.at_source(source) is None


def test_contacts_that_end_are_taken_out_and_told_once() -> None:
    location = Location()
    short, long = contact(key="short", expires=60.0), contact(key="long", expires=120.0)
    location.put(short)
    location.put(long)
    assert location.next_due() == 60.0
    assert location.due(59.9) == []
    assert location.due(60.0) == [short]
    assert location.due(60.0) == []
    assert location.of("a1@voip.example") == (long,)


def test_refreshes_do_not_touch_the_heap() -> None:
    location = Location()
    for round_ in range(1000):
        location.put(contact(expires=3600.0 + round_, cseq=round_))
    assert len(location._heap) == 1
    assert location.due(3600.0) == []
    assert location.next_due() == 4599.0


def test_a_refresh_may_shorten_a_binding() -> None:
    location = Location()
    location.put(contact(expires=3600.0))
    location.put(contact(expires=100.0))
    assert location.next_due() == 100.0
    assert len(location.due(100.0)) == 1
    assert len(location) == 0
    assert location.due(9999.0) == []


def test_who_binds_and_unbinds_for_ever_does_not_fill_the_memory() -> None:
    location = Location()
    for number in range(10 * SMALL_HEAP):
        location.put(contact(expires=1000.0 + number))
        location.remove(contact())
    assert len(location._heap) <= SMALL_HEAP + 1


def test_a_mass_of_ends_is_taken_out_in_portions() -> None:
    location = Location()
    for number in range(MOST_AT_ONCE + 1):
        location.put(contact(f"{number}@voip.example", expires=10.0))
    assert len(location.due(10.0)) == MOST_AT_ONCE
    assert location.next_due() == 10.0
    assert len(location.due(10.0)) == 1


def test_rows_that_ended_while_the_server_was_down_are_told_and_not_bound() -> None:
    location = Location()
    ended, alive = contact(key="ended", expires=10.0), contact(key="alive", expires=11.0)
    assert location.load([ended, alive], 10.0) == [ended]
    assert list(location) == [alive]


AORS = st.sampled_from(["a1@voip.example", "a2@voip.example"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
SOURCES = st.sampled_from([Endpoint("203.0.113.1", port) for port in (2048, 4096)])


class LocationHistory(RuleBasedStateMachine):
    """Whatever is bound, refreshed, removed and ended: the tables agree with a plain dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.location = Location()
        self.model: dict[tuple[str, str], Contact] = {}
        self.now = 0.0

    @rule(aor=AORS, key=KEYS, source=SOURCES, q=st.sampled_from([0, 500, 1000]), lasts=st.integers(1, 50), fresh=st.booleans())
    def put(self, aor: str, key: str, source: Endpoint, q: int, lasts: int, fresh: bool) -> None:
        former = self.model.get((aor, key))
        since = self.now if fresh or former is None else former.since
        made = contact(aor, key, q=q, source=source, expires=self.now + lasts, since=since)
        self.location.put(made)
        self.model[aor, key] = made

    @rule(aor=AORS, key=KEYS)
    def remove(self, aor: str, key: str) -> None:
        self.location.remove(contact(aor, key))
        self.model.pop((aor, key), None)

    @rule(passes=st.integers(1, 30))
    def time_passes(self, passes: int) -> None:
        self.now += passes
        ended = [each for each in self.model.values() if each.expires <= self.now]
        assert sorted(self.location.due(self.now)) == sorted(ended)
        for each in ended:
            del self.model[each.aor, each.key]

    @invariant()
    def tables_agree(self) -> None:
        location, model = self.location, self.model
        assert sorted(location) == sorted(model.values())
        assert len(location) == len(model)
        for aor in {aor for aor, _ in model}:
            found = location.of(aor)
            assert list(found) == sorted(found, key=lambda each: (-each.q, -each.since))
        for each in model.values():
            assert location.find(each.aor, each.key) == each
            at_source = location.at_source(each.source)
            assert at_source is not None
            assert at_source.source == each.source
        due = location.next_due()
        assert (due is not None and due <= min(each.expires for each in model.values())) if model else True
        assert len(location._heap) <= SMALL_HEAP + 5 * len(model)


TestLocationHistory = LocationHistory.TestCase


@given(st.lists(st.tuples(AORS, KEYS, st.integers(1, 100))))
def test_every_binding_ends_exactly_once(bound: list[tuple[str, str, int]]) -> None:
    location = Location()
    for aor, key, expires in bound:
        location.put(contact(aor, key, expires=float(expires)))
    ended = [each for now in range(1, 101) for each in location.due(float(now)) if each.expires == now]
    assert sorted(ended) == sorted({(a, k): contact(a, k, expires=float(e)) for a, k, e in bound}.values())
    assert not len(location)
