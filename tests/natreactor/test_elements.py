"""What an operator reads when the kernel refuses a change of its maps."""

import errno
import os
from collections.abc import Sequence

import pytest
from twisted.internet.task import Clock

from voxpath.core.errors import LocalError
from voxpath.model.ports import Transaction
from voxpath.natreactor import elements
from voxpath.testing.nat.rig import settings


class Refusing:
    """A kernel that refuses every change."""

    def __init__(self, number: int) -> None:
        self._number = number

    def change(self, parts: Sequence[tuple[int, bytes]]) -> None:
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
