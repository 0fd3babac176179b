"""Who may write which file (TFT-5), and whose file a name means (TFT-9)."""

import pytest

from tests.flow.test_files import provision
from voxpath.flow.owner import STRANGERS, is_of_another
from voxpath.flow.uploads import NO_LEASE, NO_NAME, NOT_YOURS, Drop, UploadPolicy
from voxpath.model.address import Endpoint
from voxpath.model.phone import Provision
from voxpath.tftp.question import Admit, Refused

PHONE, HOME = "02:00:00:00:0a:01", Endpoint("10.0.0.11", 2048)
DATED = "24:01:02:15:04:05"


class House:
    """The phone, and another one whose MAC might be a date and a time."""

    def __init__(self, dated: bool = False) -> None:
        self._others = {DATED: provision()} if dated else {}

    def phone_at(self, address: str, port: int) -> str:
        return PHONE if address == HOME.host else ""

    def provision_of(self, phone: str) -> Provision | None:
        return self._others.get(phone)


def choose(name: str, client: Endpoint = HOME) -> Drop | Refused:
    return UploadPolicy(House()).choose(Admit(name, client))


@pytest.mark.parametrize("name", ["020000000a01-boot.log", "app.log", "/core-2026.gz", "020000000A01-app.log", "_x", "a" * 100])
def test_a_phone_writes_plain_names_into_its_own_box(name: str) -> None:
    assert choose(name) == Drop("020000000a01", name.lstrip("/"))


def test_nobody_without_a_lease_writes() -> None:
    assert choose("app.log", Endpoint("10.0.0.12", 2048)) == NO_LEASE


def test_on_a_standby_nobody_writes_and_the_reason_is_the_standby() -> None:
    """TFT-7: it knows of no lease, so it says nothing of one."""
    detail = "sg-a is the active one, and alone knows who holds a lease"
    refused = UploadPolicy(House(), "sg-a").choose(Admit("020000000a02-boot.log", Endpoint("10.0.0.12", 2048)))
    assert refused == Refused(2, "this is a standby, ask the active server", detail, "02:00:00:00:0a:02")


def test_who_writes_without_a_lease_is_told_of_as_the_phone_that_his_files_name_means() -> None:
    """Its lease has ended, and it asks by its old address, which is nobody's now: ``why`` of that phone shows it."""
    policy, away = UploadPolicy(House(dated=True)), Endpoint("10.0.0.12", 2048)
    ended = "02:00:00:00:0a:02 holds no lease, and may write when DHCP has given it one"
    elsewhere = f"{DATED} holds 10.0.0.11, and may write there alone"
    refused = [policy.choose(Admit(name, away)) for name in ("/020000000a02-boot.log", "240102150405.log")]
    assert refused == [
        NO_LEASE._replace(detail=ended, owner="02:00:00:00:0a:02"),
        NO_LEASE._replace(detail=elsewhere, owner=DATED),
    ]


def test_names_that_somebody_makes_up_to_write_push_nobody_out_of_the_memory_of_events() -> None:
    policy, away = UploadPolicy(House()), Endpoint("10.0.0.12", 2048)
    refused = [policy.choose(Admit(f"0200000b{number:04x}.log", away)) for number in range(3 * STRANGERS)]
    assert len({choice.owner for choice in refused if isinstance(choice, Refused) and choice.owner}) == STRANGERS


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "..", ".", ".part", ".hidden", "-rf", "../x", "a/../b", "a/b", "..\\x", "a\\b", "....//x", "%2e%2e/x",
        "a%00b", "x\0.log", "C:x", "a b", "a\nb", "\x1b[2J", "\udcc0\udcae",
        "é.log", "a" * 101, "//etc/passwd", "~root", "$(id)", "|sh", "*",
    ],
)  # fmt: skip
def test_every_other_name_is_refused(name: str) -> None:
    """The corpus of the known traversal attacks on TFTP servers, and what shells and terminals would make of a name."""
    assert choose(name) == NO_NAME


