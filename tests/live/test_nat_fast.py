"""The fast form of the nftables back end in a real kernel, with the crafted packets of all back ends."""

import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.live.namespaces import Namespaces
from tests.live.nat_gateway import GatewayConformance
from tests.live.nat_rig import KernelRig, gateway_site
from voxpath.model.ports import Transaction
from voxpath.natreactor import fastform
from voxpath.natreactor.event import FastForm, NoFastForm, TableLost
from voxpath.natreactor.interface import INATReactor
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.conformance import NatConformance
from voxpath.testing.nat.packets import CASES, FAR, MAPPINGS, PHONE1, PREFIX, PUBLIC1, PUBLIC2, checksum, mapping, ping, udp
from voxpath.testing.nat.pool import PoolConformance
from voxpath.testing.nat.rig import oracle, result_of, settings

pytestmark = [pytest.mark.live, pytest.mark.together]

WRONG_SUM = "a wrong IP checksum"
SHORT = ("octets behind the total length are cut", "two octets of UDP", "four octets of UDP", "nineteen octets of TCP")
"""What the shortest length that is carried is for."""
REFUSES = "table inet host { chain forward { type filter hook forward priority 0; policy drop;\n}\n}"
SOUND = bytes(172)
WHOLE = 40
"""Octets of a packet that has the headers of IP and TCP."""
SHORTEST = 20
"""Octets of a packet that has a header and nothing else."""
OUTGOING, INCOMING = udp(PHONE1, 2048, FAR, 9, SOUND), udp(FAR, 9, PUBLIC1, 2048, SOUND)


def fast(settings: NatSettings) -> INATReactor:
    return NftablesNAT(replace(settings, fast=True))


@pytest.fixture(scope="module")
def site() -> Iterator[Namespaces]:
    with gateway_site() as net:
        yield net


@pytest.fixture
def rig(site: Namespaces) -> Iterator[KernelRig]:
    yield from begun(site)


def begun(site: Namespaces) -> Iterator[KernelRig]:
    made = KernelRig(site, fast)
    yield made
    made.close()
    with site.entered("gw"):
        withdraw("voxpath", ("lan0",))
    site.run("gw", ["nft", "flush", "ruleset"])


@pytest.fixture
def loaded(rig: KernelRig) -> KernelRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


class TestFastForm(NatConformance, PoolConformance, GatewayConformance):
    """All of it but one packet; nearly all are shorter than those that are carried, so here they are, too."""

    cases = tuple(case for case in CASES if case.name not in (WRONG_SUM, *SHORT))

    @staticmethod
    def is_asked(packet: bytes) -> bool:
        """Without the shortest length nothing tells what fills a frame, or ends before its header does."""
        return len(packet) == int.from_bytes(packet[2:4], "big") >= WHOLE

    @pytest.fixture
    def rig(self, site: Namespaces, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelRig]:
        monkeypatch.setattr(fastform, "UNPADDED", SHORTEST)
        yield from begun(site)


def is_fast(rig: KernelRig) -> bool:
    """Whether packets of a call pass each way where the host forwards nothing."""
    rig.net.run("gw", ["nft", "-f", "-"], input=REFUSES)
    try:
        came = [rig.carry(packet, packet is OUTGOING) for packet in (OUTGOING, INCOMING)]
    finally:
        rig.net.run("gw", ["nft", "delete", "table", "inet", "host"])
    assert (came[0] is None) == (came[1] is None)
    return came[0] is not None


def look(rig: KernelRig) -> None:
    with rig.net.entered("gw"):
        rig.clock.advance(1)


def test_packets_of_calls_pass_no_rules_of_the_host_and_all_others_do(loaded: KernelRig) -> None:
    (told,) = [event for event in loaded.events if isinstance(event, FastForm)]
    assert told.ways == f"to {PREFIX} by lan0, to 198.51.100.0/24 by wan0, to 0.0.0.0/0 by wan0 and {FAR}"
    assert is_fast(loaded)
    loaded.net.run("gw", ["nft", "-f", "-"], input=REFUSES)
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is None
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9, SOUND, ttl=1), True) is None
    loaded.net.run("gw", ["nft", "delete", "table", "inet", "host"])
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is not None


def test_a_header_that_is_wrong_stays_wrong(loaded: KernelRig) -> None:
    came = loaded.carry(udp(FAR, 9, PUBLIC1, 2048, SOUND, damage=0x0101), False)
    assert came is not None
    assert checksum(came[:20]) != 0
    assert came[16:20] == IPv4Address(PHONE1).packed


@pytest.mark.parametrize("name", SHORT)
def test_short_packets_take_the_usual_way(loaded: KernelRig, name: str) -> None:
    (case,) = [case for case in CASES if case.name == name]
    assert loaded.carry(case.packet, case.from_inside) == oracle(case)


