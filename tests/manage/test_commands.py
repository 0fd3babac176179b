"""The command table over a process that has everything."""

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address
from math import inf
from typing import Any

import pytest
from msgspec import structs
from twisted.internet.defer import Deferred, succeed

from voxpath.dhcp.event import DhcpAck, DhcpAdopted, DhcpEnded, DhcpIgnoredMac
from voxpath.dhcp.keeping import Keeping
from voxpath.dhcp.question import Finding, Question
from voxpath.io.bus import Record
from voxpath.manage import rows
from voxpath.manage.cli import show
from voxpath.manage.commands import COMMANDS, Answer, Console
from voxpath.manage.control import carry_out, reply_of
from voxpath.manage.facts import CommandError, Facts, NatFacts, NatProbe, NoFacts, UserFacts
from voxpath.manage.leasing import AT_ONCE, _Leases, in_order
from voxpath.manage.memory import Memory
from voxpath.manage.rows import CallRow, ContactRow, CounterRow, FileRow, PhoneRow, PoolRow, RoleRow, ScopeRow, UploadRow, draw
from voxpath.manage.show import columns
from voxpath.manage.wire import Reply, Request
from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import Malformed, MessageEvent
from voxpath.model.phone import Adoption, Lease
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.registration import Registration

PHONE = "02:00:00:00:0a:01"
AOR = "a1@voip.example"
USERS = {
    AOR: UserFacts(listed=True, contacts=1, hidden=True),
    "a2@voip.example": UserFacts(listed=False, contacts=1, hidden=False),
    "a9@voip.example": UserFacts(listed=True, contacts=0, hidden=True),
}
PUBLIC = IPv4Address("203.0.113.1")
PRIVATE = IPv4Address("10.0.0.11")


