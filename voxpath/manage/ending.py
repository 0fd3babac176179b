"""What ``why`` says of a lease that has ended: when, why, and what is kept for the phone's return (decision D17)."""

from collections.abc import Sequence
from contextlib import suppress

from voxpath.manage.entry import Entry
from voxpath.manage.facts import CommandError, Facts
from voxpath.manage.rows import when
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import Lease
from voxpath.model.ports import BindingState, PortBinding

BOUND, ENDED = "DHCP_ACK", "DHCP_ENDED"
"""Events that tell the beginning and the end of a lease."""

CAUSES = {
    "released": "the phone gave it back",
    "expired": "the phone did not renew it in time",
    "declined": "the phone found that another machine uses the address",
    "withdrawn": "an operator took it by release",
}
"""Why a lease has ended, by the word that its event has for it."""

CAUSES_STATIC = {**CAUSES, "expired": "no further INFORM of it came in time (static_s of its scope)"}
"""The same for an address that the phone has by hand."""


def ending_of(facts: Facts, mac: Mac, known: Sequence[Entry]) -> str:
    """Tell of the lease that a phone had last, in one line; empty: it holds one, or never had any, or none is kept here.

    All leases are looked through, so that is done only for a phone of which the last word is not that it got one.

    :param known: what is remembered of the phone, the oldest first.
    """
    last = next((entry for entry in reversed(known) if entry.id in (BOUND, ENDED)), None)
    if last is not None and last.id == BOUND:
        return ""
    lease, block = _lease(facts, mac), _block(facts, mac)
    if lease is not None and lease.expires > facts.now():
        return ""
    if last is not None:
        causes = CAUSES_STATIC if lease is not None and lease.static else CAUSES
        address, at, cause = last.field("address"), last.at, causes.get(last.field("cause"), last.field("cause"))
    elif lease is not None:
        address, at, cause = str(lease.address), lease.expires, "the reason is not remembered"
    else:
        return ""
    keeping = None if lease is None else facts.keeping(lease)
    words = "" if lease is None or keeping is None or not keeping.kept else f"address {lease.address} ({keeping.words})"
    kept = ", and ".join(filter(None, (words, _block_kept(facts, block))))
    lost = "" if lease is None or keeping is None or keeping.kept else f"; not {lease.address}: {keeping.words}"
    ended = f"its lease of {printable(address, 40)} ended at {when(at)}: {printable(cause, 80)}"
    return f"{ended}; kept for it: {kept or 'nothing'}{lost}"


def _lease(facts: Facts, mac: Mac) -> Lease | None:
    with suppress(CommandError):
        return next((lease for lease in facts.leases() if lease.mac == mac), None)
    return None


def _block(facts: Facts, mac: Mac) -> PortBinding | None:
    holder = str(mac)
    with suppress(CommandError):
        return next((binding for binding in facts.blocks() if binding.holder == holder), None)
    return None


def _block_kept(facts: Facts, block: PortBinding | None) -> str:
    if block is None or block.state is BindingState.HELD or not facts.gives(block):
        return ""
    if block.reserved or facts.fixed_blocks().get(block.holder) == block.block:
        return f"ports {block.block} (reserved, for ever)"
    if block.until > facts.now():
        return f"ports {block.block} (in quarantine until {when(block.until)}, then until all pools are full)"
    return f"ports {block.block} (until all pools are full)"
