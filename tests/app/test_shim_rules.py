"""The shim as text: what nft and ip are told, and how what stands is read back."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from voxpath.app import shim_rules
from voxpath.app.shim import failure
from voxpath.app.shim_rules import Record
from voxpath.model.address import Mac
from voxpath.model.ports import PortBlock
from voxpath.phone.host import ShimUp

WANTED = ShimUp(
    Mac.parse("02:00:00:00:0a:01"),
    "eth0",
    IPv4Address("10.0.0.21"),
    24,
    IPv4Address("10.0.0.1"),
    PortBlock(IPv4Address("203.0.113.1"), 2048, 64),
)
BEFORE = {"ip_local_port_range": "32768 60999", "conf/eth0/arp_ignore": "0"}

KERNEL_RULES: list[dict[str, Any]] = [
    {"priority": 0, "src": "all", "table": "255"},
    {"priority": 32766, "src": "all", "table": "254"},
    {"priority": 32767, "src": "all", "table": "253"},
]
OUR_RULES: list[dict[str, Any]] = [
    {"priority": 1, "src": "all", "dst": "203.0.113.1", "ipproto": "udp", "table": "255", "protocol": "118"},
    {"priority": 3, "src": "all", "table": "255", "protocol": "118"},
]


def test_the_rules_change_addresses_of_the_blocks_ports_and_nothing_else() -> None:
    """DNT-7: outbound the source, inbound the destination; ports and payload stay."""
    assert (
        shim_rules.ruleset(WANTED, BEFORE)
        == """