class Site(NoFacts):
    """Facts of a small site."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.has_pools = True
        self.keeps = Keeping(True, "as long as scope lan has a free one for others")

    def keeping(self, lease: Lease) -> Keeping:
        return self.keeps

    def gives(self, row: PortBinding) -> bool:
        return self.has_pools

    def now(self) -> float:
        return 1_000_000.0

    def status(self) -> Iterable[tuple[str, str]]:
        return [("name", "sg-a")]

    def roles(self) -> Iterable[RoleRow]:
        return [RoleRow("dhcp", "running", 0, 3, 1, "")]

    def leases(self) -> Iterable[Lease]:
        return [Lease(Mac.parse(PHONE), b"", "lan", PRIVATE, "desk", "evil\x1b[2J", 999_999.0)]

    def blocks(self) -> Iterable[PortBinding]:
        return [
            PortBinding("b", PortBlock(PUBLIC, 20096, 64), None, "", BindingState.RELEASED, 1_000_001.0, 2),
            PortBinding(PHONE, PortBlock(PUBLIC, 20032, 64), PRIVATE, "site-a", BindingState.HELD, 0, 1),
        ]

    def names(self) -> Mapping[str, Collection[str]]:
        return {"scope": ["lan", "attic"], "class": ["lobby"], "realm": ["site-a"], "public": ["203.0.113.2"]}

    def registrations(self) -> Iterable[Registration]:
        endpoint = Endpoint("203.0.113.1", 20032)
        return [Registration("[10.0.0.11]:20032", endpoint, endpoint, PRIVATE, "site-a", PHONE, ("line/1",), 5.0)]

    def contacts(self, identity: str = "") -> Iterable[ContactRow]:
        row = ContactRow(PHONE, AOR, f"sip:a1@{PRIVATE}", "203.0.113.1:20032", "", "", "site-a", "private", 0.5, "", "", "evil")
        return [row] if identity in {"", AOR, PHONE} else []

    def aors(self) -> Iterable[str]:
        return [AOR, "a9@voip.example"]

    def phones_of(self, aor: str) -> tuple[str, ...]:
        return (PHONE,) if aor == AOR else ()

    def user(self, aor: str) -> UserFacts | None:
        return USERS.get(aor)

    def calls(self) -> Iterable[CallRow]:
        return [CallRow(PHONE, "b", "1002", "talking", "private", "10.0.0.11:2002", "10.0.0.12:2006", "", "one realm")]

    def uploads(self) -> "Deferred[list[UploadRow]]":
        return succeed([UploadRow(PHONE, "boot.log", 7, ""), UploadRow("02:00:00:00:0a:02", "app.log", 8, "")])

    def files(self, phone: str) -> Iterable[FileRow]:
        return [FileRow(f"{phone}.cfg", "voxpath/phone.cfg", 9, ""), FileRow("a.bin", "directory", None, "there is no a.bin")]

    def render(self, phone: str, name: str, secrets: bool) -> str:
        return f"{phone} {name}\nsecrets {secrets}\n"

    def nat(self) -> NatFacts:
        probes = (
            NatProbe("nftables", False, "Operation not permitted (CAP_NET_ADMIN is needed)"),
            NatProbe("memory", True, "always"),
        )
        return NatFacts("memory", "not root", False, 3, 4, {"spoofed port": 7}, "call-aware", 12, 4, probes)

    def counters(self, phone: str = "") -> Iterable[CounterRow]:
        found = [CounterRow(PHONE, str(PRIVATE), 1, 2, 3, 4, "spoofed_port=5", "stranger=6"), CounterRow("b", "", 0, 0, 0, 0)]
        return [row for row in found if phone in {"", row.phone}]

    def phones(self) -> Iterable[PhoneRow]:
        return [PhoneRow(PHONE, 1, "talking", "", "10.0.0.11", "203.0.113.1:2048-2111", 1000.0, -10.5, 1, 2, 0)]

    def off_hook(self, phone: str, line: int) -> None:
        self.done.append(("off-hook", phone, line))

    def dial(self, phone: str, line: int, digits: str) -> None:
        self.done.append(("dial", phone, line, digits))

    def on_hook(self, phone: str, line: int) -> None:
        self.done.append(("on-hook", phone, line))

    def explain(self, question: Question) -> Iterable[Finding]:
        self.done.append(question)
        return [Finding("answer", "OFFER 10.0.0.11 of scope lan")]

    def adopted(self) -> Iterable[Adoption]:
        return [Adoption(Mac.parse(PHONE), 86_400.0)]

    def adopt(self, mac: Mac) -> "Deferred[str]":
        return succeed(str(mac))

    def disown(self, mac: Mac) -> "Deferred[str]":
        return succeed(str(mac))

    def standby(self) -> Iterable[tuple[str, str]]:
        return [("state", "following"), ("lag", "0")]

    def sync_standby(self) -> "Deferred[None]":
        self.done.append("sync")
        return succeed(None)

    def scopes(self) -> Iterable[ScopeRow]:
        return [ScopeRow("lan", "eth1", "site-a", "", 10, 9, 1, 0, 90, 80)]

    def pools(self) -> Iterable[PoolRow]:
        return [PoolRow("203.0.113.1:20032-20095", "site-a", 64, 64, 0, 32, 16, 8, 0, 8, 100, 95)]

    def release(self, phone: str) -> "Deferred[str]":
        return succeed(f"{phone} 10.0.0.11")

    def end_probation(self, address: IPv4Address) -> "Deferred[str]":
        self.done.append(("end_probation", address))
        return succeed("it")

    def move(self, phone: str, public: IPv4Address, first: int | None) -> "Deferred[str]":
        self.done.append(("move", phone, public, first))
        return succeed("there")

    def reserve(self, phone: str, block: PortBlock | None) -> "Deferred[str]":
        self.done.append(("reserve", phone, block))
        return succeed("it")

    def unreserve(self, phone: str) -> "Deferred[str]":
        self.done.append(("unreserve", phone))
        return succeed("it")

    def reboot(self, phone: str) -> "Deferred[list[tuple[str, str]]]":
        self.done.append(("reboot", phone))
        return succeed([("SIP", "not registered"), ("DHCP", "FORCERENEW sent")])


def run(verb: str, *arguments: str, facts: Facts | None = None, memory: Memory | None = None) -> Answer:
    answer = carry_out(Console(facts or Site(), memory or Memory()), Request(verb, arguments))
    if isinstance(answer, Deferred):
        found: list[Answer] = []
        answer.addCallback(found.append)
        return found[0]
    return answer


def table(verb: str, *arguments: str) -> list[list[str]]:
    reply = reply_of(run(verb, *arguments))
    return [line.split() for line in draw(reply.columns, reply.rows).splitlines()[1:]]


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("status", [["name", "sg-a"]]),
        ("roles", [["dhcp", "running", "0", "3", "1", "-"]]),
        ("leases", [[PHONE, "10.0.0.11", "lan", "desk", "evil\\x1b[2J", "1970-01-12T13:46:39Z", "expired", "dynamic"]]),
        (
            "blocks",
            [
                [PHONE, "203.0.113.1:20032-20095", "10.0.0.11", "site-a", "held", "-", "-", "1"],
                ["b", "203.0.113.1:20096-20159", "-", "-", "quarantined", "-", "1970-01-12T13:46:41Z", "2"],
            ],
        ),
        ("scopes", [["lan", "eth1", "site-a", "-", "10", "9", "1", "0", "90", "80"]]),
        ("pools", [["203.0.113.1:20032-20095", "site-a", "64", "64", "0", "32", "16", "8", "0", "8", "100", "95"]]),
        ("calls", [[PHONE, "b", "1002", "talking", "private", "10.0.0.11:2002", "10.0.0.12:2006", "-", "one", "realm"]]),
        ("phones", [[PHONE, "1", "talking", "-", "10.0.0.11", "203.0.113.1:2048-2111", "1000", "-10.5", "1", "2", "0"]]),
    ],
)
def test_a_table(verb: str, expected: list[list[str]]) -> None:
    """One line is one row, it names its phone, and an empty cell is a dash."""
    assert table(verb) == expected


def test_registrations_name_public_and_private_address() -> None:
    assert table("registrations")[0][:4] == [PHONE, "[10.0.0.11]:20032", "203.0.113.1:20032", "10.0.0.11"]


def test_nat_tells_why_and_what_is_under_way() -> None:
    assert ["generation", "3", "(ledger:", "4)"] in table("nat")
    assert ["drops", "spoofed", "port", "7"] in table("nat")
    assert ["mappings", "12"] in table("nat")
    assert ["mode", "call-aware,", "4", "pinholes", "open"] in table("nat")


def test_nat_tells_of_every_back_end_whether_it_can_run_here() -> None:
    told = [" ".join(row) for row in table("nat")]
    assert "probe nftables not usable: Operation not permitted (CAP_NET_ADMIN is needed)" in told
    assert "probe memory usable: always" in told


def test_counters_of_one_phone() -> None:
    assert len(table("counters")) == 2
    assert table("counters", PHONE.upper().replace(":", "-")) == [
        [PHONE, "10.0.0.11", "1", "2", "3", "4", "spoofed_port=5", "stranger=6"]
    ]
    assert "no port block" in run("counters", "x").note


def test_uploads_of_all_phones_or_of_one() -> None:
    assert table("uploads") == [[PHONE, "boot.log", "7", "-"], ["02:00:00:00:0a:02", "app.log", "8", "-"]]
    assert table("uploads", PHONE.upper()) == [[PHONE, "boot.log", "7", "-"]]
    assert run("uploads", "02:00:00:00:0a:03").note == "nothing was uploaded"


def test_the_files_of_a_phone_are_listed_and_shown_line_by_line() -> None:
    assert table("files", PHONE.upper())[0] == [f"{PHONE}.cfg", "voxpath/phone.cfg", "9", "-"]
    assert [row.text for row in run("render", "02-00-00-00-0A-01", "x.cfg").rows] == [f"{PHONE} x.cfg", "secrets False"]
    assert [row.text for row in run("render", PHONE, "x.cfg", "secrets").rows][1] == "secrets True"
    with pytest.raises(CommandError, match="write secrets, or nothing"):
        run("render", PHONE, "x.cfg", "all")


FILE = "x = 1\r\n\r\nname=\u2028é\x1b[2J\r\nno end"


def rendered(text: str) -> Reply:
    return reply_of(Answer(rows.LineRow, [rows.LineRow(1, "x")], text=text))


def test_a_file_goes_into_a_pipe_octet_by_octet(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """TFT-9: what is written there is what the phone gets."""
    with os.fdopen(os.dup(1), "w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        show(COMMANDS["render"], (PHONE, "x.cfg"), [rendered(FILE)], as_json=False)
    assert capfdbinary.readouterr().out == FILE.encode()


def test_a_file_cannot_write_to_the_terminal() -> None:
    text = columns(COMMANDS["render"], (PHONE, "x.cfg"), [rendered(FILE)])
    assert "\x1b" not in text
    assert text.splitlines()[0] == "x = 1"


def test_a_pipe_that_nobody_reads_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """``voxpath ctl ... | head -1`` ends as quietly as any other program."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        for _ in range(2):
            show(COMMANDS["render"], (PHONE, "x.cfg"), [rendered("x" * 100_000)], as_json=False)


