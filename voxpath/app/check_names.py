"""A note about phones that are told names and no DNS server (option 6) that could give them the addresses."""

from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from voxpath.app.schema import Config
from voxpath.app.schema_dhcp import PhoneClass, Scope
from voxpath.app.schema_options import Option
from voxpath.dhcp import options as code

SEARCHED = (119,)
"""Options whose names only complete others: nobody needs an address of theirs (RFC 3397)."""
SHOWN = 4
"""Names that a note tells; of the others it says how many there are."""


def name_notes(config: Config) -> Iterator[str]:
    """Tell for each scope without a DNS server which names its phones are told; a class may tell a DNS server of its own."""
    if not config.dhcp.enabled:
        return
    without = [(f"class[{place}]", entry) for place, entry in enumerate(config.classes) if not _tells_dns(entry)]
    for place, scope in enumerate(config.scopes):
        if scope.dns or not without:
            continue
        found = list(_names(f"scope[{place}]", scope))
        found += [text for path, entry in without for text in _names(path, entry)]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            what = f"is empty: phones told of no DNS server cannot resolve {', '.join(found[:SHOWN])}{more}"
            yield f"scope[{place}].dns: {what}; name DNS servers, or write addresses instead"


def _tells_dns(entry: PhoneClass) -> bool:
    return any(option.code == code.DNS_SERVER for option in entry.options)


def _names(path: str, section: Scope | PhoneClass) -> Iterator[str]:
    """The names of hosts in what a section tells, each with its place."""
    told: list[tuple[str, str]] = [("sip_servers", server) for server in section.sip_servers]
    if isinstance(section, PhoneClass):
        told.append(("url", _host(section.url)))
    for number, option in enumerate(section.options):
        told += [(f"option[{number}]", host) for host in _hosts(option)]
    for key, host in dict.fromkeys(told):
        if _is_name(host):
            yield f"{host} ({path}.{key})"


def _hosts(option: Option) -> Iterable[str]:
    values = option.value if isinstance(option.value, tuple) else (option.value,)
    texts = [value for value in values if isinstance(value, str)]
    if option.type == "names":
        return () if option.code in SEARCHED else texts
    return [_host(text) for text in texts if "://" in text] if option.type == "text" else ()


def _host(place: str) -> str:
    """The host of a URL, which phones also take without its scheme; empty: it has none."""
    try:
        return urlsplit(place if "://" in place else f"//{place}").hostname or ""
    except ValueError:
        return ""


def _is_name(host: str) -> bool:
    """Whether it is neither an address nor nothing."""
    try:
        IPv4Address(host)
    except AddressValueError:
        return bool(host) and ":" not in host
    return False
