"""``known``: the names that completion offers."""

from ipaddress import IPv4Address

from voxpath.io.bus import Record
from voxpath.manage.commands import NAMES_LIMIT, Answer, Console
from voxpath.manage.control import carry_out
from voxpath.manage.facts import NoFacts
from voxpath.manage.memory import Memory
from voxpath.manage.wire import Request
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent
from voxpath.model.phone import Lease


class Leases(NoFacts):
    def leases(self) -> list[Lease]:
        macs = (Mac(b"\x02\x00\x00\x00" + number.to_bytes(2, "big")) for number in range(300))
        return [Lease(mac, b"", "lan", IPv4Address("10.0.0.11"), "desk", "", 1.0) for mac in macs]


def known(*arguments: str) -> Answer:
    memory = Memory()
    memory(Record(1, "sip", MessageEvent(phone="A1@voip.example", protocol="SIP", sender="a", receiver="b", summary="x")))
    answer = carry_out(Console(Leases(), memory), Request("known", arguments))
    assert isinstance(answer, Answer)
    return answer


def names(answer: Answer) -> list[str]:
    return [row.item for row in answer.rows]


def test_names_of_leases_and_of_events_are_found_by_their_beginning() -> None:
    assert names(known("02:00:00:00:00:0a")) == ["02:00:00:00:00:0a"]
    assert names(known("a1@")) == ["A1@voip.example"]
    assert names(known("b")) == []


def test_only_so_many_are_told_and_the_rest_is_counted() -> None:
    answer = known()
    assert len(answer.rows) == NAMES_LIMIT
    assert answer.note == f"{301 - NAMES_LIMIT} more: write more of the name"


def test_a_name_that_has_to_be_escaped_is_told_once() -> None:
    class Evil(NoFacts):
        def aors(self) -> list[str]:
            return ["evil\x1b@voip.example"]

    memory = Memory()
    told = MessageEvent(phone="evil\\x1b@voip.example", protocol="SIP", sender="a", receiver="b", summary="x")
    memory(Record(1, "sip", told))
    answer = carry_out(Console(Evil(), memory), Request("known"))
    assert isinstance(answer, Answer)
    assert names(answer) == ["evil\\x1b@voip.example"]
