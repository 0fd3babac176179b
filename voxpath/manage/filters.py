"""Filters of listings, such as ``state=held``: how they are read, which values make sense, and what fits them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from voxpath.manage.facts import CommandError
from voxpath.model.address import mac_beginning
from voxpath.model.event import printable

_MAC_BEGINNING = re.compile(r"[0-9a-f:]*")
_HOLDERS = ("former:", "service:", "gateway:")
"""How the names of those begin who have blocks and are no phones."""

CHOICES_SHOWN = 20
"""Values that an error names."""

Choices = Mapping[str, Callable[[], Iterable[str]]]
"""The values that a filter may have, by its name; they are asked for only when somebody filters by them."""


def filters(verb: str, arguments: Sequence[str], known: Sequence[str], choices: Choices) -> dict[str, str]:
    """Read arguments such as ``state=held``.

    :param known: the names of the filters; one without choices takes any value.
    :raises CommandError: one is none, there is no such filter, or nothing could ever fit its value.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in known or name in found:
            todo = f"write each of {', '.join(f'{each}=...' for each in known)} at most once"
            raise CommandError(verb, f"{printable(argument, 40)!r} is no filter here", todo)
        found[name] = _plain(name, value)
        if name == "phone":
            _refuse_no_beginning(verb, found[name])
        if name in choices:
            _refuse_impossible(verb, name, found[name], choices[name])
    return found


def fits(wanted: Mapping[str, str], *, phone: str, **facts: str) -> bool:
    """Whether an item with these facts is asked for; a phone is, when its name begins as it is written."""
    return phone.startswith(wanted.get("phone", "")) and all(wanted.get(name, value) == value for name, value in facts.items())


def _plain(name: str, value: str) -> str:
    match name:
        case "phone":
            return mac_beginning(value.lower())
        case "state":
            return value.lower()
        case _:
            return value


def _refuse_no_beginning(verb: str, value: str) -> None:
    is_holder = any(known.startswith(value) or value.startswith(known) for known in _HOLDERS)
    if not (is_holder or _MAC_BEGINNING.fullmatch(value)):
        raise CommandError(verb, f"no phone begins with {printable(value, 40)!r}", "write an Ethernet address, or how one begins")


def _refuse_impossible(verb: str, name: str, value: str, choices: Callable[[], Iterable[str]]) -> None:
    allowed = {choice for choice in choices() if choice}
    if value in allowed:
        return
    shown = sorted(allowed)[:CHOICES_SHOWN]
    more = f" and {len(allowed) - len(shown)} more" if len(allowed) > len(shown) else ""
    todo = f"choose one of: {', '.join(map(printable, shown)) or 'none'}{more}"
    raise CommandError(verb, f"there is no {name} {printable(value, 40)!r}", todo)
