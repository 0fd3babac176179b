"""The netascii form of text: CR LF ends a line, CR NUL is a lone carriage return (RFC 1350 section 1, RFC 764)."""

from re import compile as pattern

_ENCODE = pattern(rb"[\r\n]")
_DECODE = pattern(rb"\r[\n\0]")


def encode(text: bytes) -> bytes:
    """Bring lines that end with LF into netascii."""
    return _ENCODE.sub(lambda found: b"\r\n" if found[0] == b"\n" else b"\r\0", text)


def decode(octets: bytes) -> bytes:
    """Bring netascii into lines that end with LF; a CR that nothing valid follows is kept."""
    return _DECODE.sub(lambda found: b"\n" if found[0] == b"\r\n" else b"\r", octets)