def test_a_phone_is_used_from_the_command_line() -> None:
    site = Site()
    run("off-hook", PHONE, facts=site)
    run("dial", PHONE, "1002", "2", facts=site)
    run("on-hook", PHONE.upper(), facts=site)
    assert site.done == [("off-hook", PHONE, 1), ("dial", PHONE, 2, "1002"), ("on-hook", PHONE, 1)]


def test_the_standby_is_told_of_and_synchronised() -> None:
    site = Site()
    assert run("standby", facts=site) == run("standby", "sync", facts=site)
    assert site.done == ["sync"]
    with pytest.raises(CommandError, match="standby sync"):
        run("standby", "copy")
    with pytest.raises(CommandError, match="no pair"):
        COMMANDS["standby"].run(Console(NoFacts(), Memory()), ())


def test_release_waits_for_the_store() -> None:
    assert run("release", PHONE).rows


@pytest.mark.parametrize(
    ("line", "done"),
    [
        (f"move {PHONE} 203.0.113.2", ("move", PHONE, IPv4Address("203.0.113.2"), None)),
        (f"move {PHONE.upper()} 203.0.113.2:2048", ("move", PHONE, IPv4Address("203.0.113.2"), 2048)),
        ("release 10.0.0.11", ("end_probation", IPv4Address("10.0.0.11"))),
        (f"reserve {PHONE}", ("reserve", PHONE, None)),
        (f"reserve {PHONE} 203.0.113.1:2048-2111", ("reserve", PHONE, PortBlock(PUBLIC, 2048, 64))),
        ("unreserve 02-00-00-00-0A-01", ("unreserve", PHONE)),
        (f"reboot {PHONE}", ("reboot", PHONE)),
    ],
)
def test_an_order_is_read_as_it_is_written(line: str, done: object) -> None:
    site = Site()
    verb, *arguments = line.split()
    assert run(verb, *arguments, facts=site).rows
    assert site.done == [done]


