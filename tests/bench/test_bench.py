"""The parts of the measurements that can be wrong without anybody noticing, and one short measurement of each server."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import page
from tests.bench.cost import cpu_s, memory_kib, tree
from tests.bench.dhcp import load as dhcp_load
from tests.bench.dhcp.filled import FILLED
from tests.bench.dhcp.goals import dhcp_goals
from tests.bench.dhcp.part import DHCP, summed
from tests.bench.goal import Goal, told
from tests.bench.machine import WRITTEN, commit
from tests.bench.nat import traffic
from tests.bench.nat.goals import ARRIVED, nat_goals
from tests.bench.nat.part import FROM_PHONES, NAT
from tests.bench.nat.site import PATHS
from tests.bench.part import Load, Measured, Server, medians, percentile
from tests.bench.sip import load as sip_load
from tests.bench.sip import part as sip
from tests.bench.sip import servers
from tests.bench.sip.part import SCENARIOS, SIP, pinned
from tests.bench.tftp import part as tftp
from tests.bench.tftp.part import TFTP
from tests.live import sipp

PERFDHCP_REPORT = """***Rate statistics***
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

SIPP_STATISTICS = """\
StartTime;CurrentTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);FailedUnexpectedMessage(C);Retransmissions(P);Retransmissions(C);
2026-11-21\t12:55:23.048120\t1795265723.048120;2026-11-21\t12:55:24.048210\t1795265724.048210;90;90;0;0;0;0;
2026-11-21\t12:55:23.048120\t1795265723.048120;2026-11-21\t12:55:25.048120\t1795265725.048120;107;197;2;4;1;3;
"""
SIPP_TIMES = "Date_ms;response_time_ms;rtd_no\n4.001;7;1\n5.002;1;1\nDate_ms;response_time_ms;rtd_no\n6.003;2;1\n"
"""The form that sipp 3.6.1 writes, with fewer columns."""


def measured(server: str, rate: int, cpu_us: float, kept_up: bool = True, work: str = DHCP.works[0]) -> Measured:
    return Measured(work, server, rate, cpu_us, kept_up, (float(rate), 0.0, 1.0, 2.0, 3.0))


def test_a_report_of_perfdhcp_is_read() -> None:
    seen = dhcp_load.read(PERFDHCP_REPORT, 2, 2)
    assert (seen.discovers, seen.acks, seen.achieved, seen.unfinished) == (4, 3, 1.5, 0.25)
    assert not seen.sustained
    assert seen.ack_ms == pytest.approx([2.0, 3.0, 4.0])
    assert percentile(seen.ack_ms, 0.5) == pytest.approx(3.0)
    assert percentile(seen.ack_ms, 0.99) == pytest.approx(4.0)
    assert summed("work", "x", seen, 0.006).cpu_us == pytest.approx(2000)


def test_what_is_no_report_of_perfdhcp_is_an_error() -> None:
    with pytest.raises(AssertionError, match="perfdhcp failed"):
        dhcp_load.read("perfdhcp: no such interface", 2, 2)


def test_of_the_statistics_of_sipp_the_last_line_counts() -> None:
    assert sipp.read(SIPP_STATISTICS) == sipp.Outcome(done=197, failed=2, repeated=3, unexpected=4)
    assert sipp.duration_s(SIPP_STATISTICS) == pytest.approx(2.0)


def test_the_response_times_of_sipp_are_read_in_order() -> None:
    assert sip_load.answer_times(SIPP_TIMES) == [1.0, 2.0, 7.0]


def test_processor_time_is_told_for_each_call_that_was_done() -> None:
    seen = sip_load.Load(100, sipp.Outcome(197, 2, 3, 4), 2.0, [1.0, 2.0, 7.0])
    assert seen.achieved == pytest.approx(98.5)
    assert sip.summed("work", "x", seen, 0.0197, 1.5).cpu_us == pytest.approx(100)


@pytest.mark.parametrize(
    ("done", "failed", "repeated", "seconds", "clean"),
    [(200, 0, 0, 2.0, True), (199, 1, 0, 2.0, False), (200, 0, 1, 2.0, False), (200, 0, 0, 2.2, False), (0, 0, 0, 2.0, False)],
)
def test_a_load_is_clean_only_without_failures_repetitions_and_delay(
    done: int, failed: int, repeated: int, seconds: float, clean: bool
) -> None:
    assert sip_load.Load(100, sipp.Outcome(done, failed, repeated, 0), seconds, []).clean is clean


