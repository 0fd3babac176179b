"""``voxpath check`` tells of certificates that OpenSSL would refuse between hosts, in the direction that the role needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.app.test_check_tls import ACTIVE, CONTROLLER, STANDBY, SUBSCRIBER, found
from tests.app.tlsfiles import AUTHORITY, section, write_made

LISTENS, CONNECTS = (STANDBY, CONTROLLER), (ACTIVE, SUBSCRIBER)
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
OTHER_IDENTIFIER = x509.AuthorityKeyIdentifier(b"other", None, None)
IDENTIFIER = x509.SubjectKeyIdentifier(b"own")
OTHER_NAMES = x509.NameConstraints([x509.DNSName("example.net")], None)


def usage(*allowed: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in allowed for name in names})


def weak() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize("more", [*LISTENS, *CONNECTS])
@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"key": weak()}, "tls.certificate: OpenSSL does not take {path}/own.pem: ee key too small; have one made with RSA (2048"),
        ({"key": ec.generate_private_key(ec.SECP192R1())}, "tls.certificate: OpenSSL does not take {path}/own.pem: ee key too"),
        ({"key": ec.generate_private_key(ec.SECP256K1())}, "tls.certificate: is not taken by OpenSSL: no shared cipher; have one"),
        ({"ca_key": weak()}, "tls.ca: is not taken by OpenSSL: ca key too small; have one made with RSA (2048 bits)"),
        ({"ca_extensions": ()}, "tls.ca: is no certificate of an authority"),
        ({"ca_extensions": [x509.BasicConstraints(ca=False, path_length=None)]}, "tls.ca: is no certificate of an authority"),
        ({"ca_extensions": [*AUTHORITY, usage("digital_signature")]}, "tls.ca: is no certificate of an authority"),
        ({"ca_extensions": [*AUTHORITY, OTHER_NAMES]}, "tls.certificate: has a name that the nameConstraints of tls.ca"),
        ({"ca_extensions": [*AUTHORITY, UNKNOWN]}, "tls.ca: has a critical extension that OpenSSL does not know"),
        (
            {"ca_extensions": [*AUTHORITY, IDENTIFIER], "extensions": [OTHER_IDENTIFIER]},
            "tls.certificate: was issued by an authority with the name and the key of tls.ca, but with another identifier",
        ),
        ({"issuer": "sg-a"}, "tls.certificate: has the same subject as the authority that issued it"),
        ({"extensions": [usage("key_cert_sign")]}, "tls.certificate: may not be shown by a host that "),
        ({"extensions": [UNKNOWN]}, "tls.certificate: has a critical extension that OpenSSL does not know"),
    ],
)
def test_what_no_peer_would_take_is_told_once(tmp_path: Path, more: str, made: dict[str, Any], told: str) -> None:
    [problem] = found(write_made(tmp_path, **made), more)
    assert problem.startswith(told.format(path=tmp_path))


@pytest.mark.parametrize(("purpose", "good", "bad"), [(SERVER, LISTENS, CONNECTS), (CLIENT, CONNECTS, LISTENS)])
def test_a_certificate_for_one_purpose_is_right_in_that_direction_only(
    tmp_path: Path, purpose: x509.ExtendedKeyUsage, good: Sequence[str], bad: Sequence[str]
) -> None:
    for tls in (write_made(tmp_path, extensions=[purpose]), write_made(tmp_path, ca_extensions=[*AUTHORITY, purpose])):
        assert [found(tls, more) for more in good] == [[], []]
        for more in bad:
            [problem] = found(tls, more)
            assert "extendedKeyUsage" in problem


def test_an_authority_that_was_issued_by_another_one_is_told(tmp_path: Path) -> None:
    """Peers verify up to one that has signed itself, and know no other certificate than that of tls.ca."""
    key = ec.generate_private_key(ec.SECP256R1())
    above, below = tmp_path / "above", tmp_path / "below"
    above.mkdir()
    below.mkdir()
    write_made(above, key=key, extensions=AUTHORITY, issuer="above", name="ca")
    write_made(below, ca_key=key)
    (below / "ca.pem").write_bytes((above / "own.pem").read_bytes())
    [problem] = found(section(below), ACTIVE)
    assert problem.startswith("tls.ca: was itself issued by another authority; name an authority that has signed itself")


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP521R1()), rsa.generate_private_key(65537, 2048)])
@pytest.mark.parametrize("more", [*LISTENS, *CONNECTS])
def test_other_kinds_of_keys_and_exact_usages_are_right(tmp_path: Path, key: Any, more: str) -> None:
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    ca_extensions = [*AUTHORITY, usage("key_cert_sign", "crl_sign")]
    made = write_made(tmp_path, key=key, ca_extensions=ca_extensions, extensions=[both, usage("digital_signature")])
    assert found(made, more) == []


def test_a_usual_mistake_is_told_alone(tmp_path: Path) -> None:
    """A handshake would tell it again, and not so well."""
    write_made(tmp_path)
    authority = (tmp_path / "ca.pem").read_bytes()
    tls = write_made(tmp_path, extensions=[UNKNOWN])
    (tmp_path / "ca.pem").write_bytes(authority)
    [problem] = found(tls, ACTIVE)
    assert problem.startswith("tls.certificate: was not issued by the authority of tls.ca")
