"""The unit for systemd: what it starts is there, and may do what the gateway needs and little else."""

import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from twisted.plugins import voxpath_plugins
from voxpath.natreactor.slow.device import DEVICE

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "contrib" / "voxpath-sg.service"
PAGE = ROOT / "docs" / "how-to" / "service.md"


@pytest.fixture
def unit() -> RawConfigParser:
    parser = RawConfigParser()
    # Keys keep their capitals, by the way that the documentation of configparser shows; its types know no such way.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser


def test_the_unit_starts_a_command_that_exists_with_options_that_it_takes(unit) -> None:
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert entry_points(group="console_scripts", name=Path(program).name), "Twisted installs it"
    at = words.index(voxpath_plugins.gateway.tapname)
    assert set(words[:at]) == {"--nodaemon", "--pidfile="}
    options = voxpath_plugins.gateway.options()
    options.parseOptions(words[at + 1 :])
    page = PAGE.read_text()
    assert f"{Path(program).parent}/pip install" in page
    assert f"gateway.toml {options['config']}\n" in page


def test_the_state_is_where_the_tutorial_has_it(unit) -> None:
    state = f"/var/lib/{unit['Service']['StateDirectory']}"
    assert unit["Service"]["WorkingDirectory"] == state
    assert f'state = "{state}"' in (ROOT / "docs" / "tutorial.md").read_text()
    assert f'state = "{state}"' in PAGE.read_text()


def test_the_service_has_the_rights_that_the_gateway_needs_and_no_others(unit) -> None:
    service = unit["Service"]
    assert set(service["CapabilityBoundingSet"].split()) == {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE"}
    assert "User" not in service, "the gateway asks for root, and has these rights of it alone"
    assert service["ProtectSystem"] == "strict"
    assert service["ProtectKernelTunables"] == "no", "it switches forwarding on"
    assert "MemoryDenyWriteExecute" not in service, "certificates are checked by callbacks"
    families = {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"}
    assert set(service["RestrictAddressFamilies"].split()) == families
    assert (service["DevicePolicy"], service["DeviceAllow"]) == ("closed", f"{DEVICE} rw"), "the NAT's slow path needs it"
    assert "PrivateDevices" not in service, "it would hide that"
    assert service["KillMode"] == "process", "the NAT's slow path outlives the gateway"


# A part of systemd itself: containers and other systems do without it, and the tests before this one read the unit everywhere.
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(unit, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "twistd"
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(shlex.split(unit["Service"]["ExecStart"])[0], str(program)))
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