def test_server_and_load_have_processors_of_their_own_if_there_are_two() -> None:
    assert pinned(1) == ([], [])
    assert pinned(4) == (["taskset", "-c", "0"], ["taskset", "-c", "1-3"])


def test_medians_are_taken_for_each_work_server_and_rate() -> None:
    runs = [measured("a", 10, cpu_us, cpu_us > 1) for cpu_us in (1.0, 9.0, 5.0)] + [measured("b", 10, 7.0)]
    other = measured("a", 10, 2.0, work="other work")
    assert medians([*runs, other]) == [measured("a", 10, 5.0), measured("b", 10, 7.0), other]


def test_the_page_tells_ratios_and_the_highest_rate_at_which_a_server_kept_up() -> None:
    table = [measured("voxpath", 10, 20.0), measured("Kea", 10, 10.0), measured("voxpath", 20, 1.0, kept_up=False)]
    text = page.section(DHCP, {"date": "today"}, "the command", "Medians.", table)
    assert "| 10 | voxpath | yes | 20 | 2.00 | 10 | 0.0% |" in text
    assert "- voxpath: 10\n- Kea: 10\n" in text
    assert "Measured by `the command`" in text
    assert "- date: today\n" in text


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal("x", 1.834, 1.83, 1.0), "| x | 1.83 | at most 1.83: met | at most 1.00: **missed by 83%** |"),
        (Goal("x", 1.9, 1.83), "| x | 1.90 | at most 1.83: **missed by 4%** |  |"),
        (Goal("x", 2000, 1228.4, 3000, more=True), "| x | 2000 | at least 1228: met | at least 3000: **missed by 33%** |"),
        (Goal("x", 3.0, 0), "| x | 3.00 | at most 0.00: **missed** |  |"),
        (Goal("x", 0.0, 0), "| x | 0.00 | at most 0.00: met |  |"),
    ],
)
def test_a_goal_tells_whether_it_was_met_and_by_how_much_not(goal: Goal, words: str) -> None:
    assert told([goal]).splitlines()[2:] == [words]


def test_where_nothing_is_wanted_nothing_is_told() -> None:
    assert told([]) == ""


KEA_US = {500: 400, 1000: 328, 2000: 250, 3000: 200}


def dhcp_table(*ours: tuple[int, float, bool, float]) -> list[Measured]:
    kea = [Measured("w", "Kea", rate, cpu_us, True, (0, 0, 0, 0, 3)) for rate, cpu_us in KEA_US.items()]
    return kea + [Measured("w", "voxpath", rate, cpu_us, kept_up, (0, 0, 0, 0, p99)) for rate, cpu_us, kept_up, p99 in ours]


def test_a_page_that_a_bench_wrote_makes_no_other_program(tmp_path: Path) -> None:
    page, code = tmp_path / WRITTEN[0], tmp_path / "code.py"
    page.parent.mkdir()
    page.touch()
    code.touch()
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@example.org commit -qm tree"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    clean = commit(tmp_path)
    page.write_text("figures")
    assert commit(tmp_path) == clean
    code.write_text("change")
    assert commit(tmp_path) == f"{clean}-dirty"


def test_what_is_wanted_of_dhcp_fits_the_machine() -> None:
    """Kea takes four times as long at a third of its highest rate, so a quarter of the rate and four times the delay are wanted."""
    table = dhcp_table((500, 9999, True, 999), (1000, 9999, True, 999), (2000, 500, True, 81), (3000, 1, False, 1))
    rate, share, p99 = dhcp_goals(table)
    assert (rate.found, rate.must, rate.aim, rate.more) == (2000, 1250, 3000, True)
    assert (share.found, share.meets(1.83), share.aim) == (2.0, False, 1.0)
    assert "at 2000 a second" in share.what
    assert (p99.found, p99.must, p99.meets(80)) == (81, 80, False)


def test_a_server_that_never_came_to_the_wanted_rate_misses_it() -> None:
    (rate,) = dhcp_goals(dhcp_table((500, 100, True, 1), (1000, 100, False, 1)))
    assert (rate.found, rate.meets(1250)) == (500, False)


def test_the_cost_beside_many_leases_is_compared_with_that_beside_few() -> None:
    table = [measured(server.name, 1000, cpu_us) for server, cpu_us in zip(FILLED.servers, (100, 110, 121), strict=True)]
    assert [goal.meets(1.2) for goal in FILLED.goals(table)] == [True, False]


