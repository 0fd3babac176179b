"""Seeded mutations of good messages: nothing but RemoteError leaves a codec, what is read can be used, and its cost is bounded."""

import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.soak import fuzz_dhcp, fuzz_sip
from voxpath.core.errors import LocalError, RemoteError
from voxpath.dhcp.wire import MAX_MESSAGE
from voxpath.megaco import wire as megaco
from voxpath.megaco.digitmap import DigitMap
from voxpath.megaco.message import DigitMapDescriptor, Media, TransactionRequest
from voxpath.rtp import packet as rtp
from voxpath.sdp import wire as sdp
from voxpath.tftp import wire as tftp
from voxpath.tftp.message import Ack, Data, Error, OptionAck, ReadRequest, WriteRequest, summary

VECTORS = Path(__file__).parents[1] / "vectors" / "megaco-rfc3525"

TEXT_PIECES = (*b'{ } , = " [ ] ( ) ; \n \\} L{ DM= E=1{ T=2{C=-{ v=0 m= c= a= \x00 \xff'.split(b" "), b"9" * 11)
BINARY_PIECES = (b"\x00", b"\xff", b"\xff\xff", b"\x00\x00\x00\x00", b"\x35\x01", b"\x34\x01\x03", b"\x2b\xff", b"\0\1", b"9" * 11)


MOST_S = 5.0
"""Processor time that one message may cost.

An ordinary one costs some 50 microseconds, the largest less than half a second, also while its memory is measured.
So this says nothing of speed, and holds on a machine of any: it finds what grows without bounds, such as a regular expression that
tries everything.
"""
MOST_OCTETS = 16 << 20
"""Memory that one message may cost at its peak: some hundred times as much as the largest has octets."""
MEASURED = 500
"""The memory of each so many-th mutation is measured, which costs much more than to read it; these are large ones."""
LARGEST = 65507
"""Octets of the largest datagram."""


class Codec(NamedTuple):
    """A codec under proof.

    :ivar originals: good messages.
    :ivar use: reads a message and looks at all of it, as its server does; raises RemoteError when it is refused.
    :ivar largest: octets of the largest message, about; all larger ones are refused for that alone.
    """

    originals: Callable[[], list[bytes]]
    pieces: tuple[bytes, ...]
    use: Callable[[bytes], None]
    largest: int = LARGEST


def mutated(original: bytes, codec_pieces: tuple[bytes, ...], others: list[bytes], chance: Random) -> bytes:
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
                octets[at:at] = chance.choice(codec_pieces)
            case 3:
                octets[at:at] = octets[at : at + chance.randint(1, 40)]
            case 4:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                octets[at:at] = other[start : start + chance.randint(1, 60)]
            case _:
                del octets[at:]
    return bytes(octets)


