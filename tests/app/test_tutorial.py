"""The configurations that the tutorial shows can be used as they stand there."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from voxpath.app.check import check
from voxpath.app.decode import decode
from voxpath.app.machine import Machine

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
MACHINE = Machine(root=True, interfaces=frozenset({"lo", "eth0", "eth1"}), addresses=frozenset({IPv4Address("10.0.0.1")}))


@pytest.mark.parametrize("text", BLOCKS, ids=[str(place) for place in range(len(BLOCKS))])
def test_every_configuration_of_the_tutorial_decodes(text: str) -> None:
    config, problems = decode(text.encode())
    assert problems == ()
    assert config is not None


def test_the_gateway_and_the_phone_of_the_tutorial_can_be_started() -> None:
    whole = [text for text in BLOCKS if "state =" in text]
    assert len(whole) == 2
    for text in whole:
        config, _ = decode(text.encode())
        assert config is not None
        assert [str(problem) for problem in check(config, MACHINE)] == []
