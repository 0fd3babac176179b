"""Certificates for checks of ``[tls]``."""

from datetime import datetime
from pathlib import Path

from trustme import CA


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
    files = (("ca", "ca.pem"), ("certificate", "own.pem"), ("key", "own.key"))
    return "[tls]\n" + "".join(f'{option} = "{directory / name}"\n' for option, name in files)
