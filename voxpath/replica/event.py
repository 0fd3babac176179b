"""Events between an active server and its standby."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class StandbyDegraded(Event, frozen=True, kw_only=True):
    """Acknowledgements no longer wait for the standby; what is acknowledged now is on this host only, until it has caught up."""

    ID: ClassVar[str] = "STANDBY_DEGRADED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "nothing waits for the standby {name} at generation {generation}: {reason}"

    name: str
    generation: int
    reason: str


class StandbyRestored(Event, frozen=True, kw_only=True):
    """The standby has caught up, and acknowledgements wait for its commit again."""

    ID: ClassVar[str] = "STANDBY_RESTORED"
    TEXT: ClassVar[str] = "the standby {name} has caught up at generation {generation}: acknowledgements wait for its commit"

    name: str
    generation: int


class StandbyLink(Event, frozen=True, kw_only=True):
    """A connection between active and standby began or ended."""

    ID: ClassVar[str] = "STANDBY_LINK"
    TEXT: ClassVar[str] = "the link with {name} is {state}"

    name: str
    state: str


class StandbyRefused(Event, frozen=True, kw_only=True):
    """A connection between active and standby was refused, by this side or by the other one."""

    ID: ClassVar[str] = "STANDBY_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "a connection with {peer_address} was refused: {reason}"

    peer_address: str
    reason: str


class StandbyUnreachable(Event, frozen=True, kw_only=True):
    """The standby cannot be reached; it is tried again every few seconds, and told again only rarely."""

    ID: ClassVar[str] = "STANDBY_UNREACHABLE"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "the standby {name} cannot be reached: {reason}"

    name: str
    reason: str


class StandbySnapshot(Event, frozen=True, kw_only=True):
    """The standby got everything anew, since the journal does not lead on from where it was."""

    ID: ClassVar[str] = "STANDBY_SNAPSHOT"
    TEXT: ClassVar[str] = "a snapshot of {rows} rows at generation {generation} is complete: {reason}"

    rows: int
    generation: int
    reason: str


class StandbyBroken(Event, frozen=True, kw_only=True):
    """The standby's own store failed or did not take a change: it asks for the next connection, or for a snapshot."""

    ID: ClassVar[str] = "STANDBY_BROKEN"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the copy of {name} was not written: {reason}"

    name: str
    reason: str


class StandbyFiles(Event, frozen=True, kw_only=True):
    """A directory of files on the standby is equal again."""

    ID: ClassVar[str] = "STANDBY_FILES"
    TEXT: ClassVar[str] = "directory {directory} of the standby is equal: {sent} files sent, {removed} removed, of {files}"

    directory: str
    files: int
    sent: int
    removed: int


class StandbyFilesFailed(Event, frozen=True, kw_only=True):
    """Files could not be made equal; it is tried again."""

    ID: ClassVar[str] = "STANDBY_FILES_FAILED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "directory {directory} of the standby is not equal: {reason}"

    directory: str
    reason: str
