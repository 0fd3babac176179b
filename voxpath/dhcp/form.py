"""Options that many replies have in common, encoded once: most of a reply is the same for all phones that ask alike."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from voxpath.dhcp.fit import in_order
from voxpath.dhcp.wire import LONGEST_PIECE, encode_options


class Form(NamedTuple):
    """Encoded options, with blanks for those that may differ from phone to phone.

    :ivar constant: the options that all get who are told nothing else.
    :ivar blanks: codes of those that a phone may have of its own.
    :ivar parts: both in the order of a reply: octets, and codes of blanks.
    :ivar octets: length of the octets in them.
    """

    constant: Mapping[int, bytes]
    blanks: frozenset[int]
    parts: tuple[bytes | int, ...]
    octets: int

    def filled(self, values: Mapping[int, bytes], room: int) -> bytes | None:
        """The options with these values in the blanks; a blank without one has the value that all get, or is left out.

        ``None``: they are not to be written so, for want of room, or since a value is too long or there is no blank for it.

        :param room: octets that the options may have.
        """
        if not self.blanks >= values.keys():
            return None
        octets, constant = self.octets, self.constant
        written = []
        for part in self.parts:
            if isinstance(part, bytes):
                written.append(part)
                continue
            value = values[part] if part in values else constant.get(part)
            if value is not None:
                size = len(value)
                if size > LONGEST_PIECE:
                    return None
                octets += size + 2
                written += (bytes((part, size)), value)
        return b"".join(written) if octets <= room else None


def form_of(constant: Mapping[int, bytes], blanks: Iterable[int]) -> Form:
    """Encode what is the same for all."""
    blanks = frozenset(blanks)
    parts: list[bytes | int] = []
    run: dict[int, bytes] = {}
    for option in in_order({**constant, **dict.fromkeys(blanks, b"")}):
        if option not in blanks:
            run[option] = constant[option]
            continue
        parts += (encode_options(run), option)
        run = {}
    parts.append(encode_options(run))
    kept = tuple(part for part in parts if part != b"")
    return Form(constant, blanks, kept, sum(len(part) for part in kept if isinstance(part, bytes)))
