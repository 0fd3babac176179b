"""TLS files that OpenSSL does not take are told when they are loaded, not when a connection begins."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from tests.app.tlsfiles import Key, write_made
from voxpath.core.errors import LocalError
from voxpath.io.tls import Identity


def files(directory: Path) -> Identity:
    return Identity(directory / "ca.pem", directory / "own.pem", directory / "own.key")


def refusals(identity: Identity) -> list[str]:
    """What is told to who listens, and to who connects."""
    told = []
    with pytest.raises(LocalError) as listens:
        identity.server_options()
    told.append(str(listens.value))
    with pytest.raises(LocalError) as connects:
        identity.client_options("sg-b")
    return [*told, str(connects.value)]


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP192R1())])
def test_a_weak_key_is_told_at_once_with_its_file_and_what_to_do(tmp_path: Path, key: Key) -> None:
    write_made(tmp_path, key=key)
    for told in refusals(files(tmp_path)):
        assert told == (
            f"OpenSSL does not take {tmp_path / 'own.pem'}: ee key too small; "
            "have one made with RSA (2048 bits) or P-256, and SHA-256"
        )


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    write_made(tmp_path)
    key = (tmp_path / "own.key").read_bytes()
    write_made(tmp_path)
    (tmp_path / "own.key").write_bytes(key)
    for told in refusals(files(tmp_path)):
        assert told.endswith(
            "cannot be read: Certificate public and private keys do not match; name PEM files that belong together"
        )


def test_a_key_with_a_passphrase_and_what_is_no_file_of_tls_are_told_in_words(tmp_path: Path) -> None:
    write_made(tmp_path)
    path = tmp_path / "own.key"
    key = load_pem_private_key(path.read_bytes(), None)
    for content in (key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")), b"nothing"):
        path.write_bytes(content)
        for told in refusals(files(tmp_path)):
            assert str(path) in told
            assert "[(" not in told, "no list of Python's"
