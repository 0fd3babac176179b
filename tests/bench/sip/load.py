"""Loads a server with sipp, and reads what it says beyond its counts."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.sip.servers import BUFFER_OCTETS, HERE, PASSWORD, SECURE_DOMAIN, names
from tests.bench.sip.site import HOME, LOAD_HOST, LOAD_PORT, SERVER_HOST, SERVER_PORT
from tests.bench.site import Site
from tests.live.sipp import STATISTICS, Outcome, Sipp, duration_s, users_file

GIVE_UP_MS = 20_000
"""A call that hears nothing for so long has failed."""
SEED = 1
"""Of the order in which users come: the same one for every server."""
RTT_EVERY = 1000
"""Response times are written out after so many."""


class Load(NamedTuple):
    """What sipp saw.

    :ivar rate: the calls that were asked for, a second.
    :ivar seconds: from the first call to the end of the last one.
    :ivar answer_ms: times from the first request to the final answer, sorted, by sipp's clock of whole milliseconds.
    """

    rate: int
    outcome: Outcome
    seconds: float
    answer_ms: list[float]

    @property
    def achieved(self) -> float:
        """Calls a second that ended as they should."""
        return self.outcome.done / self.seconds if self.seconds else 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing failed, nothing had to be sent again, and sipp itself reached 95 % of the rate."""
        done, failed, repeated, _ = self.outcome
        return done > 0 and not failed and not repeated and self.achieved >= 0.95 * self.rate


def run(site: Site, scenario: str, rate: int, calls: int, before: Sequence[str]) -> Load:
    """Make so many calls, to one user after the other; ``before`` stands before sipp's command line."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        credentials = f"[authentication username={{0}} password={PASSWORD}]"
        order = Random(SEED).sample(names(), len(names()))
        users = users_file(directory / "users.csv", [f"{user};{credentials.format(user)}" for user in order])
        options = ("-inf", str(users), "-auth_uri", SECURE_DOMAIN, "-trace_rtt", "-rtt_freq", str(RTT_EVERY))
        exact = ("-timer_resol", "1", "-buff_size", str(BUFFER_OCTETS), "-recv_timeout", str(GIVE_UP_MS))
        sipp = Sipp(site.net, HOME, LOAD_HOST, directory, before)
        path = str(HERE / scenario)
        outcome = sipp.run(path, f"{SERVER_HOST}:{SERVER_PORT}", LOAD_PORT, *options, *exact, calls=calls, rate=rate)
        seconds = duration_s((directory / STATISTICS).read_text())
        times = "".join(written.read_text() for written in directory.glob("*_rtt.csv"))
    return Load(rate, outcome, seconds, answer_times(times))


def answer_times(text: str) -> list[float]:
    """The response times of sipp's file, sorted, in milliseconds; its headings may come again."""
    rows = (line.split(";") for line in text.splitlines())
    return sorted(float(row[1]) for row in rows if len(row) == 3 and row[0] != "Date_ms")
