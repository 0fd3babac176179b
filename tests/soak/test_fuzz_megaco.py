"""Seeded mutations of good MEGACO messages: nothing but RemoteError leaves the decoder, and what is read can be written."""

import os
import random
from pathlib import Path

import pytest

from voxpath.core.errors import RemoteError
from voxpath.megaco.digitmap import DigitMap
from voxpath.megaco.message import Command, DigitMapDescriptor, Media, Message, TransactionRequest
from voxpath.megaco.wire import decode, encode
from voxpath.sdp import wire as sdp

MUTATIONS_AT_FULL_SCALE = 10_000_000
DEFAULT_SCALE = "0.01"
SEEDS = 4
VECTORS = Path(__file__).parents[1] / "vectors" / "megaco-rfc3525"
PIECES = [
    b"{",
    b"}",
    b",",
    b"=",
    b'"',
    b"[",
    b"]",
    b"(",
    b")",
    b";",
    b"\n",
    b"\\}",
    b"L{",
    b"DM=",
    b"E=1{",
    b"T=2{C=-{",
    b"\x00",
    b"\xff",
    b"9" * 11,
]


def mutated(original: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Change a message in one to three places."""
    octets = bytearray(original)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(octets) + 1)
        match chance.randrange(6):
            case 0:
                octets[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del octets[at : at + chance.randint(1, 20)]
            case 2:
                octets[at:at] = chance.choice(PIECES)
            case 3:
                octets[at:at] = octets[at : at + chance.randint(1, 40)]
            case 4:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                octets[at:at] = other[start : start + chance.randint(1, 60)]
            case _:
                del octets[at:]
    return bytes(octets)


def inspect(message: Message) -> None:
    """Read the session descriptions and digit maps inside, as a gateway would."""
    for transaction in message.transactions:
        if isinstance(transaction, TransactionRequest):
            for command in (each for action in transaction.actions for each in action.commands):
                inspect_command(command)


def inspect_command(command: Command) -> None:
    media = command.find(Media)
    texts = [text for stream in media.streams for text in (stream.local, stream.remote) if text] if media else []
    digit_map = command.find(DigitMapDescriptor)
    for read, text in [*((sdp.parse, text) for text in texts), (DigitMap.parse, digit_map.body if digit_map else None)]:
        try:
            if text:
                read(text)
        except RemoteError:
            continue


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.timeout(0)
def test_mutations(seed: int) -> None:
    count = int(MUTATIONS_AT_FULL_SCALE * float(os.environ.get("VOXPATH_SCALE", DEFAULT_SCALE))) // SEEDS
    originals = [path.read_bytes() for path in sorted(VECTORS.glob("*.megaco"))]
    originals += [encode(decode(each), compact=True) for each in originals]
    chance = random.Random(seed)
    read = 0
    for _ in range(count):
        octets = mutated(chance.choice(originals), originals, chance)
        try:
            message = decode(octets)
        except RemoteError as error:
            assert error.code, octets
            assert 0 <= error.offset <= len(octets) or error.offset == -1, octets
            continue
        read += 1
        assert decode(encode(message)) == message, octets
        inspect(message)
    assert 0 < read < count
