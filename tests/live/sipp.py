"""sipp, with scenarios of our own in ``sipp/``: callers outside, and loads."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.live.namespaces import Namespaces

SCENARIOS = Path(__file__).parent / "sipp"
STATISTICS, ERRORS, LOG = "statistics.csv", "errors", "log"
GIVE_UP_S = 40


class Outcome(NamedTuple):
    """What sipp counted.

    :ivar done: calls that went as the scenario says.
    :ivar failed: calls that did not.
    :ivar repeated: requests that were sent again, since no answer came in time.
    :ivar unexpected: messages that the scenario does not know.
    """

    done: int
    failed: int
    repeated: int
    unexpected: int

    @property
    def flawless(self) -> bool:
        """Whether all calls went as the scenario says, however long an answer took."""
        return self.done > 0 and not self.failed and not self.unexpected


class Sipp:
    """sipp in a namespace.

    :param local: the address that it sends from.
    :param directory: for what it writes.
    :param before: words that stand before its command line, such as ``taskset``.
    """

    def __init__(self, net: Namespaces, name: str, local: str, directory: Path, before: Sequence[str] = ()) -> None:
        self._net = net
        self._name = name
        self._local = local
        self._directory = directory
        self._before = before

    def argv(self, scenario: str, server: str, port: int, *options: str) -> list[str]:
        """The command line; scenario values are given by ``-key``. A scenario that is not in :data:`SCENARIOS` has a whole path."""
        own = ["-i", self._local, "-p", str(port), "-nostdin", "-deadcall_wait", "0"]
        files = ["-trace_stat", "-stf", STATISTICS, "-fd", "1", "-trace_err", "-error_file", ERRORS]
        files += ["-trace_logs", "-log_file", LOG]
        # sipp writes its files where it stands, and draws a screen if it knows the terminal.
        where = ["env", "-C", str(self._directory), "TERM=dumb"]
        return [*where, *self._before, "sipp", server, "-sf", str(SCENARIOS / scenario), *own, *files, *options]

    def run(
        self, scenario: str, server: str, port: int, *options: str, calls: int = 1, rate: int = 10, timeout_s: int = 0
    ) -> Outcome:
        """Make calls and wait for their end; what failed is in the counts, not an exception.

        :param timeout_s: how long it may take, if not as long as the rate says.
        """
        for name in (STATISTICS, ERRORS, LOG):
            (self._directory / name).unlink(missing_ok=True)
        seconds = timeout_s or calls // rate + GIVE_UP_S
        counts = ("-m", str(calls), "-r", str(rate), "-l", str(max(10, 2 * rate)), "-timeout", str(seconds))
        done = self._net.run(self._name, self.argv(scenario, server, port, *counts, *options), timeout=seconds + 20, check=False)
        statistics = self._directory / STATISTICS
        if not statistics.exists():
            raise AssertionError(f"sipp did not run: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return read(statistics.read_text())

    def errors(self) -> str:
        """What did not go as the scenario says, in sipp's words."""
        path = self._directory / ERRORS
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def log(self) -> list[str]:
        """What the scenario itself noted, one line each."""
        path = self._directory / LOG
        return path.read_text().split("\n")[:-1] if path.exists() else []


def read(statistics: str) -> Outcome:
    """Read sipp's statistics; the last line counts."""
    names = ("SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)", "FailedUnexpectedMessage(C)")
    return Outcome(*(int(_last(statistics)[name]) for name in names))


def duration_s(statistics: str) -> float:
    """Read from sipp's statistics how long it was, from the first call to the end of the last one."""
    last = _last(statistics)
    # Each time stands three times: day, hour, and seconds since 1970.
    began, ended = (float(last[name].split("\t")[2]) for name in ("StartTime", "CurrentTime"))
    return ended - began


def _last(statistics: str) -> dict[str, str]:
    return list(csv.DictReader(statistics.splitlines(), delimiter=";"))[-1]


def users_file(path: Path, lines: Sequence[str]) -> Path:
    """Write what ``-inf`` reads: one line for each call, in turn."""
    path.write_text("SEQUENTIAL\n" + "".join(f"{line}\n" for line in lines))
    return path
