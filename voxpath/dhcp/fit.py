"""Which options a reply has, and in which order, when not all of them fit (RFC 2131 section 4.1, RFC 2132 sections 9.3, 9.8, 9.10).

Every client takes 548 octets; one that takes more says so in option 57.
What matters comes first, so that a client that reads only a part reads the right one.
What does not fit goes into ``sname`` and ``file`` if the client lists option 52.
What finds no room there either is left out, first of all what the client did not ask for.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import Message
from voxpath.dhcp.wire import DEFAULT_MESSAGE, MAX_MESSAGE, MIN_MESSAGE, Spread, message_octets, spread_options

HEADER_OCTETS = 28
"""IP and UDP headers, which option 57 counts in (RFC 2132 section 9.10)."""

_FIRST = (
    *(code.MESSAGE_TYPE, code.SERVER_ID, code.LEASE_TIME, code.RENEWAL_TIME, code.REBINDING_TIME, code.SUBNET_MASK, code.ROUTER),
    *(code.CLIENT_ID, code.PORT_PARAMETERS, code.VENDOR, code.ENTERPRISE, *code.FLAT_CODES),
    *(code.TFTP_SERVER, code.TFTP_SERVERS, code.URL_160, code.AVAYA, code.SIP_SERVERS, code.BOOT_FILE, code.DNS_SERVER),
    *(code.HOST_NAME, code.DOMAIN, code.NTP_SERVER, code.TIME_SERVER),
)
_LAST = (code.ROOT_PATH, code.BOOT_FILE_SIZE, code.RELAY_AGENT)
_BETWEEN = tuple(option for option in range(code.PAD, code.END) if option not in (*_FIRST, *_LAST))
RANK = {option: place for place, option in enumerate((*_FIRST, *_BETWEEN, *_LAST))}
"""Options in the order in which they are written; the relay's own option is the last one (RFC 3046 section 2.1)."""

NECESSARY = frozenset((*_FIRST[:9], code.SUBNET_SELECTION, code.RELAY_AGENT, code.MESSAGE))
"""Without one of these the reply would be wrong, so they are never left out."""
OWN = frozenset((code.VENDOR, code.ENTERPRISE, *code.FLAT_CODES))
"""What our phones boot by: left out only when nothing else is left."""


class Fitted(NamedTuple):
    """Options in their order, and those that found no room.

    :ivar spread: the same options by field, when ``sname`` and ``file`` have to carry some of them.
    """

    options: Mapping[int, bytes]
    spread: Spread | None = None
    left_out: tuple[int, ...] = ()


def room_of(request: Message) -> int:
    """Octets of DHCP message that a client takes; a malformed option 57 counts as none.

    A BOOTP client takes no longer reply than its own request was, which has 300 octets (RFC 951 section 3).
    """
    least = DEFAULT_MESSAGE if code.MESSAGE_TYPE in request.options else MIN_MESSAGE
    try:
        announced = request.number(code.MAX_MESSAGE_SIZE, 2) or 0
    except RemoteError:
        announced = 0
    return min(MAX_MESSAGE, max(least, announced - HEADER_OCTETS))


def in_order(options: Mapping[int, bytes]) -> dict[int, bytes]:
    """The same options in the order in which they are written."""
    return {option: options[option] for option in sorted(options, key=RANK.__getitem__)}


def fit(request: Message, options: Mapping[int, bytes]) -> Fitted:
    """Bring options into their order, and leave out what does not fit."""
    chosen = in_order(options)
    room = room_of(request)
    if message_octets(chosen) <= room:
        return Fitted(chosen)
    left_out: list[int] = []
    spread = _spread(request, chosen, room)
    for option in _dispensable(request, chosen):
        if spread is not None or message_octets(chosen) <= room:
            break
        left_out.append(option)
        del chosen[option]
        spread = _spread(request, chosen, room)
    return Fitted(chosen, spread, tuple(sorted(left_out)))


def _spread(request: Message, options: Mapping[int, bytes], room: int) -> Spread | None:
    return spread_options(options, room) if request.lists(code.OVERLOAD) else None


def _dispensable(request: Message, options: Mapping[int, bytes]) -> Iterator[int]:
    """Options in the order in which they are left out."""
    backwards = [option for option in reversed(list(options)) if option not in NECESSARY]
    yield from [option for option in backwards if option not in OWN and not request.lists(option)]
    yield from [option for option in backwards if option not in OWN and request.lists(option)]
    yield from [option for option in backwards if option in OWN]
