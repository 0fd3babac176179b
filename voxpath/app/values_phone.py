"""What the software phones take from the configuration."""

from dataclasses import replace

from voxpath.app.schema import Config, Static
from voxpath.dhcp.message import INFINITE_S
from voxpath.megaco.outgoing import BACKOFF
from voxpath.model.address import Mac
from voxpath.model.phone import BootLease, OwnAddress
from voxpath.model.ports import PortBlock
from voxpath.phone.gateway import GatewaySettings
from voxpath.phone.user import Habits, Timetable


def phone_macs(config: Config) -> tuple[Mac, ...]:
    """Ethernet addresses of the software phones: consecutive ones."""
    first = int.from_bytes(config.phone.mac, "big")
    return tuple(Mac((first + place).to_bytes(6, "big")) for place in range(config.phone.count))


def static_phone(config: Config, mac: Mac) -> BootLease | OwnAddress | None:
    """What a phone without a lease is told by hand: everything (PHN-2), or less (PHN-18); ``None`` for the others.

    :raises ValueError: the ports are no block.
    """
    static = config.phone.static
    if config.phone.dhcp or static is None:
        return None
    own = OwnAddress(
        mac=mac,
        address=static.address.ip,
        prefix_length=static.address.network.prefixlen,
        router=static.router,
        tftp=str(static.tftp) if static.tftp is not None else "",
        boot_file=static.boot_file,
        block=_block(static),
        mgcs=tuple(mgc.endpoint for mgc in static.mgcs),
    )
    return _whole(own, own.block) if own.block is not None and own.mgcs else own


def asks_dhcp(config: Config) -> bool:
    """Whether the phones send anything by DHCP: for a lease, or for what `[phone.static]` does not tell."""
    static = config.phone.static
    return config.phone.dhcp or (static is not None and (static.public is None or static.ports is None or not static.mgcs))


def _block(static: Static) -> PortBlock | None:
    if static.public is None or static.ports is None:
        return None
    first, last = static.ports
    return PortBlock(static.public, first, last - first + 1)


def _whole(own: OwnAddress, block: PortBlock) -> BootLease:
    return BootLease(
        mac=own.mac,
        address=own.address,
        prefix_length=own.prefix_length,
        router=own.router,
        server=own.router or own.address,
        lease_s=INFINITE_S,
        tftp=own.tftp,
        boot_file=own.boot_file,
        block=block,
        mgcs=own.mgcs,
    )


def gateway_settings(config: Config) -> GatewaySettings:
    """How the software phones speak MEGACO."""
    return GatewaySettings(backoff=replace(BACKOFF, give_up_s=config.phone.registration_timeout_s))


def habits(config: Config, mac: Mac) -> Habits:
    """What the person at a software phone does."""
    options = config.phone
    calls = tuple(Timetable(call.number, call.after_s, call.length_s, call.every_s) for call in options.calls if call.phone == mac)
    return Habits(answer_after_s=options.answer_after_s if options.answer else None, calls=calls)