def test_each_way_of_a_reboot_is_a_line() -> None:
    assert table("reboot", PHONE) == [["SIP", "not", "registered"], ["DHCP", "FORCERENEW", "sent"]]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("leases", 1),
        ("leases scope=lan class=desk state=expired phone=02:00", 1),
        ("leases state=HELD", 0),
        ("leases class=lobby", 0),
        ("leases scope=attic", 0),
        ("blocks", 2),
        ("blocks state=quarantined", 1),
        ("blocks realm=site-a public=203.0.113.1", 1),
        ("blocks phone=02:00:00:00:0A", 1),
        ("blocks public=203.0.113.2", 0),
    ],
)
def test_leases_and_blocks_are_filtered(line: str, shown: int) -> None:
    assert len(table(*line.split())) == shown


@pytest.mark.parametrize("written", ["020000000a01", "020000000A01", "0200.0000.0a01", "02-00-00-00-0A-01"])
@pytest.mark.parametrize(
    "verb", ["counters", "uploads", "files", "adopt", "disown", "release", "reserve", "unreserve", "reboot", "explain", "off-hook"]
)
def test_a_phone_is_named_as_its_label_has_it(verb: str, written: str) -> None:
    one, other = Site(), Site()
    assert run(verb, written, facts=one) == run(verb, PHONE, facts=other)
    assert one.done == other.done


