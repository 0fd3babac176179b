"""Model values refuse what cannot be."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import Event, Level, printable
from voxpath.model.phone import block_size
from voxpath.model.ports import PortBlock
from voxpath.model.realm import Realm, realm_of

PUBLIC = IPv4Address("203.0.113.1")


@given(st.binary(min_size=6, max_size=6))
def test_an_ethernet_address_survives_its_text(octets: bytes) -> None:
    assert Mac.parse(str(Mac(octets))) == octets
    assert Mac.parse(str(Mac(octets)).replace(":", "-").upper()) == octets


@pytest.mark.parametrize("text", ["805ec0000001", "805EC0000001", "805e.c000.0001", "80.5e.c0.00.00.01", "80-5E-C0-00-00-01"])
def test_an_ethernet_address_is_read_however_labels_and_switches_write_it(text: str) -> None:
    assert str(Mac.parse(text)) == "80:5e:c0:00:00:01"


@pytest.mark.parametrize(
    "text",
    [
        *("", "02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:0", "0x:00:00:00:00:00", "02000000000", "0200000000001"),
        *("0200:0000:0000", "02:00:00:00:00:0\u0661", " 20000000000", "020000000000\n", "0200.00000000"),
    ],
)
def test_what_is_no_ethernet_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an Ethernet address"):
        Mac.parse(text)


@pytest.mark.parametrize(
    ("first", "size"), [(2048, 3), (2049, 2), (2048, 2048), (0, 64), (65536, 1), (2050, 64), (2048, 0), (-64, 64)]
)
def test_blocks_are_aligned_powers_of_two(first: int, size: int) -> None:
    with pytest.raises(ValueError, match="port"):
        PortBlock(PUBLIC, first, size)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 1023), st.integers(0, 1023))
def test_overlap_is_a_shared_port(one: int, two: int, place_one: int, place_two: int) -> None:
    first = PortBlock(PUBLIC, 1024 + (place_one << one) % 32768 // (1 << one) * (1 << one), 1 << one)
    second = PortBlock(PUBLIC, 1024 + (place_two << two) % 32768 // (1 << two) * (1 << two), 1 << two)
    shared = set(range(first.first, first.last + 1)) & set(range(second.first, second.last + 1))
    assert first.overlaps(second) == second.overlaps(first) == bool(shared)


@pytest.mark.parametrize(("lines", "extra", "size"), [(1, 0, 4), (1, 1, 4), (2, 0, 8), (12, 39, 64), (0, 0, 1), (500, 23, 1024)])
def test_a_block_holds_two_ports_per_channel_one_for_signalling_and_the_extra(lines: int, extra: int, size: int) -> None:
    assert block_size(lines, extra) == size
    assert 2 * lines + extra + 1 <= size


def test_a_class_that_fits_no_block_is_refused() -> None:
    with pytest.raises(ValueError, match="1025 ports are wanted"):
        block_size(512, 0)


def test_two_realms_with_one_prefix_are_told_apart_by_the_public_address() -> None:
    prefix = (IPv4Network("10.0.0.0/24"),)
    realms = [Realm("a", prefix, (PUBLIC,)), Realm("b", prefix, (IPv4Address("203.0.113.2"),))]
    inside = IPv4Address("10.0.0.11")
    assert realm_of(realms, inside, IPv4Address("203.0.113.2")) is realms[1]
    assert realm_of(realms, inside, IPv4Address("203.0.113.3")) is None
    assert realm_of(realms, None, PUBLIC) is None


@pytest.mark.parametrize("text", ["192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "host:1", "192.0.2.256:1"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - partly the message of ipaddress
        Endpoint.parse(text)


def test_an_endpoint_may_take_a_default_port() -> None:
    assert Endpoint.parse("192.0.2.1", 2944) == Endpoint.parse("192.0.2.1:2944") == Endpoint("192.0.2.1", 2944)


@given(st.text())
def test_text_from_the_wire_cannot_control_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) <= 10 * 203


def test_an_event_identifier_belongs_to_one_type() -> None:
    with pytest.raises(TypeError, match="MALFORMED"):
        type("Other", (Event,), {"ID": "MALFORMED", "LEVEL": Level.INFO, "__qualname__": "Other"})


def test_every_event_has_a_text_that_its_fields_fill() -> None:
    for event in Event.catalogue.values():
        names = {"phone", "peer"} | {name for base in event.__mro__ for name in getattr(base, "__annotations__", {})}
        event.TEXT.format(**dict.fromkeys(names, 0))


def test_a_block_is_read_as_it_is_printed() -> None:
    for block in (PortBlock(IPv4Address("203.0.113.1"), 2048, 64), PortBlock(IPv4Address("203.0.113.1"), 2049, 1)):
        assert PortBlock.parse(str(block)) == block
    for wrong in (
        "203.0.113.1",
        "203.0.113.1:",
        "203.0.113.1:2048-",
        "203.0.113.1:2048-2049-2050",
        "x:1-2",
        "203.0.113.1:2048-2050",
    ):
        with pytest.raises(ValueError, match=r"written|ports|Expected"):
            PortBlock.parse(wrong)
