"""Certificates for checks of ``[tls]``."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from trustme import CA

Key = EllipticCurvePrivateKey | RSAPrivateKey

AUTHORITY: Final = (x509.BasicConstraints(ca=True, path_length=None),)
"""What makes a certificate that of an authority."""


def write_tls(directory: Path, authority: CA, *names: str, common: str | None = None, until: datetime | None = None) -> str:
    """Write the three files of a host, and tell their section of the configuration.

    :param names: DNS names of its certificate.
    :param common: its common name; ``None``: it has none.
    :param until: until when it is valid; ``None``: for long.
    """
    made = authority.issue_cert(*names, common_name=common, not_after=until)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    made.cert_chain_pems[0].write_to_path(str(directory / "own.pem"))
    made.private_key_pem.write_to_path(str(directory / "own.key"))
    return section(directory)


def write_made(
    directory: Path,
    *,
    key: Key | None = None,
    ca_key: Key | None = None,
    ca_extensions: Sequence[x509.ExtensionType] = AUTHORITY,
    extensions: Sequence[x509.ExtensionType] = (),
    issuer: str = "ca",
    name: str = "sg-a",
) -> str:
    """Write the three files of the host ``sg-a`` by hand, and tell their section: what no maker of certificates would make.

    :param extensions: of its certificate, beside its name; all are critical.
    :param issuer: the authority's subject.
    :param name: the host's subject.
    """
    ca_key, key = ca_key or generate_private_key(SECP256R1()), key or generate_private_key(SECP256R1())
    named = x509.SubjectAlternativeName([x509.DNSName("sg-a")])
    authority = _made(issuer, issuer, ca_key, ca_extensions).sign(ca_key, SHA256())
    own = _made(name, issuer, key, (named, *extensions)).sign(ca_key, SHA256())
    (directory / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    (directory / "own.pem").write_bytes(own.public_bytes(Encoding.PEM))
    (directory / "own.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return section(directory)


def _made(name: str, issuer: str, key: Key, extensions: Sequence[x509.ExtensionType]) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder


def section(directory: Path) -> str:
    """The section of the configuration for the files of a directory."""
    files = (("ca", "ca.pem"), ("certificate", "own.pem"), ("key", "own.key"))
    return "[tls]\n" + "".join(f'{option} = "{directory / name}"\n' for option, name in files)