def test_what_is_wanted_of_tftp_is_told_for_each_of_our_servers() -> None:
    def line(work: str, server: str, cpu_us: float, rate: float, lost: float = 0) -> Measured:
        return Measured(work, server, 1, cpu_us, True, (rate, lost, 0, 1))

    table = [line(work, server, 100, 50) for work in TFTP.works for server in (tftp.BASE, "tftpd-hpa")]
    table += [line(tftp.WINDOWS, "voxpath", 120, 38), line(tftp.IMAGES, "voxpath", 130, 1)]
    table += [line(tftp.BURST, "voxpath", 90, 1, lost=1)]
    goals = list(TFTP.goals(table))
    assert [goal.found for goal in goals] == [0.76, 1.2, 1.3, 1, 0.9]
    assert [goal.must is None or goal.meets(goal.must) for goal in goals] == [False, True, False, False, True]
    assert [goal.aim for goal in goals] == [None, 1.0, 1.0, None, 1.0]


def test_the_outcome_stands_behind_the_tables() -> None:
    text = page.section(DHCP, {}, "c", "l", [measured("voxpath", 10, 20.0), measured("Kea", 10, 10.0)])
    assert text.index("| 10 | Kea") < text.index("### What came of it\n\n| figure") < text.index("### Method")


def test_a_part_replaces_its_own_section_of_the_page_and_keeps_the_others() -> None:
    first = page.updated("", (DHCP, SIP), {"SIP": "## SIP\n\n### one\n\nfirst\n", "DHCP": "## DHCP\n\n### two\n\nkept\n"})
    again = page.updated(first, (DHCP, SIP), {"SIP": "## SIP\n\n### one\n\nsecond\n"})
    assert again == f"{page.HEAD}## DHCP\n\n### two\n\nkept\n\n## SIP\n\n### one\n\nsecond\n"


def test_both_parts_are_measured_unless_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def light(work: str, server: Server) -> AbstractContextManager[Load]:
        return nullcontext(lambda rate, seconds: measured(server.name, rate, 1.0))

    parts = (DHCP._replace(ready=light), DHCP._replace(ready=light, name="other", title="Other"))
    monkeypatch.setattr(bench, "PARTS", {part.name: part for part in parts})
    output = tmp_path / "page.md"
    assert bench.main(["other", "--rates", "5", "--output", str(output)]) == 0
    assert "## DHCP" not in output.read_text()
    assert bench.main(["--rates", "5", "--output", str(output)]) == 0
    assert output.read_text().count("Medians of 3 runs of 5 s.") == 2
    assert "python -m tests.bench dhcp --rates 5 --output" in output.read_text()


def test_a_server_that_does_not_keep_up_twice_in_a_row_is_asked_for_no_more() -> None:
    def weak(work: str, server: Server) -> AbstractContextManager[Load]:
        return nullcontext(lambda rate, seconds: measured(server.name, rate, 1.0, kept_up=rate in {1, 3}))

    seen = bench.first_run(DHCP._replace(ready=weak, servers=DHCP.servers[:1]), [1, 2, 3, 4, 5, 6], 1)
    assert [line.rate for line in seen] == [1, 2, 3, 4, 5]


