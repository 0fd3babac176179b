"""The checksum in step with its fields (RFC 1624)."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from voxpath.nappt.checksum import adjust, delta, total
from voxpath.testing.nat.packets import checksum


def test_the_example_of_the_rfc() -> None:
    """RFC 1624 section 4: HC 0xDD2F, m 0x5555, m' 0x3285 give 0x0000 by equation 3."""
    assert adjust(0xDD2F, delta(0x5555, 0x3285)) == 0x0000


@given(st.binary(min_size=8, max_size=64).filter(lambda octets: len(octets) % 2 == 0), st.integers(1, 0xFFFFFFFF))
def test_a_change_of_a_field_is_as_a_new_computation(octets: bytes, field: int) -> None:
    changed = struct.pack("!I", field) + octets[4:]
    (old,) = struct.unpack_from("!I", octets)
    assert adjust(checksum(octets), delta(old, field)) % 0xFFFF == checksum(changed) % 0xFFFF


@given(st.binary(min_size=2, max_size=64).filter(lambda octets: len(octets) % 2 == 0 and any(octets)))
def test_data_with_its_own_checksum_sums_to_ones(octets: bytes) -> None:
    assert total(octets + struct.pack("!H", checksum(octets))) == 0xFFFF
