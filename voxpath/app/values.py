"""From the configuration to the values that the cores speak of.

All functions take a configuration that :func:`voxpath.app.check.check` found no error in.
"""

from ipaddress import IPv4Address
from pathlib import Path

from voxpath.app.schema import Config
from voxpath.app.schema_dhcp import PhoneClass, Scope
from voxpath.app.secret import FORCERENEW_KEY, secret_in
from voxpath.app.values_options import class_options, scope_options, vendor_subs
from voxpath.dhcp.probe import ProbeSettings
from voxpath.dhcp.settings import DhcpSettings
from voxpath.flow.admit import Admission
from voxpath.io.tls import Identity
from voxpath.megaco.calls import CallTimes
from voxpath.megaco.message import MId
from voxpath.megaco.mgc import ControllerSettings
from voxpath.model import phone as model
from voxpath.model.call import Line
from voxpath.model.ports import PortBlock
from voxpath.model.realm import Realm
from voxpath.ports.pools import Pool
from voxpath.tftp.options import Limits
from voxpath.tftp.session import DEFAULT_WRITES, TftpSettings


def in_state(config: Config, path: str) -> Path:
    """Where a path of the file lies: relative ones in ``state``."""
    return Path(config.state) / path


def realms(config: Config) -> tuple[Realm, ...]:
    """The realms."""
    return tuple(Realm(realm.name, realm.private, realm.public) for realm in config.realms)


def replicated(config: Config) -> dict[str, Path]:
    """The directories that are the same on a standby, by the name that both hosts call them (TFT-7)."""
    found = {"images": config.tftp.root, "templates": config.tftp.templates, "uploads": config.tftp.uploads}
    return {name: in_state(config, path) for name, path in found.items() if path}


def scopes(config: Config) -> tuple[model.Scope, ...]:
    """The DHCP scopes."""
    return tuple(
        model.Scope(
            name=scope.name,
            interface=link_of(scope),
            subnet=scope.subnet,
            server=scope.server,
            first=scope.addresses[0],
            last=scope.addresses[1],
            realm=scope.realm,
            dns=scope.dns,
            domain=scope.domain,
            router=scope.router,
            relays=scope.relays,
            group=scope.group,
            trust_circuits=scope.trust_circuits,
            options=scope_options(scope),
            shared=scope.shared,
            inform=scope.inform,
            static_limit=scope.static_limit,
            static_s=scope.static_s,
        )
        for scope in config.scopes
    )


def link_of(scope: Scope) -> str:
    """What the link of a scope is called: a VLAN as the kernel would call its interface."""
    return f"{scope.interface}.{scope.vlan}" if scope.vlan else scope.interface


def block_size(config: Config, phone_class: PhoneClass) -> int:
    """Ports of a block for this class: its own number, else what its lines need, else the default (GEN-5).

    :raises ValueError: no block is that large.
    """
    if phone_class.ports:
        return phone_class.ports
    if phone_class.lines:
        return model.block_size(phone_class.lines, phone_class.extra)
    return config.ports.block


def classes(config: Config) -> tuple[model.PhoneClass, ...]:
    """The phone classes, in the order of the file, with the sizes that their images have now (DHC-12)."""
    return tuple(
        model.PhoneClass(
            name=entry.name,
            vendor_classes=entry.vendor_classes,
            ports=block_size(config, entry),
            lease_s=entry.lease_s,
            image=entry.image,
            mgcs=tuple(str(mgc) for mgc in entry.mgcs),
            layout=entry.layout,
            image_octets=_size(in_state(config, config.tftp.root) / entry.image) if entry.image else 0,
            root_path=entry.root_path,
            settings=entry.settings,
            client_ids=tuple(mark.octets for mark in entry.client_ids),
            fingerprints=tuple(bytes(codes) for codes in entry.fingerprints),
            url=entry.url,
            parameters=entry.parameters,
            options=class_options(entry),
            sub_options=vendor_subs(entry.options),
            forcerenew=entry.forcerenew,
            application=entry.application,
        )
        for entry in config.classes
    )


