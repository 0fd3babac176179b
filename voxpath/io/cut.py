"""Ending a connection at once, where what is still to be sent is of no use to the other side."""

from typing import Protocol, runtime_checkable

from twisted.protocols.amp import AMP


@runtime_checkable
class Abortable(Protocol):
    """A transport that can be cut at once; not each has this, and there is none before and after a connection."""

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Cut the connection."""


def cut(protocol: AMP) -> None:
    """End a connection at once, whatever is under way."""
    if isinstance(protocol.transport, Abortable):
        protocol.transport.abortConnection()
