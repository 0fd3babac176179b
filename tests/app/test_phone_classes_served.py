"""Each shipped class through the DHCP server: from the octets that such a phone sends to those that it is told."""

from collections.abc import Iterable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_phone_classes import WITHOUT_SELECTOR, config
from tests.dhcp.conftest import Site, mac
from voxpath.app import values
from voxpath.app.phone_classes import shipped
from voxpath.dhcp.event import DhcpAck
from voxpath.model.phone import PhoneClass
from voxpath.ports.pools import Pool

PHONE = mac(1)
SERVER = "10.0.0.1"
TFTP = b"tftp://10.0.0.1"
MGCS = 'mgcs = ["192.0.2.1:2944", "192.0.2.2:2955"]\n'
CONTROLLERS = bytes.fromhex("c00002010b80c00002020b8b")
MITEL = b"id:ipphone.mitel.com;sw_tftp=10.0.0.1;call_srv=192.0.2.1,192.0.2.2"
ASKED = (1, 3, 6, 43, 66, 67, 125, 160, 224, 225, 226, 242)
"""All that a layout may write, but option 150, which is told to whoever asks for it."""
LAYOUTS: dict[str, dict[int, bytes]] = {
    "cisco": {150: bytes((10, 0, 0, 1))},
    "cisco-spa": {150: bytes((10, 0, 0, 1))},
    "poly": {160: TFTP},
    "yealink": {43: TFTP},
    "grandstream": {160: TFTP},
    "snom": {43: b"\x42\x10" + TFTP + b"\0"},
    "mitel": {43: MITEL, 125: bytes.fromhex("00000403") + bytes((len(MITEL),)) + MITEL},
    "aastra": {43: b"\x02\x0f" + TFTP},
    "avaya": {43: b"\x01\x046889", 242: b"MCIPADD=192.0.2.1,192.0.2.2"},
    "avaya-1200": {},
    "fanvil": {43: TFTP},
    "one-line": {},
    "multi-line": {},
}
SIZES = {
    "cisco": 16, "cisco-spa": 16, "poly": 16, "yealink": 16, "grandstream": 16, "snom": 32, "mitel": 16, "aastra": 32,
    "avaya": 32, "avaya-1200": 16, "fanvil": 16, "one-line": 4, "multi-line": 16,
}  # fmt: skip
FILES = {
    "cisco": b"XMLDefault.cnf.xml", "poly": b"000000000000.cfg", "grandstream": b"cfg.xml", "aastra": b"aastra.cfg",
    "avaya": b"46xxsettings.txt",
}  # fmt: skip
"""Boot files; the other classes have none, as ``phone_classes.toml`` says."""
SEEN = [(name, text) for name, entry in shipped().items() for text in entry.seen or (f"test-{name}",)]


def site_of(classes: Iterable[PhoneClass]) -> Site:
    """The usual site with these classes."""
    made = Site()
    made.classes = list(classes)
    made.pools = [Pool(IPv4Address("198.51.100.1"), 20480, 24575)]
    made.start()
    return made


def taking_over(name: str) -> str:
    selector = f'vendor_classes = ["test-{name}"]\n' if name in WITHOUT_SELECTOR else ""
    return f'[[class]]\nlike = "{name}"\n{MGCS}{selector}'


@pytest.fixture(scope="module")
def all_classes() -> tuple[PhoneClass, ...]:
    return values.classes(config("".join(map(taking_over, shipped()))))


def octets_of(payload: bytes) -> dict[int, bytes]:
    """Options by number, in pieces put together (RFC 3396), read without voxpath's own decoder."""
    found: dict[int, bytes] = {}
    at = 240
    while payload[at] != 255:
        if payload[at] == 0:
            at += 1
            continue
        found[payload[at]] = found.get(payload[at], b"") + payload[at + 2 : at + 2 + payload[at + 1]]
        at += 2 + payload[at + 1]
    return found


