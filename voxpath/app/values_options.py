"""From the configured DHCP options to their octets; :mod:`voxpath.app.check_options` has found no error in them."""

from collections.abc import Iterable

from voxpath.app.schema_dhcp import PhoneClass, Scope
from voxpath.app.schema_options import Option
from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import pack_sub_options, write_parts
from voxpath.dhcp.value import encode_addresses, encode_sip_servers, encode_value

Encoded = tuple[tuple[int, bytes], ...]


def scope_options(scope: Scope) -> Encoded:
    """What a scope tells its phones beyond subnet, router, name servers and domain.

    :raises ValueError: a value is not of its type.
    :raises LocalError: one is too long.
    """
    options = _options(scope, scope.options)
    subs = vendor_subs(scope.options)
    if subs:
        options[code.VENDOR] = pack_sub_options(dict(subs))
    return tuple(options.items())


def class_options(entry: PhoneClass) -> Encoded:
    """What a class tells its phones in the place of what the scope does; raises what :func:`scope_options` raises."""
    return tuple(_options(entry, entry.options).items())


def vendor_subs(options: Iterable[Option]) -> Encoded:
    """Sub-options of option 43."""
    return tuple(
        (option.sub, encode_value(option.type, option.value)) for option in options if option.code == code.VENDOR and option.sub
    )


def enterprise_parts(options: Iterable[Option]) -> dict[int, bytes]:
    """What option 125 says, by enterprise number: sub-options one after the other, or a whole value."""
    parts: dict[int, bytes] = {}
    for option in options:
        if option.code == code.ENTERPRISE:
            data = encode_value(option.type, option.value)
            if option.sub:
                data = pack_sub_options({option.sub: data})
            parts[option.enterprise] = parts.get(option.enterprise, b"") + data
    return parts


def _options(section: Scope | PhoneClass, options: tuple[Option, ...]) -> dict[int, bytes]:
    lists = {
        code.TIME_SERVER: section.time_servers,
        code.NTP_SERVER: section.ntp_servers,
        code.TFTP_SERVERS: section.tftp_servers,
    }
    encoded = {option: encode_addresses(servers) for option, servers in lists.items() if servers}
    if section.sip_servers:
        encoded[code.SIP_SERVERS] = encode_sip_servers(section.sip_servers)
    parts = enterprise_parts(options)
    if parts:
        encoded[code.ENTERPRISE] = write_parts(parts.items())
    for option in options:
        if option.code != code.ENTERPRISE and not option.sub:
            encoded[option.code] = encode_value(option.type, option.value)
    return encoded
