"""What sets the shim up and takes it away, without gateway and phone: what the kernel takes, and what is left."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.namespaces import Namespaces

pytestmark = pytest.mark.live

PROGRAM = """
import json, sys
from ipaddress import IPv4Address
from subprocess import run
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from voxpath.app.shim import ShimHost
from voxpath.core.errors import LocalError
from voxpath.model.address import Mac
from voxpath.model.ports import PortBlock
from voxpath.phone.host import ShimDown, ShimUp

mac = Mac.parse("02:00:00:00:0a:01")

def sh(command):
    return run(["sh", "-c", command], capture_output=True, text=True).stdout

async def up(lease):
    # By a new run, which ends without taking anything away.
    block = PortBlock(IPv4Address(lease["public"]), lease["first"], lease["size"])
    host = ShimHost(lambda event: None)
    wanted = ShimUp(mac, "eth0", IPv4Address("10.5.0.2"), lease["prefix_length"], IPv4Address(lease["router"]), block)
    try:
        return "taken over" if await host.answer(wanted) else "set up"
    except LocalError as error:
        return str(error)
    finally:
        await host.close()

async def down():
    host = ShimHost(lambda event: None)
    await host.down(ShimDown(mac, PortBlock(IPv4Address("203.0.113.1"), 2048, 64)))
    await host.close()

async def damaged(damage):
    # By one run, which looks, goes on with another lease, and takes that away.
    host = ShimHost(lambda event: None)
    block = PortBlock(IPv4Address("203.0.113.1"), 2048, 64)
    wanted = ShimUp(mac, "eth0", IPv4Address("10.5.0.2"), 24, IPv4Address("10.5.0.1"), block)
    try:
        await host.answer(wanted)
        await host.look()
        sh(damage)
        try:
            await host.look()
            said = "whole"
        except LocalError:
            said = "damaged"
        stood = await host.answer(wanted)
        await host.look()
        await host.answer(wanted._replace(block=PortBlock(block.public, 4096, 64)))
        await host.down(ShimDown(mac, block))
        return f"{said}, {'taken over' if stood else 'mended'}"
    finally:
        await host.close()

async def go():
    said = []
    for step in json.loads(sys.argv[1]):
        if isinstance(step, dict):
            said.append(await (damaged(step["damage"]) if "damage" in step else up(step)))
        else:
            said.append(await down() if step == "down" else sh(step))
    print(json.dumps(said))

react(lambda reactor: Deferred.fromCoroutine(go()))
"""

LEASE: dict[str, Any] = {"prefix_length": 24, "router": "10.5.0.1", "public": "203.0.113.1", "first": 2048, "size": 64}
STATE = (
    "ip -4 -d rule; ip -4 route show table all; ip link show type bridge; nft -s list ruleset; sysctl -ar ^net[.]ipv4 2>/dev/null"
)
ROUTES = "ip -4 route show table all proto 118"


class Host:
    """A namespace with an interface that has its address."""

    def __init__(self, net: Namespaces) -> None:
        self.net = net
        net.create("phone", "other")
        net.veth("phone", "eth0", "other", "eth0")
        net.address("phone", "eth0", "10.5.0.2/24")
        net.route("phone", "default", "10.5.0.1")

    def steps(self, *steps: dict[str, Any] | str) -> list[str]:
        """Set shims up by leases, each in a run that dies, take them ``"down"``, run shell commands; tell what each said."""
        said: list[str] = json.loads(self.net.run("phone", [sys.executable, "-c", PROGRAM, json.dumps(steps)]).stdout)
        return said


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One for all tests: each leaves it as it was, which is what they are about."""
    with Namespaces() as net:
        yield Host(net)


@pytest.fixture
def elsewhere(host: Host) -> Iterator[Host]:
    """The host, while its public address stands on another interface too."""
    host.net.address("phone", "lo", "203.0.113.1/32")
    yield host
    host.net.ip("phone", "addr", "del", "203.0.113.1/32", "dev", "lo")


def test_the_kernel_takes_blocks_at_the_edges(host: Host) -> None:
    """It takes no rule about port 65535."""
    edges = ((1024, 1), (65535, 1), (65534, 2), (65472, 64))
    steps = [step for first, size in edges for step in (LEASE | {"first": first, "size": size}, "down", STATE)]
    before, *said = host.steps(STATE, *steps)
    assert said[::3] == ["set up"] * len(edges)
    assert said[2::3] == [before] * len(edges)


