"""What a visitor finds in the manhole."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from twisted.internet.defer import Deferred, succeed

from tests.manage.manhole.ground import Ground, Paper
from voxpath.io.bus import Record
from voxpath.manage.commands import COMMANDS, Console
from voxpath.manage.facts import CommandError, NoFacts, Some
from voxpath.manage.manhole.names import names_of
from voxpath.manage.manhole.python import Python
from voxpath.manage.memory import Memory
from voxpath.manage.rows import ContactRow
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent
from voxpath.model.phone import Lease

PHONE = "02:00:00:00:0a:01"
OTHER = "02:00:00:00:0a:02"


AOR = "a1@voip.example"
CONTACT = ContactRow(PHONE, AOR, "sip:a1@10.0.0.11", "10.0.0.11:2048", "", "", "a", "gruu", 1.0, "", "", "Fabel\x1b[2J")


class Site(NoFacts):
    def contacts(self, identity: str = "") -> list[ContactRow]:
        return [replace(CONTACT, aor=aor) for aor in (f"b{AOR}", AOR)]

    def gather(self, items: "Iterable[Some | None]") -> "Deferred[list[Some]]":
        return Deferred()

    def leases(self) -> list[Lease]:
        return [Lease(Mac.parse(mac), b"", "lan", IPv4Address("10.0.0.11"), "desk", "evil\x1b[2J", 1.0) for mac in (PHONE, OTHER)]

    def release(self, phone: str) -> "Deferred[str]":
        if phone != PHONE:
            raise CommandError("release", f"{phone} holds no lease", "see leases")
        return succeed("203.0.113.1:2048-2111")


class Guest:
    """A visitor of a small site."""

    def __init__(self) -> None:
        memory = Memory()
        memory(Record(1, "dhcp", MessageEvent(phone=PHONE, protocol="DHCP", sender=PHONE, receiver="dhcp", summary="DISCOVER")))
        self.paper = Paper()
        self.console = Console(Site(), memory)
        self.python = Python(Ground().visit(), self.names, self.paper)

    def names(self) -> Mapping[str, object]:
        return names_of(self.console, {"ledger": [1, 2]}, {"ledger": "the ledger"})

    def types(self, line: str) -> str:
        self.python.line(line)
        return self.paper.took()


def test_a_command_is_shown_as_its_table() -> None:
    told = Guest().types("ctl('leases')")
    assert told.startswith("PHONE              ADDRESS ")
    assert "evil\\x1b[2J" in told
    assert told.count("\n") == 3


def test_a_command_that_takes_time_is_shown_when_it_is_done() -> None:
    assert Guest().types(f"ctl('release', '{PHONE}')") == "ITEM      VALUE\nreleased  203.0.113.1:2048-2111\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"ctl('release', '{OTHER}')", f"release: {OTHER} holds no lease; see leases\n"),
        ("ctl('leasse')", "leasse: there is no such verb; use one of status"),
        ("ctl('release')", "release: does not take 0 arguments; write release MAC|ADDRESS\n"),
        ("ctl('nat')", "nat: this process runs no NAT; ask another process by --socket\n"),
        ("calls", "calls: this process runs no "),
        ("input()", "this would read the terminal of the server"),
        ("breakpoint()", "this would read the terminal of the server"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(line: str, told: str) -> None:
    shown = Guest().types(line)
    assert shown.startswith(told)
    assert shown.count("\n") == 1


def test_ladder_and_events_are_drawn_too() -> None:
    guest = Guest()
    assert "DISCOVER" in guest.types(f"ctl('ladder', '{PHONE}')")
    assert guest.types("ctl('events', 5)").startswith("AT ")


def test_a_table_is_shown_by_its_name_and_its_live_rows_by_a_call() -> None:
    guest = Guest()
    assert guest.types("leases") == guest.types("ctl('leases')")
    assert guest.types("[str(each.mac) for each in leases()]") == f"['{PHONE}', '{OTHER}']\n"
    assert guest.types(f"[str(each.mac) for each in leases('{PHONE.upper()}')]") == f"['{PHONE}']\n"
    assert guest.types("leases('nobody')") == "[]\n"
    assert guest.types("len(ctl('leases').rows)") == "2\n"


def test_a_table_that_a_command_gathers_in_several_turns_is_shown_by_its_name_too() -> None:
    """What a name shows cannot come later."""
    told = Guest().types("bindings")
    assert told.startswith("PHONE              AOR ")
    assert told.index(AOR) < told.index(f"b{AOR}")
    assert "Fabel\\x1b[2J" in told
    assert Guest().types("[each.aor for each in bindings()]") == f"['b{AOR}', '{AOR}']\n"


def test_live_objects_are_there_by_name() -> None:
    assert Guest().types("ledger") == "[1, 2]\n"


def test_help_tells_names_and_objects_without_the_servers_terminal() -> None:
    guest = Guest()
    for line in ("help()", "help"):
        told = guest.types(line)
        assert "leases" in told
        assert "the ledger" in told
        assert "exit()" in told
    assert "Return the number of items" in guest.types("help(len)")
    assert all(f"ctl('{command.usage}')" in guest.types("ctl") for command in COMMANDS.values())


def test_exit_and_quit_leave() -> None:
    guest = Guest()
    assert "Ctrl-D" in guest.types("exit")
    guest.types("exit()")
    guest.types("quit()")
    assert guest.paper.closed == [0, 0]
