"""A message together with what was found out about it before any decision."""

from typing import NamedTuple

from voxpath.dhcp.message import Message
from voxpath.model.address import Mac
from voxpath.model.phone import Scope


class Request(NamedTuple):
    """A client's message.

    :ivar phone: the phone's identity in events, ledger and commands.
    :ivar scope: where it came from.
    :ivar port: name of the local port that it came to.
    """

    message: Message
    mac: Mac
    phone: str
    scope: Scope
    port: str

    @property
    def name(self) -> str:
        """The message type, for events."""
        kind = self.message.type
        return kind.name if kind is not None else "BOOTP"
