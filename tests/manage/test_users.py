"""Commands about SIP users: an address-of-record stands for its phone, and what is not there is said in words."""

import pytest

from tests.manage.test_commands import AOR, PHONE, Site, run, table
from voxpath.io.bus import Record
from voxpath.manage.commands import COMMANDS, Answer, Console
from voxpath.manage.control import carry_out
from voxpath.manage.entry import entry_of
from voxpath.manage.facts import CommandError, NoFacts
from voxpath.manage.memory import Memory
from voxpath.manage.show import columns
from voxpath.manage.subject import aor_of, subject_of
from voxpath.manage.wire import Reply, Request
from voxpath.model.event import MessageEvent
from voxpath.sip.event import ContactBound, NotReached

HIDDEN = "shows no combination address: a call from beyond its realm needs the proxy"


@pytest.mark.parametrize("text", [AOR, "sip:a1@voip.example", "<sip:A1@VoIP.example:5070;transport=udp>", "SIPS:a1@voip.example"])
def test_an_address_of_record_is_known_however_it_is_written(text: str) -> None:
    assert aor_of(text) == AOR
    assert subject_of(Site(), text).identities == (PHONE, AOR)


@pytest.mark.parametrize("text", [PHONE, "[10.0.0.11]:20032", "gateway_ut", "a@b@c", "sip:voip.example", "@"])
def test_everything_else_is_none(text: str) -> None:
    assert aor_of(text) == ""


def test_a_user_whose_phone_nobody_knows_is_its_own_subject() -> None:
    assert subject_of(NoFacts(), "sip:X@voip.example") == ("x@voip.example", "x@voip.example", ("x@voip.example",))
    assert subject_of(NoFacts(), "02-00-00-00-0A-01") == (PHONE, "", (PHONE,))


def test_bindings_are_told_all_or_those_of_one_user_or_phone() -> None:
    (row,) = table("bindings")
    assert row[:4] == [PHONE, AOR, "sip:a1@10.0.0.11", "203.0.113.1:20032"]
    assert table("bindings", f"sip:{AOR}") == table("bindings", PHONE.upper()) == [row]
    answer = run("bindings", "sip:a2@voip.example")
    assert answer.rows == []
    assert answer.note == "a2@voip.example is not registered"


def remembered() -> Memory:
    """What is told of a phone under its own name and under its user's; one event stands under both."""
    memory = Memory()
    memory(Record(1, "dhcp", MessageEvent(phone=PHONE, protocol="DHCP", sender=PHONE, receiver="dhcp", summary="DISCOVER")))
    refused = NotReached(
        phone="other", peer=AOR, method="INVITE", caller="b1@x", aor=AOR, status=480, reason="no phone is registered"
    )
    memory(Record(2, "sip", refused))
    bound = ContactBound(phone=PHONE, peer=AOR, aor=AOR, contact="sip:a1@10.0.0.11", source="203.0.113.1:20032", place="the ledger")
    memory(Record(3, "sip", bound))
    return memory


def test_why_of_a_user_tells_all_of_its_phone_in_order_and_each_event_once() -> None:
    answer = run("why", f"sip:{AOR}", memory=remembered())
    assert [row.id for row in answer.rows] == ["NOT_REACHED", "CONTACT_BOUND"]
    assert HIDDEN in answer.note
    assert HIDDEN not in run("why", PHONE, memory=remembered()).note, "asked for by its own name it is not judged as a user's"


def test_why_says_that_a_user_never_registered_and_what_would_be_missing_if_it_did() -> None:
    note = run("why", "a9@voip.example").note
    assert note.startswith("a9@voip.example never registered since the start; ")
    assert HIDDEN in note
    assert note.endswith("its messages do not arrive here")


class Restarted(Site):
    """A process that began a moment ago, and had loaded what was before."""

    def now(self) -> float:
        return 999_000.0


def test_why_says_that_a_phone_silent_since_the_start_has_a_lease_and_a_binding_from_before_it() -> None:
    """Right after a restart nothing was heard of anybody, and the network is not to blame."""
    answer = carry_out(Console(Restarted(), Memory()), Request("why", (PHONE,)))
    assert isinstance(answer, Answer)
    assert "do not arrive" not in answer.note
    assert "from before it there is a lease of 10.0.0.11 until 1970-01-12T13:46:39Z and a SIP binding of" in answer.note
    assert "do not arrive" not in run("why", AOR).note
    assert run("why", "02:00:00:00:0a:09").note.endswith("its messages do not arrive here")


@pytest.mark.parametrize("verb", ["why", "ladder"])
def test_what_is_neither_a_phone_nor_a_user_is_refused(verb: str) -> None:
    with pytest.raises(CommandError, match="'garbage' is no Ethernet address and no address-of-record"):
        run(verb, "garbage")


def test_why_says_that_a_user_is_not_registered_any_more() -> None:
    memory = Memory()
    aor = "a9@voip.example"
    memory(Record(3, "sip", ContactBound(phone=aor, aor=aor, contact="sip:a9@192.0.2.1", source="192.0.2.1:5060", place="")))
    assert run("why", aor, memory=memory).note.startswith("a9@voip.example is not registered any more; ")


def test_why_says_that_nobody_knows_a_user() -> None:
    assert "the configuration has no such [[user]]" in run("why", "a2@voip.example", memory=remembered()).note
    with pytest.raises(CommandError, match=r"'x@voip\.example' is no user that this process knows; add a \[\[user\]\]"):
        run("why", "sip:x@voip.example")
    with pytest.raises(CommandError, match="is no Ethernet address"):
        run("why", "x")


def test_the_ladder_of_a_user_is_drawn_as_that_of_its_phone() -> None:
    answer = run("ladder", f"sip:{AOR}", memory=remembered())
    assert answer.about == PHONE
    assert [entry.id for entry in answer.entries] == ["MESSAGE", "NOT_REACHED", "CONTACT_BOUND"]
    drawn = columns(COMMANDS["ladder"], (AOR,), [Reply(about=AOR), Reply(about=PHONE, entries=answer.entries)])
    assert drawn.startswith(f"ladder of {PHONE}, 3 steps")
    assert "phone" in drawn.splitlines()[2]
    assert columns(COMMANDS["ladder"], (AOR,), [Reply(about=AOR)]).startswith(f"nothing is remembered of {AOR}")


def test_sip_has_its_column_behind_the_controller() -> None:
    memory = Memory()
    for role in ("sip", "mgc", "dhcp"):
        memory(Record(1, role, MessageEvent(phone=PHONE, protocol="X", sender=PHONE, receiver=role, summary="x")))
    entries = [entry_of(record) for record in memory.of(PHONE)]
    drawn = columns(COMMANDS["ladder"], (PHONE,), [Reply(entries=entries, about=PHONE)])
    assert next(line for line in drawn.splitlines() if "time" in line and "dhcp" in line).split() == [
        "time",
        "phone",
        "dhcp",
        "mgc",
        "sip",
    ]


def test_users_are_offered_for_completion() -> None:
    assert [row[0] for row in table("known", "A")] == [AOR, "a9@voip.example"]
