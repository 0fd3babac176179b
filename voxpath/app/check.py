"""All that can be wrong with a configuration, told at once, and all that is off, with the reason."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from voxpath.app import (
    check_addresses,
    check_classes,
    check_files,
    check_manhole,
    check_names,
    check_nat,
    check_options,
    check_phone,
    check_redundancy,
    check_roles,
    check_route,
    check_scopes,
    check_shared,
    check_sip,
    check_tftp,
    check_tls,
    values,
)
from voxpath.app.decode import FILE_LIMIT, LINE_LIMIT, Decoded, Problem, bounded, decode_partly
from voxpath.app.machine import Machine, look
from voxpath.app.schema import Config, Mgc
from voxpath.app.schema_sip import Sip
from voxpath.app.schema_tftp import Tftp
from voxpath.app.unread import as_far_as_read, each_read
from voxpath.app.values_nat import pool_ports
from voxpath.model.event import printable

CHECKS: tuple[Callable[[Config, Machine], Iterator[Problem]], ...] = (
    check_roles.check_state,
    check_addresses.check_realms,
    check_addresses.check_pools,
    check_addresses.check_blocks,
    check_addresses.check_pools_apart,
    check_addresses.check_services,
    check_roles.check_ports,
    check_scopes.check_scopes,
    check_scopes.check_scopes_here,
    check_scopes.check_scopes_realms,
    check_roles.check_dhcp,
    check_classes.check_classes,
    check_options.check_options,
    check_options.check_layouts,
    check_shared.check_shared,
    check_roles.check_blocks,
    check_scopes.check_reservations,
    check_roles.check_listening,
    check_addresses.check_listening_addresses,
    check_tftp.check_tftp,
    check_files.check_files,
    check_nat.check_backend,
    check_nat.check_nat,
    check_nat.check_mode,
    check_nat.check_napt,
    check_nat.check_firewall,
    check_nat.check_mss,
    check_nat.check_fast,
    check_roles.check_numbers,
    check_roles.check_mgc,
    check_sip.check_sip,
    check_sip.check_domains,
    check_sip.check_users,
    check_sip.check_users_phones,
    check_sip.check_settings,
    check_roles.check_feeds,
    check_redundancy.check_redundancy,
    check_roles.check_control,
    check_manhole.check_manhole,
    check_phone.check_phone,
    check_phone.check_shim,
)
"""The checks before a start, in the order in which their problems are told."""

THOROUGH = (
    check_roles.check_thresholds,
    check_nat.check_inside,
    check_tftp.check_floor,
    check_redundancy.check_standby_address,
    check_files.check_templates,
    check_tls.check_tls,
)
"""What an operator is told who asks for it, and what is no reason not to start: phones are served all the same."""


def check(config: Config, machine: Machine, *, thorough: bool = False) -> tuple[Problem, ...]:
    """Tell everything that is wrong; empty: the configuration can be started on this machine.

    :param config: whole or not; a check that asks for what could not be read says no more.
    :param thorough: whether to tell also what keeps nothing from starting.
    """
    config = check_redundancy.as_run(config)
    checks = CHECKS + THOROUGH if thorough else CHECKS
    return tuple(problem for one in checks for problem in as_far_as_read(one(config, machine)))


def machine_for(config: Config) -> Machine:
    """Look at this machine, as far as the configuration asks about it."""
    config = check_redundancy.as_run(config)
    others = frozenset(as_far_as_read(check_redundancy.standby_addresses(config)))
    return look(frozenset(as_far_as_read(_public(config))), check_addresses.used_addresses(config), others)


def _public(config: Config) -> Iterator[IPv4Address]:
    for _, public in each_read(config.pools, lambda pool: pool.public):
        yield public
    with suppress(ValueError):  # check_napt tells
        napt = pool_ports(config)
        if napt is not None:
            yield IPv4Address(napt.public)


def load(path: Path, *, thorough: bool = False) -> Decoded:
    """Read and check a file; the configuration is there only when nothing is wrong with it."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_LIMIT + 1)
    except OSError as error:
        return Decoded(None, (Problem("", f"{path}: {error.strerror}", "name a file that can be read"),))
    config, problems = decode_partly(text)
    if config is not None:
        problems = bounded((*problems, *check(config, machine_for(config), thorough=thorough)))
    return Decoded(None if problems else config, problems)


def off(config: Config, machine: Machine) -> list[str]:
    """State which parts of a real site are off here, each with the reason."""
    return [printable(line, LINE_LIMIT) for line, _ in _off(config, machine)]


def missed(config: Config, machine: Machine) -> list[str]:
    """State which of the parts that are off the configuration asks for; nobody misses one that it does not name, or turns off."""
    return [printable(line, LINE_LIMIT) for line, is_asked_for in _off(config, machine) if is_asked_for]


