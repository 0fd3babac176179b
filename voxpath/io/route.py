"""By which interface the kernel would send to an address: one question over rtnetlink(7), which needs no right."""

import socket
from ipaddress import IPv4Address
from os import strerror
from struct import Struct

NETLINK_ROUTE = 0
RTM_GETROUTE, NLMSG_ERROR = 26, 2
NLM_F_REQUEST = 1
RTA_DST, RTA_OIF = 1, 4
"""From linux/netlink.h and linux/rtnetlink.h."""

ANSWER_S = 1.0
"""The kernel answers at once; this only guards the reactor thread against waiting for ever."""
MOST_OCTETS = 8192

_HEADER = Struct("=IHHII")
_ROUTE = Struct("=BBBBBBBBI")
_ATTRIBUTE = Struct("=HH")
_NUMBER = Struct("=i")


def way_to(address: IPv4Address) -> str:
    """The name of the interface; empty: the kernel names none.

    :raises OSError: there is no route (``ENETUNREACH``, ``EHOSTUNREACH``), or the kernel does not tell.
    """
    destination = _ATTRIBUTE.pack(_ATTRIBUTE.size + 4, RTA_DST) + address.packed
    question = _ROUTE.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0) + destination
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as asking:
        asking.settimeout(ANSWER_S)
        asking.send(_HEADER.pack(_HEADER.size + len(question), RTM_GETROUTE, NLM_F_REQUEST, 1, 0) + question)
        answer = asking.recv(MOST_OCTETS)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind == NLMSG_ERROR:
        number = -_NUMBER.unpack_from(answer, _HEADER.size)[0]
        raise OSError(number, strerror(number))
    return _interface(answer[_HEADER.size + _ROUTE.size :])


def _interface(attributes: bytes) -> str:
    place = 0
    while place + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, place)
        if kind == RTA_OIF:
            return socket.if_indextoname(_NUMBER.unpack_from(attributes, place + _ATTRIBUTE.size)[0])
        # Attributes begin at multiples of four octets.
        place += max(length + 3 & ~3, _ATTRIBUTE.size)
    return ""
