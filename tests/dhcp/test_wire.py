"""The DHCP codec: golden octets, round trips, overload, long options, and hostile input."""

import random
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from voxpath.core.errors import LocalError, RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, BOOTREPLY, BOOTREQUEST, Message, MessageType
from voxpath.dhcp.wire import MIN_MESSAGE, client_of, decode, encode, is_discover
from voxpath.model.address import Mac

CHADDR = bytes.fromhex("020000000a01")
# Laid out by hand from RFC 2131 figure 1.
GOLDEN = (
    bytes.fromhex("010106003903f3260002800000000000000000000000000000000000")
    + CHADDR
    + bytes(10)
    + bytes(64)
    + bytes(128)
    + bytes.fromhex("638253633501013c07766f78706174683704010306e0ff")
).ljust(300, b"\0")
MESSAGE = Message(
    BOOTREQUEST,
    0x3903F326,
    CHADDR,
    {code.MESSAGE_TYPE: b"\x01", code.VENDOR_CLASS: b"voxpath", code.PARAMETER_REQUEST_LIST: bytes((1, 3, 6, 224))},
    secs=2,
    flags=0x8000,
)


def test_golden_octets_both_ways() -> None:
    assert decode(GOLDEN) == MESSAGE
    assert encode(MESSAGE) == GOLDEN


def test_accessors_read_the_golden_message() -> None:
    message = decode(GOLDEN)
    assert message.type is MessageType.DISCOVER
    assert str(message.mac) == "02:00:00:00:0a:01"
    assert message.broadcast
    assert message.vendor_class == b"voxpath"
    assert message.wants(224)
    assert not message.wants(66)
    assert message.summary == "DISCOVER class voxpath"


def test_scapy_reads_what_we_write() -> None:
    reply = Message(
        BOOTREPLY,
        7,
        CHADDR,
        {code.MESSAGE_TYPE: b"\x05", code.SERVER_ID: bytes((10, 0, 0, 1)), code.LEASE_TIME: (3600).to_bytes(4, "big")},
        yiaddr=IPv4Address("10.0.0.9"),
        siaddr=IPv4Address("10.0.0.1"),
        sname=b"10.0.0.1",
        file=b"image.bin",
    )
    packet = BOOTP(encode(reply))
    assert (packet.op, packet.xid, packet.yiaddr, packet.siaddr) == (2, 7, "10.0.0.9", "10.0.0.1")
    assert packet.file.rstrip(b"\0") == b"image.bin"
    assert packet[DHCP].options[:3] == [("message-type", 5), ("server_id", "10.0.0.1"), ("lease_time", 3600)]


def test_an_unknown_message_type_is_kept() -> None:
    message = decode(encode(MESSAGE._replace(options={code.MESSAGE_TYPE: b"\xc8"})))
    assert message.type == 200
    assert message.summary.startswith("UNKNOWN_200")


def test_a_message_without_option_53_is_bootp() -> None:
    assert decode(encode(MESSAGE._replace(options={}))).type is None


def test_trailing_nuls_of_the_vendor_class_are_stripped() -> None:
    """Cisco phones send one."""
    assert MESSAGE._replace(options={code.VENDOR_CLASS: b"Cisco\0"}).vendor_class == b"Cisco"


def test_overload_is_read_from_file_then_sname() -> None:
    """RFC 3396 section 5 joins a split option in the order options, file, sname."""
    data = bytearray(encode(MESSAGE._replace(options={code.MESSAGE_TYPE: b"\x01"})))
    data[240:] = bytes((53, 1, 1, 52, 1, 3, 12, 1, ord("a"), 255))
    data[108:113] = bytes((12, 1, ord("b"), 255, 0))
    data[44:49] = bytes((12, 1, ord("c"), 15, 1))
    data[49:51] = b"x\xff"
    message = decode(bytes(data))
    assert message.options == {53: b"\x01", 12: b"abc", 15: b"x"}
    assert message.file == message.sname == b""


def test_a_long_option_is_split_and_joined() -> None:
    """RFC 3396: 600 octets make three pieces."""
    long = bytes(range(200)) * 3
    data = encode(MESSAGE._replace(options={code.VENDOR: long}))
    assert data[240:242] == bytes((43, 255))
    assert decode(data).options[code.VENDOR] == long


