"""What the TFTP server asks the outside about files (:class:`~voxpath.core.effects.Ask`), and what it is answered."""

from typing import NamedTuple

from voxpath.model.address import Endpoint
from voxpath.tftp.message import ErrorCode


class Fetch(NamedTuple):
    """Which file, and who wants it; the answer is a :class:`~voxpath.tftp.content.Content`, octets, or :class:`Refused`.

    :ivar name: as the client sent it: not checked in any way.
    :ivar client: its address and port; where phones share an address, the port tells which of them it is.
    """

    name: str
    client: Endpoint


class Admit(NamedTuple):
    """Whether a client may write a file; the answer is :class:`Admitted` or :class:`Refused`.

    :ivar name: as the client sent it: not checked in any way.
    :ivar client: its address and port; where phones share an address, the port tells which of them it is.
    """

    name: str
    client: Endpoint


class Keep(NamedTuple):
    """A file that was written to its last block; the answer, :class:`Kept` or :class:`Refused`, comes when it is on the disk.

    :ivar netascii: whether ``content`` is in netascii form.
    """

    name: str
    client: Endpoint
    content: bytes
    netascii: bool = False


class Refused(NamedTuple):
    """The file is not for this client, or not from it.

    :ivar code: the TFTP error code to answer with.
    :ivar reason: why, in one line; the client sees it, so it tells nothing that the client may not know.
    :ivar detail: more of it, for the operator only.
    :ivar owner: the identity of the phone whose file it is, if it is one's.
    """

    code: int
    reason: str
    detail: str = ""
    owner: str = ""


BEYOND = Refused(ErrorCode.DISK_FULL, "there is less room than that")


class Admitted(NamedTuple):
    """A client may write.

    :ivar most: octets, at the most.
    :ivar beyond: what a larger file is answered, and which limit the operator is told.
    """

    most: int
    beyond: Refused = BEYOND


class Kept(NamedTuple):
    """A file is on the disk; :ivar name: where, below the directory of uploads."""

    name: str
