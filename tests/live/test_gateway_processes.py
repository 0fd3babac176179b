"""Roles run alone, each in its namespace, together in one process, and with the rights of the shipped service."""

import re
from pathlib import Path

import pytest

from tests.live import sites
from tests.live.bench import GATEWAY, OUTSIDE, Bench, bench_of
from tests.live.dhcpclients import ports_of
from tests.live.sites import PROVIDER, SIP_SERVERS, SITE_A

pytestmark = pytest.mark.live

MGC = "mgc1"
SIP = "sip1"
OPTIONS = (
    "OPTIONS sip:198.51.100.12 SIP/2.0\r\n"
    f"Via: SIP/2.0/UDP {PROVIDER}:5060;branch=z9hG4bK1;rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:x@x.example>;tag=1\r\nTo: <sip:198.51.100.12>\r\n"
    "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
).encode()
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


def answers_sip(bench: Bench, address: str) -> None:
    """A SIP server tells what it can do."""
    with bench.udp(OUTSIDE, 5060, PROVIDER) as sender:
        sender.sendto(OPTIONS, (address, 5060))
        assert sender.recv(2048).startswith(b"SIP/2.0 200 ")


def start_sip(bench: Bench) -> str:
    """Start a SIP server on a host of its own; give its address."""
    address = SIP_SERVERS[SIP]
    bench.connect(SIP, address)
    bench.write(SIP, f'[mgc]\nenabled = false\n[sip]\nlisten = ["{address}:5060"]')
    bench.start(SIP, "voxpath-sip")
    bench.serving(SIP)
    return address


def roles(bench: Bench, name: str) -> dict[str, str]:
    return {row["role"]: row["state"] for row in bench.rows(name, "roles")}


def test_each_role_alone(tmp_path: Path) -> None:
    """GEN-2: gateway, controller and SIP server as programs of their own in namespaces of their own; one ends, the others go on."""
    with bench_of(tmp_path) as bench:
        bench.controller(MGC)
        sip = start_sip(bench)
        assert roles(bench, GATEWAY) == {"dhcp": "running", "tftp": "running"}
        assert roles(bench, MGC) == {"mgc": "running"}
        assert roles(bench, SIP) == {"sip": "running"}
        boot(bench)
        bench.end(GATEWAY)
        answers_megaco(bench, "198.51.100.10")
        answers_sip(bench, sip)
        bench.is_sound(GATEWAY, MGC, SIP)


def test_all_roles_in_one_process(tmp_path: Path) -> None:
    """GEN-2, TFT-3: the same journey with ``twistd voxpath``, one process with gateway, file server, controller and SIP server."""

    def configure(bench: Bench) -> None:
        bench.write_gateway(SITE_A)
        path = bench.directory / f"{GATEWAY}.toml"
        path.write_text(path.read_text().replace("[mgc]\nenabled = false", f'[mgc]\nlisten = ["{SITE_A.wan}:2944"]'))
        with path.open("a") as file:
            file.write(f'[sip]\nlisten = ["{SITE_A.wan}:5060"]\n')

    with bench_of(tmp_path, configure, "voxpath") as bench:
        assert roles(bench, GATEWAY) == {"dhcp": "running", "tftp": "running", "mgc": "running", "sip": "running"}
        boot(bench)
        answers_megaco(bench, SITE_A.wan)
        answers_sip(bench, SITE_A.wan)
        bench.is_sound()


def test_a_gateway_needs_no_rights_of_root_but_those_of_the_shipped_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lease, file and translation, with the capabilities of ``contrib/voxpath-sg.service`` and no others."""
    unit = (Path(__file__).parents[2] / "contrib" / "voxpath-sg.service").read_text()
    rights = re.findall(r"CAP_(\w+)", next(line for line in unit.splitlines() if line.startswith("CapabilityBoundingSet=")))
    bounded = ",".join(("-all", *(f"+{right.lower()}" for right in rights)))
    twistd = tmp_path / "twistd"
    twistd.write_text(f'#!/bin/sh\nexec setpriv --bounding-set={bounded} --inh-caps=-all --no-new-privs {sites.TWISTD} "$@"\n')
    twistd.chmod(0o700)
    monkeypatch.setattr(sites, "TWISTD", str(twistd))
    with bench_of(tmp_path) as bench:
        status = Path(f"/proc/{bench.processes[GATEWAY].pid}/status").read_text()
        assert re.findall(r"CapEff:\s(\w+)", status) == ["0000000000003400"], "net_bind_service, net_admin and net_raw"
        boot(bench)
        bench.is_sound()
