"""The parts of the measurement that can be wrong without anybody noticing, and one short measurement of each server."""

import os
import subprocess
import sys

import pytest

from tests.bench import load, page
from tests.bench.measure import Measured, cpu_s, measure, medians, summed, tree
from tests.bench.servers import SERVERS, Server

REPORT = """***Rate statistics***
Rate: 1.5 4-way exchanges/second, expected rate: 2

***Malformed Packets***
Malformed packets: 0
***Statistics for: DISCOVER-OFFER***
sent packets: 4
received packets: 3
drops: 1

***Statistics for: REQUEST-ACK***
sent packets: 3
received packets: 3
drops: 0

***Timestamps for packets: DISCOVER-OFFER***
sent / received: 000000.000100 / 000000.001100
sent / received: 000000.500100 / 000000.500600

***Timestamps for packets: REQUEST-ACK***
sent / received: 000000.001100 / 000000.005100
sent / received: 000000.500700 / 000000.502700
sent / received: 000001.000000 / 000001.003000
"""
"""The form that perfdhcp 2.2.0 writes, shortened."""


def measured(server: str, rate: int, cpu_us: float, sustained: bool = True) -> Measured:
    return Measured(server, rate, float(rate), 0.0, cpu_us, 1.0, 2.0, 3.0, sustained)


def test_a_report_is_read() -> None:
    seen = load.read(REPORT, 2, 2)
    assert (seen.discovers, seen.acks, seen.achieved, seen.unfinished) == (4, 3, 1.5, 0.25)
    assert not seen.sustained
    assert seen.ack_ms == pytest.approx([2.0, 3.0, 4.0])
    assert load.percentile(seen.ack_ms, 0.5) == pytest.approx(3.0)
    assert load.percentile(seen.ack_ms, 0.99) == pytest.approx(4.0)
    assert summed("x", seen, 0.006).cpu_us == pytest.approx(2000)


def test_what_is_no_report_is_an_error() -> None:
    with pytest.raises(AssertionError, match="perfdhcp failed"):
        load.read("perfdhcp: no such interface", 2, 2)


def test_medians_are_taken_for_each_server_and_rate() -> None:
    runs = [measured("a", 10, cpu_us, cpu_us > 1) for cpu_us in (1.0, 9.0, 5.0)] + [measured("b", 10, 7.0)]
    assert medians(runs) == [measured("a", 10, 5.0), measured("b", 10, 7.0)]


def test_the_page_tells_ratios_and_the_highest_sustained_rate() -> None:
    table = [measured("voxpath", 10, 20.0), measured("Kea", 10, 10.0), measured("voxpath", 20, 1.0, sustained=False)]
    text = page.written({"date": "today"}, 3, 5, "the command", table)
    assert "| 10 | voxpath | 10 | 0.0% | yes | 20 | 2.00 |" in text
    assert "- voxpath: 10\n- Kea: 10\n" in text
    assert "Written by `the command`" in text
    assert "- date: today\n" in text


def test_the_processor_time_of_children_counts() -> None:
    spin = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    before = cpu_s(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", spin])
    assert child.pid in tree(os.getpid())
    child.wait()
    assert cpu_s(os.getpid()) - before >= 0.15


@pytest.mark.live
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_each_server_serves_a_light_load_completely(server: Server) -> None:
    seen = measure(server, 40, 1)
    assert seen.lost == 0
    assert seen.cpu_us > 0
