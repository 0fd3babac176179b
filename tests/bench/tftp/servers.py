"""The TFTP servers that are compared, each with a directory of the same files."""

import shutil
from pathlib import Path
from random import Random

from tests.bench.part import Server, twistd
from tests.bench.tftp.site import SERVER_ADDRESS, SERVER_PORT

HERE = Path(__file__).parent
PEERS = Path("/var/tmp/voxpath-peers")
"""Where ``tests/live/install-programs`` unpacks the peers: as packages they exclude each other."""

FILES = {"image.bin": 8 << 20, "phone.bin": 1 << 20, "phone.cfg": 4096}
"""Files by name, and their octets."""
SEED = 1


def files(directory: Path) -> Path:
    """Make the files, readable for everybody, and give their directory."""
    root = directory / "files"
    root.mkdir()
    for name, octets in FILES.items():
        (root / name).write_bytes(Random(SEED).randbytes(octets))
    for place in (directory, root):
        place.chmod(0o755)
    return root


def program(package: str, name: str) -> str:
    """The path of a peer: installed, or unpacked."""
    unpacked = PEERS / package / "usr/sbin" / name
    return shutil.which(name) or str(unpacked)


def voxpath(directory: Path) -> list[str]:
    """``twistd voxpath-sg`` as an operator starts it, with a file server and nothing else."""
    files(directory)
    path = directory / "voxpath.toml"
    path.write_text((HERE / "voxpath.toml.in").read_text().format(state=directory, listen=f"{SERVER_ADDRESS}:{SERVER_PORT}"))
    return twistd("voxpath-sg", path)


def voxpath_single_port(directory: Path) -> list[str]:
    """The same with all transfers by one port."""
    command = voxpath(directory)
    with (directory / "voxpath.toml").open("a") as file:
        file.write("single_port = true\n")
    return command


def tftpd_hpa(directory: Path) -> list[str]:
    """tftpd-hpa: a process for each transfer."""
    address = ("--address", f"{SERVER_ADDRESS}:{SERVER_PORT}")
    return [program("tftpd-hpa", "in.tftpd"), "-L", "-s", "-u", "nobody", *address, str(files(directory))]


def atftpd(directory: Path) -> list[str]:
    """atftpd: a thread for each transfer."""
    address = ("--bind-address", SERVER_ADDRESS, "--port", str(SERVER_PORT))
    threads = ("--daemon", "--no-fork", "--user", "nobody", "--maxthread", "400", "--logfile", "-", "--verbose=3")
    return [program("atftpd", "atftpd"), *threads, *address, str(files(directory))]


BASE = "atftpd"
"""The server that ratios refer to."""
SERVERS = (
    Server("voxpath", voxpath),
    Server("voxpath, single port", voxpath_single_port),
    Server("tftpd-hpa", tftpd_hpa),
    Server(BASE, atftpd),
)