@pytest.mark.parametrize("verb", ["why", "ladder"])
def test_what_is_remembered_is_found_by_what_a_label_says(verb: str) -> None:
    memory = Memory()
    memory(Record(1.0, "dhcp", DhcpIgnoredMac(phone=PHONE, message="DISCOVER", reason="not served")))
    assert run(verb, "020000000A01", memory=memory) == run(verb, PHONE, memory=memory)


@pytest.mark.parametrize("beginning", ["0200", "02:00", "0200.0000.0A", "02-00-00"])
def test_a_beginning_may_be_written_as_a_label_has_it(beginning: str) -> None:
    assert len(table("leases", f"phone={beginning}")) == len(table("blocks", f"phone={beginning}")) == 1
    assert [PHONE, "known"] in table("known", beginning)


def test_rows_are_sorted_in_small_steps() -> None:
    """Between two rows, and while parts are sorted, the reactor may do something else."""
    phones = [Mac(number.to_bytes(6, "big")) for number in range(5000)]
    leases = [Lease(mac, b"", "lan", PRIVATE, "desk", "", 0.0) for mac in sorted(phones, key=lambda mac: hash(bytes(mac)))]
    steps = list(in_order(leases, _Leases({}, 1.0)))
    rows = [row for row in steps if row is not None]
    assert [row.phone for row in rows] == [str(mac) for mac in phones]
    assert len(steps) == len(rows) + 5000 // AT_ONCE


class Reserved(Site):
    """Blocks reserved by command and by the file, each in use and not, and one that is nobody's for ever."""

    def fixed_blocks(self) -> Mapping[str, PortBlock]:
        return {"c": PortBlock(PUBLIC, 6144, 64), "d": PortBlock(PUBLIC, 8192, 64), "e": PortBlock(PUBLIC, 9152, 64)}

    def blocks(self) -> Iterable[PortBinding]:
        yield PortBinding(PHONE, PortBlock(PUBLIC, 2048, 64), None, "", BindingState.RELEASED, inf, 1)
        yield PortBinding("b", PortBlock(PUBLIC, 4096, 64), PRIVATE, "a", BindingState.HELD, inf, 1)
        yield PortBinding("c", PortBlock(PUBLIC, 6144, 64), None, "a", BindingState.RELEASED, 0.0, 1)
        yield PortBinding("d", PortBlock(PUBLIC, 8192, 64), PRIVATE, "a", BindingState.HELD, 0.0, 1)
        yield PortBinding("e", PortBlock(PUBLIC, 9216, 64), PRIVATE, "a", BindingState.HELD, 0.0, 1)


def test_a_reserved_block_is_shown_as_such_in_use_or_not() -> None:
    shown = run("blocks", facts=Reserved()).rows
    assert [(row.phone, row.state, row.reserved, row.until) for row in shown] == [
        (PHONE, "reserved", "command", "for ever"),
        ("b", "held", "command", "for ever"),
        ("c", "reserved", "file", "for ever"),
        ("d", "held", "file", "for ever"),
        ("e", "held", "", ""),
    ]


def test_reserved_blocks_are_listed_whether_they_are_in_use_or_not() -> None:
    shown = run("blocks", "state=reserved", facts=Reserved()).rows
    assert [row.phone for row in shown] == [PHONE, "b", "c", "d"]
    assert [row.phone for row in run("blocks", "state=held", facts=Reserved()).rows] == ["b", "d", "e"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("leases state=xyz", "leases: there is no state 'xyz'; choose one of: expired, held"),
        ("leases scope=nope", "leases: there is no scope 'nope'; choose one of: attic, lan"),
        ("leases class=nope", "leases: there is no class 'nope'; choose one of: desk, lobby"),
        ("blocks state=kept", "blocks: there is no state 'kept'; choose one of: held, left, quarantined, released, reserved"),
        ("blocks realm=nope", "blocks: there is no realm 'nope'; choose one of: site-a"),
        ("blocks public=nope", "blocks: there is no public 'nope'; choose one of: 203.0.113.1, 203.0.113.2"),
    ],
)
def test_a_filter_that_nothing_can_fit_is_refused_with_the_values_that_can(line: str, words: str) -> None:
    """What the file names and what rows from another time have are values; a state is one of the known ones."""
    with pytest.raises(CommandError) as caught:
        run(*line.split())
    assert str(caught.value) == words


