"""Events of the process itself: roles, store, links."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class Started(Event, frozen=True, kw_only=True):
    """The process serves."""

    ID: ClassVar[str] = "STARTED"
    TEXT: ClassVar[str] = "{name} serves: {roles}"

    name: str
    roles: str


class PartOff(Event, frozen=True, kw_only=True):
    """A part of a real site that is off here, and why."""

    ID: ClassVar[str] = "PART_OFF"
    TEXT: ClassVar[str] = "{what}"

    what: str


class RoleFailed(Event, frozen=True, kw_only=True):
    """A role could not start, or failed too often; it is tried again after a pause, which grows, and the other roles go on."""

    ID: ClassVar[str] = "ROLE_FAILED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the role {name} failed and is started again in {pause_s:g} s: {reason}"

    name: str
    reason: str
    pause_s: float


class RoleReloaded(Event, frozen=True, kw_only=True):
    """A role ends and begins anew because of something that is over: it has not failed, and loads or opens what is there now."""

    ID: ClassVar[str] = "ROLE_RELOADED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "the role {name} begins anew in {pause_s:g} s: {reason}"

    name: str
    reason: str
    pause_s: float


class LinkLost(Event, frozen=True, kw_only=True):
    """An interface that phones are served on is down, has no carrier or is gone; it is told once, and `status` shows it."""

    ID: ClassVar[str] = "LINK_LOST"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "{interface} is {state}: no phone of {scopes} is heard; {remedy}"

    interface: str
    state: str
    scopes: str
    remedy: str


class LinkBack(Event, frozen=True, kw_only=True):
    """An interface that phones are served on is up again and has a carrier."""

    ID: ClassVar[str] = "LINK_BACK"
    TEXT: ClassVar[str] = "{interface} is running again: phones of {scopes} are heard"

    interface: str
    scopes: str


class StoreRecovered(Event, frozen=True, kw_only=True):
    """The process that used the store before did not end in order, such as by a power failure: what it had committed is taken over.

    :ivar octets: of the write-ahead log that it left.
    :ivar pages: pages in that log which belong to whole commits.
    :ivar rest: what became of anything else in it: a commit that was under way was not acknowledged to anybody.
    """

    ID: ClassVar[str] = "STORE_RECOVERED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "the store was not closed: of {octets} octets of its log {pages} pages of whole commits are kept, {rest}"

    octets: int
    pages: int
    rest: str


class StoreRowRefused(Event, frozen=True, kw_only=True):
    """A stored row that cannot be used was left out; it stays in the file.

    Who had its address or its ports may use them still, so the database refuses them to everybody else as before.
    """

    ID: ClassVar[str] = "STORE_ROW_REFUSED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = (
        "a row of table {table} is left out: {reason}; nobody else can get what it holds: stop voxpath and delete it; row: {row}"
    )

    table: str
    row: str
    reason: str


class BlockNotReserved(Event, frozen=True, kw_only=True):
    """A block that the configuration reserves for a phone is somebody else's: it is tried again at the next start."""

    ID: ClassVar[str] = "BLOCK_NOT_RESERVED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the configuration reserves {block} in vain: {reason}; move the other phone, then restart or use reserve"

    block: str
    reason: str


class BlocksAstray(Event, frozen=True, kw_only=True):
    """Phones have blocks that lie in no pool of their realm, since the configuration has changed; told at each start.

    Each keeps its block until its phone asks for its lease, and gets another one then.

    :ivar block: one of them; ``phone`` has it.
    """

    ID: ClassVar[str] = "PORT_BLOCKS_ASTRAY"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "{blocks} port blocks lie in no pool of their realm, such as {block} of {phone}; their phones get others when they renew, "
        "or give the pool back"
    )

    block: str
    blocks: int


class OwnPortsTaken(Event, frozen=True, kw_only=True):
    """Ports that the configuration or the kernel gives to the gateway itself are a phone's: they stay its for now."""

    ID: ClassVar[str] = "OWN_PORTS_TAKEN"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the gateway cannot have {block} for itself: {reason}; release or move that phone, then restart"

    block: str
    reason: str


class ClockBehind(Event, frozen=True, kw_only=True):
    """The machine started with a clock before the last time that is in the store: the server goes on from that time.

    So leases and quarantines last as long as they were given for; the times that are told are ahead of the machine's by so much.
    """

    ID: ClassVar[str] = "CLOCK_BEHIND"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "the machine's clock is {seconds:.0f} s before the last time in the store: leases go on from there; "
        "set the clock right, then restart when it suits"
    )

    seconds: float


class ClockAhead(Event, frozen=True, kw_only=True):
    """A long time seems to have passed since the store was written: leases have ended meanwhile."""

    ID: ClassVar[str] = "CLOCK_AHEAD"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "the machine's clock is {days:.1f} days after the last time in the store, and leases that have ended since are taken back; "
        "if it was not off for so long, its clock is wrong"
    )

    days: float


class NatRepaired(Event, frozen=True, kw_only=True):
    """The NAT's table differed from the ledger at the start, and was made equal to it."""

    ID: ClassVar[str] = "NAT_REPAIRED"
    TEXT: ClassVar[str] = "the NAT had generation {found} and {mappings} mappings, now it has the ledger's {generation}"

    found: int
    generation: int
    mappings: int


class FeedLink(Event, frozen=True, kw_only=True):
    """A connection between a gateway and a subscriber began or ended."""

    ID: ClassVar[str] = "FEED_LINK"
    TEXT: ClassVar[str] = "the ledger feed with {name} is {state}"

    name: str
    state: str


class FeedFailed(Event, frozen=True, kw_only=True):
    """The ledger feed cannot begin, since this host's certificate does not serve for it: phones are served all the same."""

    ID: ClassVar[str] = "FEED_FAILED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "no subscriber gets the port ledger: {reason}; then restart"

    reason: str


class TemplatesRead(Event, frozen=True, kw_only=True):
    """Templates of phones' files were changed, and count from now on."""

    ID: ClassVar[str] = "TEMPLATES_READ"
    TEXT: ClassVar[str] = "{count} templates of phones' files were read anew"

    count: int


class TemplatesFaulty(Event, frozen=True, kw_only=True):
    """Templates of phones' files are wrong, and there are none of before: what they should make is refused, all else is made.

    When one is corrected it counts within seconds; nothing has to be restarted.

    :ivar more: what is said of further faults; empty: there is one only.
    """

    ID: ClassVar[str] = "TEMPLATES_FAULTY"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "phones get no file from a template that is wrong until it is corrected: {where}: {reason}{more}"

    where: str
    reason: str
    more: str


class TemplatesRefused(Event, frozen=True, kw_only=True):
    """A template of phones' files was changed and is wrong: phones get their files by those that were there before."""

    ID: ClassVar[str] = "TEMPLATES_REFUSED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the templates stay as they were, since {where}: {reason}"

    where: str
    reason: str
