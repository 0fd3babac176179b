"""Runs sipp and reads its statistics."""

import csv
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.sip.servers import BUFFER_OCTETS, HERE, PASSWORD, SECURE_DOMAIN, names
from tests.bench.site import Site

HOME, SERVER_PORT, LOAD_PORT = "sip", 5060, 6060
GIVE_UP_S = 40
"""So long after its end a load waits for late answers; sipp's own retransmissions end before."""

LEAST_CALLS_AT_ONCE = 2000
RTT_EVERY = 1000
"""Response times are written out after so many."""


class Load(NamedTuple):
    """What sipp saw.

    :ivar rate: the calls that were asked for, a second.
    :ivar done: calls that ended as the scenario says.
    :ivar failed: calls that did not.
    :ivar repeated: requests that were sent again, since no answer came within 500 ms.
    :ivar seconds: from the first call to the end of the last one.
    :ivar answer_ms: times from the first request to the final answer, sorted, by sipp's clock of whole milliseconds.
    """

    rate: int
    done: int
    failed: int
    repeated: int
    seconds: float
    answer_ms: list[float]

    @property
    def achieved(self) -> float:
        """Calls a second that ended as they should."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing failed, nothing had to be sent again, and sipp itself reached 95 % of the rate."""
        return self.done > 0 and not self.failed and not self.repeated and self.achieved >= 0.95 * self.rate


def command(scenario: str, users: Path, rate: int, calls: int) -> list[str]:
    """The command line: so many calls in all, to one user after the other."""
    return [
        "sipp", f"127.0.0.1:{SERVER_PORT}", "-sf", str(HERE / scenario), "-inf", str(users), "-auth_uri", SECURE_DOMAIN,
        "-r", str(rate), "-m", str(calls), "-l", str(max(LEAST_CALLS_AT_ONCE, rate)), "-i", "127.0.0.1", "-p", str(LOAD_PORT),
        "-nostdin", "-trace_stat", "-stf", "statistics.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", str(RTT_EVERY),
        "-deadcall_wait", "0", "-timeout", str(calls // rate + GIVE_UP_S), "-buff_size", str(BUFFER_OCTETS), "-timer_resol", "1",
    ]  # fmt: skip


def run(site: Site, scenario: str, rate: int, calls: int, prefix: list[str]) -> Load:
    """Load the server with so many calls; ``prefix`` is put before the command line."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        users = directory / "users.csv"
        credentials = f"[authentication username={{0}} password={PASSWORD}]"
        users.write_text("SEQUENTIAL\n" + "".join(f"{user};{credentials.format(user)}\n" for user in names()))
        argv = [*prefix, *command(scenario, users, rate, calls)]
        # sipp ends with 1 when a call failed, with 97 at its time-out; it writes its files where it stands.
        argv = ["env", "-C", name, "TERM=dumb", *argv]
        done = site.net.run(HOME, argv, timeout=calls / rate + GIVE_UP_S + 30, check=False)
        statistics = directory / "statistics.csv"
        if not statistics.exists():
            raise AssertionError(f"sipp failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        times = "".join(path.read_text() for path in directory.glob("*_rtt.csv"))
        return read(statistics.read_text(), times, rate)


def read(statistics: str, times: str, rate: int) -> Load:
    """Read sipp's statistics, of which the last line counts, and its response times.

    :raises AssertionError: these are no statistics.
    """
    rows = list(csv.DictReader(statistics.splitlines(), delimiter=";"))
    if not rows or "SuccessfulCall(C)" not in rows[-1]:
        raise AssertionError(f"sipp wrote no statistics: {statistics[:500]}")
    last = rows[-1]
    done, failed, repeated = (int(last[name]) for name in ("SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)"))
    return Load(rate, done, failed, repeated, _seconds(last), _times(times))


def _seconds(row: Mapping[str, str]) -> float:
    began, ended = (float(row[name].split("\t")[2]) for name in ("StartTime", "CurrentTime"))
    return ended - began


def _times(text: str) -> list[float]:
    rows = (line.split(";") for line in text.splitlines())
    return sorted(float(row[1]) for row in rows if len(row) == 3 and row[0] != "Date_ms")
