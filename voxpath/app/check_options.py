"""Checks of DHCP options: those that the server writes itself, wrong types and values, and what a layout has no room for."""

from collections.abc import Iterator
from typing import NamedTuple

from voxpath.app import values, values_options
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.schema import Config
from voxpath.app.schema_dhcp import PhoneClass, Scope
from voxpath.app.schema_options import Option
from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import MAX_DATA
from voxpath.dhcp.layout import LAYOUTS
from voxpath.dhcp.reply import longest_reply
from voxpath.dhcp.shown import TYPES
from voxpath.dhcp.value import KINDS, encode_sip_servers, encode_value
from voxpath.dhcp.wire import DEFAULT_MESSAGE

OWN = "the server writes it itself"
SERVER_OWNS = {
    **dict.fromkeys(range(50, 60), (OWN, "remove it; the lease's times follow from lease_s of the [[class]]")),
    **dict.fromkeys((61, 82, 118, 124), (OWN, "remove it; it only answers what a phone or a relay sent")),
    **dict.fromkeys(code.FLAT_CODES, (OWN, "remove it; each phone gets values of its own")),
    1: (OWN, "remove it; it follows from the scope's subnet"),
    12: (OWN, "remove it; each phone gets a name of its own"),
}
"""Codes that no entry may have: why, and what to do."""

KEYS = {
    "scope": {3: "router", 4: "time_servers", 6: "dns", 15: "domain", 42: "ntp_servers", 120: "sip_servers", 150: "tftp_servers"},
    "class": {
        4: "time_servers",
        13: "image",
        17: "root_path",
        42: "ntp_servers",
        66: "url",
        120: "sip_servers",
        150: "tftp_servers",
    },
}
"""Codes that have a key of their own in the section."""
OF_CLASSES = {13: "image", 17: "root_path", 66: "url", 67: "image"}
"""Codes that have a key in `[[class]]` alone, since no two makes of phones want the same."""


class Place(NamedTuple):
    """A section with options of its own.

    :ivar path: such as ``class[1]``.
    """

    path: str
    section: Scope | PhoneClass

    @property
    def options(self) -> tuple[Option, ...]:
        """Its options by number."""
        return self.section.options

    @property
    def entry(self) -> PhoneClass | None:
        """The class; ``None``: it is a scope."""
        return self.section if isinstance(self.section, PhoneClass) else None


def check_options(config: Config, machine: Machine) -> Iterator[Problem]:
    """Every option of every scope and class."""
    places = [Place(f"scope[{number}]", scope) for number, scope in enumerate(config.scopes)]
    places += [Place(f"class[{number}]", entry) for number, entry in enumerate(config.classes)]
    for place in places:
        yield from _check_place(place)


def option_notes(config: Config) -> list[str]:
    """State where a reply has no room for all options, unless a phone announces longer messages."""
    found = []
    for place, entry in enumerate(values.classes(config)):
        for scope in values.scopes(config):
            octets = longest_reply(scope, entry)
            if octets > DEFAULT_MESSAGE:
                found.append(
                    f"class[{place}]: a reply in scope {scope.name!r} has {octets} octets; phones that announce no more than "
                    f"{DEFAULT_MESSAGE} by option 57 are not told all of it"
                )
    return found


def check_layouts(config: Config, machine: Machine) -> Iterator[Problem]:
    """What a class adds to its layout has room there."""
    for number, entry in enumerate(config.classes):
        path, layout = f"class[{number}]", LAYOUTS[entry.layout]
        if entry.parameters and not layout.parameters:
            known = " or ".join(name for name, each in LAYOUTS.items() if each.parameters)
            yield Problem(
                f"{path}.parameters", f"layout {entry.layout!r} has no such texts", f"write layout = {known}, or remove them"
            )


