"""Roles run alone, each in its namespace, and together in one process."""

from pathlib import Path

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench, bench_of
from tests.live.dhcpclients import ports_of
from tests.live.sites import PROVIDER, SITE_A

pytestmark = pytest.mark.live

MGC = "mgc1"
MESSAGE = b"MEGACO/1 [198.51.100.254]:7012\nTransaction = 1 {Context = - {AuditValue = ROOT {Audit {}}}}\n"


def boot(bench: Bench) -> None:
    """A phone gets its lease, its image and its way through the NAPPT."""
    phone = bench.phone()
    told = phone.udhcpc()
    to = bench.directory / "image"
    bench.net.run(phone.name, ["curl", "-sS", "-o", str(to), f"tftp://{told['siaddr']}/{told['boot_file']}"])
    assert to.read_bytes() == (bench.directory / GATEWAY / "images" / told["boot_file"]).read_bytes()
    port = ports_of(bytes.fromhex(told["opt224"])).first
    with bench.udp(OUTSIDE, 7000) as far, bench.udp(phone.name, port, told["ip"]) as near:
        near.sendto(b"out", (PROVIDER, 7000))
        assert far.recvfrom(100) == (b"out", (SITE_A.public, port))


def answers_megaco(bench: Bench, address: str) -> None:
    """A controller answers an audit."""
    with bench.udp(OUTSIDE, 7012, PROVIDER) as sender:
        sender.sendto(MESSAGE, (address, 2944))
        assert b"Reply" in sender.recv(2048)


def roles(bench: Bench, name: str) -> dict[str, str]:
    return {row["role"]: row["state"] for row in bench.rows(name, "roles")}


def test_each_role_alone(tmp_path: Path) -> None:
    """GEN-2: gateway and controller as programs of their own in namespaces of their own; one ends, the other goes on."""
    with bench_of(tmp_path) as bench:
        bench.controller(MGC)
        assert roles(bench, GATEWAY) == {"dhcp": "running", "tftp": "running"}
        assert roles(bench, MGC) == {"mgc": "running"}
        boot(bench)
        bench.end(GATEWAY)
        answers_megaco(bench, "198.51.100.10")
        bench.is_sound(GATEWAY, MGC)


def test_all_roles_in_one_process(tmp_path: Path) -> None:
    """GEN-2, TFT-3: the same journey with ``twistd voxpath``, one process with gateway, file server and controller."""

    def configure(bench: Bench) -> None:
        bench.write_gateway(SITE_A)
        path = bench.directory / f"{GATEWAY}.toml"
        path.write_text(path.read_text().replace("[mgc]\nenabled = false", f'[mgc]\nlisten = ["{SITE_A.wan}:2944"]'))

    with bench_of(tmp_path, configure, "voxpath") as bench:
        assert roles(bench, GATEWAY) == {"dhcp": "running", "tftp": "running", "mgc": "running"}
        boot(bench)
        answers_megaco(bench, SITE_A.wan)
        bench.is_sound()
