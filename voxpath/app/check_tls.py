"""Checks of ``[tls]``: certificate, key and authority belong together, and peers will accept them."""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import (
    Certificate,
    DuplicateExtension,
    InvalidVersion,
    UnsupportedGeneralNameType,
    load_pem_x509_certificate,
)

from voxpath.app import values
from voxpath.app.check_handshake import check_handshake
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, readable
from voxpath.app.schema import Config
from voxpath.io.tls import SUPPORTED_REMEDY, dns_names, names_in
from voxpath.model.event import printable

Read = TypeVar("Read")

_BROKEN = (ValueError, TypeError, DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType)
"""What is raised for a file that is not what it should be, or by a part of it."""

WEAK = frozenset({"md5", "sha1"})
"""Hashes by which nobody signs any more: whoever verifies refuses them, whether the signature is right or not."""

LISTENS_REMEDY = "make one with subjectAltName=DNS:NAME; docs/tutorial.md, section 7, tells how"


def check_tls(config: Config, machine: Machine) -> Iterator[Problem]:
    """What can be told of the three files without the peers; that they can be read at all is told by ``check_feeds``."""
    files = {option: values.in_state(config, text) for option, text in _options(config) if text}
    if any(readable(path) for path in files.values()):
        return
    authority, certificate = (
        (yield from _loaded(files, "ca", _certificate)),
        (yield from _loaded(files, "certificate", _certificate)),
    )
    key = yield from _loaded(files, "key", _public_key)
    if certificate is None:
        return
    usual = list(_usual(authority, certificate, key))
    yield from usual
    # Else a handshake would tell the same again, and less well.
    if not usual and authority is not None and key is not None:
        yield from check_handshake(config)
    yield from _names(config, certificate)


def _usual(authority: Certificate | None, certificate: Certificate, key: bytes | None) -> Iterator[Problem]:
    """The usual mistakes."""
    if key is not None and key != _octets(certificate.public_key()):
        yield Problem("tls.key", "is not the key of tls.certificate", "name the key that the certificate was made for")
    if authority is not None:
        yield from _issuer(certificate, authority)
    yield from _dates(certificate, "certificate")
    if authority is not None:
        yield from _dates(authority, "ca")


def _options(config: Config) -> Iterator[tuple[str, str]]:
    yield "ca", config.tls.ca
    yield "certificate", config.tls.certificate
    yield "key", config.tls.key


def _loaded(files: dict[str, Path], option: str, load: Callable[[bytes], Read]) -> Generator[Problem, None, Read | None]:
    if option not in files:
        return None
    try:
        return load(files[option].read_bytes())
    except UnsupportedAlgorithm as error:
        what = f"{files[option]} cannot be checked, its key is of a kind that is not supported: {printable(str(error), 80)}"
        yield Problem(f"tls.{option}", what, SUPPORTED_REMEDY)
    except _BROKEN as error:
        wanted = "private key without a passphrase" if option == "key" else "certificate that can be read"
        yield Problem(
            f"tls.{option}", f"{files[option]} holds no {wanted}: {printable(str(error), 80)}", "name a PEM file that does"
        )
    return None


def _certificate(pem: bytes) -> Certificate:
    """A certificate; its parts that are needed later are read here once, since each may be broken by itself."""
    certificate = load_pem_x509_certificate(pem)
    certificate.public_key()
    names_in(certificate)
    return certificate


def _public_key(pem: bytes) -> bytes:
    return _octets(load_pem_private_key(pem, None).public_key())


def _octets(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _issuer(certificate: Certificate, authority: Certificate) -> Iterator[Problem]:
    path = "tls.certificate"
    try:
        # Raises for a kind of signature that is unknown, which to verify would tell as one that is wrong.
        hashed = certificate.signature_hash_algorithm
        if hashed is not None and hashed.name in WEAK:
            yield Problem(path, f"is signed with {hashed.name.upper()}, which no peer takes any more", SUPPORTED_REMEDY)
            return
        certificate.verify_directly_issued_by(authority)
    except UnsupportedAlgorithm as error:
        yield Problem(path, f"is signed in a way that is not supported: {printable(str(error), 80)}", SUPPORTED_REMEDY)
    except (ValueError, TypeError, InvalidSignature):
        yield Problem(path, "was not issued by the authority of tls.ca", "have that authority sign it, or name its own")


def _dates(certificate: Certificate, option: str) -> Iterator[Problem]:
    now, first, last = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > last:
        yield Problem(f"tls.{option}", f"is not valid any more since {last:%Y-%m-%d %H:%M} UTC", "have a new one made")
    if now < first:
        yield Problem(f"tls.{option}", f"is not valid before {first:%Y-%m-%d %H:%M} UTC", "set this machine's clock, or wait")


def _names(config: Config, certificate: Certificate) -> Iterator[Problem]:
    """Peers look for our name in it: who connects to us for a DNS name, whom we connect to for a common name too."""
    names, dns = names_in(certificate), dns_names(certificate)
    shown = ", ".join(printable(name, 64) for name in sorted(names)) or "none"
    path, role = "tls.certificate", config.redundancy.role
    if role == "standby" and config.name not in dns:
        what = f"has no DNS name {config.name!r}, which {config.redundancy.peer or 'the active host'} looks for; its names: {shown}"
        yield Problem(path, what, LISTENS_REMEDY)
    elif (config.subscribers or role == "active") and config.name not in names:
        todo = "write the name of the certificate as name =, or have one made for this name"
        yield Problem(path, f"is not for {config.name!r}, which peers know this host by; its names: {shown}", todo)
    elif config.subscription.enabled and not dns:
        yield Problem(path, f"has no DNS name, by which gateways know this host; its names: {shown}", LISTENS_REMEDY)
