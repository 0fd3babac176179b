"""A secret that outlives the process: what is proven by it must still hold after a restart."""

import os
from pathlib import Path
from secrets import token_bytes

from voxpath.core.errors import LocalError

SECRET_OCTETS = 32
FORCERENEW_KEY = "forcerenew.key"
"""File of the secret that nonces for FORCERENEW are made from."""


def secret_in(path: Path) -> bytes:
    """Read a secret, or make it; only the server may read the file.

    :raises LocalError: the file is there and holds no secret.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(token_bytes(SECRET_OCTETS))
    except FileExistsError:
        pass
    secret = path.read_bytes()
    if len(secret) != SECRET_OCTETS:
        raise LocalError(f"{path} holds no secret of {SECRET_OCTETS} octets: remove it, and phones get new nonces when they renew")
    return secret
