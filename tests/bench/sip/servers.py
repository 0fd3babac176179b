"""The SIP servers that are compared, each with the configuration and the empty state that it starts from."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.part import Server, twistd
from tests.bench.sip.site import SERVER_HOST

HERE = Path(__file__).parent

OPEN_DOMAIN, SECURE_DOMAIN = "bench.test", "secure.test"
PASSWORD = "secret"
USERS = 20_000

BUFFER_OCTETS = 4 * 1024 * 1024
"""Kamailio is given the socket buffer that voxpath takes of its own accord."""

USER = '[[user]]\nname = "{name}"\ndomain = "{domain}"\npassword = "{password}"\n'


def names() -> list[str]:
    """The users; both domains have the same ones."""
    return [f"u{number:06}" for number in range(USERS)]


def voxpath(directory: Path) -> list[str]:
    """``twistd voxpath-sip`` as an operator starts it: bindings are on the disk before the 200 leaves."""
    return voxpath_for(names(), directory, directory / "state")


def voxpath_memory(directory: Path) -> list[str]:
    """The same with its state directory in memory: what the disk costs is left out, the commits are not."""
    state = directory / "state"
    state.mkdir()
    # ``ip netns exec`` gives the server a mount namespace of its own: the memory goes when it ends.
    return ["sh", "-c", 'mount -t tmpfs -o mode=0700 none "$0" && exec "$@"', str(state), *voxpath_for(names(), directory, state)]


def voxpath_for(users: Sequence[str], directory: Path, state: Path) -> list[str]:
    """``twistd voxpath-sip`` with these users of the domain that asks for passwords."""
    listed = "\n".join(USER.format(name=name, domain=SECURE_DOMAIN, password=PASSWORD) for name in users)
    template = (HERE / "voxpath.toml.in").read_text()
    path = directory / "voxpath.toml"
    path.write_text(template.format(state=state, host=SERVER_HOST, open=OPEN_DOMAIN, secure=SECURE_DOMAIN, users=listed))
    path.chmod(0o600)
    return twistd("voxpath-sip", path)


def kamailio(directory: Path) -> list[str]:
    """Kamailio with its bindings in memory alone; a restart forgets them."""
    path = directory / "kamailio.cfg"
    text = (HERE / "kamailio.cfg.in").read_text()
    path.write_text(text.replace("@HOST@", SERVER_HOST).replace("@PASSWORD@", PASSWORD))
    options = ["-m", "256", "-M", "16", "-b", str(BUFFER_OCTETS), "-w", str(directory), "-Y", str(directory)]
    return ["kamailio", "-DD", "-f", str(path), *options]


BASE = "Kamailio"
"""The server that ratios refer to."""
SERVERS = (Server("voxpath", voxpath), Server("voxpath, state in memory", voxpath_memory), Server(BASE, kamailio))
