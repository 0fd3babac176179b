"""When the table of the fast form is made, and when it is taken away; without a kernel."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import cast

import pytest

from tests.natreactor.test_fastform import CONNECTED, DEFAULT, PHONES, SETTINGS, Kernel
from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.natreactor import fastform, fasttable, kernelcounters
from voxpath.natreactor.event import FastForm, NoFastForm, TableLost
from voxpath.natreactor.fasttable import FastTable
from voxpath.natreactor.libnftables import Nftables
from voxpath.natreactor.netlink import Netfilter
from voxpath.natreactor.settings import NatSettings

REMOVE = fastform.remove(SETTINGS.table)
ELSEWHERE = IPv4Address("198.51.100.9")


class Machine(Kernel):
    """Stands for all of a kernel: its routes, and the fast table."""

    def __init__(self) -> None:
        super().__init__(DEFAULT, CONNECTED, PHONES)
        self.refuses: tuple[str, ...] = ()
        self.note = ""
        self.ran: list[str] = []

    def run(self, commands: str) -> None:
        for word in self.refuses:
            if word in commands:
                raise LocalError(f"no {word}")
        self.ran.append(commands)
        if commands.startswith(REMOVE):
            self.note = ""
        if "table netdev voxpath {" in commands:
            self.note = commands.rpartition('comment "')[2].partition('"')[0]

    def close(self) -> None:
        pass


class Rig:
    """A fast table on such a machine."""

    def __init__(self, settings: NatSettings) -> None:
        self.machine = Machine()
        self.events: list[Event] = []
        self.fast = FastTable(settings, settings.make_table(), self.events.append)

    @property
    def nft(self) -> Nftables:
        return cast(Nftables, self.machine)

    def begin(self, usual: str = "usual") -> None:
        self.fast.begin(self.nft)
        self.fast.carry_out(self.nft, usual, self.fast.installed())

    def look(self) -> list[str]:
        """What is told at a look."""
        self.events.clear()
        self.fast.look(self.nft, cast(Netfilter, self.machine))
        return self.told()

    def told(self) -> list[str]:
        return [event.ID for event in self.events]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(replace(SETTINGS, fast=True))
    monkeypatch.setattr(fasttable, "Rtnetlink", lambda: made.machine)
    monkeypatch.setattr(kernelcounters, "note_of", lambda machine, *_: machine.note)
    return made


def test_it_is_made_once_and_again_when_somebody_took_it_away(rig: Rig) -> None:
    rig.begin()
    assert rig.machine.note == rig.fast.note
    assert rig.look() == []
    rig.machine.note = ""
    assert rig.look() == [TableLost.ID]
    assert (rig.machine.note, rig.look()) == (rig.fast.note, [])


def test_other_routes_make_another_and_none_takes_it_away(rig: Rig) -> None:
    rig.begin()
    before = rig.machine.note
    rig.machine.known = rig.machine.known - {DEFAULT} | {replace(DEFAULT, via=ELSEWHERE)}
    assert rig.look() == [FastForm.ID]
    assert rig.machine.note == rig.fast.note != before
    rig.machine.known = {PHONES}
    assert rig.look() == [NoFastForm.ID]
    assert (rig.machine.note, rig.fast.note, rig.look()) == ("", "", [])


def test_a_table_that_could_not_be_taken_away_is_tried_again(rig: Rig) -> None:
    """It would follow no lease."""
    rig.begin()
    rig.machine.known = {PHONES}
    rig.machine.refuses = ("delete",)
    with pytest.raises(LocalError):
        rig.look()
    rig.machine.refuses = ()
    rig.look()
    assert rig.machine.note == ""


def test_a_kernel_without_it_has_the_usual_form(rig: Rig) -> None:
    rig.machine.refuses = ("netdev",)
    rig.begin()
    assert rig.machine.ran == ["usual"]
    assert rig.told() == [FastForm.ID, NoFastForm.ID]
    assert (rig.fast.note, rig.look()) == ("", [])
    rig.machine.refuses = ()
    assert rig.look() == []
    rig.machine.known = rig.machine.known - {DEFAULT} | {replace(DEFAULT, via=ELSEWHERE)}
    assert rig.look() == [FastForm.ID]


def test_ways_that_the_kernel_refuses_leave_no_table_of_former_ones(rig: Rig) -> None:
    rig.begin()
    rig.machine.known = rig.machine.known - {DEFAULT} | {replace(DEFAULT, via=ELSEWHERE)}
    rig.machine.refuses = (str(ELSEWHERE),)
    assert rig.look() == [FastForm.ID, NoFastForm.ID]
    assert (rig.machine.note, rig.fast.note) == ("", "")


def test_a_kernel_that_refuses_the_usual_form_is_told(rig: Rig) -> None:
    rig.machine.refuses = ("usual",)
    with pytest.raises(LocalError, match="no usual"):
        rig.begin()
    assert rig.told() == [FastForm.ID]


def test_without_the_option_nothing_of_it_is_left(rig: Rig) -> None:
    rig.begin()
    usual = FastTable(SETTINGS, SETTINGS.make_table(), rig.events.append)
    usual.begin(rig.nft)
    assert (rig.machine.note, usual.note, usual.installed()) == ("", "", "")
