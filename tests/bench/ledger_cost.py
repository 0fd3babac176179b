"""``python -m tests.bench.ledger_cost``: what one operation of the port ledger costs at 1 k, 10 k and 100 k rows.

Pools, phones and operations are the same at each size but for their number; the least of several rounds counts, so that what else
the machine does is left out.
"""

import gc
import sys
import time
from collections.abc import Callable
from ipaddress import IPv4Address

from voxpath.model.ports import PortBinding
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import Pool

SIZES = (1_000, 10_000, 100_000)
PORTS = 64
PER_PUBLIC = 1_000
"""Phones behind one public address."""
PUBLICS = 110
REALM = "lan"
OPERATIONS = 400
ROUNDS = 7

FIRST_PUBLIC, FIRST_PRIVATE = IPv4Address("198.51.100.1"), IPv4Address("10.0.0.1")


def phone(number: int) -> str:
    """The name of a holder."""
    return f"02:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def filled(rows: int, full: bool) -> Ledger:
    """A ledger with so many held rows; ``full``: its pools have no room for more."""
    publics = rows // PER_PUBLIC if full else PUBLICS
    last = 1024 + PER_PUBLIC * PORTS - 1
    ledger = Ledger([Pool(FIRST_PUBLIC + number, 1024, last, REALM) for number in range(publics)], frozenset(), 0.0)
    for number in range(rows):
        ledger.settle(ledger.grant(phone(number), PORTS, FIRST_PRIVATE + number, REALM, 0.0))
    return ledger


def timed(ledger: Ledger, operation: Callable[[Ledger, int], None], rows: int) -> float:
    """Microseconds of processor time of one operation."""
    best = float("inf")
    for turn in range(ROUNDS):
        numbers = [(turn * OPERATIONS + place * 7919) % rows for place in range(OPERATIONS)]
        gc.collect()
        gc.disable()
        begun = time.process_time()
        for number in numbers:
            operation(ledger, number)
        best = min(best, time.process_time() - begun)
        gc.enable()
    return best / OPERATIONS * 1e6


def renew(ledger: Ledger, number: int) -> None:
    """Grant a phone what it has."""
    ledger.grant(phone(number), PORTS, FIRST_PRIVATE + number, REALM, 1.0)


def return_to(ledger: Ledger, number: int) -> None:
    """A phone leaves and comes back."""
    ledger.settle(ledger.release(phone(number), 1.0))
    ledger.settle(ledger.grant(phone(number), PORTS, FIRST_PRIVATE + number, REALM, 2.0))


def offer_to_new(ledger: Ledger, number: int) -> None:
    """A phone that was never seen is offered a block and does not take it."""
    holder = f"new:{number}"
    ledger.reserve(holder, PORTS, REALM, 3.0)
    ledger.unreserve(holder)


def reclaim(ledger: Ledger, number: int) -> None:
    """In full pools a new phone gets the block of one that left; then it leaves, and the former holder is back."""
    ledger.settle(ledger.release(phone(number), 1.0))
    ledger.settle(ledger.grant("new", PORTS, IPv4Address("172.16.0.1"), REALM, 2.0))
    ledger.settle(ledger.release("new", 3.0))
    ledger.settle(ledger.grant(phone(number), PORTS, FIRST_PRIVATE + number, REALM, 4.0))


def move(ledger: Ledger, number: int) -> None:
    """An operator moves a phone to another block and back."""
    row = ledger.binding_of(phone(number))
    assert isinstance(row, PortBinding)
    ledger.settle(ledger.move(phone(number), FIRST_PUBLIC + PUBLICS - 1, None, 2.0))
    ledger.settle(ledger.move(phone(number), row.block.public, row.block.first, 2.0))


def look_up(ledger: Ledger, number: int) -> None:
    """Who holds this port, and how full is its pool."""
    row = ledger.binding_of(phone(number))
    assert row is not None
    assert ledger.holder_of(row.block.public, row.block.first + 5) is row
    ledger.used_around(row.block, 1.0)


OPERATIONS_BY_NAME: dict[str, tuple[bool, Callable[[Ledger, int], None]]] = {
    "renewal": (False, renew),
    "look-up and usage": (False, look_up),
    "release and return": (False, return_to),
    "offer to a new phone": (False, offer_to_new),
    "move and back": (False, move),
    "reclaim in full pools": (True, reclaim),
}


def main() -> int:
    """Print a table."""
    print(f"{'microseconds':<24}" + "".join(f"{rows:>12,}" for rows in SIZES) + f"{'largest/least':>16}")
    for name, (full, operation) in OPERATIONS_BY_NAME.items():
        costs = [timed(filled(rows, full), operation, rows) for rows in SIZES]
        print(f"{name:<24}" + "".join(f"{cost:>12.1f}" for cost in costs) + f"{max(costs) / min(costs):>16.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
