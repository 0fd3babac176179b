"""The role of software phones, as far as it needs neither network nor rights: the shim's switch, its row, and what it refuses."""

from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest

from voxpath.app.assembly import make_service
from voxpath.app.options import PhoneOptions
from voxpath.app.parts import Part
from voxpath.app.phone_ports import deaf
from voxpath.app.phones import rows_of
from voxpath.core.effects import Ask, Done
from voxpath.dhcp.client import DhcpClient
from voxpath.manage.rows import PhoneRow
from voxpath.model.address import Mac
from voxpath.model.phone import BootLease
from voxpath.model.ports import PortBlock
from voxpath.phone.host import ShimDrops
from voxpath.phone.phone import Phone
from voxpath.phone.shim import LOOK_S, Shim
from voxpath.phone.state import BootSettings

MAC = Mac.parse("02:00:00:00:0a:01")
ROUTER = IPv4Address("10.0.0.1")
BLOCK = PortBlock(IPv4Address("203.0.113.1"), 2048, 64)
LEASE = BootLease(MAC, IPv4Address("10.0.0.11"), 24, ROUTER, ROUTER, 0xFFFFFFFF, "", "", BLOCK, ())


def options(*words: str) -> PhoneOptions:
    made = PhoneOptions()
    made.parseOptions(words)
    return made


def test_the_command_line_asks_for_a_shim_as_the_configuration_does(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"phone\.interface: is empty, but a shim needs one"):
        make_service((Part.PHONES,), options("--shim"))
    file = tmp_path / "phone.toml"
    file.write_text('[phone]\ninterface = "lo"\ncount = 2\n')
    with pytest.raises(SystemExit, match=r"^0$"):
        make_service((Part.PHONES,), options("--config", str(file), "--check"))
    with pytest.raises(SystemExit, match=r"phone\.count: a shim is for one phone"):
        make_service((Part.PHONES,), options("--config", str(file), "--check", "--shim"))
    file.write_text('[phone]\ninterface = "lo"\ncount = 2\nshim = true\n')
    with pytest.raises(SystemExit, match=r"phone\.count: a shim is for one phone"):
        make_service((Part.PHONES,), options("--config", str(file)))


def test_a_filter_that_drops_answers_of_dhcp_is_named(tmp_path: Path) -> None:
    """Loopback has an address; an interface that is not there has none."""
    for name, value in (("all", "0"), ("vp-none", "2"), ("lo", "1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rp_filter").write_text(f"{value}\n")
    assert deaf("lo", tmp_path) == ""
    assert deaf("vp-none", tmp_path).startswith("net/ipv4/conf/vp-none/rp_filter is 2: answers to vp-none are dropped")
    (tmp_path / "vp-none" / "rp_filter").write_text("0\n")
    assert deaf("vp-none", tmp_path) == ""
    (tmp_path / "all" / "rp_filter").write_text("1\n")
    assert "conf/all/rp_filter is 1" in deaf("vp-none", tmp_path)


def test_a_shims_row_tells_its_state_its_combination_address_and_what_it_dropped() -> None:
    entropy = Random(1)
    client = DhcpClient(MAC, "voxpath-phone", entropy, registers=False)
    phone = Phone(BootSettings(MAC, static=LEASE), client, entropy, lambda lease: Shim(lease, "eth0", entropy), lines=0)

    def state() -> str:
        (row,) = rows_of(phone)
        assert row == PhoneRow(str(MAC), 1, row.state, "", "10.0.0.11", "203.0.113.1:2048-2111", 0.0, 0.0, 0, 0, 0)
        return row.state

    phone.start(0.0)
    assert state() == "enable"
    (question,) = [effect for effect in phone.resolve("enable", Done(), 0.0) if isinstance(effect, Ask)]
    assert state() == "shim is set up"
    phone.resolve(question.token, Done(False), 0.0)
    assert state() == "shim up"
    (look,) = [effect for effect in phone.tick(LOOK_S) if isinstance(effect, Ask)]
    phone.resolve(look.token, Done(ShimDrops(2, 1)), LOOK_S)
    assert state() == "shim up, 3 packets dropped"