add table ip voxpath_shim
delete table ip voxpath_shim
table ip voxpath_shim {
  counter drop_unleased_port { }
  counter drop_bogon { }
  # What stood before, and at the end of the set-up what stands now, for a later run.
  set record { type mark; elements = { 1 comment "ip_local_port_range=32768 60999", 2 comment "conf/eth0/arp_ignore=0" } }
  chain arrive {
    type filter hook input priority raw; policy accept;
    iifname != "eth0" accept
    ip saddr 10.0.0.21 counter name drop_bogon drop
    ip saddr 203.0.113.1 meta l4proto { tcp, udp } th sport 2048-2111 counter name drop_bogon drop
    ip daddr 10.0.0.21 meta l4proto { tcp, udp } th dport 2048-2111 goto received
  }
  chain received {
    # A program that bound to the private address shows that one, and is left alone.
    socket wildcard 0 accept
    ip daddr set 203.0.113.1
  }
  chain leave {
    type filter hook postrouting priority srcnat; policy accept;
    oifname { "lo", "vpshim" } accept
    ip saddr 203.0.113.1 goto shown
  }
  chain shown {
    oifname "eth0" meta l4proto { tcp, udp } th sport 2048-2111 ip saddr set 10.0.0.21 accept
    oifname "eth0" meta l4proto icmp ip saddr set 10.0.0.21 accept
    counter name drop_unleased_port drop
  }
}
"""
    )


def test_own_ports_stay_here_and_other_phones_ports_leave_by_the_gateway() -> None:
    """DNT-21: the table of local addresses comes after our rules, and is never missing."""
    assert shim_rules.up(WANTED) == [
        "link add vpshim type bridge",
        "addr add 203.0.113.1/32 dev vpshim",
        "link set vpshim up",
        "rule add pref 1 to 203.0.113.1 ipproto udp dport 2048-2111 lookup local protocol 118",
        "rule add pref 1 to 203.0.113.1 ipproto tcp dport 2048-2111 lookup local protocol 118",
        "rule add pref 2 to 203.0.113.1 ipproto udp lookup main protocol 118",
        "rule add pref 2 to 203.0.113.1 ipproto tcp lookup main protocol 118",
        "rule add pref 3 lookup local protocol 118",
        "rule del pref 0 lookup local",
        "route prepend 10.0.0.0/24 dev eth0 scope link src 203.0.113.1 proto 118",
        "route prepend default via 10.0.0.1 dev eth0 src 203.0.113.1 proto 118",
    ]


def test_programs_that_bind_to_nothing_get_ports_of_the_block_but_not_the_first() -> None:
    """DNT-3."""
    assert shim_rules.parameters(WANTED) == {
        "ip_local_port_range": "2049 2111",
        "conf/eth0/arp_ignore": "1",
        "conf/eth0/arp_announce": "2",
        "conf/eth0/accept_local": "1",
    }
    for size, ports in ((2, "2049 2049"), (1, "2048 2048")):
        wanted = WANTED._replace(block=PortBlock(WANTED.block.public, 2048, size))
        assert shim_rules.parameters(wanted)["ip_local_port_range"] == ports


def test_a_block_of_one_port_is_written_as_a_port() -> None:
    wanted = WANTED._replace(block=PortBlock(WANTED.block.public, 2048, 1))
    assert "th sport 2048 ip saddr set" in shim_rules.ruleset(wanted, {})


@pytest.mark.parametrize(
    ("first", "size", "own", "chosen"),
    [
        (1024, 1, "1024", "1024 1024"),
        (65534, 1, "65534", "65534 65534"),
        (65535, 1, "", "65535 65535"),
        (65534, 2, "65534", "65535 65535"),
        (65472, 64, "65472-65534", "65473 65534"),
    ],
)
def test_blocks_at_the_edges_get_no_rule_that_the_kernel_would_refuse(first: int, size: int, own: str, chosen: str) -> None:
    """``fib_rules`` takes no port 65535; the port is still translated, and only packets to oneself miss it."""
    wanted = WANTED._replace(block=PortBlock(WANTED.block.public, first, size))
    rules = [line.split(" dport ")[1].split()[0] for line in shim_rules.up(wanted) if "dport" in line]
    assert rules == ([own, own] if own else [])
    assert shim_rules.parameters(wanted)["ip_local_port_range"] == chosen
    written = f"{first}-{first + size - 1}" if size > 1 else str(first)
    assert f"th sport {written} ip saddr set" in shim_rules.ruleset(wanted, {})


@pytest.mark.parametrize(
    ("rules", "routes", "device", "lines"),
    [
        (KERNEL_RULES, False, False, []),
        (KERNEL_RULES, False, True, ["link del vpshim"]),
        (KERNEL_RULES, True, False, ["route flush table all proto 118"]),
        ([*KERNEL_RULES, *OUR_RULES], False, True, ["rule flush protocol 118", "link del vpshim"]),
        (
            [*OUR_RULES, *KERNEL_RULES[1:]],
            True,
            True,
            [
                "rule add pref 0 lookup local protocol kernel",
                "rule flush protocol 118",
                "route flush table all proto 118",
                "link del vpshim",
            ],
        ),
    ],
    ids=["nothing", "a bridge alone", "routes alone", "killed before the move", "whole"],
)
def test_what_is_there_is_taken_away_whatever_it_is(
    rules: list[dict[str, Any]], routes: bool, device: bool, lines: list[str]
) -> None:
    assert shim_rules.down(rules, routes, device) == lines


def test_a_later_run_reads_what_an_earlier_one_recorded() -> None:
    """The objects are those of nft 1.0.6."""
    elements = [
        {"elem": {"val": 0, "comment": "203.0.113.1:2048-2111 for x; 0123"}},
        {"elem": {"val": 1, "comment": "ip_local_port_range=32768 60999"}},
        {"elem": {"val": 2, "comment": "conf/eth0/arp_ignore=0"}},
    ]
    objects = [{"set": {"family": "ip", "name": "record", "table": "voxpath_shim", "type": "mark", "elem": elements}}]
    assert shim_rules.read_record(objects) == Record("203.0.113.1:2048-2111 for x; 0123", BEFORE)
    assert shim_rules.read_record([{"set": {"name": "record"}}]) == Record("", {})
    with pytest.raises(KeyError):
        shim_rules.read_record([{"set": {"elem": [{"elem": {"val": 1}}]}}])


@pytest.mark.parametrize(
    "foreign",
    [
        "/etc/passwd=text",
        "/etc/passwd=1",
        "../../kernel/hostname=x",
        "conf/../arp_ignore=1",
        "conf/all/arp_ignore=1",
        "conf/./arp_ignore=1",
        "conf/eth0/forwarding=1",
        "conf/eth0/../arp_ignore=1",
        "conf/eth0/arp_ignore=1 or so",
        "ip_local_port_range=1\n2",
        "ip_local_port_range=32768",
        "ip_forward=1",
        "garbage",
        "=",
    ],
)
def test_a_record_that_no_shim_wrote_names_no_file_to_write(foreign: str) -> None:
    """Root writes what a record tells, and whoever may change the table must not choose where."""
    elements = [{"elem": {"val": number, "comment": text}} for number, text in enumerate(("conf/eth0/arp_ignore=0", foreign), 1)]
    with pytest.raises(ValueError, match=r"."):
        shim_rules.read_record([{"set": {"elem": elements}}])


def test_every_parameter_of_a_shim_can_be_read_back() -> None:
    keys = shim_rules.parameters(WANTED._replace(interface="a.b-c_d:1@x"))
    values = dict.fromkeys(keys, "1") | {"ip_local_port_range": "1 65535"}
    elements = [{"elem": {"val": number, "comment": f"{key}={value}"}} for number, (key, value) in enumerate(values.items(), 1)]
    assert shim_rules.read_record([{"set": {"elem": elements}}]).before == values


def test_every_record_fits_into_a_comment_of_nft() -> None:
    widest = ShimUp(
        WANTED.mac,
        "a" * 15,
        IPv4Address("192.168.100.200"),
        24,
        IPv4Address("192.168.100.201"),
        PortBlock(IPv4Address("203.100.113.100"), 64512, 1024),
    )
    assert len(shim_rules.describe(widest)) <= 128 - len("; 0123456789abcdef")
    assert all(len(f"{key}=32768 60999") <= 128 for key in shim_rules.parameters(widest))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("RTNETLINK answers: Operation not permitted\nCommand failed -:2\n", "RTNETLINK answers: Operation not permitted (b)"),
        ('Cannot find device "eth7"\nCommand failed -:1\n', 'Cannot find device "eth7" (a)'),
        ("Command failed -:9\n", "Command failed -:9"),
        ("", "refused without a word"),
    ],
)
def test_what_ip_complains_of_is_told_with_the_command(error: str, line: str) -> None:
    assert failure(["a", "b"], error) == line
