"""A kernel table that nobody keeps any more, and that translates as it did: looked at, and left as it is."""

from voxpath.core.errors import LocalError
from voxpath.natreactor import ruleset
from voxpath.natreactor.claim import is_claimed
from voxpath.natreactor.libnftables import Nftables


def generation_left(table: str) -> int | None:
    """The generation of a table of ours in this network namespace.

    It costs the same however many mappings there are: only the element that says what stands there is read.

    :return: ``None``: there is none, a process keeps it, or nobody tells, for want of rights or of nftables.
    """
    if is_claimed(table):
        return None
    try:
        nft = Nftables()
    except LocalError:
        return None
    try:
        found = ruleset.parse(nft.read(f"list set ip {table} state"))
    except (LocalError, ValueError, KeyError, TypeError):
        return None
    finally:
        nft.close()
    return found.generation if found is not None else None
