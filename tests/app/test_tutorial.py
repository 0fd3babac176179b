"""The configurations that tutorial and how-to pages show can be used as they stand there."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from voxpath.app.check import check
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


def test_the_sip_phones_of_the_pages_can_be_added_to_the_gateway_of_the_tutorial() -> None:
    gateway = next(text for text in BLOCKS if "state =" in text)
    added = [text for text in BLOCKS if 'listen = ["10.0.0.1:5060"]' in text]
    assert len(added) == 2
    for text in added:
        config, problems = decode((gateway + text).encode())
        assert config is not None, problems
        assert [str(problem) for problem in check(config, MACHINE)] == []


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in (*PAGES, *sorted((DOCS / "protocols").glob("*.md")), DOCS.parent / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
