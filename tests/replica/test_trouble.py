"""Why a connection between active server and standby was not made, in words and not in numbers of the kernel's."""

import errno

import pytest
from twisted.internet.error import ConnectError, getConnectError
from twisted.python.failure import Failure

from voxpath.replica.trouble import reason_of

LOOK = "look at the cable, at its host and at redundancy.address"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EHOSTUNREACH, f"there is no way to its address (no route to host); {LOOK}"),
        (errno.ENETDOWN, f"there is no way to its address (network is down); {LOOK}"),
        (errno.ENETUNREACH, f"there is no way to its address; {LOOK}"),
        (errno.ETIMEDOUT, f"its address does not answer; {LOOK}"),
    ],
)
def test_what_the_kernel_says_by_a_number_is_told_in_words(number: int, words: str) -> None:
    assert reason_of(Failure(getConnectError((number, "")))) == words


def test_a_reason_that_is_words_already_is_told_as_it_is() -> None:
    assert "(odd\\x1b thing)" in reason_of(Failure(ConnectError(osError="odd\x1b thing")))
