"""The few kernel parameters that a gateway sets."""

from pathlib import Path

import pytest

from voxpath.core.errors import LocalError
from voxpath.natreactor.host import plan, prepare, prepare_device
from voxpath.testing.nat.rig import OUTSIDE


def kernel(root: Path, **values: str) -> Path:
    defaults = {"ip_forward": "0"}
    for interface in ("all", "lan0", "wan0"):
        defaults |= {f"conf/{interface}/send_redirects": "1", f"conf/{interface}/rp_filter": "0"}
    for key, value in (defaults | values).items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_text(value + "\n")
    return root


def test_what_is_wrong_is_set_and_told(tmp_path: Path) -> None:
    root = kernel(tmp_path, **{"conf/all/rp_filter": "1"})
    planned = plan(OUTSIDE, root)
    prepare(planned, root)
    changed = {event.key: (event.before, event.after) for event in planned}
    assert changed == {
        "net/ipv4/ip_forward": ("0", "1"),
        "net/ipv4/conf/all/send_redirects": ("1", "0"),
        "net/ipv4/conf/lan0/send_redirects": ("1", "0"),
        "net/ipv4/conf/lan0/rp_filter": ("0", "2"),
        "net/ipv4/conf/wan0/rp_filter": ("0", "2"),
    }
    assert (root / "conf/wan0/send_redirects").read_text() == "1\n"
    assert not plan(OUTSIDE, root)


def test_a_missing_interface_is_named(tmp_path: Path) -> None:
    root = kernel(tmp_path)
    (root / "conf/lan0/send_redirects").unlink()
    with pytest.raises(LocalError, match="lan0"):
        plan(OUTSIDE, root)


@pytest.mark.parametrize(("everywhere", "expected"), [("0", "0"), ("1", "2"), ("2", "0")])
def test_a_device_of_our_own_may_bring_packets_from_anywhere(tmp_path: Path, everywhere: str, expected: str) -> None:
    root = tmp_path / "ipv4"
    for name in ("all", "voxpath-in"):
        (root / "conf" / name).mkdir(parents=True)
        (root / "conf" / name / "rp_filter").write_text(everywhere)
    prepare_device("voxpath-in", root)
    device = root / "conf" / "voxpath-in"
    assert {each.name: each.read_text() for each in device.iterdir()} == {
        "forwarding": "1",
        "accept_local": "1",
        "rp_filter": expected,
    }
