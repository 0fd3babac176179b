"""The vocabulary of effects: all that a core may ask for, and what comes back.

A core takes a datagram, a tick or an outcome, and returns a list of effects; it does nothing itself.
The driver (:mod:`voxpath.io.driver`) carries them out in order.
Effects that depend on another one stand in its ``then``: a DHCPACK stands in the ``then`` of the NAT change, which stands in
the ``then`` of the commit, so no acknowledgement can precede what it acknowledges.

They are structs, as events are: every packet makes some, and a struct costs a third of a named tuple.
None of them refers back to what made it, so the garbage collector need not look at them (``gc=False``).

Timers are no effects: a core keeps its own :class:`~voxpath.core.timers.TimerHeap` and tells when the next one is due.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from voxpath.model.address import Endpoint
from voxpath.model.event import Event
from voxpath.model.media import MediaSession
from voxpath.model.ports import Transaction


class Datagram(Struct, frozen=True, gc=False):
    """A datagram that arrived.

    :ivar destination: the local address that it was sent to; empty when the port did not tell.
    :ivar interface: the interface it arrived on; empty when the port did not tell.
    :ivar port: the name of the core's local port.
    """

    payload: bytes
    source: Endpoint
    destination: str = ""
    interface: str = ""
    port: str = ""


class Send(Struct, frozen=True, gc=False):
    """Send a datagram.

    :ivar port: the name of the core's local port to send from.
    :ivar source: the local address to send from; empty: the kernel's choice.
    :ivar interface: leave by this interface; empty: by the routing table.
    :ivar link: an Ethernet address: the destination has no IP address yet and cannot answer ARP, so the frame is made by hand.
    :ivar token: if it does not leave, ``resolve(token, Failed(...))`` tells the core, which tells the operator; ``None``: the
        driver tells the operator, and the core's retransmission has to make up for it.
    """

    payload: bytes
    destination: Endpoint
    port: str = ""
    source: str = ""
    interface: str = ""
    link: bytes = b""
    token: Hashable = None


class Burst(Struct, frozen=True, gc=False):
    """Send several datagrams to one place; as many :class:`Send` do the same, for more.

    :ivar payloads: in the order in which they are sent.
    """

    payloads: tuple[bytes, ...]
    destination: Endpoint
    port: str = ""
    source: str = ""


class Open(Struct, frozen=True, gc=False):
    """Open a local UDP port under a name; port 0 lets the kernel choose. Failure comes back as :class:`Failed`."""

    port: str
    local: Endpoint


class Close(Struct, frozen=True, gc=False):
    """Close a local port."""

    port: str


Payload: TypeAlias = bytes | memoryview


class Train(Struct, frozen=True, gc=False):
    """Datagrams to one place, one behind the other in one piece of memory: all of a size, but the last one may be shorter.

    None of them is empty.
    """

    octets: Payload
    size: int

    def datagrams(self) -> list[Payload]:
        """Each by itself."""
        return [self.octets[at : at + self.size] for at in range(0, len(self.octets), self.size)]


Reply: TypeAlias = Callable[[bytes, float], Train | None]
"""Answers one kind of datagram, and nothing else happens by it: payload and time in, the answer's datagrams out.

``None``: it is of another kind, and nothing has changed.
"""

Answer: TypeAlias = Callable[[bytes], Train | None]
"""The same as a port is given it: it knows the time by itself, and never raises."""


class Direct(Struct, frozen=True, gc=False):
    """Let a port ask ``reply`` about what comes from one peer, before the core is given what that does not answer.

    It is the short way of conversations in which one datagram is like the next: without effects, events, or a look at the timers.
    Ports need not know it, since the core would answer the same.
    It ends with the port.

    :ivar reply: ``None``: the core is given everything again.
    :ivar source: the local address of the conversation, where a port has several.
    """

    port: str
    peer: Endpoint
    reply: Reply | None
    source: str = ""


class Put(Struct, frozen=True, gc=False):
    """Write a row: the value's type chooses the table (:mod:`voxpath.store`)."""

    value: object


class Delete(Struct, frozen=True, gc=False):
    """Remove the row that has this value's key."""

    value: object


Change: TypeAlias = Put | Delete


class Commit(Struct, frozen=True, gc=False):
    """Make changes durable, all or none; then run ``then``.

    The outcome comes back to the core as ``resolve(token, Done())`` before ``then`` runs, or as ``resolve(token, Failed(...))``,
    and then ``then`` is dropped.
    """

    changes: tuple[Change, ...]
    then: tuple["Effect", ...] = ()
    token: Hashable = None


class Apply(Struct, frozen=True, gc=False):
    """Bring a change of the NAPPT table into the kernel; then run ``then``. The outcome comes back as for :class:`Commit`."""

    transaction: Transaction
    then: tuple["Effect", ...] = ()
    token: Hashable = None


class Ask(Struct, frozen=True, gc=False):
    """Ask the outside a question; the answer comes back as ``resolve(token, Done(answer))`` or ``resolve(token, Failed(...))``.

    The question is a value of a type that the asking package defines; :mod:`voxpath.app` plugs in who answers it.
    """

    question: object
    token: Hashable


class Emit(Struct, frozen=True, gc=False):
    """Tell the event bus."""

    event: Event


class Connect(Struct, frozen=True, gc=False):
    """Two ends are to exchange media: whoever lets it through, or watches it, is told; a session that is known is changed.

    It comes before the messages that tell the ends of each other.
    """

    session: MediaSession


class Disconnect(Struct, frozen=True, gc=False):
    """The session of that key is over."""

    key: str


Effect: TypeAlias = Send | Burst | Open | Close | Direct | Commit | Apply | Ask | Emit | Connect | Disconnect
Effects: TypeAlias = Iterable[Effect]


class Done(Struct, frozen=True, gc=False):
    """A :class:`Commit`, :class:`Apply` or :class:`Ask` succeeded."""

    answer: Any = None


class Failed(Struct, frozen=True, gc=False):
    """A :class:`Commit`, :class:`Apply`, :class:`Ask` or :class:`Open` failed, and why in one line."""

    reason: str


Outcome: TypeAlias = Done | Failed


class Core(Protocol):
    """What every protocol core looks like to its driver."""

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a datagram. A malformed one raises :class:`~voxpath.core.errors.RemoteError`, or is answered by the core."""

    def tick(self, now: float) -> Effects:
        """Run the timers that are due."""

    def next_due(self) -> float | None:
        """When :meth:`tick` has to be called next; ``None``: never."""

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of an effect that carried this token; for :class:`Open` the token is the port's name."""
