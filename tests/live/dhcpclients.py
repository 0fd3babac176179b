"""udhcpc, dhclient and dhcpcd as phones: each runs with files and a hook of its own, so nothing of the host is touched."""

import signal
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

from tests.live.namespaces import Namespaces
from tests.live.sites import until

HOOK = """#!/bin/sh
[ $# -gt 0 ] && reason=$1
address=${ip:-$new_ip_address} mask=${mask:-$new_subnet_mask} router=${router:-$new_routers}
case $reason in
bound|renew|BOUND|RENEW|REBIND|REBOOT)
    ip addr replace "$address/$mask" dev "$interface" || exit 1
    [ -z "$router" ] || ip route replace default via "$router" ;;
deconfig|RELEASE|EXPIRE|FAIL)
    ip -4 addr flush dev "$interface" ;;
PREINIT)
    ip link set "$interface" up ;;
esac
exec 9>DIRECTORY.lock
flock 9
{ echo "reason=$reason"; env; } >DIRECTORY/part
mv DIRECTORY/part "DIRECTORY/told.$(ls DIRECTORY | wc -l)"
exit 0
"""

DHCLIENT = """
option voxpath-ports code 224 = string;
option voxpath-mgcs code 225 = string;
option voxpath-nat code 226 = ip-address;
timeout 6;
also request vendor-encapsulated-options, voxpath-ports, voxpath-mgcs, voxpath-nat, tftp-server-name, bootfile-name;
also request boot-size, root-path;
"""

DHCPCD = """
define 224 binhex voxpath_ports
define 225 binhex voxpath_mgcs
define 226 ipaddress voxpath_nat
clientid
persistent
noarp
noipv4ll
"""
DHCPCD_ASKED = ("routers", "tftp_server_name", "bootfile_name", "voxpath_ports", "voxpath_mgcs", "voxpath_nat")

ASKED = tuple(word for code in (12, 13, 17, 43, 58, 59, 66, 67, 224, 225, 226) for word in ("-O", str(code)))


class Ports(NamedTuple):
    """A block as a phone was told of it."""

    public: str
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many ports."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """As ``blocks`` shows it."""
        return f"{self.public}:{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> "Ports":
        """Read what ``blocks`` shows."""
        public, _, ports = text.partition(":")
        first, _, last = ports.partition("-")
        return cls(public, int(first), int(last))


def ports_of(octets: bytes) -> Ports:
    """Read a port range (option 224) without voxpath's own decoder."""
    return Ports(str(IPv4Address(octets[:4])), int.from_bytes(octets[4:6], "big"), int.from_bytes(octets[6:8], "big"))


def dhclient_octets(text: str) -> bytes:
    """Octets of a ``string`` option, which dhclient writes as hexadecimal numbers without leading zeros."""
    return bytes(int(number, 16) for number in text.split(":"))


