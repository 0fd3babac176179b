"""The timer heap: what is due fires once, in order, whatever was moved or taken back."""

from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.timers import AgeHeap, TimerHeap, earliest

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("arm"), st.integers(0, 9), st.integers(0, 20)),
        st.tuples(st.just("disarm"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("run"), st.just(0), st.integers(0, 20)),
    ),
    max_size=200,
)


@given(ACTIONS)
def test_it_behaves_like_a_dictionary_of_due_times(actions: list[tuple[str, int, int]]) -> None:
    heap: TimerHeap[int] = TimerHeap()
    model: dict[int, tuple[int, int]] = {}
    for count, (action, key, when) in enumerate(actions):
        if action == "arm":
            heap.arm(key, when)
            model[key] = (when, count)
        elif action == "disarm":
            assert heap.disarm(key) == (model.pop(key, None) is not None)
        else:
            expected = sorted((place, known) for known, place in model.items() if place[0] <= when)
            assert list(heap.due(when)) == [known for _, known in expected]
            for _, known in expected:
                del model[known]
        assert len(heap) == len(model)
        assert heap.next_due() == min((due for due, _ in model.values()), default=None)


def test_equal_times_fire_in_the_order_of_arming() -> None:
    heap: TimerHeap[str] = TimerHeap()
    for key in "cab":
        heap.arm(key, 1.0)
    assert list(heap.due(1.0)) == ["c", "a", "b"]


def test_a_timer_that_is_moved_ten_thousand_times_takes_no_memory() -> None:
    heap: TimerHeap[str] = TimerHeap()
    for count in range(10_000):
        heap.arm("keepalive", float(count))
    assert len(heap._heap) < 100
    assert list(heap.due(20_000.0)) == ["keepalive"]


def test_a_timer_armed_again_for_now_fires_again() -> None:
    heap: TimerHeap[str] = TimerHeap()
    heap.arm("a", 1.0)
    fired = []
    for key in heap.due(1.0):
        fired.append(key)
        if len(fired) < 3:
            heap.arm(key, 1.0)
    assert fired == ["a"] * 3


def test_the_earliest_of_several_due_times() -> None:
    assert earliest(None, 3.0, 2.0) == 2.0
    assert earliest(None, None) is None


def test_an_age_heap_has_an_order_of_its_own_among_those_of_the_same_time() -> None:
    """Whoever takes keys out and puts them back changes nothing for the next one."""
    heap: AgeHeap[str] = AgeHeap()
    for key, due in (("b", 1.0), ("c", 1.0), ("a", 1.0), ("z", 0.0), ("y", 9.0)):
        heap.arm(key, due)
    for _ in range(3):
        taken = list(heap.due(1.0))
        assert taken == ["z", "a", "b", "c"]
        for key in reversed(taken):
            heap.arm(key, 0.0 if key == "z" else 1.0)
    heap.disarm("a")
    heap.arm("a", 2.0)
    for _ in range(100):
        heap.arm("b", 1.0)
        heap.disarm("c")
        heap.arm("c", 1.0)
    assert list(heap.due(3.0)) == ["z", "b", "c", "a"]
