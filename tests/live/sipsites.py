"""The two sites with a SIP server at the provider, and stock SIP phones that boot from voxpath at each of them.

At both sites a phone of each kind has the very same private address.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.live.dhcpclients import Phone, Ports
from tests.live.sites import SIP_SERVERS, SITE_A, SITE_B, Site, Stage, until
from tests.live.softphones import BARESIP_LINES, Baresip

SIP_SERVER = "sip1"
SERVER = SIP_SERVERS[SIP_SERVER]
BARESIP_SETTINGS = (*BARESIP_LINES, "call_max_calls 1", ";answermode=auto")
"""What the class adds to the files of every phone; one call makes it busy, and it answers by itself."""
TWINKLE_SETTINGS = (*(f"dev_{device}=alsa:null" for device in ("ringtone", "speaker", "mic")), "validate_audio_dev=no")
KINDS = {"baresip": BARESIP_SETTINGS, "twinkle": TWINKLE_SETTINGS}
"""Vendor class and class of each phone program, and the lines that its class adds."""
FILES = {"baresip": ("config", "accounts", "contacts", "uuid"), "twinkle": ("twinkle.cfg", "twinkle.sys")}


class Handset(NamedTuple):
    """A stock phone at a site, and its user, who is called as the phone is.

    :ivar kind: the phone program; its vendor class is called so, too.
    :ivar showing: how it shows its combination address, as the configuration has it.
    :ivar shim: whether its lease comes by the shim.
    :ivar tone_hz: what it says in a call.
    """

    name: str
    site: Site
    kind: str
    showing: str
    shim: bool
    mac: str
    address: str
    tone_hz: int

    @property
    def password(self) -> str:
        """Of its user."""
        return f"of-{self.name}-7hUq2mPz"


def _handsets() -> dict[str, Handset]:
    showings = {
        "gruu": "gruu",
        "shim": "self",
        "plain": "not",
        "gruu2": "gruu",
        "shim2": "self",
        "plain2": "not",
        "twinkle": "self",
    }
    made = []
    for place, (what, showing) in enumerate(showings.items()):
        kind, shim = "twinkle" if what == "twinkle" else "baresip", what.startswith("shim")
        address, tone_hz = f"10.0.0.{31 + place}", 400 + 100 * place
        made.append(Handset(f"a-{what}", SITE_A, kind, showing, shim, f"02:00:00:00:1a:{place:02x}", address, tone_hz))
        made.append(Handset(f"b-{what}", SITE_B, kind, showing, shim, f"02:00:00:00:1b:{place:02x}", address, tone_hz + 1000))
    return {each.name: each for each in made}


HANDSETS = _handsets()
"""By name; ``a-gruu`` and ``b-gruu`` have one private address, ``a-shim`` and ``b-shim`` another one, and so on."""


def users(domain: str) -> str:
    """The domain and its users, as registrar and gateways have to know them."""
    made = (
        f'[[user]]\nname = "{each.name}"\npassword = "{each.password}"\nphone = "{each.mac}"\nshowing = "{each.showing}"\n'
        for each in HANDSETS.values()
    )
    return f'[[domain]]\nname = "{domain}"\n' + "".join(made)


def phones_of(site: Site) -> str:
    """The classes of a site's phones, and their fixed addresses."""
    reserved = (
        f'[[reservation]]\nmac = "{each.mac}"\naddress = "{each.address}"\n' for each in HANDSETS.values() if each.site is site
    )
    kinds = (
        f'[[class]]\nname = "{kind}"\nvendor_classes = ["{kind}"]\nports = 64\nsettings = {json.dumps(settings)}\n'
        for kind, settings in KINDS.items()
    )
    return "".join((*kinds, *reserved))


