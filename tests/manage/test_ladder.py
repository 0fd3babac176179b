"""The ladder: one phone's messages and decisions as text, whatever the events contain."""

from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from voxpath.io.bus import Record
from voxpath.manage.entry import Entry, entry_of, merged
from voxpath.manage.ladder import COLUMNS_LIMIT, SMALLEST_LINE, STEPS_LIMIT, ladder
from voxpath.manage.wire import Reply, parse_reply, print_line
from voxpath.model.event import Event, Level, MessageEvent

PHONE = "02:00:00:00:0a:01"
OTHER = "02:00:00:00:0a:02"


class Granted(Event, frozen=True, kw_only=True):
    """A decision, for these tests."""

    ID: ClassVar[str] = "TEST_LADDER_GRANTED"
    TEXT: ClassVar[str] = "{address} with ports {block}"

    address: str
    block: str


def message(at: float, sender: str, receiver: str, protocol: str, summary: str, role: str = "dhcp", phone: str = PHONE) -> Entry:
    event = MessageEvent(phone=phone, sender=sender, receiver=receiver, protocol=protocol, summary=summary)
    return entry_of(Record(at, role, event))


BOOT = [
    message(100.0, PHONE, "dhcp", "DHCP", "DISCOVER"),
    message(102.0, PHONE, "dhcp", "DHCP", "DISCOVER"),
    entry_of(Record(102.001, "nat", Granted(phone=PHONE, address="10.0.0.11", block="203.0.113.1:20032-20095"))),
    message(102.004, "dhcp", PHONE, "DHCP", "OFFER 10.0.0.11"),
    message(103.5, "phone", "mgc", "MEGACO", "Transaction 1 ServiceChange", role="mgc"),
    message(104.0, "mgc", OTHER, "MEGACO", "Transaction 2 Modify", role="mgc"),
]

GOLDEN = f"""\
ladder of {PHONE}, 6 steps, times in seconds
  phone = {PHONE}
  peer1 = {OTHER}
      time    phone      dhcp      nat       mgc      peer1
     0.000      |-------->|         |         |         |       DHCP DISCOVER
     2.000      |-------->|         |         |         |       DHCP DISCOVER (again, 2)
     2.001      |         |         *         |         |       TEST_LADDER_GRANTED 10.0.0.11 with ports 203.0.113.1:20032-20095
     2.004      |<--------|         |         |         |       DHCP OFFER 10.0.0.11
     3.500      |---------------------------->|         |       MEGACO Transaction 1 ServiceChange
     4.000      |         |         |         |-------->|       MEGACO Transaction 2 Modify
"""


def test_a_boot_as_a_ladder() -> None:
    assert ladder(BOOT, PHONE) == GOLDEN


def test_order_of_arrival_does_not_matter() -> None:
    assert ladder(reversed(BOOT), PHONE) == GOLDEN


def test_entries_survive_the_control_socket() -> None:
    assert ladder(parse_reply(print_line(Reply(entries=BOOT))).entries, PHONE) == GOLDEN


def test_both_accounts_of_one_message_are_one_arrow() -> None:
    """The phone's process tells what it sent, the server's what it received: merged, it is one message."""
    seen_by_phone = [message(100.0, "phone", "dhcp", "DHCP", "DISCOVER", role="phone")]
    seen_by_server = [message(100.2, PHONE, "dhcp", "DHCP", "DISCOVER")]
    drawn = ladder(merged([seen_by_server, seen_by_phone]), PHONE)
    assert drawn.count("DISCOVER") == 1
    assert "again" not in drawn


def test_a_retransmission_that_only_its_sender_saw_is_shown() -> None:
    phone = [message(at, "phone", "dhcp", "DHCP", "DISCOVER", role="phone") for at in (100.0, 104.0)]
    server = [message(104.1, PHONE, "dhcp", "DHCP", "DISCOVER")]
    assert ladder(merged([phone, server]), PHONE).count("|-------->|") == 2


def test_a_repetition_after_an_answer_is_no_retransmission() -> None:
    renewal = [message(at, *way, "DHCP", text) for at, way, text in
               [(1, (PHONE, "dhcp"), "REQUEST"), (2, ("dhcp", PHONE), "ACK"), (3, (PHONE, "dhcp"), "REQUEST")]]  # fmt: skip
    assert "again" not in ladder(renewal, PHONE)


def test_an_unknown_phone_is_answered() -> None:
    assert ladder([], "x\x1b[2J") == "nothing is remembered of x\\x1b[2J\n"


def test_many_participants_share_the_last_column() -> None:
    drawn = ladder([message(place, PHONE, f"role{place}", "X", "y") for place in range(20)], PHONE)
    heading = drawn.splitlines()[2]
    assert len(heading.split()) == 1 + COLUMNS_LIMIT
    assert heading.endswith("others")


def test_a_ladder_has_a_limit() -> None:
    drawn = ladder([message(at, PHONE, "dhcp", "X", "y") for at in range(STEPS_LIMIT + 5)], PHONE)
    assert "5 earlier steps are left out" in drawn
    assert len(drawn.splitlines()) == STEPS_LIMIT + 4


TEXT = st.text(max_size=300) | st.sampled_from(["phone", "dhcp", "nat", "", PHONE, OTHER, "\x1b[2J", "peer1", "others"])
ENTRIES = st.lists(
    st.builds(
        Entry,
        at=st.floats(allow_nan=True),
        role=TEXT,
        id=st.sampled_from(["MESSAGE", "X\n"]) | st.text(max_size=10),
        level=st.integers(),
        text=TEXT,
        fields=st.dictionaries(
            st.sampled_from(["phone", "peer", "protocol", "sender", "receiver", "summary"]), TEXT | st.none() | st.integers()
        ),
    ),
    max_size=30,
)


@given(ENTRIES, TEXT, st.integers(0, 200))
def test_any_entries_make_a_ladder_of_bounded_printable_lines(entries: list[Entry], phone: str, width: int) -> None:
    """Nothing that comes from a wire or a socket can break the diagram, lengthen a line or reach the terminal as a control."""
    for line in ladder(entries, phone, width).split("\n"):
        assert len(line) <= max(width, SMALLEST_LINE)
        assert line.isprintable()


@given(st.lists(st.tuples(st.floats(0, 1e6), TEXT, TEXT, TEXT), max_size=20))
def test_any_event_becomes_an_entry_and_a_line(events: list[tuple[float, str, str, str]]) -> None:
    entries = [
        entry_of(Record(at, "dhcp", MessageEvent(phone=PHONE, sender=sender, receiver=receiver, protocol="DHCP", summary=summary)))
        for at, sender, receiver, summary in events
    ]
    assert all(entry.text.isprintable() and entry.level == Level.TRACE for entry in entries)
    assert len(ladder(entries, PHONE).splitlines()) >= min(len(entries), 1)
