"""Metrics as Prometheus reads them: held against a second reading of the same text."""

import re
from pathlib import Path

from voxpath.manage.facts import NatFacts
from voxpath.manage.metrics import Family, Sample, of_nat, render
from voxpath.manage.rows import CounterRow
from voxpath.nappt.verdict import Reason

PHONE = "02:00:00:00:0a:01"
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+)\})? (\d+)')


def read(text: str) -> dict[str, int]:
    """The samples of a text, each by name and labels; every other line is a comment."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            parts = LINE.fullmatch(line)
            assert parts is not None, line
            found[f"{parts[1]} {parts[2] or ''}".strip()] = int(parts[3])
    return found


def test_each_phone_is_told_in_both_directions_with_its_drops_by_reason() -> None:
    nat = NatFacts("memory", "", False, 7, 8, {"stranger": 6, "icmp": 0}, "call-aware", 12, 4)
    row = CounterRow(PHONE, "10.0.0.11", 1, 2, 3, 4, "bogon=9 spoofed_port=5", "stranger=6")
    assert read(render(of_nat(nat, [row]))) == {
        f'voxpath_nat_phone_packets_total phone="{PHONE}",direction="out"': 1,
        f'voxpath_nat_phone_packets_total phone="{PHONE}",direction="in"': 3,
        f'voxpath_nat_phone_octets_total phone="{PHONE}",direction="out"': 2,
        f'voxpath_nat_phone_octets_total phone="{PHONE}",direction="in"': 4,
        f'voxpath_nat_phone_drops_total phone="{PHONE}",direction="out",reason="bogon"': 9,
        f'voxpath_nat_phone_drops_total phone="{PHONE}",direction="out",reason="spoofed_port"': 5,
        f'voxpath_nat_phone_drops_total phone="{PHONE}",direction="in",reason="stranger"': 6,
        'voxpath_nat_drops_total reason="icmp"': 0,
        'voxpath_nat_drops_total reason="stranger"': 6,
        "voxpath_nat_mappings": 12,
        "voxpath_nat_pinholes": 4,
        "voxpath_nat_generation": 7,
        "voxpath_ledger_generation": 8,
    }


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    """A phone's name may come from the wire."""
    text = render([Family("x", "gauge", "X.", (Sample(1, (("phone", 'a"} 2\nx{b="\\'),)),))])
    assert text == '# HELP x X.\n# TYPE x gauge\nx{phone="a\\"} 2\\nx{b=\\"\\\\"} 1\n'
    assert len(read(text)) == 1


def test_the_page_about_the_console_explains_every_reason_of_a_drop() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "console.md").read_text()
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    assert {reason.value for reason in Reason} <= set(re.findall(r"`(\w+)`", " ".join(rows)))