def test_why_tells_decisions_and_what_silence_means() -> None:
    memory = Memory()
    assert "do not arrive here" in run("why", "02:00:00:00:0a:07", memory=memory).note
    memory(Record(1, "dhcp", MessageEvent(phone=PHONE, protocol="DHCP", sender=PHONE, receiver="dhcp", summary="DISCOVER")))
    assert "1 messages and no decision" in run("why", PHONE, memory=memory).note
    memory(Record(2, "dhcp", Malformed(phone=PHONE, protocol="DHCP", source="x", reason="short")))
    answer = run("why", PHONE.upper(), memory=memory)
    assert [row.id for row in answer.rows] == ["MALFORMED"]
    assert len(run("ladder", PHONE, memory=memory).entries) == 2
    assert [entry.id for entry in run("events", "5", memory=memory).entries] == ["MALFORMED"]


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("leasse", (), "there is no such verb; use one of status"),
        ("\x1b[2J", (), "\\x1b"),
        ("why", (), "write why MAC"),
        (
            "leases",
            ("scope",),
            "'scope' is no filter here; write each of scope=..., class=..., state=..., kind=..., phone=... at most once",
        ),
        ("blocks", ("class=x",), "'class=x' is no filter here"),
        ("blocks", ("state=held", "state=released"), "'state=released' is no filter here"),
        ("blocks", ("phone=zz",), "no phone begins with 'zz'"),
        ("release", ("x",), "'x' is no Ethernet address"),
        ("release", ("10.0.0.256",), "'10.0.0.256' is no Ethernet address"),
        ("move", (PHONE, "x"), "'x' is no address; write PUBLIC or PUBLIC:FIRST"),
        ("move", (PHONE, "203.0.113.1:x"), "'x' is no port"),
        ("reserve", (PHONE, "203.0.113.1:2048-2110"), "1, 2, 4"),
        ("reserve", (PHONE, "203.0.113.1"), "PUBLIC:FIRST-LAST"),
        ("roles", ("x",), "does not take 1 arguments"),
        ("events", ("x",), "is no number"),
        ("events", ("0",), "write 1 to"),
        ("events", ("²",), "is no number"),
        ("dial", (PHONE, "1x"), "0-9, * and #"),
        ("dial", (PHONE, "1" * 33), "dial 1 to 32"),
        ("off-hook", (PHONE, "9999"), "write 1 to 511"),
    ],
)
def test_a_wrong_request_says_what_to_do(verb: str, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        run(verb, *arguments)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb not in {"status", "roles", "why", "ladder", "events", "known"}])
def test_what_a_process_does_not_run_is_said(verb: str) -> None:
    arguments = {"dial": (PHONE, "1"), "move": (PHONE, "203.0.113.1")}.get(verb, (PHONE,) * COMMANDS[verb].required)
    with pytest.raises(CommandError, match=r"this process runs no .*; ask another process by --socket"):
        run(verb, *arguments, facts=NoFacts())


# Whom DHCP serves.


def test_explain_asks_what_was_written() -> None:
    site = Site()
    answer = run(
        *("explain", PHONE, "class=yealink X", "client=desk-7", "wants=1,3 66"),
        *("circuit=70:6f", "relay=10.2.0.1", "interface=eth1"),
        facts=site,
    )
    assert [(row.item, row.value) for row in answer.rows] == [("answer", "OFFER 10.0.0.11 of scope lan")]
    assert answer.note == ""
    assert site.done == [Question(Mac.parse(PHONE), b"yealink X", b"desk-7", b"po", IPv4Address("10.2.0.1"), "eth1", b"\1\3\x42")]


