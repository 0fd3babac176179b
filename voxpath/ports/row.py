"""A port binding as a flat row: the same one in the store and on the way to a subscriber."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from math import inf
from typing import Any

from voxpath.model.address import text_of
from voxpath.model.ports import BindingState, PortBinding, PortBlock

BINDING_COLUMNS = ("holder", "public", "first", "size", "private", "realm", "state", "until", "generation")


def binding_row(binding: PortBinding) -> Sequence[Any]:
    """A binding's row, in the order of :data:`BINDING_COLUMNS`."""
    block = binding.block
    private = None if binding.private is None else text_of(binding.private)
    place = (binding.holder, text_of(block.public), block.first, block.size)
    return (*place, private, binding.realm, binding.state.value, binding.until, binding.generation)


def binding_from_row(row: Sequence[Any]) -> PortBinding:
    """A row's binding; raise :class:`ValueError` for a row that the model refuses."""
    holder, public, first, size, private, realm, state, until, generation = row
    block = PortBlock(IPv4Address(public), first, size)
    inside = None if private is None else IPv4Address(private)
    # JSON, on the way to a subscriber, has no word for infinity.
    return PortBinding(holder, block, inside, realm, BindingState(state), inf if until is None else until, generation)