class Phone:
    """A host that gets its address by a stock client.

    :ivar name: its namespace.
    :ivar told: what the client told its hook, one dictionary per call.
    """

    def __init__(self, net: Namespaces, name: str, mac: str, directory: Path) -> None:
        self.net = net
        self.name = name
        self.mac = mac
        self._directory = directory / f"phone-{name}"
        self._told = self._directory / "told"
        self._told.mkdir(parents=True)
        self._hook = self._directory / "hook"
        self._hook.write_text(HOOK.replace("DIRECTORY", str(self._told)))
        self._hook.chmod(0o755)

    @property
    def told(self) -> list[dict[str, str]]:
        """What the client told its hook so far, in order."""
        files = sorted(self._told.glob("told.*"), key=lambda path: int(path.suffix[1:]))
        return [dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line) for path in files]

    def hears(self, *reasons: str, after: int = 0) -> dict[str, str]:
        """Wait for the hook to be called for one of these reasons; ``after`` calls are passed over."""

        def found() -> list[dict[str, str]]:
            return [each for each in self.told[after:] if each["reason"] in reasons]

        first: dict[str, str] = until(found, f"{self.name}: {reasons}; so far {[each['reason'] for each in self.told]}", 8)[0]
        return first

    # udhcpc.

    def udhcpc_once_argv(self, interface: str) -> list[str]:
        """Command line of udhcpc that gets one lease on another interface, and ends; the hook is the host's."""
        return self.udhcpc_argv("-q", "-n", "-t", "9", "-T", "1", vendor="voxpath-phone", interface=interface)

    def udhcpc_argv(self, *options: str, vendor: str, interface: str = "eth0") -> list[str]:
        """Command line of udhcpc in the foreground."""
        return ["udhcpc", "-i", interface, "-f", "-V", vendor, "-s", str(self._hook), *ASKED, *options]

    def udhcpc(self, *options: str, vendor: str = "voxpath-phone") -> dict[str, str]:
        """Get a lease and end; the lease stays."""
        seen = len(self.told)
        self.net.run(self.name, self.udhcpc_argv("-q", "-n", "-t", "3", "-T", "1", *options, vendor=vendor))
        return self.hears("bound", after=seen)

    def udhcpc_stays(self, *options: str, vendor: str = "voxpath-phone") -> tuple[Popen[bytes], dict[str, str]]:
        """Get a lease and keep it up."""
        seen = len(self.told)
        process = self.net.spawn(self.name, self.udhcpc_argv("-n", "-t", "3", "-T", "1", *options, vendor=vendor), **self._log())
        return process, self.hears("bound", after=seen)

    def udhcpc_renews(self, process: Popen[bytes]) -> dict[str, str]:
        """Let a client that stays renew now."""
        return self._signalled(process, signal.SIGUSR1, "renew", "bound")

    def udhcpc_releases(self, process: Popen[bytes]) -> dict[str, str]:
        """Let a client that stays give its lease back now."""
        return self._signalled(process, signal.SIGUSR2, "deconfig")

    def udhcpc_in_vain(self, vendor: str, tries: int = 1, *options: str) -> Callable[[], int]:
        """Start a client that gives up soon; give what waits for its end and tells its exit status."""
        argv = self.udhcpc_argv("-q", "-n", "-t", str(tries), "-T", "1", *options, vendor=vendor)
        process = self.net.spawn(self.name, argv, **self._log())
        return lambda: process.wait(10)

    def _signalled(self, process: Popen[bytes], number: int, *reasons: str) -> dict[str, str]:
        seen = len(self.told)
        process.send_signal(number)
        return self.hears(*reasons, after=seen)

    # dhclient.

    def dhclient(self, *options: str, vendor: str = "voxpath-phone", more: str = "") -> dict[str, str]:
        """Get a lease (a stored one is asked for again), and end; the lease stays.

        :param vendor: its vendor class; empty: it sends none.
        :param more: further lines of its configuration.
        """
        seen = len(self.told)
        process = self.dhclient_starts(*options, vendor=vendor, more=more)
        told = self.hears("BOUND", "REBOOT", "RENEW", after=seen)
        # dhclient stores a lease only after its hook has returned: who ends it sooner lets it forget what it was given.
        stored = self._directory / "leases"
        until(lambda: f"fixed-address {told['new_ip_address']};" in stored.read_text(), f"{self.name}: the lease is stored")
        self.net.end(process)
        return told

    def dhclient_starts(self, *options: str, vendor: str, more: str = "") -> Popen[bytes]:
        """Start a client in the foreground."""
        return self.net.spawn(self.name, self._dhclient_argv("-1", "-d", *options, vendor=vendor, more=more), **self._log())

    def dhclient_releases(self, vendor: str = "voxpath-phone") -> None:
        """Give the lease of the lease file back."""
        self.net.run(self.name, self._dhclient_argv("-r", vendor=vendor))

    def _dhclient_argv(self, *options: str, vendor: str, more: str = "") -> list[str]:
        configuration = self._directory / "dhclient.conf"
        vendor_class = f'send vendor-class-identifier "{vendor}";\n' if vendor else ""
        configuration.write_text(f"{DHCLIENT}{vendor_class}{more}\n")
        files = [word for option, name in (("-lf", "leases"), ("-pf", "pid")) for word in (option, str(self._directory / name))]
        return ["dhclient", "-4", "-cf", str(configuration), *files, "-sf", str(self._hook), *options, "eth0"]

    # dhcpcd.

    def dhcpcd(self, *options: str, vendor: str = "voxpath-phone", reasons: tuple[str, ...] = ("BOUND",)) -> dict[str, str]:
        """Get a lease, or with ``--inform`` the rest, and end; the lease stays.

        It keeps its files at fixed places, so it gets places of its own: a mount namespace in which they are empty.
        """
        seen = len(self.told)
        configuration = self._directory / "dhcpcd.conf"
        wanted = "".join(f"option {word}\n" for word in DHCPCD_ASKED)
        configuration.write_text(f"{DHCPCD}{wanted}{f'vendorclassid {vendor}' if vendor else ''}\n")
        mounts = " && ".join(f"mkdir -p {place} && mount -t tmpfs tmpfs {place}" for place in ("/var/lib/dhcpcd", "/run/dhcpcd"))
        program = ["dhcpcd", "-4", "-B", "-1", "-t", "8", "-f", str(configuration), "-c", str(self._hook), *options, "eth0"]
        argv = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "dhcpcd", *program]
        process = self.net.spawn(self.name, argv, **self._log())
        told = self.hears(*reasons, after=seen)
        self.net.end(process)
        return told

    def _log(self) -> dict[str, Any]:
        return {"stderr": (self._directory / "log").open("ab")}
