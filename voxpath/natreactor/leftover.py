"""What translates in the kernel and is kept by nobody any more: it goes on as it did, is looked at, and left as it is."""

from contextlib import suppress

from voxpath.core.errors import LocalError
from voxpath.natreactor import ruleset, slowpath
from voxpath.natreactor.claim import is_claimed
from voxpath.natreactor.ebpf import program
from voxpath.natreactor.event import TableLeft
from voxpath.natreactor.libnftables import Nftables
from voxpath.natreactor.withdraw import command


def table_left(table: str, inside: tuple[str, ...]) -> TableLeft | None:
    """What an operator should know of it, with what to type; ``None``: there is nothing that we can see."""
    generation = generation_left(table)
    return TableLeft(table=table, generation=generation, remedy=command(table, inside)) if generation is not None else None


def generation_left(table: str) -> int | None:
    """The generation of what a back end of ours has left in this network namespace, whichever it was.

    :return: ``None``: there is nothing, a process keeps it, or nobody tells, for want of rights or of libraries.
    """
    if is_claimed(table):
        return None
    # The slow path stands beside the others, too, so that is asked last.
    for look in LOOKS:
        with suppress(LocalError):
            generation = look(table)
            if generation is not None:
                return generation
    return None


def _of_nftables(table: str) -> int | None:
    """It costs the same however many mappings there are: only the element that says what stands there is read."""
    nft = Nftables()
    try:
        found = ruleset.parse(nft.read(f"list set ip {table} state"))
    except (ValueError, KeyError, TypeError):
        return None
    finally:
        nft.close()
    return found.generation if found is not None else None


LOOKS = (_of_nftables, program.generation_left, slowpath.generation_left)
