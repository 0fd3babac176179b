from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError, RemoteError
from voxpath.tftp.message import Ack, Data, Error, Message, OptionAck, ReadRequest, WriteRequest, option, summary
from voxpath.tftp.wire import MAX_OPTIONS, parse, write

TEXTS = st.binary(max_size=20).map(lambda octets: octets.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
MODES = st.sampled_from(["octet", "netascii", "mail"])
OPTIONS = st.lists(st.tuples(TEXTS, TEXTS), max_size=4).map(tuple)
BLOCKS = st.integers(0, 0xFFFF)
MESSAGES = st.one_of(
    st.builds(ReadRequest, TEXTS, MODES, OPTIONS),
    st.builds(WriteRequest, TEXTS, MODES, OPTIONS),
    st.builds(Data, BLOCKS, st.binary(max_size=600)),
    st.builds(Ack, BLOCKS),
    st.builds(Error, BLOCKS, TEXTS),
    st.builds(OptionAck, OPTIONS),
)


@given(MESSAGES)
def test_print_and_parse_are_inverse(message: Message) -> None:
    assert parse(write(message)) == message


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"\0\1vox.img\0OCTET\0", ReadRequest("vox.img", "octet")),
        (b"\0\1a\0octet\0blksize\x001468\0tsize\x000\0", ReadRequest("a", "octet", (("blksize", "1468"), ("tsize", "0")))),
        (b"\0\2a\0netascii\0", WriteRequest("a", "netascii")),
        (b"\0\3\0\1xyz", Data(1, b"xyz")),
        (b"\0\4\xff\xff", Ack(65535)),
        (b"\0\5\0\1File not found\0", Error(1, "File not found")),
        (b"\0\5\0\1File not found", Error(1, "File not found")),
        (b"\0\6blksize\x001432\0", OptionAck((("blksize", "1432"),))),
    ],
)
def test_golden_messages(octets: bytes, message: Message) -> None:
    """After the figures of RFC 1350 section 5 and RFC 2347; an ERROR without its NUL is taken."""
    assert parse(octets) == message


def test_the_longest_request_can_be_written_again_whatever_its_mode_is() -> None:
    """A mode is compared without regard to case, which RFC 1350 has of ASCII: other letters may be longer in the other case."""
    request = b"\0\1a\0" + "\u0130".encode() * 253 + b"\0"
    assert write(parse(request)) == request


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        b"\0\x09",
        b"\0\1name",
        b"\0\1name\0octet",
        b"\0\1a\0octet\0blksize\0",
        b"\0\4\0",
        b"\0\4\0\1x",
        b"\0\3\0",
        b"\0\5\0",
    ],
)
def test_malformed_messages_are_refused_with_code_4(octets: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        parse(octets)
    assert caught.value.code == 4


def test_too_many_options_and_too_long_requests_are_refused() -> None:
    with pytest.raises(RemoteError):
        parse(b"\0\1a\0octet\0" + b"o\0v\0" * (MAX_OPTIONS + 1))
    with pytest.raises(RemoteError):
        parse(b"\0\1" + b"a" * 600 + b"\0octet\0")


@given(st.binary(max_size=100))
def test_nothing_but_a_remote_error_escapes(octets: bytes) -> None:
    with suppress(RemoteError):
        summary(parse(octets))


def test_mutated_messages_are_parsed_or_refused() -> None:
    dice = Random(7)
    seeds = [b"\0\1vox.img\0octet\0blksize\x001468\0tsize\x000\0", b"\0\6blksize\x001432\0", b"\0\5\0\1no\0", b"\0\3\0\1x"]
    for _ in range(5000):
        octets = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 5)):
            octets[dice.randrange(len(octets))] = dice.randrange(256)
        with suppress(RemoteError):
            message = parse(bytes(octets[: dice.randrange(len(octets) + 1)]))
            assert summary(message).isprintable()


def test_what_tftp_cannot_carry_is_our_own_error() -> None:
    with pytest.raises(LocalError):
        write(ReadRequest("a\0b"))
    with pytest.raises(LocalError):
        write(Data(1, bytes(65465)))


def test_option_names_have_no_case() -> None:
    assert option((("BlkSize", "1000"),), "blksize") == "1000"
    assert option((), "blksize") is None