def _off(config: Config, machine: Machine) -> Iterator[tuple[str, bool]]:
    """What is off, and whether the configuration asks for it."""
    if is_for_phones(config):
        return
    if config.redundancy.role == "standby":
        yield from ((line, True) for line in check_redundancy.standby_off(config))
        return
    for name, role in _switches(config):
        if not role:
            yield f"{name}: off by enabled = false", False
    yield from _off_gateway(config, machine)
    if config.mgc.enabled and not config.numbers:
        yield "mgc: phones register, but no [[number]] can be called", config.mgc != Mgc()
    for line in check_sip.sip_off(config):
        yield line, bool(config.domains or config.users) or config.sip != Sip()
    if not config.subscribers and not config.subscription.enabled:
        yield "feed: off, since neither [[subscriber]] nor subscription is configured", False
    if not machine.root:
        # Who names such a port is told so before the start.
        yield "well-known ports (TFTP 69, DHCP 67): off, since this is not root", False


def _off_gateway(config: Config, machine: Machine) -> Iterator[tuple[str, bool]]:
    if config.dhcp.enabled and not config.scopes:
        yield "dhcp: off, since no [[scope]] names an interface", bool(config.dhcp.macs or config.classes)
    reason = _nat_off(config, machine)
    if reason:
        asked = config.nat.backend != "memory" and bool(config.nat.outside or config.scopes)
        yield f"nat: in memory only, {reason}: no packet of a phone is translated", asked
    root = values.in_state(config, config.tftp.root)
    if config.tftp.enabled and not root.is_dir():
        asked = config.tftp.root != Tftp().root or any(entry.image or entry.application for entry in config.classes)
        yield f"tftp: no boot images, since there is no directory {root}", asked


def _nat_off(config: Config, machine: Machine) -> str:
    """Why the kernel translates nothing; empty: it does."""
    if config.nat.backend == "memory":
        return 'by backend = "memory"'
    if config.nat.backend == "auto" and not config.nat.outside:
        return "since nat.outside names no interface"
    return "since this is not root" if config.nat.backend == "auto" and not machine.root else ""


def is_for_phones(config: Config) -> bool:
    """Whether a file is for ``voxpath-phone`` alone, which has no other part that could be off."""
    return bool(config.phone.interface or config.phone.static) and not (config.realms or config.scopes or config.domains)


def _switches(config: Config) -> tuple[tuple[str, bool], ...]:
    return (
        ("dhcp", config.dhcp.enabled),
        ("tftp", config.tftp.enabled),
        ("mgc", config.mgc.enabled),
        ("sip", config.sip.enabled),
        ("control", config.control.enabled),
    )


def notes(config: Config, file: Path | None = None) -> list[str]:
    """State what is allowed and yet worth knowing.

    :param file: where the configuration was read from; ``None``: from no file.
    """
    config = check_redundancy.as_run(config)
    found = [
        *_reachable(config),
        *_without_controllers(config),
        *_short_of_blocks(config),
        *_readable_passwords(config, file),
        *check_scopes.scope_notes(config),
        *check_route.route_notes(config),
        *check_names.name_notes(config),
        *check_tftp.tftp_notes(config),
        *check_classes.class_notes(config),
        *check_files.image_notes(config),
        *check_files.dated_notes(config),
        *check_options.option_notes(config),
        *check_nat.nat_notes(config),
        *check_sip.sip_notes(config),
        *check_files.files_notes(config),
        *check_redundancy.redundancy_notes(config),
        *check_manhole.manhole_notes(config),
    ]
    return [printable(line, LINE_LIMIT) for line in found]


def _reachable(config: Config) -> Iterator[str]:
    for name, local in check_addresses.listening(config):
        if not IPv4Address(local.host).is_loopback:
            yield f"{name}: {local} can be reached from beyond this machine"


def _without_controllers(config: Config) -> Iterator[str]:
    # Users' phones are SIP phones, of whatever class: a controller is nothing to them.
    of_users = any(user.phone is not None for user in config.users)
    for place, entry in enumerate(config.classes):
        if not entry.mgcs and (entry.image or not of_users):
            yield f"class[{place}].mgcs: is empty: phones of class {entry.name!r} are told of no controller by DHCP"


def _short_of_blocks(config: Config) -> Iterator[str]:
    for place, scope in enumerate(config.scopes):
        phones = int(scope.addresses[1]) - int(scope.addresses[0]) + 1
        for entry in config.classes:
            size = values.block_size(config, entry)
            blocks = sum(check_roles.capacity(config, pool, size) for pool in config.pools if pool.realm == scope.realm)
            if blocks < phones:
                yield f"scope[{place}]: {phones} addresses, but {blocks} blocks of {size} ports for class {entry.name!r}"


def _readable_passwords(config: Config, file: Path | None) -> Iterator[str]:
    if file is not None and any(user.password for user in config.users) and file.stat().st_mode & check_roles.OTHERS:
        yield f"{file}: holds passwords, and every user of this machine can read it; write chmod o= {file}"
