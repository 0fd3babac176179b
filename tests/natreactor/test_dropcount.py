"""What grew since the last look, and what of it is told."""

from collections import Counter
from ipaddress import IPv4Address

from twisted.internet.task import Clock

from voxpath.nappt.verdict import Reason
from voxpath.natreactor.dropcount import DropCount, Growth
from voxpath.natreactor.event import Dropped, SpoofedPort
from voxpath.natreactor.offence import Subject
from voxpath.natreactor.settings import nobody
from voxpath.testing.nat.packets import PHONE1
from voxpath.testing.nat.rig import settings


def test_counters_that_begin_again_lose_nothing() -> None:
    growth = Growth()
    assert growth.of({Reason.ICMP: 5}) == Counter({Reason.ICMP: 5})
    assert growth.of({Reason.ICMP: 7}) == Counter({Reason.ICMP: 2})
    assert growth.of({Reason.ICMP: 3}) == Counter({Reason.ICMP: 3})
    growth.begin_again()
    assert growth.of({Reason.ICMP: 4}) == Counter({Reason.ICMP: 4})


def test_each_packet_is_told_once_by_its_sender_or_by_its_reason() -> None:
    drops_told, table = DropCount(), settings(Clock()).make_table()
    drops_told.add(Counter({Reason.SPOOFED_PORT: 3, Reason.ICMP: 2}))
    assert drops_told.has_untold(Reason.ICMP, Reason.BOGON)
    told = list(drops_told.tell([(Subject(Reason.SPOOFED_PORT, int(IPv4Address(PHONE1)), 9), 2)], table, nobody))
    assert [type(event) for event in told] == [SpoofedPort, Dropped, Dropped]
    assert [event.packets for event in told if isinstance(event, (SpoofedPort, Dropped))] == [2, 1, 2]
    assert not drops_told.has_untold(Reason.ICMP, Reason.SPOOFED_PORT)
    assert list(drops_told.tell([], table, nobody)) == []
    assert (drops_told.drops()["spoofed_port"], drops_told.drops()["icmp"], drops_told.drops()["bogon"]) == (3, 2, 0)


def test_what_a_previous_run_counted_is_no_news() -> None:
    drops_told, table = DropCount(), settings(Clock()).make_table()
    drops_told.add(Counter({Reason.ICMP: 2}))
    drops_told.keep_silent()
    assert list(drops_told.tell([], table, nobody)) == []
    assert drops_told.drops()["icmp"] == 2
