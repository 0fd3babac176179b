"""The rules as text, without a kernel: what is in them only where it is needed; live tests load them."""

from typing import Any

import pytest
from twisted.internet.task import Clock

from voxpath.natreactor import napt, ruleset
from voxpath.testing.nat.packets import MAPPINGS, UNUSED_PUBLIC
from voxpath.testing.nat.pool import POOL, PORTS
from voxpath.testing.nat.rig import settings

NAPT = ("napt_departing", "@own_block", "@own_port", f"ip daddr {UNUSED_PUBLIC} th dport {POOL.start}-{POOL.stop - 1} goto punt")
CLAMP = "tcp option maxseg size set 1300"


DEVICES = (7, 8)


def installed(*, punt: bool, **more: Any) -> str:
    chosen = settings(Clock(), **more)
    return ruleset.install(chosen, chosen.make_table(), DEVICES if punt else None)


@pytest.mark.parametrize(("more", "punt"), [({}, True), ({"pool": PORTS}, False)])
def test_without_a_pool_or_a_slow_path_nothing_is_led_there_from_outside_the_blocks(more: dict[str, Any], punt: bool) -> None:
    text = installed(punt=punt, **more)
    assert not any(word in text for word in NAPT)


def test_with_both_of_them_questions_and_answers_are_led_to_the_slow_path() -> None:
    """NAP-15."""
    text = installed(punt=True, pool=PORTS)
    assert all(word in text for word in NAPT)
    assert text.index("chain napt_departing") < text.index("jump napt_departing")


def test_segments_are_limited_in_both_directions_if_at_all() -> None:
    assert installed(punt=True, mss=1300).count(CLAMP) == 2
    assert "maxseg" not in installed(punt=True)


@pytest.mark.parametrize("more", [{}, {"pool": PORTS, "mss": 1300, "call_aware": True}])
@pytest.mark.parametrize("punt", [False, True])
def test_every_place_of_the_rules_is_filled(more: dict[str, Any], punt: bool) -> None:
    text = installed(punt=punt, **more)
    assert "$" not in text
    assert text.count("{") == text.count("}")


def test_the_sets_of_own_ports_are_filled_only_for_a_pool() -> None:
    chosen = settings(Clock(), pool=PORTS)
    assert napt.fill(chosen, MAPPINGS).splitlines() == [
        "flush set ip voxpath own_block",
        "flush set ip voxpath own_port",
        "add element ip voxpath own_block { 10.0.0.11 . 2048, 10.0.0.12 . 2112, 10.0.0.13 . 2048, "
        "10.0.0.14 . 4096, 10.0.0.14 . 4160, 10.0.0.14 . 4224, 10.0.0.14 . 4288 }",
        "add element ip voxpath own_port { "
        + ", ".join([f"10.0.0.15 . {port}" for port in range(3000, 3008)] + ["10.0.0.16 . 5001"])
        + " }",
    ]
    assert len(napt.fill(settings(Clock()), MAPPINGS).splitlines()) == 2
