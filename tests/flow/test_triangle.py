"""The triangle decision, as a truth table and as properties."""

from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.flow.triangle import select
from voxpath.model.call import Party


def party(public: str, private: str | None = None, realm: str | None = None) -> Party:
    return Party(IPv4Address(public), None if private is None else IPv4Address(private), realm)


@dataclass(frozen=True)
class Case:
    """One row of the truth table."""

    name: str
    first: Party
    second: Party
    private: bool


A, B, C = "203.0.113.1", "203.0.113.2", "198.51.100.7"

TABLE = (
    Case("TRI-2 one gateway, no realm known", party(A, "10.0.0.11"), party(A, "10.0.0.12"), True),
    Case("TRI-2 one gateway, one realm", party(A, "10.0.0.11", "a"), party(A, "10.0.0.12", "a"), True),
    Case("TRI-3 two sites", party(A, "10.0.0.11"), party(B, "10.1.0.12"), False),
    Case("TRI-3 two sites with equal private addresses", party(A, "10.0.0.11"), party(B, "10.0.0.11"), False),
    Case("TRI-3 two sites, two realms", party(A, "10.0.0.11", "a"), party(B, "10.0.0.11", "b"), False),
    Case("TRI-5 two gateways on one site", party(A, "10.0.0.11"), party(B, "10.0.0.12"), False),
    Case("D7 two gateways joined to one realm", party(A, "10.0.0.11", "a"), party(B, "10.0.0.12", "a"), True),
    Case("D7 one gateway with two public addresses", party(A, "10.0.0.11", "a"), party(B, "10.0.0.200", "a"), True),
    Case("D7 two isolated realms behind one gateway", party(A, "10.0.0.11", "a"), party(A, "10.9.0.12", "b"), False),
    Case("D7 only one of them is in a realm", party(A, "10.0.0.11", "a"), party(A, "192.168.9.9"), False),
    Case("CGN: two sites behind one address use one private address", party(A, "10.0.0.11"), party(A, "10.0.0.11"), False),
    Case("TRI-6 phone and trunking gateway", party(A, "10.0.0.11"), party(C), False),
    Case("TRI-6 phone in a realm and trunking gateway", party(A, "10.0.0.11", "a"), party(C), False),
    Case("TRI-6 gateway without a private address at the same public one", party(A, "10.0.0.11"), party(A), False),
    Case("TRI-6 two trunking gateways", party(B), party(C), False),
)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_truth_table(case: Case) -> None:
    found = select(case.first, case.second)
    assert found.private is case.private
    wanted = (case.first.private, case.second.private) if case.private else (case.first.public, case.second.public)
    assert (found.first, found.second) == wanted
    assert found.reason


addresses = st.sampled_from([IPv4Address(text) for text in (A, B, C, "10.0.0.11", "10.0.0.12", "192.168.0.1")])
parties = st.builds(Party, addresses, st.none() | addresses, st.none() | st.sampled_from(["a", "b"]))


@given(parties, parties)
def test_the_order_of_the_parties_does_not_matter(first: Party, second: Party) -> None:
    there, back = select(first, second), select(second, first)
    assert (there.first, there.second, there.private, there.reason) == (back.second, back.first, back.private, back.reason)


@given(parties, parties)
def test_never_private_across_different_publics_without_a_common_realm(first: Party, second: Party) -> None:
    common = first.realm is not None and first.realm == second.realm
    if first.public != second.public and not common:
        assert not select(first, second).private


@given(parties, parties)
def test_a_call_never_mixes_private_and_public(first: Party, second: Party) -> None:
    found = select(first, second)
    pairs = {True: (first.private, second.private), False: (first.public, second.public)}
    assert (found.first, found.second) == pairs[found.private]
