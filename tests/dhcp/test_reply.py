"""What a reply tells whom: named options, the class over its layout over the scope, option 125, and what finds no room."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dhcp.conftest import DESK, scope
from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import read_parts, sub_options, write_parts
from voxpath.dhcp.fit import NECESSARY, OWN, fit, room_of
from voxpath.dhcp.form import Form
from voxpath.dhcp.message import BOOTREQUEST, Message, MessageType
from voxpath.dhcp.options import read_assignment
from voxpath.dhcp.reply import MAX_FORMS, Answer, Replies
from voxpath.dhcp.value import encode_sip_servers, encode_value
from voxpath.dhcp.wire import DEFAULT_MESSAGE, decode, encode, message_octets, spread_options
from voxpath.model.phone import PhoneClass, Scope
from voxpath.model.ports import PortBlock

ENTERPRISE = 32473
BLOCK = PortBlock(IPv4Address("198.51.100.1"), 20480, 64)
ADDRESS = IPv4Address("10.0.0.10")
LAN = scope("lan", 0, 10, 20)
PLAIN = PhoneClass("plain", ("plain",), 64, 3600)
ANYBODY = {1, 3, 6, 12, 15, 51, 53, 54, 58, 59, 66}


def discover(*asked: int, **more: bytes) -> Message:
    """A DISCOVER that lists these options; further ones are given as ``o57=...``."""
    options = {53: b"\x01", 55: bytes(asked), **{int(name[1:]): value for name, value in more.items()}}
    return Message(BOOTREQUEST, 7, bytes.fromhex("020000000a01"), options)


def answer(request: Message, phone_class: PhoneClass = PLAIN, lan: Scope = LAN, enterprise: int = 0) -> Answer:
    return Replies(enterprise).answer(MessageType.OFFER, request, lan, phone_class, "phone", BLOCK, ADDRESS)


def told(request: Message, phone_class: PhoneClass = PLAIN, lan: Scope = LAN, enterprise: int = 0) -> dict[int, bytes]:
    return dict(decode(answer(request, phone_class, lan, enterprise).payload).options)


# What is configured.


def test_a_plain_class_is_told_the_plain_options_and_its_lease_time() -> None:
    """DHC-11 to DHC-13; Avaya's phones refuse an OFFER without option 51."""
    assert told(discover()).keys() == ANYBODY


def test_named_servers_are_told_under_their_numbers() -> None:
    """DHC-13: 4 and 42; RFC 3361: 120; RFC 5859: 150."""
    servers = encode_value("addresses", ["10.0.0.7", "10.0.0.8"])
    sip = encode_sip_servers(["sip.example"])
    lan = replace(LAN, options=((4, servers), (42, servers), (120, sip), (150, servers)))
    options = told(discover(), lan=lan)
    assert options == {**options, 4: servers, 42: servers, 120: sip, 150: servers, 66: b"10.0.0.7"}
    reply = decode(answer(discover(), lan=lan).payload)
    assert (reply.siaddr, reply.sname) == (IPv4Address("10.0.0.7"), b"10.0.0.7")


def test_option_150_goes_to_whoever_lists_it_and_66_and_siaddr_to_all() -> None:
    """Cisco's phones list 150 and 66; many others need 66 as an option, not only in the header."""
    assert told(discover(150))[150] == LAN.server.packed
    assert 150 not in told(discover(66))
    assert told(discover())[66] == b"10.0.0.1"


def test_a_class_says_where_its_phones_fetch_their_configuration() -> None:
    url = "http://prov.example/phones"
    desk = replace(PLAIN, url=url, layout="yealink")
    assert told(discover(), desk)[66] == told(discover(), desk)[43] == url.encode()
    assert decode(answer(discover(), desk).payload).siaddr == LAN.server


def test_two_classes_in_one_scope_are_told_different_things() -> None:
    """DHC-25: by one Replies, since what a class is told alike is made once."""
    replies = Replies()
    classes = [replace(PLAIN, name=name, layout=name, url=f"http://{name}.example") for name in ("snom", "aastra", "none")]
    for _ in range(2):
        offers = [replies.answer(MessageType.OFFER, discover(), LAN, each, "x", BLOCK, ADDRESS).payload for each in classes]
        vendor = [decode(offer).options.get(43) for offer in offers]
        assert vendor == [b"\x42\x14http://snom.example\0", b"\x02\x15http://aastra.example", None]


def test_the_class_replaces_its_layout_and_that_the_scope() -> None:
    lan = replace(LAN, options=((6, bytes(4)), (43, b"scope"), (160, b"scope"), (42, bytes(4))))
    assert told(discover(), lan=lan)[6] == bytes(4)
    poly = replace(PLAIN, name="poly", layout="poly")
    assert (told(discover(), poly, lan)[160], told(discover(), poly, lan)[43]) == (b"tftp://10.0.0.1", b"scope")
    own = replace(poly, name="own", options=((160, b"class"), (42, b"1234")))
    assert (told(discover(), own, lan)[160], told(discover(), own, lan)[42]) == (b"class", b"1234")


