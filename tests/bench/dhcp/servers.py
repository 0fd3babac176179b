"""The servers that are compared, each with the configuration and the empty state that it starts from."""

from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from tests.bench.dhcp.site import LAN, LOAD_ADDRESS, SERVER_ADDRESS, WAN
from tests.bench.part import Server, twistd

HERE = Path(__file__).parent

VENDOR_CLASS = "voxpath-bench"
FIRST_PUBLIC = IPv4Address("198.51.100.1")
PUBLICS = 100
"""Public addresses: with 64 ports for each phone some 1000 phones fit behind one."""


def voxpath_configuration(directory: Path, nat: str, addresses: int = PUBLICS, relay: str = "") -> str:
    """The configuration of voxpath: the full policy, a port block for each phone, all of it stored before the ACK.

    :param addresses: how many public addresses it has.
    :param relay: what speaks for the phones; empty: they stand on the link.
    """
    relays = f'relays = ["{relay}"]' if relay else ""
    publics = [str(FIRST_PUBLIC + number) for number in range(addresses)]
    pools = "\n".join(f'[[pool]]\npublic = "{public}"\nports = [1024, 65535]\nrealm = "bench"' for public in publics)
    template = (HERE / "voxpath.toml.in").read_text()
    return template.format(
        state=directory, nat=nat, publics=publics, pools=pools, vendor_class=VENDOR_CLASS, lan=LAN, wan=WAN, server=SERVER_ADDRESS,
        relays=relays,
    )  # fmt: skip


def voxpath(directory: Path, nat: str = "nftables", addresses: int = PUBLICS, relay: str = "") -> list[str]:
    """``twistd voxpath-sg`` as an operator starts it."""
    configuration = directory / "voxpath.toml"
    configuration.write_text(voxpath_configuration(directory, nat, addresses, relay))
    return twistd("voxpath-sg", configuration)


def voxpath_memory(directory: Path) -> list[str]:
    """The same with the NAT in memory: what DHCP, ledger and store cost alone."""
    return voxpath(directory, "memory")


def kea(directory: Path, socket: str = "raw") -> list[str]:
    """Kea with leases in a memory file that is written without waiting for the disk, its default."""
    configuration = directory / "kea.json"
    text = (HERE / "kea.json.in").read_text()
    for word, value in (("@DIR@", str(directory)), ("@LAN@", LAN), ("@SOCKET@", socket)):
        text = text.replace(word, value)
    configuration.write_text(text)
    # It keeps its process id and lock files where the environment says.
    return ["env", f"KEA_PIDFILE_DIR={directory}", f"KEA_LOCKFILE_DIR={directory}", "kea-dhcp4", "-c", str(configuration)]


def dnsmasq(directory: Path) -> list[str]:
    """dnsmasq with its lease file, which it writes anew as a whole for every ACK; it asks nobody whether an address is in use."""
    options = {
        "port": "0",
        "interface": LAN,
        "bind-dynamic": "",
        "dhcp-range": "10.65.0.0,10.96.255.255,255.192.0.0,4000",
        "dhcp-leasefile": directory / "leases",
        "dhcp-lease-max": "1000000",
        "dhcp-authoritative": "",
        "no-ping": "",
        "user": "root",
        "pid-file": directory / "pid",
        "log-facility": directory / "log",
    }
    configuration = directory / "dnsmasq.conf"
    configuration.write_text("".join(f"{name}={value}\n" if value else f"{name}\n" for name, value in options.items()))
    return ["dnsmasq", "--keep-in-foreground", f"--conf-file={configuration}"]


SERVERS = (
    Server("voxpath", voxpath),
    Server("voxpath, NAT in memory", voxpath_memory),
    Server("Kea", kea),
    Server("dnsmasq", dnsmasq),
)
RELAYED = (Server("voxpath", partial(voxpath, relay=LOAD_ADDRESS)), Server("Kea", partial(kea, socket="udp")))
"""The same behind a relay, to which all answers go as ordinary UDP."""

BASE = "Kea"
"""The server that ratios refer to."""