def test_explain_tells_what_was_not_written_from_what_was_written_as_empty() -> None:
    """The first is what the phone said last, the second it does not send."""
    site = Site()
    run("explain", "02-00-00-00-0A-01", facts=site)
    run("explain", PHONE, "class=", "client=", "wants=", facts=site)
    assert site.done == [Question(Mac.parse(PHONE)), Question(Mac.parse(PHONE), b"", b"", wanted=b"")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody",),
        (PHONE, "class"),
        (PHONE, "klass=x"),
        (PHONE, "relay=x"),
        (PHONE, "class=\xe9"),
        (PHONE, "circuit=\xe9"),
        (PHONE, ""),
        (PHONE, "wants=x"),
        (PHONE, "wants=0"),
        (PHONE, "wants=255"),
    ],
)
def test_what_explain_cannot_read_is_told(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("explain", *arguments)


def test_adoptions_are_made_listed_and_taken_back() -> None:
    assert table("adopt", PHONE)[-1] == ["adopted", PHONE]
    assert table("adopted")[-1] == [PHONE, "1970-01-02T00:00:00Z"]
    assert table("disown", PHONE)[-1] == ["disowned", PHONE]
    for verb in ("adopt", "disown"):
        with pytest.raises(CommandError):
            run(verb, "everybody")


def test_why_tells_how_a_refused_phone_is_served() -> None:
    memory = Memory()
    memory(Record(1.0, "dhcp", DhcpIgnoredMac(phone=PHONE, message="DISCOVER", reason="not served")))
    assert f"adopt {PHONE}" in run("why", PHONE, memory=memory).note
    memory(Record(2.0, "dhcp", DhcpAdopted(phone=PHONE, mac=PHONE)))
    assert f"adopt {PHONE}" not in run("why", PHONE, memory=memory).note


class Moved(Site):
    """A phone that was moved twice: one former block is in quarantine, the quarantine of the other one is over."""

    def blocks(self) -> Iterable[PortBinding]:
        yield PortBinding(PHONE, PortBlock(PUBLIC, 20032, 64), PRIVATE, "site-a", BindingState.HELD, 0.0, 3)
        for first, until in ((20096, 1_000_200.0), (20160, 999_000.0)):
            block = PortBlock(PUBLIC, first, 64)
            yield PortBinding(f"former:{PHONE}@{block}", block, PRIVATE, "site-a", BindingState.RELEASED, until, 2)
        yield PortBinding("02:00:00:00:0a:02", PortBlock(PUBLIC, 20224, 64), None, "", BindingState.RELEASED, 999_000.0, 2)


def test_the_blocks_that_a_phone_left_are_found_by_the_phone_and_are_not_called_kept_for_it() -> None:
    def told(*arguments: str) -> list[tuple[str, str]]:
        return [(row.block.partition(":")[2], row.state) for row in run("blocks", *arguments, facts=Moved()).rows]

    own = [("20032-20095", "held"), ("20096-20159", "quarantined"), ("20160-20223", "left")]
    assert told(f"phone={PHONE}") == told("phone=0200.0000.0a01") == own
    assert told() == [*own, ("20224-20287", "released")]
    assert told("phone=former:") == own[1:]
    assert told("state=left") == own[2:]
    assert told("state=released") == [("20224-20287", "released")]


class ByHand(Site):
    """A phone that has a lease by DHCP, and one whose address a person set."""

    def leases(self) -> Iterable[Lease]:
        hand = Lease(Mac.parse("02:00:00:00:0a:02"), b"", "lan", IPv4Address("10.0.0.77"), "desk", "", 2e6, static=True)
        return [*super().leases(), hand]


def test_static_phones_are_told_apart_in_leases_and_can_be_listed_alone() -> None:
    answer = run("leases", facts=ByHand())
    assert [(row.address, row.kind) for row in answer.rows] == [("10.0.0.11", "dynamic"), ("10.0.0.77", "static")]
    assert [row.address for row in run("leases", "kind=static", facts=ByHand()).rows] == ["10.0.0.77"]
    with pytest.raises(CommandError, match="choose one of: dynamic, static"):
        run("leases", "kind=reserved", facts=ByHand())


def test_why_tells_of_a_static_phone_that_its_inform_is_missing() -> None:
    class Gone(Departed):
        def leases(self) -> Iterable[Lease]:
            return [structs.replace(lease, static=True) for lease in super().leases()]

    assert (
        "no further INFORM of it came in time (static_s of its scope)"
        in run("why", PHONE, facts=Gone(), memory=ended("expired")).note
    )


class Departed(Site):
    """A phone whose lease has ended; its block is as a test says."""

    def __init__(self, until: float = 1_000_200.0, lease: bool = True, fixed: bool = False) -> None:
        super().__init__()
        self._until, self._lease, self._fixed = until, lease, fixed

    def leases(self) -> Iterable[Lease]:
        return super().leases() if self._lease else ()

    def blocks(self) -> Iterable[PortBinding]:
        yield PortBinding(PHONE, PortBlock(PUBLIC, 20032, 64), PRIVATE, "site-a", BindingState.RELEASED, self._until, 1)

    def fixed_blocks(self) -> Mapping[str, PortBlock]:
        return {PHONE: PortBlock(PUBLIC, 20032, 64)} if self._fixed else {}


def ended(cause: str) -> Memory:
    memory = Memory()
    memory(Record(999_000.0, "dhcp", DhcpAck(phone=PHONE, address=str(PRIVATE), block="", lease_s=60, phone_class="desk")))
    memory(Record(999_999.0, "dhcp", DhcpEnded(phone=PHONE, address=str(PRIVATE), cause=cause)))
    return memory


KEPT_ADDRESS = "address 10.0.0.11 (as long as scope lan has a free one for others)"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("released", "the phone gave it back"),
        ("expired", "the phone did not renew it in time"),
        ("withdrawn", "an operator took it by release"),
    ],
)
def test_why_tells_when_and_why_a_lease_ended_and_what_is_kept_for_the_phone(cause: str, words: str) -> None:
    assert run("why", PHONE, facts=Departed(), memory=ended(cause)).note == (
        f"its lease of 10.0.0.11 ended at 1970-01-12T13:46:39Z: {words}; kept for it: {KEPT_ADDRESS}, "
        "and ports 203.0.113.1:20032-20095 "
        "(in quarantine until 1970-01-12T13:50:00Z, then until all pools are full)"
    )


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (Departed(until=0.0), "(until all pools are full)"),
        (Departed(until=inf), "ports 203.0.113.1:20032-20095 (reserved, for ever)"),
        (Departed(until=0.0, fixed=True), "ports 203.0.113.1:20032-20095 (reserved, for ever)"),
        (Departed(lease=False), "another machine uses the address; kept for it: ports 203.0.113.1:20032-20095 (in quarantine"),
    ],
)
def test_what_is_kept_for_a_phone_is_told_as_it_is(site: Departed, words: str) -> None:
    assert words in run("why", PHONE, facts=site, memory=ended("declined")).note