@pytest.mark.parametrize(("name", "text"), SEEN)
def test_what_a_phone_sends_gets_what_its_class_says(all_classes: tuple[PhoneClass, ...], name: str, text: str) -> None:
    """DHC-8 to DHC-12, DHC-25, GEN-4: block, layout, boot file and controllers, in OFFER and ACK; a NUL ends the text."""
    site = site_of(all_classes)
    vendor = text.rstrip("\0").encode() + b"\0"
    offer = ask(site, vendor, 1)
    yiaddr = offer[16:20]
    ack = ask(site, vendor, 3, b"\x32\x04" + yiaddr + b"\x36\x04\x0a\0\0\1")
    assert site.last_event(DhcpAck).phone == str(PHONE)
    assert site.leases[PHONE].phone_class == name
    for payload, kind in ((offer, 2), (ack, 5)):
        options = octets_of(payload)
        assert options[53] == bytes((kind,))
        first, last = (int.from_bytes(options[224][at : at + 2], "big") for at in (4, 6))
        assert (last - first + 1, first % SIZES[name]) == (SIZES[name], 0)
        assert options[225] == CONTROLLERS
        assert {code: options[code] for code in (43, 125, 150, 160, 242) if code in options} == LAYOUTS[name]
        assert options[66] == SERVER.encode()
        assert payload[20:24] == bytes((10, 0, 0, 1))
        assert (options.get(67, b""), payload[108:236].rstrip(b"\0")) == (FILES.get(name, b""),) * 2


def ask(site: Site, vendor: bytes, kind: int, more: bytes = b"") -> bytes:
    """Send a DISCOVER or REQUEST, octet by octet (RFC 2131 figure 1); give the answer."""
    header = bytes.fromhex("01010600 00000007 0000 8000") + bytes(16) + PHONE + bytes(10 + 64 + 128) + bytes.fromhex("63825363")
    options = bytes((53, 1, kind, 60, len(vendor))) + vendor + bytes((55, len(ASKED), *ASKED)) + more + b"\xff"
    (sent,) = site.tell(header + options)
    return sent.payload


def test_the_tables_of_this_file_name_every_shipped_class() -> None:
    assert LAYOUTS.keys() == SIZES.keys() == shipped().keys()
    assert {name for name, entry in shipped().items() if "image" in entry.options} == FILES.keys()


def test_a_class_of_one_port_is_served() -> None:
    """GEN-6: signalling alone."""
    site = site_of(values.classes(config(f'[[class]]\nname = "bell"\nvendor_classes = ["bell"]\nports = 1\n{MGCS}')))
    offer = ask(site, b"bell", 1)
    options = octets_of(ask(site, b"bell", 3, b"\x32\x04" + offer[16:20] + b"\x36\x04\x0a\0\0\1"))
    assert options[53] == b"\x05"
    assert options[224][4:6] == options[224][6:8]
    (block,) = site.nat
    assert (block.size, block.first) == (1, int.from_bytes(options[224][4:6], "big"))


@given(st.integers(1, 511), st.integers(0, 1024))
def test_every_block_holds_two_ports_for_each_channel_one_for_signalling_and_the_extra(lines: int, extra: int) -> None:
    """GEN-5: through the server, whatever the class; no block of half the size would do."""
    extra = min(extra, 1024 - 2 * lines - 1)
    wanted = 2 * lines + 1 + extra
    text = f'[[class]]\nname = "desk"\nvendor_classes = ["desk"]\nlines = {lines}\nextra = {extra}\n'
    site = site_of(values.classes(config(text)))
    options = octets_of(ask(site, b"desk", 1))
    first, last = (int.from_bytes(options[224][at : at + 2], "big") for at in (4, 6))
    size = last - first + 1
    assert wanted <= size < 2 * wanted
    assert size & (size - 1) == first % size == 0
    assert site.pools[0].first <= first <= last <= site.pools[0].last