def pools(config: Config) -> tuple[Pool, ...]:
    """The ledger's pools, in the order of the file: the first is filled before the next is used."""
    return tuple(Pool(entry.public, *entry.ports, entry.realm) for entry in config.pools)


def shared_files(config: Config) -> frozenset[str]:
    """Names of files that are everybody's, whatever they look like."""
    return frozenset(name for entry in config.classes for name in (entry.image, entry.application) if name)


def tftp_settings(config: Config) -> TftpSettings:
    """The limits of the file server, and its ports (TFT-2, TFT-5)."""
    options = config.tftp
    return TftpSettings(
        limits=Limits(options.blksize_max, options.windowsize_max),
        writes=DEFAULT_WRITES if options.uploads else 0,
        data_ports=(options.data_ports[0], options.data_ports[-1]) if options.data_ports else None,
        single_port=options.single_port,
    )


def fixed_blocks(config: Config) -> dict[str, PortBlock]:
    """Blocks that are kept for a phone for ever, by holder."""
    return {str(entry.mac): PortBlock(entry.public, entry.ports[0], entry.ports[1] - entry.ports[0] + 1) for entry in config.blocks}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def dhcp_settings(config: Config) -> DhcpSettings:
    """Times and choices of the DHCP server.

    :raises LocalError: the secret of the state directory cannot be read.
    """
    options = config.dhcp
    return DhcpSettings(
        authoritative=options.authoritative,
        probation_s=options.probation_s,
        enterprise=options.enterprise,
        warn_at=options.warn_at,
        secret=secret_in(in_state(config, FORCERENEW_KEY)),
    )


def probe_settings(config: Config, identifier: int) -> ProbeSettings:
    """How addresses are verified (DHC-16).

    :param identifier: of the ICMP echo messages, 16 bits.
    """
    options = config.dhcp
    return ProbeSettings(options.probe_wait_s, options.probe_stock, options.probe_age_s, options.probation_s, identifier)


def reservations(config: Config) -> tuple[model.Reservation, ...]:
    """Fixed addresses (DHC-15)."""
    return tuple(
        model.Reservation(
            entry.address,
            entry.mac,
            entry.client_id.octets if entry.client_id is not None else None,
            entry.circuit_id.octets if entry.circuit_id is not None else None,
            entry.phone_class,
        )
        for entry in config.reservations
    )


def admission(config: Config) -> Admission:
    """Whom DHCP serves (DHC-2 to DHC-4, DHC-15)."""
    macs = ((rule.first, rule.last) for rule in config.dhcp.macs)
    return Admission(macs, classes(config), reservations(config))


def lines(config: Config) -> dict[str, Line]:
    """The number plan: each number with its line."""
    return {entry.number: Line(model.identity_of(entry.phone), entry.termination) for entry in config.numbers}


def service_blocks(config: Config) -> dict[str, PortBlock]:
    """Ports that the gateway's own roles claim in the ledger, by holder."""
    return {f"service:{entry.name}": PortBlock(entry.public, entry.port, 1) for entry in config.ports.services}


def trusted(config: Config) -> tuple[IPv4Address, ...]:
    """Who reaches every leased port in the call-aware mode: whom the phones' signalling comes from (FWL-4)."""
    controllers = (IPv4Address(mgc.endpoint.host) for entry in config.classes for mgc in entry.mgcs)
    return tuple(dict.fromkeys((*controllers, *config.nat.trusted)))


def identity(config: Config) -> Identity:
    """The certificate of this host, its key and the authority."""
    tls = config.tls
    return Identity(in_state(config, tls.ca), in_state(config, tls.certificate), in_state(config, tls.key))


def controller_settings(config: Config) -> ControllerSettings:
    """How the controller speaks MEGACO; unless it is told another one, its first address is its identifier."""
    options = config.mgc
    first = options.listen[0].endpoint
    mid = MId.parse(options.mid) if options.mid else MId.of_address(first.host, first.port)
    return ControllerSettings(mid, realms(config), compact=options.compact, times=CallTimes(ring_s=options.ring_s))
