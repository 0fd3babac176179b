from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from msgspec import structs

from voxpath.flow.files import NO_LEASE, NOT_YOURS, FilePolicy, Image, Rendered
from voxpath.flow.owner import STRANGERS
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import Lease, PhoneClass, Provision, Scope
from voxpath.model.ports import PortBlock
from voxpath.tftp.question import Fetch, Refused

MAC = Mac.parse("02:00:00:00:0a:01")
HOME, ELSEWHERE = Endpoint("10.0.0.11", 2048), Endpoint("10.0.0.12", 2048)
SERVER = IPv4Address("10.0.0.1")
SCOPE = Scope(
    "lan", "eth1", IPv4Network("10.0.0.0/24"), SERVER, SERVER + 10, IPv4Address("10.0.0.99"), "a", (SERVER,), "phones.example"
)
DESK = PhoneClass("desk", ("voxpath-phone",), 64, 3600, "desk-1.4.bin", ("192.0.2.10", "192.0.2.11:2945"), True)


def provision(size: int = 64, host_name: str = "phone1", router: IPv4Address | None = None) -> Provision:
    lease = Lease(MAC, b"", "lan", IPv4Address(HOME.host), "desk", host_name, 1e9)
    return Provision(lease, PortBlock(IPv4Address("203.0.113.1"), 2048, size), DESK, replace(SCOPE, router=router))


class Provisions:
    def __init__(self, known: Provision) -> None:
        self.known = known

    def provision_of(self, phone: str) -> Provision | None:
        return self.known if phone == self.known.lease.phone else None

    def phone_at(self, address: str, port: int) -> str:
        return self.known.lease.phone if address == str(self.known.lease.address) else ""


def policy(**what: object) -> FilePolicy:
    return FilePolicy(Provisions(provision(**what)))


def is_withheld(choice: object, holds: bool = False) -> bool:
    """Whether it is another phone's file; :param holds: whether who asks holds a lease of his own."""
    return isinstance(choice, Refused) and (choice.code, choice.reason) == (2, NOT_YOURS if holds else NO_LEASE)


NAMES = ["020000000a01.cfg", "020000000A01.CFG", "02-00-00-00-0a-01.cfg", "02-00-00-00-0A-01.Cfg", "/020000000a01.cfg"]


@pytest.mark.parametrize("name", NAMES)
def test_a_phone_reads_its_own_file_under_every_name(name: str) -> None:
    assert isinstance(policy().choose(Fetch(name, HOME)), Rendered)


@pytest.mark.parametrize("name", [*NAMES, "020000000a02.cfg"])
def test_nobody_else_reads_it_nor_learns_whether_it_exists(name: str) -> None:
    assert is_withheld(policy().choose(Fetch(name, ELSEWHERE)))


class Nobody:
    """Whom a standby knows."""

    def provision_of(self, phone: str) -> Provision | None:
        return None

    def phone_at(self, address: str, port: int) -> str:
        return ""


@pytest.mark.parametrize("name", NAMES)
def test_a_standby_says_that_it_is_one_and_nothing_of_leases_that_it_does_not_know(name: str) -> None:
    """TFT-7: that the phone held no lease would send everybody looking in the wrong place; hosts' names are no phone's to know."""
    standby = FilePolicy(Nobody(), active="sg-a")
    refused = standby.choose(Fetch(name, HOME))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason, refused.owner) == (2, "this is a standby, ask the active server", str(MAC))
    assert refused.detail == "sg-a is the active one, and alone knows who holds a lease"
    assert standby.misused == 1


def test_a_standby_serves_images_and_tells_the_operator_of_what_it_cannot_make() -> None:
    choice = FilePolicy(Nobody(), active="sg-a").choose(Fetch("y000000000028.cfg", HOME))
    assert isinstance(choice, Image)
    assert choice.name == "y000000000028.cfg"
    assert isinstance(choice.otherwise, Refused)
    assert (choice.otherwise.code, choice.otherwise.reason) == (1, "no such file")
    assert choice.otherwise.detail == "sg-a is the active one, and alone makes files for phones"


def test_the_operator_is_told_whose_file_it_was_and_where_that_one_gets_it() -> None:
    for name in NAMES:
        refused = policy().choose(Fetch(name, ELSEWHERE))
        assert isinstance(refused, Refused)
        assert (refused.owner, refused.detail) == (str(MAC), f"{MAC} holds 10.0.0.11, and gets it there alone")


def test_a_phone_whose_lease_has_ended_is_told_so_and_the_operator_what_is_missing() -> None:
    """It asks by its old address, which is nobody's now: that its file is for another phone would send everybody looking."""
    refused = policy().choose(Fetch("SEP020000000A02.cnf.xml", ELSEWHERE))
    assert isinstance(refused, Refused)
    assert refused.reason == "this file is for one phone alone, and you hold no lease"
    assert refused.owner == "02:00:00:00:0a:02"
    assert refused.detail == "02:00:00:00:0a:02 holds no lease, and gets it when DHCP has given it one"


def test_names_that_somebody_makes_up_do_not_push_phones_out_of_the_memory_of_events() -> None:
    files = policy()
    refused = [files.choose(Fetch(f"0200000b{number:04x}.cfg", ELSEWHERE)) for number in range(3 * STRANGERS)]
    assert len({choice.owner for choice in refused if isinstance(choice, Refused) and choice.owner}) == STRANGERS
    assert isinstance(refused[-1], Refused)
    assert refused[-1].detail.startswith("02:00:00:0b:00:bf holds no lease")
    again = files.choose(Fetch("020000000a01.cfg", ELSEWHERE))
    assert isinstance(again, Refused)
    assert again.owner == str(MAC), "who is here is named whatever was made up"


