"""tshark and scapy read every kind of answer of the DHCP server, and tshark has nothing to say against any."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.dhcp import BOOTP, DHCP

from tests.dhcp.conftest import DESK, scope
from tests.dhcp.test_reply import BLOCK, ENTERPRISE, discover
from tests.live.judge import Verdict, verdicts
from voxpath.dhcp.enterprise import write_parts
from voxpath.dhcp.layout import LAYOUTS
from voxpath.dhcp.message import Message, MessageType
from voxpath.dhcp.reply import Replies
from voxpath.dhcp.value import KINDS, encode_sip_servers, encode_value
from voxpath.dhcp.wire import decode
from voxpath.model.phone import PhoneClass

pytestmark = [pytest.mark.live, pytest.mark.together]

PORT = 67
FAULTLESS = Verdict("DHCP", "", "", "")
WARNING = 0x600000
"""tshark's severity; below it are notes: that options stand in sname and file, or that a long one has several pieces."""
OBJECTED = Verdict("DHCP", str(0x800000), "", "")
OWN_WAYS = {
    "layout mitel": OBJECTED._replace(remarks="Suboption 105: no room left in option for suboption value"),
    "layout snom": OBJECTED._replace(remarks="length isn't 1"),
}
"""The one remark that each of these makers' own layouts draws; docs/protocols/dhcp-options.md tells why."""
ADDRESS = IPv4Address("10.0.0.10")
SERVERS = encode_value("addresses", ["10.0.0.7", "10.0.0.8"])
LAN = replace(
    scope("lan", 0, 10, 20),
    options=(
        (2, encode_value("i32", -3600)),
        (4, SERVERS),
        (42, SERVERS),
        (119, encode_value("names", ["phones.example", "site.example"])),
        (120, encode_sip_servers(["192.0.2.12", "192.0.2.13"])),
        (150, SERVERS),
    ),
)
VALUES = {
    "address": "10.0.0.1", "addresses": ["10.0.0.1", "10.0.0.2"], "text": "text", "hex": "00ff", "u8": 1, "u16": [1, 2],
    "u32": 1, "i32": -1, "bool": True, "names": ["a.example"],
}  # fmt: skip
EVERYTHING = discover(*range(1, 52), *range(53, 255), o57=b"\x10\x1c", o61=b"\x01\x02\0\0\0\x0a\x01")
NAMED = write_parts([(ENTERPRISE, b""), (1027, b"ipphone.mitel.com")])
AGENT = b"\x01\x06port-7\x02\x02sw\x05\x04\x0a\0\0\0"
"""Circuit, remote end and link selection (RFC 3046, RFC 3527)."""
RELAYED = discover(o61=b"\x01\x02\0\0\0\x0a\x01", o82=AGENT)._replace(giaddr=IPv4Address("10.0.0.2"), hops=1)


def a_class(name: str, **more: object) -> PhoneClass:
    return replace(DESK, name=name, layout="none", image_octets=300_000, root_path="/desk", **more)


def requests() -> dict[str, tuple[Message, PhoneClass]]:
    """What makes the server say each thing that it can say, by name."""
    plain = a_class("plain")
    long = a_class("long", options=((43, bytes(range(200)) * 3), (77, b"x" * 300)))
    big = a_class("big", options=tuple((option, b"x" * 60) for option in range(100, 106)))
    names = a_class("names", options=((120, encode_sip_servers(["sip.example", "backup.example"])),))
    typed = a_class("typed", options=tuple((230 + place, encode_value(kind, VALUES[kind])) for place, kind in enumerate(KINDS)))
    several = a_class("several", options=((125, write_parts([(3561, b"\x01\x03abc"), (872, b"\x02\x01x")])),))
    found = {
        "plain": (discover(), plain),
        "everything": (EVERYTHING, plain),
        "long options": (EVERYTHING, long),
        "left out": (discover(), big),
        "overload": (discover(52), big),
        "SIP names": (EVERYTHING, names),
        "typed": (EVERYTHING, typed),
        "several enterprises": (EVERYTHING, several),
        "named enterprises": (discover(o124=NAMED), several),
        "relayed": (RELAYED, plain),
        "subnet selection": (discover(o118=LAN.subnet.network_address.packed), plain),
    }
    for name in LAYOUTS:
        told = a_class(
            f"layout {name}", url="http://prov.example:8080/phones", options=((120, encode_sip_servers(["192.0.2.12"])),)
        )
        found[told.name] = (EVERYTHING, replace(told, layout=name))
    return found


def answers() -> dict[str, bytes]:
    replies = Replies(ENTERPRISE)
    found = {}
    for name, (request, phone_class) in requests().items():
        for kind, address in ((MessageType.OFFER, ADDRESS), (MessageType.ACK, None)):
            asked = request if address else request._replace(ciaddr=ADDRESS)
            found[f"{name}, {kind.name}"] = replies.answer(kind, asked, LAN, phone_class, "phone", BLOCK, address).payload
    for name, request in {"NAK": EVERYTHING, "relayed NAK": RELAYED}.items():
        found[name] = replies.refusal(request, LAN, "the address is not for this phone")
    return found


def faults(datagrams: dict[str, bytes], directory: Path) -> dict[str, Verdict]:
    """What tshark says against datagrams, by name."""
    found = zip(datagrams, verdicts(list(datagrams.values()), PORT, directory), strict=True)
    return {name: verdict for name, verdict in found if not is_faultless(verdict)}


def is_faultless(verdict: Verdict) -> bool:
    """Whether tshark read it to its end and has no more than notes."""
    severities = [int(each) for each in verdict.severities.split(",") if each]
    return verdict._replace(severities="", remarks="") == FAULTLESS and max(severities, default=0) < WARNING


def test_tshark_finds_no_fault_in_any_answer(tmp_path: Path) -> None:
    every = answers()
    assert len(every) > 40
    assert {52} <= {octet for name, payload in every.items() if name.startswith("overload") for octet in payload[240:]}
    for name in ("relayed, OFFER", "relayed, ACK", "relayed NAK"):
        assert decode(every[name]).options[82] == AGENT
    for kind in ("OFFER", "ACK"):
        assert decode(every[f"subnet selection, {kind}"]).options[118] == LAN.subnet.network_address.packed
    expected = {f"{name}, {kind}": remark for name, remark in OWN_WAYS.items() for kind in ("OFFER", "ACK")}
    assert faults(every, tmp_path) == expected


def test_scapy_reads_every_option_of_every_answer() -> None:
    for name, payload in answers().items():
        if name.startswith("overload"):
            continue  # scapy does not look into sname and file
        read = [option for option in BOOTP(payload)[DHCP].options if isinstance(option, tuple)]
        ours = decode(payload).options
        pieces = sum(max(1, -(-len(value) // 255)) for value in ours.values())
        assert len(read) == pieces, name


@pytest.mark.parametrize(
    "spoil",
    [
        lambda payload: payload.replace(b"\x33\x04", b"\x33\x03", 1),
        lambda payload: payload.replace(b"\x78\x09", b"\x78\x08", 1),
        lambda payload: payload[:242],
    ],
    ids=["lease time", "SIP servers", "cut"],
)
def test_the_judge_does_object_to_what_is_broken(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """The verdicts would be worth nothing if they were always the same."""
    good = answers()["everything, OFFER"]
    assert spoil(good) != good
    assert len(faults({"spoilt": spoil(good), "good": good}, tmp_path)) == 1
