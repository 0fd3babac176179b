"""What the operator is told of addresses and blocks that nobody gets for a while (DHC-24)."""

from ipaddress import IPv4Address

import pytest

from tests.dhcp.test_explain import told
from voxpath.dhcp.event import DhcpExhausted
from voxpath.dhcp.explain import NOTHING
from voxpath.ports.change import MAKE_ROOM

FIRST = IPv4Address("10.0.0.10")


@pytest.fixture
def full(make_site, make_phone):
    """A site of two addresses: one was declined 100 s ago, one was given back 60 s ago, whose block is in quarantine."""
    site = make_site(last=11, probation_s=1000.0, blocks=8)
    phone = make_phone(site, 1)
    site.tell(phone.client.decline(phone.boot()))
    site.wait(40.0)
    other = make_phone(site, 2)
    site.tell(other.client.release(other.boot()))
    site.wait(60.0)
    return site


WAITING = "; on probation: 1 address, the next one is free in 900 s; in quarantine: 1 port block, the next one is free in 40 s"
"""The first phone's block has left quarantine, after 100 s."""


def test_who_gets_nothing_is_told_of_with_what_is_free_next_and_when(full, make_phone) -> None:
    assert make_phone(full, 3).ask(make_phone(full, 3).client.discover()) is None
    event = full.last_event(DhcpExhausted)
    assert event.waiting == WAITING
    assert event.text.endswith(f"{WAITING}; {MAKE_ROOM}")


def test_a_dry_run_and_status_tell_the_same(full) -> None:
    answer = told(full, 3)["answer"]
    assert answer.startswith(f"{NOTHING}: no address of scope lan is left")
    assert answer.endswith(f"{WAITING}; {MAKE_ROOM}")
    shown = dict(full.server.summary(full.now))
    assert shown["on probation in lan"] == "1 address, the next one is free in 900 s"
    assert shown["in quarantine for site"] == "1 port block, the next one is free in 40 s"


def test_what_is_over_is_not_told_any_more(full, make_phone) -> None:
    full.wait(40.0)
    assert "in quarantine for site" not in dict(full.server.summary(full.now))
    full.wait(860.0)
    assert list(full.server.summary(full.now)) == []
    make_phone(full, 3).boot()
    make_phone(full, 4).boot()
    assert make_phone(full, 5).ask(make_phone(full, 5).client.discover()) is None
    assert full.last_event(DhcpExhausted).waiting == ""


def test_it_is_known_after_a_restart_too(full) -> None:
    full.start()
    shown = dict(full.server.summary(full.now))
    assert shown["on probation in lan"] == "1 address, the next one is free in 900 s"
    assert shown["in quarantine for site"] == "1 port block, the next one is free in 40 s"


def test_a_block_whose_phone_is_back_is_in_quarantine_no_longer(full, make_phone) -> None:
    make_phone(full, 2).boot()
    assert "in quarantine for site" not in dict(full.server.summary(full.now))


def test_contested_addresses_are_counted_with_declined_ones(full) -> None:
    book = full.server.book
    assert book.contest("attic", IPv4Address("10.0.1.10"), full.now + 7)
    assert dict(full.server.summary(full.now))["on probation in attic"] == "1 address, the next one is free in 7 s"
    full.wait(8.0)
    assert "on probation in attic" not in dict(full.server.summary(full.now))