def test_digits_that_hold_several_addresses_are_a_known_phones_or_nobodys() -> None:
    for name, owner in (("a020000000a01.cfg", str(MAC)), ("a020000000a02.cfg", "")):
        refused = policy().choose(Fetch(name, ELSEWHERE))
        assert isinstance(refused, Refused)
        assert refused.owner == owner


def test_the_file_says_all_that_the_phone_needs() -> None:
    choice = policy().choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(choice, Rendered)
    assert choice.content.decode() == (
        "# voxpath-phone 1\n"
        "mac=02:00:00:00:0a:01\n"
        "address=10.0.0.11\n"
        "prefix_length=24\n"
        "router=10.0.0.1\n"
        "server=10.0.0.1\n"
        "lease_s=3600\n"
        "tftp=10.0.0.1\n"
        "boot_file=desk-1.4.bin\n"
        "host_name=phone1\n"
        "domain=phones.example\n"
        "dns=10.0.0.1\n"
        "class=desk\n"
        "public_address=203.0.113.1\n"
        "first_port=2048\n"
        "last_port=2111\n"
        "megaco_port=2048\n"
        "sip_port=2048\n"
        "rtp_first_port=2050\n"
        "rtp_last_port=2111\n"
        "mgcs=192.0.2.10:2944,192.0.2.11:2945\n"
    )


def test_a_router_other_than_the_server_is_told() -> None:
    choice = policy(router=IPv4Address("10.0.0.254")).choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(choice, Rendered)
    assert b"\nrouter=10.0.0.254\nserver=10.0.0.1\n" in choice.content


def test_a_block_of_one_port_has_no_media() -> None:
    choice = policy(size=1).choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(choice, Rendered)
    assert b"rtp_first_port=\nrtp_last_port=\n" in choice.content


def test_a_host_name_from_the_wire_brings_no_line_of_its_own() -> None:
    choice = policy(host_name="x\nmgcs=6.6.6.6:1").choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(choice, Rendered)
    assert b"\nmgcs=6" not in choice.content


@pytest.mark.parametrize("name", ["desk-1.4.bin", "/desk-1.4.bin", "sub/x.cfg", "../x", "020000000a0.cfg", "02-00.cfg"])
def test_all_other_names_are_images(name: str) -> None:
    """What lies outside the directory is the disk's to refuse."""
    assert policy().choose(Fetch(name, ELSEWHERE)) == Image(name.lstrip("/"))


@pytest.mark.parametrize("name", ["", "/", "a\0b"])
def test_names_of_nothing_are_not_found(name: str) -> None:
    choice = policy().choose(Fetch(name, HOME))
    assert isinstance(choice, Refused)
    assert choice.code == 1


def test_no_value_of_the_file_is_cut() -> None:
    """Half a list of servers, or half a name, is another one."""
    scope = replace(SCOPE, domain="x" * 60 + ".example" * 24, dns=tuple(IPv4Address(0x0A000001 + n) for n in range(40)))
    choice = FilePolicy(Provisions(replace(provision(), scope=scope))).choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(choice, Rendered)
    text = choice.content.decode()
    assert f"domain={scope.domain}\n" in text
    assert f"dns={','.join(map(str, scope.dns))}\n" in text


@pytest.mark.parametrize(
    "name", ["020000000a01.cfg.bak", "SEP020000000A01.cnf.xml", "020000000a01-directory.xml", "keys/02-00-00-00-0a-01/tls.key"]
)
def test_any_file_under_a_macs_name_is_for_its_holder_only(name: str) -> None:
    """TFT-9: a file that somebody put there for one phone is as private as one that is rendered."""
    assert policy().choose(Fetch(name, HOME)) == Image(name)
    assert is_withheld(policy().choose(Fetch(name, ELSEWHERE)))


def test_an_image_of_a_class_is_everybodys_whatever_it_looks_like() -> None:
    images = FilePolicy(Provisions(provision()), images=["fw-202699211200.bin"])
    assert images.choose(Fetch("fw-202699211200.bin", ELSEWHERE)) == Image("fw-202699211200.bin")
    assert is_withheld(images.choose(Fetch("fw-202699211201.bin", ELSEWHERE)))


@pytest.mark.parametrize(
    "name",
    ["000413101530.htm", "snom370-000413235959.xml", "SEP000413101530.cnf.xml", "00-04-13-10-15-30/tls.key", "000413-101530.cfg",
     "fw-260721-153000.bin", "fw-20260721153000.bin"],
)  # fmt: skip
def test_a_phones_files_are_its_own_before_its_first_boot_also_when_its_mac_is_a_date(name: str) -> None:
    """00-04-13 is Snom and 13 April 2000: who holds a lease now is a matter of time, and whose file it is is not."""
    assert is_withheld(policy().choose(Fetch(name, ELSEWHERE)))
    assert is_withheld(policy().choose(Fetch(name, HOME)), holds=True)


def test_a_phone_whose_mac_is_a_date_reads_its_own_files() -> None:
    held = provision()
    dated = replace(held, lease=structs.replace(held.lease, mac=Mac.parse("00:04:13:10:15:30")))
    assert FilePolicy(Provisions(dated)).choose(Fetch("snom-000413101530.xml", HOME)) == Image("snom-000413101530.xml")


def test_a_day_and_a_time_apart_are_nobodys_mac() -> None:
    assert policy().choose(Fetch("fw-20260721-153000.bin", ELSEWHERE)) == Image("fw-20260721-153000.bin")
