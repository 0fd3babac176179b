"""Certificate, key and authority that do not belong together are told before a peer refuses them."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from trustme import CA

from tests.app.tlsfiles import write_made, write_tls
from voxpath.app.check import check, load
from voxpath.app.decode import decode
from voxpath.app.machine import Machine

MACHINE = Machine(root=True, interfaces=frozenset({"lo"}), addresses=frozenset())
SUBSCRIBER = '[[subscriber]]\nname = "mgc-1"\naddress = "192.0.2.10:2946"\n'
ACTIVE = '[redundancy]\nrole = "active"\npeer = "sg-b"\n'
STANDBY = ACTIVE.replace("active", "standby")
CONTROLLER = "[subscription]\nenabled = true\n"


def found(tls: str, more: str = SUBSCRIBER, name: str = "sg-a") -> list[str]:
    config, problems = decode(f'name = "{name}"\n{more}{tls}'.encode())
    assert config is not None, problems
    return [str(problem) for problem in check(config, MACHINE, thorough=True) if problem.path.startswith("tls")]


@pytest.mark.parametrize("more", [SUBSCRIBER, ACTIVE, STANDBY, CONTROLLER])
def test_files_that_belong_together_are_right(tmp_path: Path, more: str) -> None:
    assert found(write_tls(tmp_path, CA(), "sg-a"), more) == []


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    authority = CA()
    tls = write_tls(tmp_path, authority, "sg-a")
    authority.issue_cert("sg-a").private_key_pem.write_to_path(str(tmp_path / "own.key"))
    assert found(tls) == ["tls.key: is not the key of tls.certificate; name the key that the certificate was made for"]


def test_a_certificate_of_another_authority_is_told(tmp_path: Path) -> None:
    tls = write_tls(tmp_path, CA(), "sg-a")
    CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    [problem] = found(tls)
    assert problem.startswith("tls.certificate: was not issued by the authority of tls.ca")


@pytest.mark.parametrize("more", [SUBSCRIBER, ACTIVE, STANDBY])
def test_a_certificate_of_another_name_is_told_with_its_names(tmp_path: Path, more: str) -> None:
    [problem] = found(write_tls(tmp_path, CA(), "sg-c", "sg-d"), more)
    assert "'sg-a'" in problem
    assert "its names: sg-c, sg-d" in problem


def test_a_common_name_will_do_for_who_connects_and_not_for_who_listens(tmp_path: Path) -> None:
    """Who connects looks for the listener's name among DNS names alone (RFC 9525)."""
    tls = write_tls(tmp_path, CA(), "other", common="sg-a")
    assert found(tls, SUBSCRIBER) == found(tls, ACTIVE) == []
    assert "has no DNS name 'sg-a', which sg-b looks for" in found(tls, STANDBY)[0]


def test_a_controller_may_have_any_name_but_needs_a_dns_name(tmp_path: Path) -> None:
    assert found(write_tls(tmp_path, CA(), "mgc-1.example"), CONTROLLER) == []
    assert "no DNS name" in found(write_tls(tmp_path, CA(), "192.0.2.1", common="mgc-1.example"), CONTROLLER)[0]


def test_a_certificate_that_ran_out_is_told(tmp_path: Path) -> None:
    tls = write_tls(tmp_path, CA(), "sg-a", until=datetime.now(UTC) - timedelta(days=2))
    assert "is not valid any more since" in found(tls)[0]


def test_files_that_hold_something_else_are_told_each(tmp_path: Path) -> None:
    tls = write_tls(tmp_path, CA(), "sg-a")
    for name in ("ca.pem", "own.pem", "own.key"):
        (tmp_path / name).write_text("nothing")
    assert [problem.partition(":")[0] for problem in found(tls)] == ["tls.ca", "tls.certificate", "tls.key"]


@pytest.mark.parametrize("file", ["ca", "own"])
@pytest.mark.parametrize(
    ("part", "other", "told"),
    [
        # The curve P-256 becomes one that nobody knows.
        ("2a8648ce3d030107", "2a8648ce3d03017f", "its key is of a kind that is not supported: Curve 1.2.840.10045.3.1.127"),
        # The key identifier becomes a second key usage; a subjectAltName that is no list of names.
        ("551d0e", "551d0f", "Duplicate 2.5.29.15 extension found"),
        ("551d0e", "551d11", "holds no certificate that can be read"),
        ("a003020102", "a003020104", "4 is not a valid X509 version"),
    ],
)
def test_a_certificate_that_is_broken_inside_is_told(tmp_path: Path, file: str, part: str, other: str, told: str) -> None:
    tls = write_tls(tmp_path, CA(), "sg-a")
    path = tmp_path / f"{file}.pem"
    _replace(path, part, other)
    [problem] = found(tls)
    assert problem.startswith(f"tls.{file.replace('own', 'certificate')}: {path} ")
    assert told in problem


def test_a_signature_of_an_unknown_kind_is_told(tmp_path: Path) -> None:
    tls = write_tls(tmp_path, CA(), "sg-a")
    _replace(tmp_path / "own.pem", "2a8648ce3d040302", "2a8648ce3d04037f")
    [problem] = found(tls)
    assert problem.startswith("tls.certificate: is signed in a way that is not supported")


@pytest.mark.parametrize(("kind", "told"), [("05", "SHA1"), ("04", "MD5")])
def test_a_signature_with_a_weak_hash_is_told_as_that(tmp_path: Path, kind: str, told: str) -> None:
    tls = write_made(tmp_path, ca_key=generate_private_key(65537, 2048))
    _replace(tmp_path / "own.pem", "2a864886f70d01010b", f"2a864886f70d0101{kind}")
    [problem] = found(tls)
    assert problem.startswith(f"tls.certificate: is signed with {told}, which no peer takes any more; have one made with")


def _replace(path: Path, part: str, other: str) -> None:
    der = load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    assert bytes.fromhex(part) in der
    changed = der.replace(bytes.fromhex(part), bytes.fromhex(other))
    path.write_text("-----BEGIN CERTIFICATE-----\n" + b64encode(changed).decode() + "\n-----END CERTIFICATE-----\n")


def test_a_gateway_starts_all_the_same(tmp_path: Path) -> None:
    """A certificate that ran out is no reason to serve no phone after a restart."""
    file = tmp_path / "voxpath.toml"
    tls = write_tls(tmp_path, CA(), "sg-a", until=datetime.now(UTC) - timedelta(days=2))
    file.write_text(f'state = "{tmp_path}"\nname = "sg-a"\n{SUBSCRIBER}{tls}')
    assert load(file).config is not None
    assert load(file, thorough=True).config is None