def test_sub_options_of_a_class_stand_behind_those_of_its_layout() -> None:
    more = ((132, b"3\0"),)
    snom = replace(PLAIN, layout="snom", url="http://test", sub_options=more)
    assert told(discover(), snom)[43].hex() == "420c687474703a2f2f7465737400" + "84023300"
    own = replace(DESK, sub_options=more)
    assert told(discover(), own)[43].endswith(bytes.fromhex("84023300"))
    assert read_assignment(told(discover(), own)).block == BLOCK
    lan = replace(LAN, options=((43, b"scope"),))
    assert told(discover(), replace(PLAIN, sub_options=more), lan)[43].hex() == "84023300"


# Option 125.


def test_our_own_fields_stand_under_the_configured_enterprise_number() -> None:
    """DHC-10: the same sub-options as in option 43, to a phone that lists 125 or names the number."""
    named = write_parts([(ENTERPRISE, b"")])
    for request in (discover(125), discover(o124=named), discover(o125=named)):
        options = told(request, replace(DESK, layout="none"), enterprise=ENTERPRISE)
        assert read_parts(options[125])[0][0] == ENTERPRISE
        flat = {option: value for option, value in options.items() if option not in code.FLAT_CODES}
        assert read_assignment(flat, ENTERPRISE).block == BLOCK
        assert read_assignment(flat, ENTERPRISE).nat == BLOCK.public
        assert len(read_assignment(flat, ENTERPRISE).mgcs) == 2
        assert read_assignment(flat).block is None
    assert 125 not in told(discover(1, 3), DESK, enterprise=ENTERPRISE)
    assert 125 not in told(discover(125), DESK)


def test_several_enterprises_share_the_option_and_a_phone_that_names_one_gets_that_one() -> None:
    more = write_parts([(3561, b"\x01\x03abc"), (872, b"x")])
    mitel = replace(PLAIN, layout="mitel", options=((125, more),))
    parts = dict(read_parts(told(discover(125), mitel, enterprise=ENTERPRISE)[125]))
    assert parts.keys() == {ENTERPRISE, 1027, 3561, 872}
    assert parts[1027].startswith(b"id:ipphone.mitel.com;")
    assert sub_options(parts[3561]) == {1: b"abc"}
    named = discover(125, o124=write_parts([(1027, b"ipphone.mitel.com")]))
    assert [number for number, _ in read_parts(told(named, mitel, enterprise=ENTERPRISE)[125])] == [1027]
    assert 125 not in told(discover(o124=write_parts([(9, b"")])), mitel)


# Room.


def test_what_matters_comes_first_and_the_relays_option_last() -> None:
    request = discover(224, 225, 226, 150, o61=b"\x01abc")
    order = list(told(request, replace(DESK, root_path="/x", image_octets=5)))
    assert order[:7] == [53, 54, 51, 58, 59, 1, 3]
    assert order.index(43) < order.index(66) < order.index(6) < order.index(17) < order.index(13)
    assert list(fit(request, {82: b"x", 13: b"y", 53: b"z"}).options) == [53, 13, 82]


@pytest.mark.parametrize(
    ("announced", "room"),
    [(None, 548), (b"\x02\x40", 548), (b"\x00\x00", 548), (b"\x04\xa6", 1162), (b"\xff\xff", 4096), (b"x", 548)],
)
def test_a_client_takes_548_octets_or_what_it_announces(announced: bytes | None, room: int) -> None:
    """RFC 2132 section 9.10; Avaya's 1200 series announces 1190 octets of IP."""
    assert room_of(discover() if announced is None else discover(o57=announced)) == room


BIG = tuple((option, bytes((option,)) * 60) for option in (69, 70, 71, 72, 73, 74))


def test_what_nobody_asked_for_is_left_out_first_and_told_to_the_operator() -> None:
    reply = answer(discover(13, 17, 74), replace(DESK, options=BIG, root_path="/x", image_octets=5))
    options = decode(reply.payload).options
    assert len(reply.payload) <= DEFAULT_MESSAGE
    assert {13, 17, 74, 43} <= options.keys()
    assert reply.left_out
    assert not set(reply.left_out) & options.keys()
    assert reply.note == f", without room for options {', '.join(map(str, reply.left_out))}"
    roomy = answer(discover(o57=b"\x05\xdc"), replace(DESK, options=BIG))
    assert (roomy.left_out, roomy.note) == ((), "")


def test_sname_and_file_carry_options_only_if_the_client_lists_52() -> None:
    """RFC 2131 section 4.1, RFC 2132 section 9.3: the header's names then stand in options 66 and 67."""
    desk = replace(DESK, options=BIG[:5])
    plain, overloaded = answer(discover(), desk), answer(discover(52), desk)
    assert plain.left_out
    assert decode(plain.payload).sname == b"10.0.0.1"
    assert overloaded.left_out == ()
    assert len(overloaded.payload) <= DEFAULT_MESSAGE
    assert decode(overloaded.payload).file == b""
    assert decode(overloaded.payload).options.items() >= {66: b"10.0.0.1", 67: b"desk.bin", **dict(BIG[:5])}.items()


