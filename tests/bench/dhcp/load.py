"""Runs perfdhcp and reads its report."""

import re
from typing import NamedTuple

from tests.bench.dhcp.servers import VENDOR_CLASS
from tests.bench.dhcp.site import LOAD, LOAD_ADDRESS, PHONES, SERVER_ADDRESS
from tests.bench.site import Site

CLIENTS = 1_000_000
"""perfdhcp numbers its clients in order, so no client comes twice in a run."""

FIRST_MAC = "00:0c:01:00:00:00"
EXIT_WAIT_S = 0.5
"""How long late replies are waited for after the last request."""

SENT = re.compile(r"^sent packets: (\d+)", re.MULTILINE)
RECEIVED = re.compile(r"^received packets: (\d+)", re.MULTILINE)
TIMES = re.compile(r"^sent / received: ([\d.]+) / ([\d.]+)", re.MULTILINE)


class Load(NamedTuple):
    """What perfdhcp saw.

    :ivar offer_ms: from DISCOVER to OFFER, in milliseconds, sorted; likewise from REQUEST to ACK.
    """

    rate: int
    seconds: int
    discovers: int
    acks: int
    offer_ms: list[float]
    ack_ms: list[float]

    @property
    def achieved(self) -> float:
        """Finished exchanges per second."""
        return self.acks / self.seconds

    @property
    def unfinished(self) -> float:
        """Share of the exchanges that were begun and got no ACK."""
        return 1 - self.acks / self.discovers if self.discovers else 1.0

    @property
    def sustained(self) -> bool:
        """Whether the server kept up: under 1 % lost, and perfdhcp itself reached 97 % of the rate."""
        return self.unfinished < 0.01 and self.achieved >= 0.97 * self.rate


def command(rate: int, seconds: int, first_mac: str = FIRST_MAC) -> list[str]:
    """The command line: direct clients on the cable, new ones all the time, of our vendor class."""
    return [
        "perfdhcp", "-4", "-B", "-L", "68", "-l", LOAD, "-r", str(rate), "-p", f"{seconds}", "-R", str(CLIENTS),
        "-b", f"mac={first_mac}", "-o", f"60,{VENDOR_CLASS.encode().hex()}", "-W", str(int(EXIT_WAIT_S * 1e6)), "-x", "t",
    ]  # fmt: skip


def relayed(rate: int, seconds: int, times: int) -> list[str]:
    """The command line of a relay, for clients each of whom comes so often: perfdhcp begins anew when it has had all of them."""
    clients = CLIENTS if times == 1 else rate * seconds // times
    return [
        "perfdhcp", "-4", "-l", LOAD_ADDRESS, "-r", str(rate), "-p", f"{seconds}", "-R", str(clients),
        "-b", f"mac={FIRST_MAC}", "-o", f"60,{VENDOR_CLASS.encode().hex()}", "-W", str(int(EXIT_WAIT_S * 1e6)), "-x", "t",
        SERVER_ADDRESS,
    ]  # fmt: skip


def run(site: Site, argv: list[str], rate: int, seconds: int) -> Load:
    """Load the server for some seconds."""
    # perfdhcp ends with 3 when an exchange was not finished.
    done = site.net.run(PHONES, argv, timeout=seconds + 30, check=False)
    return read(done.stdout + done.stderr, rate, seconds)


def read(report: str, rate: int, seconds: int) -> Load:
    """Read a report; raise :class:`AssertionError` when it is none."""
    statistics = report.split("***Statistics for: ")[1:]
    if len(statistics) != 2:
        raise AssertionError(f"perfdhcp failed: {report[-2000:]}")
    times = report.split("***Timestamps for packets: ")[1:]
    discovers, acks = SENT.search(statistics[0]), RECEIVED.search(statistics[1])
    assert discovers is not None
    assert acks is not None
    return Load(rate, seconds, int(discovers[1]), int(acks[1]), *(delays(part) for part in times))


def delays(part: str) -> list[float]:
    """The delays of one kind of exchange, sorted, in milliseconds."""
    return sorted(1000 * (float(received) - float(sent)) for sent, received in TIMES.findall(part))