@pytest.mark.parametrize("name", ["020000000a02-boot.log", "SEP020000000A02.log"])
def test_a_name_of_another_phone_is_refused_and_told_of_both(name: str) -> None:
    assert choose(name) == NOT_YOURS._replace(owner="02:00:00:00:0a:02")


OWN = [
    "020000000a01.cfg", "SEP020000000A01.cnf.xml", "cfg020000000a01.xml", "spa020000000a01.cfg", "snom300-020000000A01.htm",
    "spa02:00:00:00:0a:01.xml", "SPA02:00:00:00:0A:01", "spa0200.0000.0a01.cfg", "0200-0000-0a01.cfg", "0200:0000:0A01",
    "0200_0000_0a01",
    "020000-000a01.cfg", "SEP020000-000A01.cnf.xml", "02_00_00_00_0a_01.cfg", "02.00.00.00.0a.01.cfg", "02 00 00 00 0a 01",
    "2:0:0:0:a:1",
    "log-02-00-00-00-0A-01-1.txt", "02-00-00-00-0a-01-directory.xml", "02:00:00:00:0a:01call.log", "020000.000a01.cfg",
    "02-00-00-00-0a-01/x", "x/02:00:00:00:0a:01.cfg", "0200.0000.0a01.xml", "sub/020000000a01-directory.xml",
]  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_a_name_with_a_mac_is_its_phones_alone(name: str) -> None:
    assert not is_of_another(name, PHONE)
    assert is_of_another(name, "02:00:00:00:0a:02")
    assert is_of_another(name, "")


@pytest.mark.parametrize(
    "name",
    [
        "fw-2026-11-21-10-20-30.bin", "fw-20261121-102030.bin", "fw-2026-11-21.bin", "1.2.3.4.5.6.bin", "12:30",
        "10.20.30.40-50.bin",
        "app-0.16.2-1234.bin", "a-b-c-d-e-f", "de-DE.xml", "dictionary_en_us.xml", "ringer-face-cafe.wav",
        "desk-1.4.bin", "000000000000.cfg", "y000000000028.cfg", "cmterm-7911-sip.9-4-2SR3-1.loads", "1.0.bin", "deadbeef.img",
        "20240102150405123.log",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.bin",
    ],
)  # fmt: skip
def test_other_names_are_everybodys(name: str) -> None:
    assert not is_of_another(name, "")


TIMES = [
    "log-240102-150405.txt", "240102.150405.gz", "crash_20240102150405.log", "240102150405.log", "fw-202611211201.log",
    "trace-2024010215040512.gz", "log-24-01-02-15-04-05.txt", "000229000000.log",
]  # fmt: skip


@pytest.mark.parametrize("name", TIMES)
def test_a_log_that_is_named_by_the_time_is_taken(name: str) -> None:
    assert choose(name) == Drop("020000000a01", name)


@pytest.mark.parametrize("name", TIMES)
def test_what_is_written_like_a_mac_is_one_for_readers_whatever_else_it_may_be(name: str) -> None:
    assert is_of_another(name, PHONE)
    assert is_of_another(name, "")


@pytest.mark.parametrize(
    "name",
    [
        "241302150405.log", "240230150405.log", "240102240405.log", "240102156005.log", "240102150460.log", "24010215040a.log",
        "a240102150405.log",
    ],
)  # fmt: skip
def test_what_is_nearly_a_date_is_still_another_phones(name: str) -> None:
    refused = choose(name)
    assert isinstance(refused, Refused)
    assert refused.reason == NOT_YOURS.reason


@pytest.mark.parametrize("name", ["240102150405.cfg", "240102-150405.cfg", "24-01-02-15-04-05.cfg", "24010215040512.cfg"])
def test_no_phone_writes_under_the_mac_of_another_that_is_a_date(name: str) -> None:
    policy = UploadPolicy(House(dated=True))
    assert policy.choose(Admit(name, HOME)) == NOT_YOURS._replace(owner=DATED)
    assert policy.choose(Admit("240102150406.log", HOME)) == Drop("020000000a01", "240102150406.log")


def test_a_name_with_two_macs_is_nobodys() -> None:
    assert is_of_another("020000000a01/020000000a02.cfg", PHONE)
