"""The long proofs by name: what each shows, how much of it is done at full scale, and how it is run with a seed."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.megaco.test_machine import test_over_a_bad_line_every_request_is_executed_once_and_none_is_lost as bad_line
from tests.ports.test_ledger_histories import Histories
from tests.soak import disk, sip
from tests.soak.attack import attack
from tests.soak.crash import crash_sweep
from tests.soak.fuzz import CODECS, MOST_OCTETS, MOST_S, fuzz
from tests.soak.fuzz_dhcp_server import fuzz_server as fuzz_dhcp_server
from tests.soak.fuzz_sip_server import fuzz_server
from tests.soak.guided import guided
from tests.soak.silence import silence
from tests.soak.storm import storm
from tests.soak.uploads import uploads

TRANSACTIONS_PER_LINE = 2000
"""Both ends of a line ask 1000 times each."""

SLOW_S = (0.0, 0.4)
STEPS = 60


class Proof(NamedTuple):
    """One proof.

    :ivar claim: what a run without a failure shows.
    :ivar amount: how often at full scale.
    :ivar run: is given the seed and the amount; tells in a line what was seen, or raises what was found.
    :ivar live: whether it needs root and namespaces.
    """

    name: str
    claim: str
    amount: int
    run: Callable[[int, int], str]
    live: bool = False

    def scaled(self, scale: float) -> int:
        """How often at this scale: once at the least."""
        return max(1, round(self.amount * scale))


def megaco_line(seed: int, amount: int) -> str:
    """Two ends over lines of 30 % loss, duplication and reordering in virtual time; some requests take 0.4 s to execute."""
    chance = Random(seed)
    lines = -(-amount // TRANSACTIONS_PER_LINE)
    for number in range(lines):
        bad_line(chance.getrandbits(32), SLOW_S[number % len(SLOW_S)])
    return f"{lines * TRANSACTIONS_PER_LINE} transactions over {lines} lines: each executed once, each answered"


def ledger_histories(seed: int, amount: int) -> str:
    """Histories of the ledger as tests/ports has them, in greater number and length."""

    class Seeded(Histories):
        pass

    chosen = settings(
        max_examples=amount,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seeded(seed)(Seeded), settings=chosen)
    return f"{amount} histories of up to {STEPS} steps: no port with two owners, ledger, store, copy and NAT equal"


def _fuzzed(name: str, amount: int) -> Proof:
    claim = (
        f"No mutation of a good {name.upper()} message lets anything but a RemoteError out of the codec, or costs more than "
        f"{MOST_S:g} s of processor time or {MOST_OCTETS >> 20} MiB; what is read is written again, and read as the same."
    )
    return Proof(f"fuzz-{name}", claim, amount, partial(_fuzz, name))


def _fuzz(name: str, seed: int, amount: int) -> str:
    return fuzz(CODECS[name], seed, amount)


def _guided(name: str, amount: int) -> Proof:
    claim = (
        f"Nor does any message that atheris comes to, from good {name.upper()} ones on, guided by what the codec does with each."
    )
    return Proof(f"atheris-{name}", claim, amount, partial(guided, name))


PROOFS = (
    *(_fuzzed(name, 1_000_000) for name in CODECS),
    _guided("dhcp", 500_000),
    _guided("tftp", 500_000),
    Proof(
        "fuzz-dhcp-server",
        "No mutation of a request lets anything but a RemoteError out of the DHCP server; each answer is read back, and fits.",
        100_000,
        fuzz_dhcp_server,
    ),
    Proof(
        "fuzz-sip-server",
        "No mutation of a request lets an exception out of the SIP server, or octets that are no text into an event or the store.",
        200_000,
        fuzz_server,
    ),
    Proof(
        "attack-dhcp",
        "Floods of DISCOVERs and REQUESTs, a rogue relay and broken messages cost a phone that has a lease no renewal.",
        200_000,
        attack,
    ),
    Proof(
        "megaco-loss",
        "Over a line that loses 30 %, doubles 10 % and reorders, no transaction is executed twice and none is lost.",
        200_000,
        megaco_line,
    ),
    Proof(
        "ledger",
        "In random histories of grants, releases, failures and restarts no port ever has two owners.",
        10_000,
        ledger_histories,
    ),
    Proof(
        "crash",
        "kill -9 of the gateway during a DHCP load loses no acknowledged lease or port block, and gives nothing twice.",
        100,
        crash_sweep,
        live=True,
    ),
    Proof(
        "storm",
        "Power returns: so many phones boot at once, each gets its lease, and no address or port has two owners.",
        10_000,
        storm,
        live=True,
    ),
    Proof(
        "kill-at-flush",
        "kill -9 of the gateway at its n-th flush of the disk, n = 1 to 100, loses nothing that was acknowledged.",
        100,
        disk.kill_at_flush,
        live=True,
    ),
    Proof(
        "torn-pages",
        "The same, when what was written but not flushed is torn: the file opens, and nothing acknowledged is lost.",
        100,
        disk.torn_pages,
        live=True,
    ),
    Proof(
        "disk-errors",
        "After EIO and ENOSPC on write and flush, and on a full disk, the gateway tells it, loses nothing, and serves again.",
        10,
        disk.disk_errors,
        live=True,
    ),
    Proof(
        "uploads",
        "kill -9 of the gateway at its n-th flush of uploads, and EIO and ENOSPC on write and flush, lose no acknowledged file.",
        100,
        uploads,
        live=True,
    ),
    Proof(
        "silence",
        "A phone that says nothing for so many seconds, longer than connection tracking remembers, is still reached from outside.",
        400,
        silence,
        live=True,
    ),
    Proof(
        "crash-sip",
        "kill -9 of the SIP server during registrations loses no acknowledged binding, and brings none back that was removed.",
        100,
        sip.crash_sweep,
        live=True,
    ),
    Proof(
        "restart-sip",
        "After kill -9 a SIP server with so many bindings has them all; the time until it answers is told.",
        100_000,
        sip.restart,
        live=True,
    ),
)
"""All proofs."""
