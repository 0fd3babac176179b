"""The configurations that tutorial and how-to pages show can be used as they stand there."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from voxpath.app.check import check, notes
from voxpath.app.decode import decode
from voxpath.app.machine import Machine

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md")))
BLOCKS = [text for page in PAGES for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)]
MACHINE = Machine(root=True, interfaces=frozenset({"lo", "eth0", "eth1"}), addresses=frozenset({IPv4Address("10.0.0.1")}))


@pytest.mark.parametrize("text", BLOCKS, ids=[str(place) for place in range(len(BLOCKS))])
def test_every_configuration_of_the_pages_decodes(text: str) -> None:
    config, problems = decode(text.encode())
    assert problems == ()
    assert config is not None


def test_the_whole_configurations_of_the_pages_can_be_started() -> None:
    whole = [text for text in BLOCKS if "state =" in text]
    assert len(whole) >= 2, "the gateway and the phone of the tutorial"
    for text in whole:
        config, _ = decode(text.encode())
        assert config is not None
        assert [str(problem) for problem in check(config, MACHINE)] == []


def test_the_blocks_that_commands_of_the_pages_name_lie_in_the_pools_of_the_tutorial() -> None:
    [gateway] = [text for text in BLOCKS if "[[pool]]" in text]
    config, _ = decode(gateway.encode())
    assert config is not None
    lines = [line for page in PAGES for line in page.read_text().splitlines() if re.search(r"ctl (move|reserve) ", line)]
    named = [words for line in lines if (words := re.search(r"([0-9.]{7,15})(?::([0-9]+)(?:-([0-9]+))?)?$", line))]
    assert len(named) >= 3
    for words in named:
        pools = [pool.ports for pool in config.pools if str(pool.public) == words[1]]
        assert pools, words[0]
        for port in filter(None, (words[2], words[3])):
            assert any(first <= int(port) <= last for first, last in pools), words[0]


def fitting(*marks: str) -> list[str]:
    """The blocks of the pages, in the order of the marks that each has."""
    return [next(text for text in BLOCKS if mark in text) for mark in marks]


def test_the_sip_phones_of_the_pages_can_be_added_to_the_gateway_of_the_tutorial() -> None:
    """One after the other, as the pages say: what is added, and what is replaced."""
    gateway, sip, second, outside = fitting(
        "state =", 'name = "a1"', 'name = "a2"', 'listen = ["10.0.0.1:5060", "203.0.113.1:5060"]'
    )
    replaced = re.sub(r"\[sip\]\n.*?(?=\[\[user\]\])", "", sip, flags=re.DOTALL)
    for text in (gateway + sip, gateway + sip + second, gateway + replaced + second + outside):
        config, problems = decode(text.encode())
        assert config is not None, problems
        assert [str(problem) for problem in check(config, MACHINE)] == []


def test_every_phone_of_the_pages_is_served() -> None:
    """Its address is among those that get leases, and its vendor class selects a class."""
    gateway, sip, second = fitting("state =", 'name = "a1"', 'name = "a2"')
    config, _ = decode((gateway + sip + second).encode())
    assert config is not None
    assert not [note for note in notes(config) if "dhcp.macs" in note or "controller" in note]
    asked = {word for page in PAGES for word in re.findall(r"udhcpc -i eth0 -V (\w+)", page.read_text())}
    assert asked == {"baresip", "twinkle"}
    assert asked <= {text for entry in config.classes for text in entry.vendor_classes}


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in (*PAGES, *sorted((DOCS / "protocols").glob("*.md")), DOCS.parent / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
