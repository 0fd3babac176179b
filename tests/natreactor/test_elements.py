"""What an operator reads when the kernel refuses a change of its maps."""

import errno
import os
from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.task import Clock

from voxpath.core.errors import LocalError
from voxpath.model.ports import Transaction
from voxpath.natreactor import elements
from voxpath.natreactor.netlink import Part
from voxpath.testing.nat.packets import MAPPINGS
from voxpath.testing.nat.pool import PORTS
from voxpath.testing.nat.rig import settings


class Refusing:
    """A kernel that refuses every change."""

    def __init__(self, number: int) -> None:
        self._number = number

    def change(self, parts: Sequence[Part]) -> None:
        """Refuse."""
        assert parts
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EMSGSIZE, "Message too long (a user namespace may send no more at once: raise net.core.wmem_max on its host)"),
        (errno.EPERM, "Operation not permitted (CAP_NET_ADMIN is needed)"),
        (errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_refusal_tells_what_to_do_about_it(number: int, said: str) -> None:
    chosen = settings(Clock())
    with pytest.raises(LocalError) as refused:
        elements.change(Refusing(number), chosen, chosen.make_table(), Transaction(1))
    assert str(refused.value).endswith(said)


class Accepting:
    """A kernel that takes every change."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def change(self, parts: Sequence[Part]) -> None:
        """Take it."""
        self.parts += parts


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, set()),
        ({"call_aware": True}, {"held_block", "held_port"}),
        ({"pool": PORTS}, {"own_block", "own_port"}),
        ({"pool": PORTS, "call_aware": True}, {"held_block", "held_port", "own_block", "own_port"}),
    ],
)
def test_sets_beside_the_maps_are_kept_only_where_rules_look_into_them(more: dict[str, Any], expected: set[str]) -> None:
    """What comes and what goes, in the step of the mappings themselves."""
    chosen, kernel = settings(Clock(), **more), Accepting()
    table = chosen.make_table()
    for transaction in (Transaction(1, MAPPINGS), Transaction(2, (), MAPPINGS)):
        kernel.parts = []
        elements.change(kernel, chosen, table, table.apply(transaction))
        told = b"".join(content for _, content, _ in kernel.parts)
        assert {each for each in ("held_block", "held_port", "own_block", "own_port") if each.encode() + b"\0" in told} == expected
