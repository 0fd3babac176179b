"""TLS between roles on different machines: both sides show a certificate of one configured authority.

Twisted makes OpenSSL's context when a connection begins, where an error leaves it half made and is told to nobody.
So a connection is made here first, of each kind of options that are given out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from voxpath.core.errors import LocalError

SUPPORTED_REMEDY: Final = "have one made with RSA (2048 bits) or P-256, and SHA-256"
"""What to do about a certificate or a key that OpenSSL does not take."""


class UnusableFiles(LocalError):
    """The files of ``[tls]`` cannot be used.

    :ivar what: what is wrong.
    :ivar todo: what to do about it.
    """

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what}; {todo}")
        self.what = what
        self.todo = todo


@dataclass(frozen=True, slots=True)
class Identity:
    """Our certificate and key, and the authority that peers must have theirs from; paths of PEM files."""

    ca: Path
    certificate: Path
    key: Path

    def server_options(self) -> CertificateOptions:
        """For the side that listens: a client without a certificate of our authority is refused.

        :raises UnusableFiles: when a file cannot be read, or OpenSSL does not take it.
        """
        own, trusted = self._load()
        chosen = CertificateOptions(
            privateKey=own.privateKey.original,
            certificate=own.original,
            trustRoot=trustRootFromCertificates([trusted]),
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        try:
            context = chosen.getContext()
        except SSL.Error as error:
            raise self._refused(error) from error
        # trustRoot alone asks for a certificate; without this flag a client may leave it out.
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT | SSL.VERIFY_CLIENT_ONCE,
            lambda connection, certificate, error, depth, verified: bool(verified),
        )
        return chosen

    def client_options(self, name: str) -> IOpenSSLClientConnectionCreator:
        """For the side that connects: the listener's certificate must be for this name.

        :raises UnusableFiles: when a file cannot be read, or OpenSSL does not take it.
        """
        own, trusted = self._load()
        chosen = optionsForClientTLS(
            name,
            trustRoot=trustRootFromCertificates([trusted]),
            clientCertificate=own,
            extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2},
        )
        try:
            client_connection(chosen)
        except SSL.Error as error:
            raise self._refused(error) from error
        return chosen

    def _load(self) -> tuple[PrivateCertificate, Certificate]:
        try:
            # With a passphrase that is wrong: without any, OpenSSL would ask the terminal for that of a protected key, and wait.
            key = KeyPair(crypto.load_privatekey(crypto.FILETYPE_PEM, self.key.read_bytes(), b""))
            own = PrivateCertificate.fromCertificateAndKeyPair(Certificate.loadPEM(self.certificate.read_bytes()), key)
            return own, Certificate.loadPEM(self.ca.read_bytes())
        except (OSError, ValueError, TypeError, VerifyError, SSL.Error, crypto.Error) as error:
            what = f"the TLS files {self.ca}, {self.certificate}, {self.key} cannot be read: {said(error)}"
            raise UnusableFiles(what, "name PEM files that belong together") from error

    def _refused(self, error: SSL.Error) -> UnusableFiles:
        return UnusableFiles(f"OpenSSL does not take {self.certificate}: {said(error)}", SUPPORTED_REMEDY)


def client_connection(options: IOpenSSLClientConnectionCreator) -> SSL.Connection:
    """The connecting end of a connection, with memory in place of a socket.

    :raises SSL.Error: when OpenSSL does not take the files.
    """
    unconnected = TLSMemoryBIOProtocol(TLSMemoryBIOFactory(options, True, Factory()), Protocol())
    return options.clientConnectionForTLS(unconnected)


def said(error: Exception) -> str:
    """What OpenSSL says, in words: its errors are queues of (library, function, reason)."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else None
    text = str(error) if queue is None else "; ".join(str(entry[-1]) for entry in queue if entry)
    return text.rstrip(".") or type(error).__name__


def names_of(certificate: Certificate) -> frozenset[str]:
    """The names that a peer's certificate is for: its common names and its DNS names."""
    return names_in(certificate.original.to_cryptography())


def names_in(certificate: x509.Certificate) -> frozenset[str]:
    """The common names and the DNS names of a certificate."""
    common = (str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    return dns_names(certificate).union(common)


def dns_names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names of a certificate: whoever connects looks for the listener's name among these alone (RFC 9525)."""
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(alternatives.get_values_for_type(x509.DNSName))
