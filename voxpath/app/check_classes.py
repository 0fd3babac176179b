"""Checks of phone classes: what selects them, and the controllers that they name."""

from collections.abc import Container, Hashable, Iterator
from ipaddress import IPv4Address

from voxpath.app.check_addresses import duplicates
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.phone_classes import probably, shipped
from voxpath.app.schema import Config
from voxpath.app.schema_dhcp import PhoneClass
from voxpath.app.unread import as_far_as_read
from voxpath.dhcp.options import MAX_MGCS
from voxpath.model.event import printable


def check_classes(config: Config, machine: Machine) -> Iterator[Problem]:
    """What a phone says selects one phone class, and its controllers are hosts."""
    yield from duplicates("class", "name", config.classes, lambda entry: entry.name, "give each class a name of its own")
    seen: dict[Hashable, str] = {}
    for place, entry in enumerate(config.classes):
        path = f"class[{place}]"
        yield from as_far_as_read(_check_like(entry, path))
        yield from as_far_as_read(_check_selectors(entry, path, seen))
        yield from as_far_as_read(_check_controllers(entry, path))
    fixed = {reservation.phone_class for reservation in config.reservations}
    for place, entry in enumerate(config.classes):
        yield from as_far_as_read(_check_selected(entry, f"class[{place}]", fixed))


def class_notes(config: Config) -> Iterator[str]:
    """State which controllers no phone is told of; phone files and the layout ``avaya`` name them all."""
    for place, entry in enumerate(config.classes):
        if len(entry.mgcs) > MAX_MGCS and entry.layout != "avaya":
            yield (
                f"class[{place}].mgcs: names {len(entry.mgcs)} controllers, and DHCP tells phones of {MAX_MGCS} at the most: "
                f"not of {', '.join(map(str, entry.mgcs[MAX_MGCS:]))}"
            )


def _check_like(entry: PhoneClass, path: str) -> Iterator[Problem]:
    if entry.like and entry.like not in shipped():
        yield _unknown_like(path, entry.like)


def _check_selectors(entry: PhoneClass, path: str, seen: dict[Hashable, str]) -> Iterator[Problem]:
    for option, number, mark in _selectors(entry):
        if (option, mark) in seen:
            what = f"{printable(str(mark), 64)!r} selects {seen[option, mark]} already"
            yield Problem(f"{path}.{option}[{number}]", what, "let each text select one class")
        seen.setdefault((option, mark), path)


def _check_selected(entry: PhoneClass, path: str, fixed: Container[str]) -> Iterator[Problem]:
    known = not entry.like or entry.like in shipped()
    if known and entry.name not in fixed and not any(_selectors(entry)):
        todo = "write vendor_classes, client_ids or fingerprints, or name the class in a [[reservation]]"
        yield Problem(f"{path}.vendor_classes", "nothing selects this class", todo)


def _unknown_like(path: str, like: str) -> Problem:
    near = probably(like)
    todo = f"did you mean {near}?" if near else f"shipped are: {', '.join(shipped())}"
    return Problem(f"{path}.like", f"there is no shipped class {printable(like, 64)!r}", todo)


def _selectors(entry: PhoneClass) -> Iterator[tuple[str, int, Hashable]]:
    """What selects a class: the option, the place in it, and its value in the form in which it is compared."""
    for number, text in enumerate(entry.vendor_classes):
        yield "vendor_classes", number, text.rstrip("\0")
    for number, client_id in enumerate(entry.client_ids):
        yield "client_ids", number, client_id.octets.removeprefix(b"\0")
    for number, codes in enumerate(entry.fingerprints):
        yield "fingerprints", number, codes


def _check_controllers(entry: PhoneClass, path: str) -> Iterator[Problem]:
    if len(set(entry.mgcs)) < len(entry.mgcs):
        yield Problem(f"{path}.mgcs", "names a controller twice", "name the primary, then another one as backup")
    for number, mgc in enumerate(entry.mgcs):
        address = IPv4Address(mgc.endpoint.host)
        if address.is_unspecified or address.is_multicast:
            yield Problem(f"{path}.mgcs[{number}]", f"{address} is no host", "name the controller's own address")