@pytest.mark.parametrize(
    ("change", "offset"),
    [
        (lambda data: bytes((3,)) + data[1:], 0),
        (lambda data: data[:2] + bytes((17,)) + data[3:], 2),
        (lambda data: data[:236] + b"\x63\x82\x53\0" + data[240:], 236),
        (lambda data: data[:240] + bytes((53,)), 240),
        (lambda data: data[:240] + bytes((53, 2, 1)), 240),
    ],
)
def test_a_malformed_message_is_refused_with_its_offset(change, offset) -> None:
    with pytest.raises(RemoteError) as caught:
        decode(change(GOLDEN))
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (236, "the message is cut off: it has 236 octets, and options begin after 240 (RFC 2131 section 2)"),
        (239, "the message is cut off: it has 239 octets, and options begin after 240 (RFC 2131 section 2)"),
        (4097, "the message has 4097 octets, more than the 4096 that are read"),
    ],
)
def test_a_message_of_a_wrong_length_is_refused_in_words_that_need_no_offset(octets: int, words: str) -> None:
    with pytest.raises(RemoteError) as caught:
        decode(GOLDEN.ljust(octets, b"\0")[:octets])
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("payload", "client"),
    [
        (GOLDEN, "02:00:00:00:0a:01"),
        (GOLDEN[:34], "02:00:00:00:0a:01"),
        (GOLDEN[:33], None),
        (b"", None),
        (b"\2" + GOLDEN[1:], None),
        (GOLDEN[:1] + b"\6" + GOLDEN[2:], None),
        (GOLDEN[:2] + b"\x10" + GOLDEN[3:], None),
    ],
    ids=["whole", "cut behind it", "cut in it", "nothing", "a reply", "other hardware", "another length"],
)
def test_the_client_of_a_request_is_known_before_its_options_are_read(payload: bytes, client: str | None) -> None:
    assert client_of(payload) == (Mac.parse(client) if client else None)


def test_accessors_refuse_a_wrong_length() -> None:
    message = MESSAGE._replace(options={1: b"abc", 53: b"", 51: b"x", 6: b"12345"})
    for read in (
        lambda: message.address(1),
        lambda: message.type,
        lambda: message.number(51, 4),
        lambda: message.addresses(6),
    ):
        with pytest.raises(RemoteError):
            read()


def test_the_writer_refuses_what_does_not_fit() -> None:
    for wrong in (MESSAGE._replace(sname=bytes(65)), MESSAGE._replace(options={code.OVERLOAD: b"\x01"})):
        with pytest.raises(LocalError):
            encode(wrong)
    with pytest.raises(LocalError):
        encode(MESSAGE._replace(options={code.VENDOR: bytes(400)}), limit=548)


ADDRESS = st.integers(0, 2**32 - 1).map(IPv4Address)
TEXT = st.binary(max_size=60).map(lambda octets: octets.replace(b"\0", b"x"))
MESSAGES = st.builds(
    Message,
    st.sampled_from((BOOTREQUEST, BOOTREPLY)),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=16),
    st.dictionaries(st.sampled_from([n for n in range(1, 255) if n != code.OVERLOAD]), st.binary(max_size=300), max_size=6),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 65535),
    st.integers(0, 65535),
    ADDRESS,
    ADDRESS,
    ADDRESS,
    ADDRESS,
    TEXT,
    TEXT,
)


@given(MESSAGES)
def test_reading_is_the_inverse_of_writing(message: Message) -> None:
    data = encode(message)
    assert len(data) >= MIN_MESSAGE
    again = decode(data)
    assert again == message
    assert list(again.options) == list(message.options)


def exercise(data: bytes) -> None:
    """Read a message as the server does; only RemoteError may come out."""
    try:
        message = decode(data)
        _ = (message.summary, message.mac, message.vendor_class, message.broadcast, message.wants(1))
        message.address(code.SERVER_ID)
        message.number(code.LEASE_TIME, 4)
        message.addresses(code.DNS_SERVER)
        message.text(code.HOST_NAME)
        code.read_assignment(message.options)
    except RemoteError:
        pass


@given(st.binary(max_size=600))
def test_no_input_lets_anything_but_remote_error_out(data: bytes) -> None:
    exercise(data)
    exercise(GOLDEN[:240] + data)


def test_seeded_mutations_let_nothing_but_remote_error_out() -> None:
    entropy = random.Random(1964)
    full = MESSAGE._replace(
        options={**MESSAGE.options, 43: bytes(40), 224: bytes(8), 225: bytes(12), 50: bytes(4), 52 + 1: b"\x03"}
    )
    overloaded = GOLDEN[:240] + bytes((52, 1, 3, 53, 1, 1, 255))
    seeds = [GOLDEN, encode(full), overloaded]
    for _ in range(4000):
        data = bytearray(entropy.choice(seeds))
        for _ in range(entropy.randint(1, 6)):
            data[entropy.randrange(len(data))] = entropy.getrandbits(8)
        exercise(bytes(data[: entropy.randint(200, len(data))]))


def test_the_unset_address_is_shared() -> None:
    """Most addresses of a message are 0.0.0.0; no value is built for them."""
    assert decode(GOLDEN).giaddr is ANY


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({53: b"\x01"}, True),
        ({60: b"desk", 53: b"\x01"}, True),
        ({53: b"\x03"}, False),
        ({60: b"\x35\x01\x01", 53: b"\x03"}, False),
        ({}, False),
    ],
)
def test_a_discover_is_told_at_a_glance(options: dict[int, bytes], expected: bool) -> None:
    payload = encode(Message(1, 7, bytes(6), options))
    assert is_discover(payload) is expected
    assert is_discover(payload[:240] + b"\0\0" + payload[240:]) is expected


@given(st.binary(max_size=400))
def test_telling_a_discover_never_fails(payload: bytes) -> None:
    """What it calls one is one, for every message that can be read."""
    for octets in (payload, encode(Message(1, 7, bytes(6), {53: b"\x01"}))[:240] + payload):
        found = is_discover(octets)
        try:
            kind = decode(octets).type
        except RemoteError:
            continue
        assert found in {kind == 1, False}
