"""Values that are read once from text that repeats: a bounded number of them, and each of them small.

A number of entries alone bounds nothing: a sender chooses how long the text of each of them is, and its parameters cost twenty
times its octets.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from voxpath.core.errors import RemoteError
from voxpath.sip.status import BAD_REQUEST

LONGEST_KEPT: Final = 256
"""Characters of a text whose value is kept: From, To and Contact of phones have 40 to 200; longer text is read each time."""
MOST_KEPT_PARAMETERS: Final = 12
"""Of a text whose value is kept: each costs some 200 octets."""
MOST_PARAMETERS: Final = 64
"""Of one value or URI; more are refused, since reading them each time is work, too."""
REMEMBERED: Final = 65_536
"""Values of one kind that are kept, for 20 000 phones: 0.8 kB each and 50 MiB together, at worst 2.5 kB and 160 MiB."""

_Value = TypeVar("_Value")


class Memo(dict[str, _Value], Generic[_Value]):
    """Values by their text; when there are too many, all are forgotten and read anew, which costs less than an order would.

    :param read: makes a value from its text; what it raises is not kept.
    :param most: how many values are kept.
    """

    __slots__ = ("_most", "_read")

    def __init__(self, read: Callable[[str], _Value], most: int) -> None:
        super().__init__()
        self._read = read
        self._most = most

    def __missing__(self, text: str) -> _Value:
        value = self._read(text)
        if len(text) <= LONGEST_KEPT and text.count(";") <= MOST_KEPT_PARAMETERS:
            if len(self) >= self._most:
                self.clear()
            self[text] = value
        return value


def remembered(most: int = REMEMBERED) -> Callable[[Callable[[str], _Value]], Callable[[str], _Value]]:
    """Decorate a reader of text: what it makes of short text is kept.

    :param most: how many values are kept.
    """

    def decorate(read: Callable[[str], _Value]) -> Callable[[str], _Value]:
        # The look-up itself, so that a hit runs no code of ours.
        return Memo(read, most).__getitem__

    return decorate


def too_many_parameters(section: str) -> RemoteError:
    """What to say about a value with more than :data:`MOST_PARAMETERS`."""
    return RemoteError(f"more than {MOST_PARAMETERS} parameters", code=BAD_REQUEST, section=section)
