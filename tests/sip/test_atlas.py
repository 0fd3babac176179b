"""Places that are remembered: never longer than the ledger says the same."""

from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace

from tests.sip.test_reach import A1, A2, OF_A1, REALMS, STRANGER, A, held
from tests.sip.test_redirect import OF_B1, invite, server
from voxpath.model.address import Endpoint
from voxpath.ports.copy import LedgerCopy
from voxpath.sip import atlas as module
from voxpath.sip.atlas import Atlas
from voxpath.sip.memo import LONGEST_KEPT
from voxpath.sip.reach import Nature, locate, place_at
from voxpath.sip.uri import SipUri

ROW = held(A1, A, 2048, "10.0.0.11", "a")
PRIVATE, OWN, OTHER = "sip:a1@10.0.0.11:2048", "sip:a1@203.0.113.1:2048", "sip:a1@203.0.113.1:2112"


def copy() -> LedgerCopy:
    made = LedgerCopy()
    made.snapshot("a", 1, [ROW])
    return made


@pytest.mark.parametrize("uri", [PRIVATE, OWN, OTHER, "sip:a1@phone.example"])
@pytest.mark.parametrize("source", [OF_A1, STRANGER, Endpoint("10.0.0.11", 2048), Endpoint("10.0.0.99", 5060)])
def test_what_is_remembered_is_what_would_be_worked_out(uri: str, source: Endpoint) -> None:
    """At each change of the ledger: the phone's row is renewed, goes to another phone, is lost, and comes back."""
    ledger = copy()
    atlas = Atlas(ledger, REALMS)
    renewed = replace(ROW, generation=2)
    moved = replace(ROW, holder=A2, private=IPv4Address("10.0.0.12"), generation=3)
    neighbour = replace(held(A2, A, 2112, "10.0.0.13", "a"), generation=4)
    for generation, (puts, deletes) in enumerate([((), ()), ((renewed,), ()), ((moved,), (renewed,)), ((neighbour,), (moved,))], 2):
        assert ledger.apply("a", generation, puts, deletes)
        for _ in range(2):
            assert atlas.locate(uri, source) == locate(SipUri.parse(uri), source, ledger, REALMS)
            assert atlas.place(source, None) == place_at(source, None, ledger, REALMS)
    ledger.stale("a")
    for _ in range(2):
        assert atlas.locate(uri, source) == locate(SipUri.parse(uri), source, ledger, REALMS)
        assert atlas.held(source) is None


def test_a_place_is_worked_out_once() -> None:
    """Between two calls nothing changes."""
    atlas = Atlas(copy(), REALMS)
    assert atlas.locate(PRIVATE, OF_A1) is atlas.locate(PRIVATE, OF_A1)
    assert atlas.held(OF_A1) is atlas.held(OF_A1)


def test_a_contact_is_foreign_from_the_moment_when_another_phone_holds_its_ports() -> None:
    """What it claims is looked up again each time, as its source is."""
    ledger = copy()
    atlas = Atlas(ledger, REALMS)
    assert atlas.locate(OTHER, OF_A1).nature is Nature.PUBLIC
    assert ledger.apply("a", 2, [replace(held(A2, A, 2112, "10.0.0.12", "a"), generation=2)], [])
    assert atlas.locate(OTHER, OF_A1).nature is Nature.FOREIGN


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever registers from thousands of ports costs time and no memory."""
    monkeypatch.setattr(module, "MOST_REMEMBERED", 4)
    atlas = Atlas(copy(), REALMS)
    for number in range(20):
        source = Endpoint(A, 2048 + number)
        assert atlas.held(source) is not None
        atlas.locate(PRIVATE, source)
        assert len(atlas._places) <= 4
        assert len(atlas._contacts) <= 4


def test_a_contact_is_forgotten_with_its_binding() -> None:
    """A phone that shows another contact each time, moves, unregisters or falls silent leaves nothing behind."""
    exchange = server()
    remembered = exchange.server._redirect._atlas._contacts
    for number in range(20):
        contact, source = f"<sip:a1-{number}@10.0.0.11:2048>", Endpoint("203.0.113.1", 2048 + number % 3)
        instance = '+sip.instance="<urn:uuid:1>"'
        assert exchange.register("a1@voip.example", f"{contact};{instance}", source).status == 200
        assert exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1).status == 302
        assert len(remembered) == 1
    assert exchange.register("a1@voip.example", f"{contact};{instance}", source, "Expires: 0").status == 200
    assert remembered == {}
    exchange.register("a1@voip.example", "<sip:a1@10.0.0.11:2048>", OF_A1)
    exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1)
    assert len(remembered) == 1
    exchange.tick(3601)
    assert remembered == {}


def test_long_contacts_and_those_that_are_not_bound_are_not_remembered() -> None:
    """Whoever is refused costs nothing."""
    atlas = Atlas(copy(), REALMS)
    atlas.survey(PRIVATE, OF_A1)
    atlas.locate(f"{PRIVATE};x={'y' * LONGEST_KEPT}", OF_A1)
    assert atlas._contacts == {}
