"""The phone record: all that a template may know of a phone, flat and as one-line texts (TFT-9).

A host name comes from the wire, and other texts from the configuration.
Here is the one place where they become texts of one line, so that no template can let them bring a line of their own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Address
from typing import Any

from voxpath.model.address import Endpoint
from voxpath.model.event import printable
from voxpath.model.phone import MEGACO_PORT, Provision
from voxpath.model.ports import PortBlock
from voxpath.model.user import Showing, SipAccount

TIME_SERVERS, LOG_SERVERS, NTP_SERVERS, TFTP_SERVERS = 4, 7, 42, 150
"""Codes of the DHCP options (RFC 2132, RFC 5859) that files tell again, since not all phones take them from DHCP."""
ADDRESS_OCTETS = 4

MASK = "********"
"""In place of a password that is not to be shown."""

PLACE_HOLDERS: dict[str, Callable[[Provision], object]] = {
    "mac": lambda provision: provision.lease.mac,
    "address": lambda provision: provision.lease.address,
    "public_address": lambda provision: provision.block.public,
    "first_port": lambda provision: provision.block.first,
    "last_port": lambda provision: provision.block.last,
}
"""What may stand in braces in the lines that a phone class adds: nothing that a phone could choose itself."""

_PLACE_HOLDER = re.compile(r"\{([a-z_]+)\}")


def place_holders(line: str) -> list[str]:
    """The names in braces; all other braces stand for themselves."""
    return _PLACE_HOLDER.findall(line)


def signalling_port(block: PortBlock) -> int:
    """The port for signalling, whatever its protocol: the first of the block."""
    return block.first


def media_ports(block: PortBlock) -> range:
    """The ports for RTP and RTCP: from the first even one behind the signalling port (decision D15); empty for one port."""
    return range(block.first + 2, block.last + 1)


@dataclass(frozen=True, slots=True)
class MacForms:
    """An Ethernet address as makers write it; as it is, with colons.

    :ivar plain: twelve digits in lower case.
    :ivar upper: twelve digits in upper case.
    :ivar dashes: lower case with dashes.
    """

    colons: str
    plain: str
    upper: str
    dashes: str

    def __str__(self) -> str:
        return self.colons


@dataclass(frozen=True, slots=True)
class Account:
    """A SIP user of the phone.

    :ivar number: which one of the phone's users, from 1 on.
    :ivar user: the user part of its address, and its digest user name.
    :ivar domain: the domain: registrar and proxy are found by it.
    :ivar port: the SIP server's port there.
    :ivar host: the domain, with the port unless it is the well-known one.
    :ivar uri: ``user@host``.
    :ivar password: its digest password; empty: it needs none.
    :ivar expires_s: for how long the phone is to register at a time.
    :ivar sip_port: a local port of the phone's block for phones that want one for each user; the first user has the phone's own.
    """

    number: int
    user: str
    domain: str
    port: int
    host: str
    uri: str
    password: str = field(repr=False)
    expires_s: int
    sip_port: int


@dataclass(frozen=True, slots=True)
class PhoneRecord:
    """One phone.

    :ivar mac: its Ethernet address; ``mac.plain``, ``mac.upper`` and ``mac.dashes`` are other spellings.
    :ivar address: its own address.
    :ivar prefix_length: of its subnet.
    :ivar netmask: the same as a mask.
    :ivar router: its router.
    :ivar server: the DHCP server.
    :ivar tftp_server: the file server.
    :ivar dns: name servers.
    :ivar domain: the DNS domain.
    :ivar host_name: what it calls itself; it chose that.
    :ivar phone_class: the name of its class.
    :ivar realm: the name of its realm.
    :ivar lease_s: length of its lease, in seconds.
    :ivar image: its boot image; empty: none.
    :ivar application: what it loads after its configuration; empty: nothing.
    :ivar public_address: the address of its port block: its NAT address.
    :ivar first_port: the first port of its block.
    :ivar last_port: the last one.
    :ivar sip_port: its port for signalling: the first one of the block.
    :ivar rtp_first_port: the first port for media, an even one; 0: the block has none.
    :ivar rtp_last_port: the last one, an odd one; 0: the block has none.
    :ivar mgcs: media gateway controllers, primary first, with ports.
    :ivar accounts: its SIP users, in the order of the configuration.
    :ivar showing: how it shows its public address and port in calls: ``not``, ``gruu`` or ``self``.
    :ivar time_servers: of RFC 868.
    :ivar ntp_servers: of NTP.
    :ivar log_servers: of syslog.
    :ivar settings: the lines that its class adds, place-holders filled in.
    """

    mac: MacForms
    address: str
    prefix_length: int
    netmask: str
    router: str
    server: str
    tftp_server: str
    dns: tuple[str, ...]
    domain: str
    host_name: str
    phone_class: str
    realm: str
    lease_s: int
    image: str
    application: str
    public_address: str
    first_port: int
    last_port: int
    sip_port: int
    rtp_first_port: int
    rtp_last_port: int
    mgcs: tuple[str, ...]
    accounts: tuple[Account, ...]
    showing: str
    time_servers: tuple[str, ...]
    ntp_servers: tuple[str, ...]
    log_servers: tuple[str, ...]
    settings: tuple[str, ...]

    @property
    def names(self) -> dict[str, Any]:
        """What a template knows, by name."""
        return {name: getattr(self, name) for name in FIELDS}

    def masked(self) -> "PhoneRecord":
        """The record without its passwords, for eyes that need them not."""
        hidden = (replace(account, password=MASK) if account.password else account for account in self.accounts)
        return replace(self, accounts=tuple(hidden))


FIELDS = tuple(each.name for each in fields(PhoneRecord))
"""The names that every template knows."""


def record_of(provision: Provision, users: tuple[SipAccount, ...] = ()) -> PhoneRecord:
    """Make the record from what a phone was given, and from its users."""
    lease, block, scope, kind = provision.lease, provision.block, provision.scope, provision.phone_class
    media = media_ports(block)
    told = {**dict(scope.options), **dict(kind.options)}
    return PhoneRecord(
        mac=MacForms(str(lease.mac), lease.mac.hex(), lease.mac.hex().upper(), str(lease.mac).replace(":", "-")),
        address=str(lease.address),
        prefix_length=scope.subnet.prefixlen,
        netmask=str(scope.subnet.netmask),
        router=str(scope.router or scope.server),
        server=str(scope.server),
        tftp_server=next(iter(_addresses(told, TFTP_SERVERS)), str(scope.server)),
        dns=tuple(map(str, scope.dns)),
        domain=_line(scope.domain),
        host_name=_line(lease.host_name),
        phone_class=_line(kind.name),
        realm=_line(scope.realm),
        lease_s=kind.lease_s,
        image=_line(kind.image),
        application=_line(kind.application),
        public_address=str(block.public),
        first_port=block.first,
        last_port=block.last,
        sip_port=signalling_port(block),
        rtp_first_port=media[0] if media else 0,
        rtp_last_port=media[-1] if media else 0,
        mgcs=tuple(_line(str(Endpoint.parse(mgc, MEGACO_PORT))) for mgc in kind.mgcs),
        accounts=tuple(_account(number, user, block) for number, user in enumerate(users, 1)),
        showing=(users[0].user.showing if users else Showing.NOT).value,
        time_servers=_addresses(told, TIME_SERVERS),
        ntp_servers=_addresses(told, NTP_SERVERS),
        log_servers=_addresses(told, LOG_SERVERS),
        settings=tuple(_line(_filled(line, provision)) for line in kind.settings),
    )


def _account(number: int, account: SipAccount, block: PortBlock) -> Account:
    return Account(
        number=number,
        user=_line(account.user.name),
        domain=_line(account.user.domain),
        port=account.port,
        host=_line(account.host),
        uri=_line(account.uri),
        password=_line(account.user.password),
        expires_s=account.expires_s,
        sip_port=_own_port(number, block),
    )


def _own_port(number: int, block: PortBlock) -> int:
    """The second user has the port between signalling and media, further ones those at the end, where media comes last."""
    beyond = number - 3
    return min(block.first + number - 1, block.last) if beyond < 0 else max(block.last - beyond, block.first)


def _addresses(told: Mapping[int, bytes], code: int) -> tuple[str, ...]:
    octets = told.get(code, b"")
    return tuple(
        str(IPv4Address(octets[at : at + ADDRESS_OCTETS])) for at in range(0, len(octets) - ADDRESS_OCTETS + 1, ADDRESS_OCTETS)
    )


def _filled(line: str, provision: Provision) -> str:
    def value(found: re.Match[str]) -> str:
        known = PLACE_HOLDERS.get(found[1])
        return str(known(provision)) if known is not None else found[0]

    return _PLACE_HOLDER.sub(value, line)


def _line(text: str) -> str:
    """One line, and not cut: a part of a name or of a list means something else."""
    return printable(text, len(text))