class SipStage(Stage):
    """The stage with one SIP server instead of the controllers.

    :param server: the process that has it; a gateway may have it itself.
    :param domain: its users' domain, an address that it listens at.
    :param ledger_feed: whether it gets the gateways' ledgers.
    :param servers: the servers at the provider, if there are more.
    :ivar phones: the stock phones that were booted.
    :ivar ports: the blocks of those that have a lease.
    """

    def __init__(
        self,
        directory: Path,
        *,
        server: str = SIP_SERVER,
        domain: str = SERVER,
        ledger_feed: bool = True,
        servers: Mapping[str, str] = SIP_SERVERS,
    ) -> None:
        super().__init__(directory, ledger_feed=ledger_feed, servers=servers)
        self.server = server
        self.domain = domain
        self.phones: dict[str, Baresip] = {}
        self.ports: dict[str, Ports] = {}

    def write_sip(self, extra: str = "") -> None:
        """Write the configuration of the SIP server."""
        self.write(
            self.server,
            f"""
            {self.beyond_sites(self.server)}
            [mgc]
            enabled = false
            [sip]
            listen = ["{SERVER}:5060"]
            {users(self.domain)}
            {extra}
            """,
        )

    def write_sip_gateway(self, site: Site, sip: str = "[sip]\nenabled = false", extra: str = "") -> None:
        """Write the configuration of a gateway whose phones are SIP phones; by itself it has no SIP server of its own."""
        self.write_gateway(site, f"{sip}\n{users(self.domain)}\n{phones_of(site)}\n{extra}")

    def begin(self) -> None:
        """Start the SIP server and the gateways, and wait until they serve."""
        self.write_sip()
        self.start(self.server, "voxpath-sip")
        for site in (SITE_A, SITE_B):
            self.write_sip_gateway(site)
            self.start(site.gateway, "voxpath-sg")
        for name in (self.server, SITE_A.gateway, SITE_B.gateway):
            self.serving(name)

    # Phones.

    def boot(self, *names: str) -> None:
        """Take phones from power-up to their registration: lease, files over TFTP, program."""
        self.lease(*names)
        for name in names:
            self.phones[name] = Baresip(self.net, name, self.fetch(name), HANDSETS[name].tone_hz)
            self.phones[name].start()
        for name in names:
            self.phones[name].registered()

    def lease(self, *names: str) -> None:
        """Plug phones in and let them get their leases: by the shim if they are to have one, else by udhcpc."""
        handsets = [HANDSETS[name] for name in names]
        for each in handsets:
            self.add_host(each.site, each.name, each.mac)
            if each.shim:
                self.write(each.name, f'[phone]\ninterface = "eth0"\nmac = "{each.mac}"\nvendor_class = "{each.kind}"')
                self.start(each.name, "voxpath-phone", "--shim")
        for each in handsets:
            if each.shim:
                self._has_shim(each.name)
            else:
                Phone(self.net, each.name, each.mac, self.directory).udhcpc(vendor=each.kind)
            self.ports[each.name] = self.block_of(each.name)

    def _has_shim(self, name: str) -> None:
        try:
            until(lambda: self.phone_state(name).get("state") == "shim up", f"{name} has its shim")
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.log(name)}") from None

    def fetch(self, name: str) -> Path:
        """Fetch a phone's files with a stock TFTP client, into the directory that its program starts from."""
        handset = HANDSETS[name]
        directory = self.directory / f"phone-{name}"
        directory.mkdir(exist_ok=True)
        stem = f"{handset.kind}/{handset.mac.replace(':', '')}"
        for file in FILES[handset.kind]:
            self.net.run(name, ["sh", "-c", f"cd {directory} && exec tftp -m binary 10.0.0.1 -c get {stem}/{file} {file}"])
        return directory

    def block_of(self, name: str) -> Ports:
        """A phone's block, as its gateway tells it."""
        handset = HANDSETS[name]
        (row,) = [row for row in self.rows(handset.site.gateway, "blocks") if row["phone"] == handset.mac]
        public, ports = row["block"].split(":")
        return Ports(public, *map(int, ports.split("-")))

    # Calls.

    def talk(self, caller: str, callee: str) -> None:
        """Let one stock phone call another one, and wait until both hear each other's tone."""
        for name in (caller, callee):
            self.phones[name].forget()
        self.phones[caller].dial(f"sip:{self.aor(callee)}")
        for one, other in ((caller, callee), (callee, caller)):
            try:
                until(lambda one=one, other=other: self.phones[one].hears(HANDSETS[other].tone_hz), f"{one} hears {other}", 15)
            except AssertionError as error:
                outputs = "\n".join(f"{name}:\n{self.phones[name].output()[-5000:]}" for name in (caller, callee))
                raise AssertionError(f"{error}\n{outputs}") from None

    # Asking.

    def aor(self, name: str) -> str:
        """The address-of-record of a phone's user."""
        return f"{name}@{self.domain}"

    def at(self, name: str) -> str:
        """The combination address of a phone: its public address, and the first port of its block."""
        return f"{self.ports[name].public}:{self.ports[name].first}"

    def bindings(self) -> dict[str, dict[str, Any]]:
        """The rows of the SIP server's bindings by address-of-record."""
        return {row["aor"]: row for row in self.rows(self.server, "bindings")}

    def why(self, name: str, event: str) -> list[str]:
        """What ``why`` tells of a phone's user by events of one type."""
        return [row["text"] for row in self.rows(self.server, "why", self.aor(name)) if row["id"] == event]