def test_the_relays_option_is_the_last_one_beside_overload_too() -> None:
    """RFC 3046 section 2.1."""
    agent = b"\x01\x06port-7"
    payload = answer(discover(52, o82=agent), replace(DESK, options=BIG[:5])).payload
    assert bytes((52, 1)) in payload[240:]
    assert payload.rstrip(b"\0").endswith(bytes((82, len(agent))) + agent + b"\xff")


def test_what_fits_is_never_overloaded() -> None:
    assert answer(discover(52), DESK).payload == answer(discover(), DESK).payload


@pytest.mark.parametrize("option", [61, 82])
def test_what_is_overlong_is_not_sent_back_and_the_ordinary_always_is(option: int) -> None:
    """RFC 6842, RFC 3046, and no reply that is longer than a client takes because it asked in a strange way."""
    ordinary = bytes((1, 253, *bytes(253)))
    assert told(discover(**{f"o{option}": ordinary}))[option] == ordinary
    for octets in (256, 3000):
        strange = answer(discover(**{f"o{option}": bytes(octets)}), replace(DESK, options=BIG))
        assert option not in decode(strange.payload).options
        assert len(strange.payload) <= DEFAULT_MESSAGE


OPTIONS = st.dictionaries(st.integers(1, 254).filter(lambda option: option != code.OVERLOAD), st.binary(max_size=300), max_size=20)


@given(OPTIONS, st.booleans(), st.integers(0, 1500), st.binary(max_size=20))
def test_fitting_never_exceeds_the_room_loses_nothing_silently_and_is_read_back(
    options: dict[int, bytes], overload: bool, announced: int, asked: bytes
) -> None:
    request = discover(*asked, *((52,) if overload else ()), o57=announced.to_bytes(2, "big"))
    fitted = fit(request, options)
    assert {*fitted.options, *fitted.left_out} == options.keys()
    assert not NECESSARY & set(fitted.left_out)
    payload = encode(Message(2, 7, b"123456", fitted.options), 60_000, fitted.spread)
    necessary = {option: value for option, value in options.items() if option in NECESSARY}
    assert len(payload) <= max(room_of(request), message_octets(necessary))
    assert dict(decode(payload).options) == dict(fitted.options) if len(payload) <= 4096 else True
    if set(fitted.left_out) & OWN:
        assert fitted.options.keys() <= NECESSARY | OWN


@given(OPTIONS, st.integers(300, 2000))
def test_spreading_keeps_every_option_whole_or_tells_that_there_is_no_room(options: dict[int, bytes], limit: int) -> None:
    spread = spread_options(options, limit)
    if spread is None:
        return
    payload = encode(Message(2, 7, b"123456", options), limit, spread)
    assert dict(decode(payload).options) == options
    assert len(payload) <= limit


REQUESTS = st.builds(
    lambda asked, ids, size, more: discover(*asked, **ids, **size, **more),
    st.lists(st.integers(1, 254), max_size=20, unique=True),
    st.one_of(st.just({}), st.binary(min_size=2, max_size=255).map(lambda octets: {"o61": octets})),
    st.one_of(st.just({}), st.integers(0, 1500).map(lambda size: {"o57": size.to_bytes(2, "big")})),
    st.one_of(st.just({}), st.binary(max_size=40).map(lambda octets: {"o82": b"\x01" + bytes((len(octets),)) + octets})),
)
CLASSES = st.sampled_from([PLAIN, DESK, replace(DESK, name="yealink", layout="yealink", url="http://prov.example", root_path="/x")])


@given(st.lists(st.tuples(REQUESTS, CLASSES), min_size=1, max_size=6), st.sampled_from([0, ENTERPRISE]))
def test_a_form_that_is_filled_in_is_the_reply_that_would_be_written_from_nothing(
    asked: list[tuple[Message, PhoneClass]], enterprise: int
) -> None:
    """What replies have in common is kept, and whatever it was kept from, each reply is its own."""
    replies = Replies(enterprise)
    for request, phone_class in asked:
        given = replies.answer(MessageType.OFFER, request, LAN, phone_class, "phone", BLOCK, ADDRESS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Form, "filled", lambda form, values, room: None)
            anew = Replies(enterprise).answer(MessageType.OFFER, request, LAN, phone_class, "phone", BLOCK, ADDRESS)
        assert given == anew


def test_clients_that_ask_in_ever_new_ways_cost_a_bounded_memory() -> None:
    replies = Replies()
    for number in range(MAX_FORMS + 10):
        replies.answer(MessageType.OFFER, discover(*number.to_bytes(2, "big")), LAN, PLAIN, "phone", BLOCK, ADDRESS)
    assert len(replies._forms) == 10
