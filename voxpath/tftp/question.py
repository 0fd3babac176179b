"""What the TFTP server asks the outside: the content of a file (:class:`~voxpath.core.effects.Ask`)."""

from typing import NamedTuple


class Fetch(NamedTuple):
    """Which file, and who wants it; the answer is its octets or :class:`Refused`.

    :ivar name: as the client sent it: not checked in any way.
    :ivar client: the client's IP address in text form.
    """

    name: str
    client: str


class Refused(NamedTuple):
    """The file is not for this client.

    :ivar code: the TFTP error code to answer with.
    :ivar reason: why, in one line; the client sees it, so it tells nothing that the client may not know.
    """

    code: int
    reason: str