def grown(octets: bytes, codec: Codec, others: list[bytes], chance: Random) -> bytes:
    """Repeat something in a message, up to the largest that there are: what is cheap once may be dear a thousand times."""
    at = chance.randrange(len(octets) + 1)
    other = chance.choice(others)
    start = chance.randrange(len(other))
    piece = chance.choice((chance.choice(codec.pieces), other[start : start + chance.randint(1, 60)])) or b" "
    return octets[:at] + piece * (chance.randint(0, codec.largest) // len(piece)) + octets[at:]


def bounded(use: Callable[[bytes], None], octets: bytes, measured: bool) -> None:
    """Read a message, within :data:`MOST_S` and, where that is measured, :data:`MOST_OCTETS`, whether it is refused or not.

    :raises AssertionError: it took more.
    """
    if measured:
        tracemalloc.start()
    begun = time.process_time()
    try:
        use(octets)
    finally:
        took = time.process_time() - begun
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert took <= MOST_S, f"one message took {took:.1f} s of processor time"
        assert peak <= MOST_OCTETS, f"one message took {peak} octets of memory"


def fuzz(codec: Codec, seed: int, count: int) -> str:
    """Feed mutations to a codec; any other exception than RemoteError ends the proof with the octets in its notes."""
    chance = Random(seed)
    originals = codec.originals()
    for original in originals:
        codec.use(original)
    read = 0
    for number in range(count):
        octets = mutated(chance.choice(originals), codec.pieces, originals, chance)
        large = number % MEASURED == 0
        if large:
            octets = grown(octets, codec, originals, chance)
        try:
            bounded(codec.use, octets, measured=large)
        except RemoteError as error:
            assert -1 <= error.offset <= len(octets), f"offset {error.offset} of {octets.hex()}"
            continue
        # Whatever it is, it goes on, and says how to have it again.
        except Exception as error:
            error.add_note(f"mutation {number} of seed {seed}: {octets.hex()}")
            raise
        read += 1
    assert 0 < read < count, "mutations are either all good or all bad"
    return f"{count} mutations: {read} read, {count - read} refused, nothing else"


def _tftp_originals() -> list[bytes]:
    options = (("blksize", "1468"), ("tsize", "0"), ("timeout", "3"))
    messages = (ReadRequest("vox.img", "octet", options), WriteRequest("a", "netascii"), Ack(7), Error(1, "no"), OptionAck(options))
    return [tftp.write(message) for message in (*messages, Data(1, b"octets"))]


def _use_tftp(octets: bytes) -> None:
    message = tftp.parse(octets)
    assert summary(message).isprintable()
    try:
        written = tftp.write(message)
    except LocalError:
        # A longer ERROR or OACK is read, but none is ever written.
        assert len(octets) >= tftp.LARGEST_REQUEST, "what was read cannot be written"
        return
    assert tftp.parse(written) == message, "reading is not the inverse of writing"


def _rtp_originals() -> list[bytes]:
    full = rtp.RtpPacket(0, 1, 2, 3, b"payload", True, (4, 5), (6, b"abcd"), 4)
    return [rtp.write(full), rtp.write(rtp.RtpPacket(8, 65535, 160, 9, bytes(160)))]


def _use_rtp(octets: bytes) -> None:
    packet = rtp.parse(octets)
    assert rtp.parse(rtp.write(packet)) == packet


def _megaco_originals() -> list[bytes]:
    pretty = [path.read_bytes() for path in sorted(VECTORS.glob("*.megaco"))]
    return pretty + [megaco.encode(megaco.decode(each), compact=True) for each in pretty]


def _use_megaco(octets: bytes) -> None:
    try:
        message = megaco.decode(octets)
    except RemoteError as error:
        assert error.code, "a refusal without a code cannot be answered"
        raise
    try:
        written = megaco.encode(message)
    except LocalError:
        # Written in full, what was abbreviated may be longer than any datagram.
        assert len(octets) > LARGEST // 16, "what was read cannot be written"
    else:
        assert megaco.decode(written) == message
    for text, read in _texts(message):
        try:
            read(text)
        except RemoteError:
            continue


def _texts(message: megaco.Message) -> Iterable[tuple[str, Callable[[str], object]]]:
    """The session descriptions and digit maps inside, which a gateway reads."""
    requests = (each for each in message.transactions if isinstance(each, TransactionRequest))
    for command in (command for request in requests for action in request.actions for command in action.commands):
        media = command.find(Media)
        for stream in media.streams if media else ():
            yield from ((text, sdp.parse) for text in (stream.local, stream.remote) if text)
        digit_map = command.find(DigitMapDescriptor)
        if digit_map is not None and digit_map.body:
            yield digit_map.body, DigitMap.parse


def _sdp_originals() -> list[bytes]:
    common = "c=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=0 0\r\nr=1\r\nk=clear:a\r\na=q\r\n"
    full = f"v=0\r\no=- 1 2 IN IP4 10.0.0.5\r\ns=x\r\ni=info\r\n{common}m=audio 10000 RTP/AVP 0 8\r\na=fmtp:8 x=y z\r\n"
    choose = "v=0 c=IN IP4 $ m=audio $ RTP/AVP 4 a=ptime:30 v=0 c=IN IP4 $ m=audio $ RTP/AVP 0"
    return [full.encode(), choose.encode(), b"v=0\no=- 1 2 IN IP4 h\nm=audio 5/2 RTP/AVP 0\nc=IN IP4 10.0.0.5\na=sendonly\n"]


def _use_sdp(octets: bytes) -> None:
    for session in sdp.parse(octets.decode("utf-8", "surrogateescape")):
        assert sdp.parse(sdp.render(session)) == (session,)


CODECS = {
    "dhcp": Codec(fuzz_dhcp.originals, fuzz_dhcp.PIECES, fuzz_dhcp.use, MAX_MESSAGE - 1500),
    "tftp": Codec(_tftp_originals, BINARY_PIECES, _use_tftp),
    "megaco": Codec(_megaco_originals, TEXT_PIECES, _use_megaco),
    "rtp": Codec(_rtp_originals, BINARY_PIECES, _use_rtp),
    "sdp": Codec(_sdp_originals, TEXT_PIECES, _use_sdp),
    "sip": Codec(fuzz_sip.originals, fuzz_sip.PIECES, fuzz_sip.use),
}
