"""The examples of docs/protocols/dhcp-options.md decode as the page says, and are what we write."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import write_parts
from voxpath.dhcp.options import Assignment, flat_options, pack_vendor, read_assignment
from voxpath.dhcp.wire import encode_options
from voxpath.model.address import Endpoint
from voxpath.model.ports import PortBlock

PAGE = (Path(__file__).parents[2] / "docs/protocols/dhcp-options.md").read_text()
DOCUMENTATION = 32473
"""The enterprise number for examples (RFC 5612)."""
SAID = re.compile(
    r"ports (?P<first>\d+) to (?P<last>\d+) of (?P<nat>[\d.]+), "
    r"the primary controller (?P<primary>[\d.:]+\d) and the backup (?P<backup>[\d.:]+\d)\."
)


def example(name: str) -> bytes:
    found = re.search(rf"```{name}\n(.+?)```", PAGE, re.DOTALL)
    assert found is not None
    return bytes.fromhex(found[1])


def said() -> Assignment:
    """What the page says in words about its examples."""
    words = SAID.search(PAGE)
    assert words is not None
    nat = IPv4Address(words["nat"])
    first, last = int(words["first"]), int(words["last"])
    mgcs = (Endpoint.parse(words["primary"]), Endpoint.parse(words["backup"]))
    return Assignment(PortBlock(nat, first, last - first + 1), mgcs, nat)


def options_of(octets: bytes) -> dict[int, bytes]:
    """Read options octet by octet, as a stranger would who knows RFC 2132 and this page alone."""
    found = {}
    while octets:
        found[octets[0]] = octets[2 : 2 + octets[1]]
        octets = octets[2 + octets[1] :]
    return found


@pytest.mark.parametrize("name", ["option-43", "option-125", "options-224-226"])
def test_an_example_decodes_as_the_page_says(name: str) -> None:
    assert read_assignment(options_of(example(name)), DOCUMENTATION) == said()


def test_the_examples_are_what_the_server_writes() -> None:
    assert encode_options({code.VENDOR: pack_vendor(flat_options(said()))}) == example("option-43")
    part = write_parts([(DOCUMENTATION, pack_vendor(flat_options(said())))])
    assert encode_options({code.ENTERPRISE: part}) == example("option-125")
    assert encode_options(flat_options(said())) == example("options-224-226")


def test_the_table_has_the_codes_of_the_module() -> None:
    for field, sub, option in (
        ("port range", code.SUB_PORT_RANGE, code.PORT_RANGE),
        ("MGC list", code.SUB_MGC_LIST, code.MGC_LIST),
        ("NAT address", code.SUB_NAT_ADDRESS, code.NAT_ADDRESS),
    ):
        assert f"| {field} | {sub} | {option} |" in PAGE


def test_the_longest_option_43_has_the_length_that_the_page_says() -> None:
    full = said()._replace(mgcs=said().mgcs * 2)
    assert len(pack_vendor(flat_options(full))) == 42