def test_frames_of_other_hosts_and_with_tags_are_left_alone(loaded: KernelRig) -> None:
    """What a promiscuous interface hears for others is not the gateway's to forward."""
    loaded.phone.send_frame(bytes.fromhex("02000000cc01"), b"\x08\x00" + OUTGOING)
    loaded.phone.send_frame(None, b"\x81\x00\x00\x05\x08\x00" + OUTGOING)
    loaded.phone.settle()
    loaded.out.settle()
    assert loaded.out.heard() == []


def test_what_is_too_long_for_the_other_side_takes_the_usual_way(loaded: KernelRig) -> None:
    loaded.net.ip("gw", "link", "set", "lan0", "mtu", "600")
    look(loaded)
    try:
        came = loaded.carry(udp(FAR, 9, PUBLIC1, 2048, bytes(900)), False)
        assert is_fast(loaded)
    finally:
        loaded.net.ip("gw", "link", "set", "lan0", "mtu", "1500")
    assert came is not None
    assert came[12:16] == IPv4Address(PUBLIC1).packed
    assert came[20:22] == bytes((3, 4))


@pytest.mark.parametrize(
    ("wrong", "right", "reason"),
    [
        (["rule", "add", "pref", "99", "lookup", "77"], ["rule", "del", "pref", "99"], "priority 99 leads into the table 77"),
        (["route", "del", "default"], ["route", "add", "default", "via", FAR], "no default route"),
        (["route", "add", "10.0.0.64/26", "dev", "wan0"], ["route", "del", "10.0.0.64/26"], "10.0.0.64/26 leads to no"),
    ],
    ids=["policy routing", "no default route", "phones outside"],
)
def test_routes_that_do_not_fit_end_it_until_they_fit_again(
    loaded: KernelRig, wrong: list[str], right: list[str], reason: str
) -> None:
    loaded.net.ip("gw", *wrong)
    try:
        look(loaded)
        look(loaded)
        (told,) = [event for event in loaded.events if isinstance(event, NoFastForm)]
        assert reason in told.reason
        assert "netdev" not in loaded.net.run("gw", ["nft", "list", "tables"]).stdout
    finally:
        loaded.net.ip("gw", *right)
    assert loaded.carry(OUTGOING, True) is not None
    assert not is_fast(loaded)
    look(loaded)
    assert is_fast(loaded)


def test_a_prefix_that_others_lead_to_takes_the_usual_way(loaded: KernelRig) -> None:
    """The default route's router is not asked for what it does not lead to."""
    loaded.net.ip("gw", "route", "add", "192.0.2.0/24", "dev", "lo")
    try:
        look(loaded)
        listed = loaded.net.run("gw", ["nft", "list", "chain", "netdev", "voxpath", "outward"]).stdout
    finally:
        loaded.net.ip("gw", "route", "del", "192.0.2.0/24")
    assert "@nh,128,24 0xc00002 accept" in listed
    assert is_fast(loaded)


def test_phones_behind_a_router_are_reached_by_it(loaded: KernelRig) -> None:
    loaded.net.ip("gw", "route", "add", f"{PHONE1}/32", "via", "10.0.0.99")
    try:
        look(loaded)
        assert is_fast(loaded)
        listed = loaded.net.run("gw", ["nft", "list", "chain", "netdev", "voxpath", "lead_in"]).stdout
    finally:
        loaded.net.ip("gw", "route", "del", f"{PHONE1}/32")
    assert re.search(rf"ip daddr {PHONE1} fwd ip to 10\.0\.0\.99 device .*\n.*fwd ip to ip daddr device", listed)


def test_a_table_that_somebody_took_away_is_made_again(loaded: KernelRig) -> None:
    loaded.net.run("gw", ["nft", "delete", "table", "netdev", "voxpath"])
    assert loaded.carry(OUTGOING, True) is not None
    look(loaded)
    assert [type(event) for event in loaded.events if isinstance(event, TableLost)] == [TableLost]
    assert is_fast(loaded)


def test_a_change_finds_that_somebody_took_it_away(loaded: KernelRig) -> None:
    loaded.net.run("gw", ["nft", "delete", "table", "netdev", "voxpath"])
    with loaded.net.entered("gw"):
        result_of(loaded.nat.apply(Transaction(2, (mapping(PHONE1, PUBLIC2, 9216, 64),))))
    assert is_fast(loaded)
    assert loaded.carry(udp(PHONE1, 9216, FAR, 9, SOUND), True) is not None


def test_a_restart_leaves_it_as_it_is_and_without_it_nothing_is_left(loaded: KernelRig) -> None:
    loaded.carry(OUTGOING, True)
    before = loaded.net.run("gw", ["nft", "-a", "list", "table", "netdev", "voxpath"]).stdout
    loaded.restart()
    assert loaded.net.run("gw", ["nft", "-a", "list", "table", "netdev", "voxpath"]).stdout == before
    assert is_fast(loaded)
    result_of(loaded.nat.stop())
    usual = NftablesNAT(settings(loaded.clock))
    with loaded.net.entered("gw"):
        result_of(usual.start())
        result_of(usual.stop())
    assert "netdev" not in loaded.net.run("gw", ["nft", "list", "tables"]).stdout
    loaded.begin(settings(loaded.clock))
    assert is_fast(loaded)