def test_the_processor_time_of_children_counts() -> None:
    spin = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    before = cpu_s(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", spin])
    assert child.pid in tree(os.getpid())
    child.wait()
    assert cpu_s(os.getpid()) - before >= 0.15


def test_memory_that_a_process_fills_counts() -> None:
    before = memory_kib(os.getpid())
    filled = b"x" * (64 << 20)
    assert memory_kib(os.getpid()) - before >= 0.9 * len(filled) / 1024


def told_by_clients(**more: object) -> dict[str, object]:
    return {"done": 2, "octets": 3 << 20, "seconds": 2.0, "repeated": 1, "lost": 0, "window": 16, **more}


def test_readings_of_files_are_summed_up_by_the_mib() -> None:
    seen = tftp.summed(TFTP.works[0], "x", 2, [told_by_clients()], 0.006)
    assert (seen.cpu_us, seen.kept_up) == (2000, True)
    assert seen.figures == (1.5, 0, 1, 16)
    several = tftp.summed(TFTP.works[0], "x", 2, [told_by_clients(), told_by_clients(seconds=1.0, repeated=3, window=8)], 0.006)
    assert (several.cpu_us, several.figures) == (1000, (2.0, 0, 4, 8))


@pytest.mark.parametrize("troubled", [{"lost": 1}, {"done": 1}])
def test_one_reading_that_was_not_complete_counts_for_all(troubled: dict[str, int]) -> None:
    told = [told_by_clients(), told_by_clients(**troubled), told_by_clients()]
    assert not tftp.summed(TFTP.works[0], "x", 2, told, 0.006).kept_up


def test_a_part_without_rates_of_its_own_names_none() -> None:
    table = [Measured(TFTP.works[0], server.name, 1, 9.0, True, (1.0, 0.0, 0.0, 1.0)) for server in TFTP.servers]
    text = page.section(TFTP, {}, "c", "l", table)
    assert "| clients | server | complete |" in text
    assert "highest rate" not in text


def carried(server: str, phones: int, kpps: float, lease_ms: float = float("nan")) -> Measured:
    return Measured(FROM_PHONES, server, phones, 1000 / kpps, True, (kpps, 1.0, 5.0, 20.0, lease_ms))


def test_back_ends_are_held_against_masquerading_and_leases_against_the_clock() -> None:
    table = [
        carried("plain forwarding", 1000, 1000.0),
        carried("masquerade", 1000, 500.0),
        carried("ebpf", 1000, 900.0, 0.1),
        carried("ebpf", 10_000, 900.0, 2.0),
        carried("tun", 1000, 100.0, 0.1),
    ]
    text = told(nat_goals(table))
    assert "ebpf, packets a second, x masquerade | 1.80 | at least 1.50: met | at least 1.70: met |" in text
    assert "ebpf, packets a second, x plain forwarding | 0.90 |  | at least 0.95: **missed by 5%** |" in text
    assert "ebpf, ms until a lease is visible beside 10000 | 2.00 | at most 1.00: **missed by 100%** |  |" in text
    assert "tun, packets a second, x masquerade | 0.20 | at least 0.30: **missed by 33%** |  |" in text
    assert "tun, us for 99 % of the packets | 20.00 | at most 5000: met |  |" in text
    assert "plain forwarding, us" not in text


def test_without_masquerading_beside_them_no_rate_is_judged() -> None:
    assert "masquerade" not in told(nat_goals([carried("ebpf", 1000, 900.0)]))


def test_the_phones_of_the_traffic_fill_their_public_addresses() -> None:
    mappings = [traffic.mapping(phone) for phone in range(2000)]
    assert len({(row.block.public, row.block.first) for row in mappings}) == len({row.private for row in mappings}) == 2000
    assert (str(mappings[999].private), str(mappings[999].block.public), mappings[999].block.last) == (
        "10.1.4.250",
        "203.0.113.1",
        65535,
    )
    assert (str(mappings[1000].private), str(mappings[1000].block.public)) == ("10.1.5.1", "203.0.113.2")


@pytest.mark.parametrize(("phones", "ports"), [(10, 32), (1000, 32), (1001, 16), (10_000, 2), (32_000, 1)])
def test_there_are_no_more_flows_than_connection_tracking_has_room_for(phones: int, ports: int) -> None:
    assert traffic.ports_of(phones) == ports


@pytest.mark.live
@pytest.mark.parametrize("server", PATHS)
def test_each_back_end_carries_the_packets_of_some_phones(server: str) -> None:
    with NAT.ready(FROM_PHONES, Server(server, lambda _: [])) as loaded:
        seen = loaded(10, 1)
    assert seen.figures[ARRIVED] > 0.01
    assert seen.cpu_us > 0


@pytest.mark.live
@pytest.mark.parametrize("server", TFTP.servers, ids=lambda server: server.name)
def test_each_tftp_server_serves_a_file_completely(server: Server) -> None:
    with TFTP.ready(TFTP.works[2], server) as loaded:
        seen = loaded(1, 1)
    assert seen.kept_up
    assert seen.cpu_us > 0


@pytest.mark.live
@pytest.mark.parametrize("server", DHCP.servers, ids=lambda server: server.name)
def test_each_dhcp_server_serves_a_light_load_completely(server: Server) -> None:
    with DHCP.ready(DHCP.works[0], server) as loaded:
        seen = loaded(40, 1)
    assert seen.figures[1] == 0
    assert seen.cpu_us > 0


@pytest.mark.live
@pytest.mark.parametrize("work", SCENARIOS)
@pytest.mark.parametrize("server", SIP.servers, ids=lambda server: server.name)
def test_each_sip_server_serves_a_light_load_completely(server: Server, work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "USERS", 100)
    with SIP.ready(work, server) as loaded:
        seen = loaded(40, 1)
    done, failed = seen.figures[:2]
    assert (done, failed) == (pytest.approx(40, rel=0.2), 0)
    assert seen.cpu_us > 0
