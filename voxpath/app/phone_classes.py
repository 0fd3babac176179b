"""The phone classes that are shipped (``phone_classes.toml``), and how a configuration takes them over."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec.structs import fields

from voxpath.app.schema_dhcp import PhoneClass

LIKE = "like"


class Shipped(NamedTuple):
    """One shipped class.

    :ivar about: which phones it is for.
    :ivar seen: texts of option 60 that such phones are known to send; each selects this class and no other.
    :ivar options: options of ``[[class]]``, as a file has them.
    """

    about: str
    seen: tuple[str, ...]
    options: Mapping[str, Any]


@cache
def shipped() -> Mapping[str, Shipped]:
    """All of them by name."""
    tables = tomllib.loads(files("voxpath.app").joinpath("phone_classes.toml").read_text(encoding="utf-8"))
    known = {field.encode_name for field in fields(PhoneClass)}
    return MappingProxyType(
        {
            name: Shipped(table["about"], tuple(table["seen"]), {key: value for key, value in table.items() if key in known})
            for name, table in tables.items()
        }
    )


def taken_over(raw: dict[str, Any]) -> dict[str, Any]:
    """Fill in the options that each ``[[class]]`` of a file takes over; what is wrong with it is left to be told."""
    classes = raw.get("class")
    if not isinstance(classes, list):
        return raw
    return {**raw, "class": [_filled(entry) for entry in classes]}


def probably(name: str) -> str:
    """The shipped class that is probably meant by a name; empty: none is near it."""
    near = get_close_matches(name[:64], shipped(), n=1)
    return near[0] if near else ""


def _filled(entry: Any) -> Any:
    """A misspelt ``like`` stands for what is probably meant: what is told then is the misspelling, and not all that it leads to."""
    like = entry.get(LIKE) if isinstance(entry, dict) else None
    if not isinstance(like, str) or not like:
        return entry
    name = like if like in shipped() else probably(like)
    found = shipped().get(name)
    return {"name": name or like, **(found.options if found is not None else {}), **entry}
