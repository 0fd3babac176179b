"""Good DHCP messages of every kind, and a reader that looks at all of one, as the server does; what it reads it can write again."""

from tests.dhcp.test_wire import GOLDEN, MESSAGE
from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import named_by, pack_sub_options, read_parts, sub_options, write_parts
from voxpath.dhcp.message import Message, MessageType
from voxpath.dhcp.port_parameters import decode_port_set
from voxpath.dhcp.value import KINDS, decode_sip_servers, decode_value, encode_sip_servers, encode_value
from voxpath.dhcp.wire import MAX_MESSAGE, decode, encode, spread_options

PIECES = (
    *(b"\x00", b"\xff", b"\xff\xff", b"\x00\x00\x00\x00", b"\x35\x01", b"\x34\x01\x03", b"\x2b\xff", b"\0\1", b"9" * 11),
    *(b"\x7d\x09\0\0\x04\x03\x04", b"\x7c\x05\xff\xff\xff\xff\xff", b"\x78\x05\x01", b"\x37\xff", b"\x39\x02\xff\xff", b"\x3d\xff"),
)

READERS = {
    code.SIP_SERVERS: decode_sip_servers,
    code.ENTERPRISE: lambda data: [sub_options(part) for _, part in read_parts(data)],
    code.ENTERPRISE_CLASS: read_parts,
    code.PORT_PARAMETERS: decode_port_set,
    **{option: (lambda data, kind=kind: decode_value(kind, data)) for option, kind in zip(range(230, 242), KINDS, strict=False)},
}


def messages() -> list[Message]:
    """One of each message type, one with every option that is read, a long one."""
    parts = write_parts([(1027, b"id:ipphone.mitel.com"), (3561, pack_sub_options({1: b"abc"}))])
    values = {
        "address": "10.0.0.1", "addresses": ["10.0.0.1", "10.0.0.2"], "text": "text", "hex": "00ff", "u8": 1, "u16": [1, 2],
        "u32": 1, "i32": -1, "bool": True, "names": ["a.example"],
    }  # fmt: skip
    full = {
        **MESSAGE.options,
        43: bytes.fromhex("0108c63364014e404e7f0304c6336401"),
        224: bytes(4) + b"\x4e\x40\x4e\x7f",
        225: bytes(12),
        226: bytes(4),
        50: bytes(4),
        51: bytes(4),
        6: bytes(8),
        12: b"phone",
        57: b"\x04\xa6",
        61: b"\x01" + bytes(6),
        124: parts,
        125: parts,
        159: b"\0\x0a\x50\0",
        120: encode_sip_servers(["sip.example", "backup.example"]),
        **{230 + place: encode_value(kind, values[kind]) for place, kind in enumerate(KINDS)},
    }
    kinds = [MESSAGE._replace(options={**MESSAGE.options, 53: bytes((kind,))}) for kind in MessageType]
    long = MESSAGE._replace(options={**MESSAGE.options, 43: bytes(range(200)) * 3})
    return [*kinds, MESSAGE._replace(options=full), long]


def originals() -> list[bytes]:
    """Good messages; the last two carry options in ``file`` and ``sname``."""
    overloaded = GOLDEN[:240] + bytes((52, 1, 3, 53, 1, 1, 255))
    many = MESSAGE._replace(options={**MESSAGE.options, **dict.fromkeys(range(100, 107), b"x" * 40)})
    spread = encode(many, MAX_MESSAGE, spread_options(many.options, 450))
    return [GOLDEN, *map(encode, messages()), overloaded, spread]


def use(octets: bytes) -> None:
    """Look at all of a message; raises RemoteError when it, or what was looked at, is refused."""
    message = decode(octets)
    _ = (message.summary.isprintable(), message.mac, message.vendor_class, message.broadcast, message.wants(1), message.lists(1))
    named_by((message.options.get(code.ENTERPRISE_CLASS), message.options.get(code.ENTERPRISE)))
    again = decode(encode(message, 2 * MAX_MESSAGE)[:MAX_MESSAGE])
    assert again == message or len(encode(message, 2 * MAX_MESSAGE)) > MAX_MESSAGE, "reading is not the inverse of writing"
    for option, read in READERS.items():
        if option in message.options:
            try:
                read(message.options[option])
            except RemoteError:
                continue
    message.address(code.SERVER_ID)
    message.number(code.LEASE_TIME, 4)
    message.addresses(code.DNS_SERVER)
    message.text(code.HOST_NAME)
    code.read_assignment(message.options, 3561)