def test_a_link_of_two_addresses_has_a_shim(host: Host) -> None:
    """RFC 3021."""
    before, how, _, after = host.steps(STATE, LEASE | {"prefix_length": 31, "router": "10.5.0.3"}, "down", STATE)
    assert (how, after) == ("set up", before)


def test_no_route_stays_behind_when_another_interface_has_the_public_address_too(elsewhere: Host) -> None:
    """The kernel removes a route with its source only when the source is nowhere else."""
    before, how, routes, _, after = elsewhere.steps(STATE, LEASE, ROUTES, "down", STATE)
    assert (how, routes.count("src 203.0.113.1"), after) == ("set up", 2, before)


@pytest.mark.parametrize(
    "damage",
    [
        "ip rule del pref 2 ipproto udp",
        "ip link del vpshim",
        "nft delete table ip voxpath_shim",
        "nft flush chain ip voxpath_shim leave",
    ],
    ids=["rule", "bridge", "table", "chain"],
)
def test_what_is_left_of_a_killed_run_is_taken_over_if_whole_and_replaced_if_not(elsewhere: Host, damage: str) -> None:
    """Routes among it, whose source stands elsewhere."""
    rules = "ip -4 -d rule; ip -4 route show table all"
    first, whole, second, _, third, mended, _, gone = elsewhere.steps(LEASE, rules, LEASE, damage, LEASE, rules, "down", STATE)
    assert (first, second, third) == ("set up", "taken over", "set up")
    assert mended == whole
    assert not [word for word in ("vpshim", "proto 118", "protocol 118", "voxpath_shim") if word in gone]


def test_a_hostile_lease_changes_nothing_and_ends_the_shim_of_an_earlier_run(host: Host) -> None:
    before, how, refused, after = host.steps(STATE, LEASE, LEASE | {"public": "127.0.0.1"}, STATE)
    assert (how, refused) == ("set up", "the lease's public address 127.0.0.1 is a loopback address")
    assert after == before


@pytest.mark.parametrize(
    "damage",
    [
        "nft flush table ip voxpath_shim",
        "nft flush chain ip voxpath_shim leave",
        "nft add rule ip voxpath_shim leave accept",
        "nft flush ruleset",
        "ip link del vpshim",
    ],
)
def test_a_look_sees_every_change_and_the_next_set_up_mends_it(host: Host, damage: str) -> None:
    """Without its chains the shim lets packets out as they are."""
    before, said, after = host.steps(STATE, {"damage": damage}, STATE)
    assert (said, after) == ("damaged, mended", before)


FOREIGN = (
    "nft delete table ip voxpath_shim; nft add table ip voxpath_shim; "
    """nft add set ip voxpath_shim record '{{ type mark; elements = {{ 5 comment "{}" }} }}'"""
)


@pytest.mark.parametrize(
    "damage",
    [
        "nft flush set ip voxpath_shim record",
        "nft delete element ip voxpath_shim record '{ 1 }'",
        FOREIGN.format("garbage"),
        FOREIGN.format("icmp_echo_ignore_all=1"),
        FOREIGN.format("../../net/ipv4/icmp_echo_ignore_all=1"),
    ],
)
def test_what_stood_before_comes_back_whatever_became_of_the_record(host: Host, damage: str) -> None:
    """The run that set the shim up knows what it changed, and follows no record of others."""
    before, said, after = host.steps(STATE, {"damage": damage}, STATE)
    assert said.endswith("mended") or "flush set" in damage or "delete element" in damage
    assert after == before


@pytest.mark.parametrize("record", ["icmp_echo_ignore_all=1", "conf/eth0/../../icmp_echo_ignore_all=1"])
def test_a_record_of_somebody_else_makes_nobody_write_a_file(host: Host, record: str) -> None:
    """It becomes the name of a file that root writes."""
    read = "sysctl -n net.ipv4.icmp_echo_ignore_all"
    make = FOREIGN.removeprefix("nft delete table ip voxpath_shim; ").format(record)
    before, _, _, after, table = host.steps(read, make, "down", read, "nft list table ip voxpath_shim")
    assert (after, table) == (before, "")
