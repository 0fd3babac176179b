"""What the sections of the configuration are made of (:mod:`voxpath.app.schema`)."""

from typing import Annotated, Any

from msgspec import Meta, Struct


def doc(effect: str, example: Any, words: str = "", **limits: Any) -> Meta:
    """Describe one option: what it does, an example, msgspec's limits for its value, and what a pattern means in words."""
    return Meta(description=effect, examples=[example], extra={"words": words} if words else None, **limits)


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all sections: frozen, strict."""


Port = Annotated[int, Meta(ge=1, le=65535)]

FramePriority = Annotated[int, Meta(ge=0, le=7)]
"""The priority bits of a tagged frame (802.1p)."""
