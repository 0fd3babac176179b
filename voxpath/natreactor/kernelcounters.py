"""Reads nftables' named counters straight from the kernel.

libnftables 1.0.6 fetches every element of every table before it lists one counter (60 ms at 10 000 phones), and answers a second
question from its cache; this takes 0.05 ms and is always fresh.
"""

from voxpath.core.errors import LocalError
from voxpath.natreactor.netlink import Netfilter, attribute, attributes, name

NFT_MSG_NEWOBJ, NFT_MSG_GETOBJ = 18, 19
NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA = 1, 2, 3, 4
NFT_OBJECT_COUNTER = 1
NFTA_COUNTER_PACKETS = 2


def counted(kernel: Netfilter, table: str) -> dict[str, int]:
    """The packets that each named counter of an ``ip`` table has counted; empty when there is no such table.

    :raises LocalError: the kernel refuses to tell.
    """
    wanted = name(NFTA_OBJ_TABLE, table) + attribute(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER.to_bytes(4, "big"))
    try:
        return dict(map(_counter, kernel.listed(NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ, wanted)))
    except OSError as error:
        raise LocalError(f"the kernel's counters cannot be read: {error.strerror or error}") from None


def _counter(octets: bytes) -> tuple[str, int]:
    found = dict(attributes(octets))
    data = dict(attributes(found[NFTA_OBJ_DATA]))
    return found[NFTA_OBJ_NAME].rstrip(b"\0").decode(), int.from_bytes(data[NFTA_COUNTER_PACKETS], "big")
