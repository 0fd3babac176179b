"""Reads nftables' named counters, and those of elements, straight from the kernel.

libnftables 1.0.6 fetches every element of every table before it lists one counter (60 ms at 10 000 phones), and answers a second
question from its cache; it takes some ms to get one element of a large map.
This takes 0.05 ms and is always fresh.
"""

from collections.abc import Sequence
from socket import AF_INET
from struct import Struct
from typing import TypeAlias

from voxpath.core.errors import LocalError
from voxpath.natreactor.elements import (
    NFT_MSG_GETSETELEM,
    NFT_MSG_NEWSETELEM,
    NFTA_DATA_VALUE,
    NFTA_SET_ELEM_KEY,
    NFTA_SET_ELEM_LIST_ELEMENTS,
    NFTA_SET_ELEM_USERDATA,
    elements_of,
)
from voxpath.natreactor.netlink import Netfilter, attribute, attributes, name

NFT_MSG_NEWOBJ, NFT_MSG_GETOBJ = 18, 19
NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA = 1, 2, 3, 4
NFT_OBJECT_COUNTER = 1
NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS = 1, 2
NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS = 7, 11
NFTA_EXPR_DATA = 2

Endpoint: TypeAlias = tuple[int, int]
"""An address and a port."""

_ENDPOINT = Struct("!IHxx")

MOST_ASKED = 64
"""Elements of one question: the kernel answers each by a message, and all of them have to fit into a socket's buffer."""


def counted(kernel: Netfilter, table: str) -> dict[str, int]:
    """The packets that each named counter of an ``ip`` table has counted; empty when there is no such table.

    :raises LocalError: the kernel refuses to tell.
    """
    wanted = name(NFTA_OBJ_TABLE, table) + attribute(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER.to_bytes(4, "big"))
    try:
        return dict(map(_counter, kernel.listed(NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ, wanted)))
    except OSError as error:
        raise LocalError(f"the kernel's counters cannot be read: {error.strerror or error}") from None


def passed(kernel: Netfilter, table: str, chosen: str, elements: Sequence[bytes], family: int = AF_INET) -> tuple[int, int]:
    """Packets and octets that some elements of a map have counted, together.

    :param elements: each as a message names it (:mod:`voxpath.natreactor.elements`).
    :raises LocalError: the kernel refuses to tell, such as when one of them is not there.
    """
    packets = octets = 0
    try:
        for at in range(0, len(elements), MOST_ASKED):
            content = elements_of(table, chosen, elements[at : at + MOST_ASKED])
            for each in kernel.asked(NFT_MSG_GETSETELEM, NFT_MSG_NEWSETELEM, content, family):
                for _, element in attributes(dict(attributes(each))[NFTA_SET_ELEM_LIST_ELEMENTS]):
                    more = _element_counter(element)
                    packets, octets = packets + more[0], octets + more[1]
    except OSError as error:
        raise LocalError(f"the counters of {chosen} cannot be read: {error.strerror or error}") from None
    return packets, octets


def entered(kernel: Netfilter, table: str, chosen: str) -> dict[Endpoint, int]:
    """The packets that each element of a set of endpoints has counted.

    :raises LocalError: the kernel refuses to tell, such as when there is no such set.
    """
    found = {}
    try:
        for each in kernel.listed(NFT_MSG_GETSETELEM, NFT_MSG_NEWSETELEM, elements_of(table, chosen)):
            for _, element in attributes(dict(attributes(each)).get(NFTA_SET_ELEM_LIST_ELEMENTS, b"")):
                key = dict(attributes(dict(attributes(element))[NFTA_SET_ELEM_KEY]))[NFTA_DATA_VALUE]
                address, port = _ENDPOINT.unpack(key)
                found[address, port] = _element_counter(element)[0]
    except OSError as error:
        raise LocalError(f"the set {chosen} cannot be read: {error.strerror or error}") from None
    return found


def note_of(kernel: Netfilter, table: str, family: int) -> str:
    """What a table says of itself, by the comment of the element of its set ``state``; empty: there is no such table."""
    try:
        for each in kernel.listed(NFT_MSG_GETSETELEM, NFT_MSG_NEWSETELEM, elements_of(table, "state"), family):
            for _, element in attributes(dict(attributes(each)).get(NFTA_SET_ELEM_LIST_ELEMENTS, b"")):
                comment = dict(attributes(element)).get(NFTA_SET_ELEM_USERDATA, b"")
                return comment[2:].rstrip(b"\0").decode(errors="replace")
    except OSError:
        pass
    return ""


def _element_counter(octets: bytes) -> tuple[int, int]:
    found = dict(attributes(octets))
    expression = found.get(NFTA_SET_ELEM_EXPR)
    if expression is None:
        # Kernels since 5.11 tell of an element with several expressions in a list.
        expression = next((each for _, each in attributes(found.get(NFTA_SET_ELEM_EXPRESSIONS, b""))), b"")
    data = dict(attributes(dict(attributes(expression)).get(NFTA_EXPR_DATA, b"")))
    packets, counted = data.get(NFTA_COUNTER_PACKETS, b""), data.get(NFTA_COUNTER_BYTES, b"")
    return int.from_bytes(packets, "big"), int.from_bytes(counted, "big")


def _counter(octets: bytes) -> tuple[str, int]:
    found = dict(attributes(octets))
    data = dict(attributes(found[NFTA_OBJ_DATA]))
    return found[NFTA_OBJ_NAME].rstrip(b"\0").decode(), int.from_bytes(data[NFTA_COUNTER_PACKETS], "big")