def _check_place(place: Place) -> Iterator[Problem]:
    if place.section.sip_servers:
        try:
            encode_sip_servers(place.section.sip_servers)
        except ValueError as error:
            yield Problem(f"{place.path}.sip_servers", str(error), "write addresses alone, or names alone")
    seen: dict[tuple[int, int, int], int] = {}
    wrong = False
    for number, option in enumerate(place.options):
        path = f"{place.path}.option[{number}]"
        key = (option.code, option.enterprise, option.sub)
        if key in seen:
            yield Problem(path, f"is {place.path}.option[{seen[key]}] again", "write one of them, with a list as its value")
        seen.setdefault(key, number)
        for problem in _check_option(place, option, path):
            wrong = True
            yield problem
    if not wrong:
        yield from _check_divided(place)


def _check_option(place: Place, option: Option, path: str) -> Iterator[Problem]:
    yield from _check_code(place, option, path)
    yield from _check_parts(option, path)
    # `hex` may always be written in place of the standard's type.
    wanted = TYPES.get(option.code)
    if wanted is not None and option.type not in (wanted, "hex"):
        yield Problem(f"{path}.type", f"option {option.code} is {KINDS[wanted].words}", f'write type = "{wanted}"')
        return
    try:
        data = encode_value(option.type, option.value)
    except ValueError as error:
        yield Problem(f"{path}.value", str(error), f"write {KINDS[option.type].words}, or another type")
        return
    if option.sub and len(data) > MAX_DATA:
        yield Problem(f"{path}.value", f"has {len(data)} octets", f"a sub-option has at most {MAX_DATA}")


def _check_code(place: Place, option: Option, path: str) -> Iterator[Problem]:
    kind = "scope" if place.entry is None else "class"
    if option.code in SERVER_OWNS:
        what, todo = SERVER_OWNS[option.code]
        yield Problem(f"{path}.code", f"option {option.code}: {what}", todo)
    elif option.code in KEYS[kind]:
        key = KEYS[kind][option.code]
        yield Problem(f"{path}.code", f"option {option.code} has a key of its own", f"write {key} in the [[{kind}]] instead")
    elif place.entry is None and option.code in OF_CLASSES:
        yield Problem(f"{path}.code", f"option {option.code} is a class's", f"write {OF_CLASSES[option.code]} in the [[class]]")
    elif place.entry is not None and option.code == code.BOOT_FILE and place.entry.image:
        yield Problem(f"{path}.code", "option 67 is the class's image already", "remove it, or image")


def _check_parts(option: Option, path: str) -> Iterator[Problem]:
    if option.sub and option.code not in (code.VENDOR, code.ENTERPRISE):
        yield Problem(f"{path}.sub", f"option {option.code} has no sub-options", "remove it; options 43 and 125 have some")
    if option.code == code.ENTERPRISE and not option.enterprise:
        yield Problem(f"{path}.enterprise", "is missing", "add the enterprise number that the data is for")
    if option.code != code.ENTERPRISE and option.enterprise:
        yield Problem(f"{path}.enterprise", f"option {option.code} has none", "remove it, or write code = 125")


def _check_divided(place: Place) -> Iterator[Problem]:
    """Options 43 and 125 as wholes."""
    path = f"{place.path}.option"
    for enterprise, data in values_options.enterprise_parts(place.options).items():
        if len(data) > MAX_DATA:
            yield Problem(path, f"{len(data)} octets for enterprise {enterprise}", f"option 125 has room for {MAX_DATA} (RFC 3925)")
    whole = any(option.code == code.VENDOR and not option.sub for option in place.options)
    subs = {sub for sub, _ in values_options.vendor_subs(place.options)}
    if whole and subs:
        yield Problem(path, "option 43 stands there as a whole, and divided", "write all of its parts with sub, or none")
    if place.entry is None:
        return
    layout = LAYOUTS[place.entry.layout]
    if (whole and layout.subs != frozenset()) or (subs and layout.subs is None):
        yield Problem(path, f"layout {place.entry.layout!r} writes option 43", 'remove the entry, or write layout = "none"')
    for sub in sorted(subs & (layout.subs or frozenset())):
        yield Problem(path, f"layout {place.entry.layout!r} writes sub-option {sub} of option 43", "remove the entry")
