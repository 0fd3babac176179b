"""TLS between roles on different machines: both sides show a certificate of one configured authority."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    trustRootFromCertificates,
)

from voxpath.core.errors import LocalError


@dataclass(frozen=True, slots=True)
class Identity:
    """Our certificate and key, and the authority that peers must have theirs from; paths of PEM files."""

    ca: Path
    certificate: Path
    key: Path

    def server_options(self) -> CertificateOptions:
        """For the side that listens: a client without a certificate of our authority is refused."""
        own, trusted = self._load()
        chosen = CertificateOptions(
            privateKey=own.privateKey.original,
            certificate=own.original,
            trustRoot=trustRootFromCertificates([trusted]),
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        # trustRoot alone asks for a certificate; without this flag a client may leave it out.
        chosen.getContext().set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT | SSL.VERIFY_CLIENT_ONCE,
            lambda connection, certificate, error, depth, verified: bool(verified),
        )
        return chosen

    def client_options(self, name: str) -> IOpenSSLClientConnectionCreator:
        """For the side that connects: the listener's certificate must be for this name."""
        own, trusted = self._load()
        return optionsForClientTLS(
            name,
            trustRoot=trustRootFromCertificates([trusted]),
            clientCertificate=own,
            extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2},
        )

    def _load(self) -> tuple[PrivateCertificate, Certificate]:
        try:
            own = PrivateCertificate.fromCertificateAndKeyPair(
                Certificate.loadPEM(self.certificate.read_bytes()), KeyPair.load(self.key.read_bytes(), crypto.FILETYPE_PEM)
            )
            return own, Certificate.loadPEM(self.ca.read_bytes())
        except (OSError, SSL.Error, crypto.Error) as error:
            raise LocalError(f"the TLS files {self.ca}, {self.certificate}, {self.key} cannot be read: {error}") from error


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