def test_a_block_that_no_pool_has_any_more_is_not_called_kept() -> None:
    site = Departed(until=0.0)
    site.has_pools = False
    assert run("why", PHONE, facts=site, memory=ended("released")).note.endswith(f"kept for it: {KEPT_ADDRESS}")


def test_an_address_that_the_phone_does_not_get_again_is_told_apart_from_what_is_kept() -> None:
    site = Departed(until=inf)
    site.keeps = Keeping(False, "it is reserved for 02:00:00:00:0a:09")
    assert run("why", PHONE, facts=site, memory=ended("released")).note.endswith(
        "kept for it: ports 203.0.113.1:20032-20095 (reserved, for ever); not 10.0.0.11: it is reserved for 02:00:00:00:0a:09"
    )


def test_a_lease_that_ended_before_the_start_is_told_without_a_reason() -> None:
    note = run("why", "020000000A01", facts=Departed()).note
    assert (
        "its lease of 10.0.0.11 ended at 1970-01-12T13:46:39Z: the reason is not remembered; kept for it: address 10.0.0.11" in note
    )


def test_nothing_is_said_of_an_end_while_the_phone_holds_a_lease() -> None:
    memory = ended("released")
    memory(Record(999_999.5, "dhcp", DhcpAck(phone=PHONE, address=str(PRIVATE), block="", lease_s=60, phone_class="desk")))
    assert run("why", PHONE, facts=Departed(), memory=memory).note == ""
