"""Two customer sites and a provider in network namespaces, with voxpath's processes: the stage of demonstration and tests.

    a1, a2 - [lan0 sga wan0] -+
                              +- wan (isp) - mgc1, mgc2
    b3, b4 - [lan0 sgb wan0] -+

Both sites use 10.0.0.0/24, and even the same addresses for their phones.
"""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import trustme

from tests.live.namespaces import Namespaces
from voxpath.manage.client import NoServer, ask

TWISTD = str(Path(sys.executable).parent / "twistd")
PROVIDER = "198.51.100.254"
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Site:
    """One customer site."""

    gateway: str
    wan: str
    public: str
    phones: tuple[str, ...]


SITE_A = Site("sga", "198.51.100.1", "203.0.113.1", ("a1", "a2"))
SITE_B = Site("sgb", "198.51.100.2", "203.0.113.2", ("b3", "b4"))
CONTROLLERS = {"mgc1": "198.51.100.10", "mgc2": "198.51.100.11"}
SIP_SERVERS = {"sip1": "198.51.100.12"}
MACS = {"a1": "02:00:00:00:0a:01", "a2": "02:00:00:00:0a:02", "b3": "02:00:00:00:0b:03", "b4": "02:00:00:00:0b:04"}
NUMBERS = {"a1": "1001", "a2": "1002", "b3": "1003", "b4": "1004"}
TONES = {"a1": 400, "a2": 600, "b3": 800, "b4": 1000}
ADDRESSES = ("10.0.0.21", "10.0.0.22")
"""The phones of both sites have these very addresses."""
FOREIGN_MG = "gateway_ut"
"""Message identifier of Erlang's example gateway when it speaks text over UDP."""


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until a condition of the real world holds; fail naming it when it does not."""
    end = time.monotonic() + patience_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"in vain for {patience_s:g} s: {what}")
        # Other processes are looked at: there is no event to wait for.
        time.sleep(0.05)


class Stage:
    """The namespaces, the configuration files and the processes; :meth:`close` takes everything away again.

    :param directory: for configurations, state and logs.
    :param ledger_feed: whether servers get the gateways' ledgers (REG-22), or know only what phones say (REG-23).
    :param servers: the provider's servers: what they are called, and their addresses.
    """

    def __init__(self, directory: Path, *, ledger_feed: bool = True, servers: Mapping[str, str] = CONTROLLERS) -> None:
        self.directory = directory
        self.net = Namespaces()
        self.processes: dict[str, Popen[bytes]] = {}
        self.ledger_feed = ledger_feed
        self.servers = servers
        self._authority = trustme.CA()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove every namespace."""
        self.net.close()

    # The network.

    def build(self) -> None:
        """Lay the cables of provider and sites."""
        net = self.net
        net.create("isp")
        net.bridge("isp", "wan")
        net.address("isp", "wan", f"{PROVIDER}/24")
        net.sysctl("isp", "net.ipv4.ip_forward", "1")
        for key in ("all", "wan"):
            net.sysctl("isp", f"net.ipv4.conf.{key}.send_redirects", "0")
        for site in (SITE_A, SITE_B):
            self._build_site(site)
        for name, address in self.servers.items():
            self.connect(name, address)

    def connect(self, name: str, address: str) -> None:
        """Plug a host into the provider's network, as ``wan0``."""
        net = self.net
        net.create(name)
        net.veth(name, "wan0", "isp", name)
        net.plug("isp", "wan", name)
        net.address(name, "wan0", f"{address}/24")
        net.route(name, "default", PROVIDER)

    def _build_site(self, site: Site) -> None:
        net = self.net
        self.connect(site.gateway, site.wan)
        net.route("isp", f"{site.public}/32", site.wan)
        net.bridge(site.gateway, "lan0")
        net.address(site.gateway, "lan0", "10.0.0.1/24")
        for phone in site.phones:
            self.add_host(site, phone, MACS[phone])

    def add_host(self, site: Site, name: str, mac: str) -> None:
        """Plug a host without an address into a site's LAN, as ``eth0``."""
        self.net.create(name)
        self.net.veth(name, "eth0", site.gateway, name)
        self.net.mac(name, "eth0", mac)
        self.net.plug(site.gateway, "lan0", name)

    # Configurations.

    def write_gateway(self, site: Site, extra: str = "", files: str = "") -> None:
        """Write the configuration of a service gateway; ``files`` are further options of its file server."""
        feeds = "".join(
            f'[[subscriber]]\nname = "{name}"\naddress = "{address}:2946"\n'
            for name, address in self.servers.items()
            if self.ledger_feed
        )
        reservations = "".join(
            f'[[reservation]]\nmac = "{MACS[phone]}"\naddress = "{address}"\n'
            for phone, address in zip(site.phones, ADDRESSES, strict=True)
        )
        self.write(
            site.gateway,
            f"""
            {self._tls(site.gateway)}
            [[realm]]
            name = "{site.gateway}"
            private = ["10.0.0.0/24"]
            public = ["{site.public}"]
            [[pool]]
            public = "{site.public}"
            ports = [2048, 65535]
            realm = "{site.gateway}"
            [dhcp]
            macs = ["02:00:00:00:00:00-02:00:00:ff:ff:ff"]
            [[scope]]
            name = "lan"
            interface = "lan0"
            subnet = "10.0.0.0/24"
            server = "10.0.0.1"
            range = ["10.0.0.11", "10.0.0.200"]
            realm = "{site.gateway}"
            dns = ["10.0.0.1"]
            domain = "phones.example"
            [[class]]
            name = "one-line"
            vendor_classes = ["voxpath-phone"]
            ports = 64
            image = "phone-1.0.bin"
            root_path = "/phones"
            mgcs = ["198.51.100.10:2944", "198.51.100.11:2944"]
            layout = "voxpath"
            [[class]]
            name = "many-lines"
            vendor_classes = ["voxpath-many"]
            ports = 128
            image = "many-2.0.bin"
            mgcs = ["198.51.100.11:2944", "198.51.100.10:2944"]
            [tftp]
            listen = ["10.0.0.1:69"]
            root = "images"
            {files}
            [nat]
            backend = "nftables"
            inside = ["lan0"]
            outside = ["wan0"]
            [mgc]
            enabled = false
            {feeds}
            {reservations}
            {extra}
            """,
        )
        images = self.directory / site.gateway / "images"
        images.mkdir(parents=True, exist_ok=True)
        for name in ("phone-1.0.bin", "many-2.0.bin"):
            (images / name).write_bytes(bytes((number * 7 + len(name)) % 256 for number in range(300_000)))

    def write_controller(self, name: str, extra: str = "") -> None:
        """Write the configuration of a controller."""
        address = self.servers[name]
        numbers = "".join(f'[[number]]\nnumber = "{NUMBERS[phone]}"\nphone = "{MACS[phone]}"\n' for phone in MACS)
        self.write(
            name,
            f"""
            {self.beyond_sites(name)}
            [mgc]
            listen = ["{address}:2944"]
            {numbers}
            {extra}
            """,
        )

    def beyond_sites(self, name: str) -> str:
        """What the configurations of all servers at the provider have in common."""
        realms = "".join(
            f'[[realm]]\nname = "{site.gateway}"\nprivate = ["10.0.0.0/24"]\npublic = ["{site.public}"]\n'
            for site in (SITE_A, SITE_B)
        )
        return f"""
            {self._tls(name)}
            {realms}
            [dhcp]
            enabled = false
            [tftp]
            enabled = false
            [subscription]
            enabled = {str(self.ledger_feed).lower()}
            listen = "{self.servers[name]}:2946"
            """

    def write_phone(self, name: str, extra: str = "") -> None:
        """Write the configuration of a software phone."""
        self.write(
            name,
            f"""
            [phone]
            interface = "eth0"
            mac = "{MACS[name]}"
            tone_hz = {TONES[name]}
            answer = true
            answer_after_s = 0.5
            registration_timeout_s = 3.0
            {extra}
            """,
        )

    def _tls(self, name: str) -> str:
        made = self._authority.issue_cert(name, common_name=name)
        state = self.directory / name
        state.mkdir(mode=0o700, exist_ok=True)
        self._authority.cert_pem.write_to_path(str(state / "ca.pem"))
        made.cert_chain_pems[0].write_to_path(str(state / "own.pem"))
        made.private_key_pem.write_to_path(str(state / "own.key"))
        (state / "own.key").chmod(0o600)
        return '[tls]\nca = "ca.pem"\ncertificate = "own.pem"\nkey = "own.key"'

    def write(self, name: str, text: str) -> None:
        """Write a configuration; name and state directory are added."""
        state = self.directory / name
        state.mkdir(mode=0o700, exist_ok=True)
        lines = [line.strip() for line in text.splitlines()]
        heading = f'name = "{name}"\nstate = "{state}"\n'
        (self.directory / f"{name}.toml").write_text(heading + "\n".join(filter(None, lines)) + "\n")

    # Processes.

    def start(self, name: str, command: str, *options: str) -> Popen[bytes]:
        """Start one of voxpath's ``twistd`` commands in its namespace."""
        log = (self.directory / f"{name}.log").open("ab")
        configuration = str(self.directory / f"{name}.toml")
        argv = [TWISTD, "--nodaemon", "--pidfile=", "--logfile=-", command, "--config", configuration, *options]
        self.processes[name] = self.net.spawn(name, argv, stdout=log, stderr=log, cwd=self.directory / name)
        log.close()
        return self.processes[name]

    def start_servers(self, *names: str) -> None:
        """Start gateways and controllers (all of them unless some are named), and wait until they serve."""
        chosen = names or ("mgc1", "mgc2", "sga", "sgb")
        for name in chosen:
            if name in CONTROLLERS:
                self.write_controller(name)
                self.start(name, "voxpath-mgc")
            else:
                self.write_gateway(SITE_A if name == "sga" else SITE_B)
                self.start(name, "voxpath-sg")
        for name in chosen:
            self.serving(name)

    def serving(self, name: str) -> None:
        """Wait until all roles of a process run."""

        def all_run() -> bool:
            status = self.processes[name].poll()
            if status is not None:
                raise AssertionError(f"{name} ended with {status}; its log:\n{self.log(name)}")
            rows = self.rows(name, "roles")
            return bool(rows) and all(row["state"] == "running" for row in rows)

        try:
            until(all_run, f"{name} serves")
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.log(name)}") from None

    def start_phones(self, *names: str) -> None:
        """Boot software phones."""
        for name in names:
            self.write_phone(name)
            self.start(name, "voxpath-phone")

    def end(self, name: str, signal_number: int = 15) -> int:
        """End a process and give its exit status."""
        return self.net.end(self.processes.pop(name), signal_number)

    def log(self, name: str) -> str:
        """The end of a process's log."""
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def whole_log(self, name: str) -> str:
        """All of a process's log."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def is_sound(self, *names: str) -> None:
        """No process fell over anything; unless some are named, all that run are meant."""
        for name in names or tuple(self.processes):
            log = self.whole_log(name)
            assert not re.search("Traceback|Unhandled|CORE_FAULT|_FAILED|COMMIT_REFUSED|APPLY_REFUSED", log), log
            assert all(row["faults"] == 0 and row["restarts"] == 0 for row in self.rows(name, "roles"))

    # Asking.

    def socket(self, name: str) -> str:
        """The control socket of a process."""
        return str(self.directory / name / "control.sock")

    def rows(self, name: str, verb: str, *arguments: str) -> Sequence[dict[str, Any]]:
        """The answer of a command; nothing while the process does not listen."""
        try:
            return ask(self.socket(name), verb, arguments).rows
        except NoServer:
            return []

    def texts(self, name: str, event: str) -> list[str]:
        """What the last events of one type say, in their order; nothing while the process does not listen."""
        try:
            entries = ask(self.socket(name), "events", ("1000",)).entries
        except NoServer:
            return []
        return [entry.text for entry in entries if entry.id == event]

    def phone_state(self, name: str) -> dict[str, Any]:
        """The first line of a software phone."""
        rows = self.rows(name, "phones")
        return dict(rows[0]) if rows else {}

    def registered(self, *names: str, at: str = "mgc1") -> None:
        """Wait until phones are registered at a controller."""

        def all_there() -> bool:
            known = {row["phone"]: row["lines"] for row in self.rows(at, "registrations")}
            return all(known.get(MACS[name]) not in {None, "", "-"} for name in names)

        until(all_there, f"{', '.join(names)} register at {at}; logs:\n" + "\n".join(self.log(name) for name in (*names, at)))

    def call(self, caller: str, callee: str) -> None:
        """Let one phone call another one, and wait until both hear each other's tone."""
        ask(self.socket(caller), "off-hook", (MACS[caller],))
        until(
            lambda: self.phone_state(caller).get("signal") == "dial tone",
            f"{caller} hears the dial tone: {self.phone_state(caller)}",
        )
        ask(self.socket(caller), "dial", (MACS[caller], NUMBERS[callee]))
        for one, other in ((caller, callee), (callee, caller)):
            until(lambda one=one, other=other: self.hears(one, other), f"{one} hears {other}: {self.phone_state(one)}")

    def hears(self, name: str, other: str) -> bool:
        """Whether a phone hears the tone of another one."""
        return abs(float(self.phone_state(name).get("hears_hz") or 0) - TONES[other]) < 20

    def hang_up(self, *names: str) -> None:
        """Put handsets down."""
        for name in names:
            ask(self.socket(name), "on-hook", (MACS[name],))
