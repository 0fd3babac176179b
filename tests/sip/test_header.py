"""Typed values of header fields (RFC 3261 section 20)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sip.test_uri import hosts, ports, uris
from voxpath.core.errors import RemoteError
from voxpath.sip.header import (
    LARGEST_CSEQ,
    LONGEST_VALUE,
    MOST_VALUES,
    STAR,
    contacts,
    credentials,
    is_star,
    number,
    parse_address,
    parse_cseq,
    parse_via,
    print_address,
    print_via,
    q_of,
    quoted,
    split_list,
    unquoted,
    vias,
)
from voxpath.sip.message import Address, CSeq, Message, Via
from voxpath.sip.uri import SipUri
from voxpath.sip.wire import LARGEST_MESSAGE

tokens = st.from_regex(r"[a-z0-9.!%*_+`'~-]{1,8}", fullmatch=True)
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
values = st.none() | tokens | text.map(quoted)
params = st.dictionaries(tokens, values, max_size=3)
displays = text.filter(lambda each: "\udc80" not in each)
addresses = st.builds(Address, displays, uris.map(str), params)
via_values = st.builds(Via, st.sampled_from(["UDP", "TCP", "TLS-SCTP"]), hosts, ports, params)


def refused(read: Callable[..., object], *given_: object) -> RemoteError:
    with pytest.raises(RemoteError) as refusal:
        read(*given_)
    assert refusal.value.code == 400
    assert refusal.value.section
    return refusal.value


@given(addresses)
def test_reading_an_address_is_the_inverse_of_printing_it(address: Address) -> None:
    assert parse_address(print_address(address)) == address


@given(st.lists(addresses, min_size=1, max_size=4))
def test_a_list_of_addresses_is_split_where_it_was_joined(several: list[Address]) -> None:
    joined = " ,".join(print_address(each) for each in several)
    assert contacts(Message({"contact": [joined]})) == tuple(several)


@given(via_values)
def test_reading_a_via_is_the_inverse_of_printing_it(via: Via) -> None:
    assert parse_via(print_via(via)) == via


@given(text)
def test_a_quoted_string_gives_its_text_back(written: str) -> None:
    assert unquoted(quoted(written)) == written


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sip:a@b;tag=1", Address("", "sip:a@b", {"tag": "1"})),
        ("<sip:a@b;lr>;Tag=x", Address("", "sip:a@b;lr", {"tag": "x"})),
        ("caller<sip:caller@example.com>;tag=323", Address("caller", "sip:caller@example.com", {"tag": "323"})),
        ('"J Rosenberg \\\\\\""  <sip:j@h> ; tag = 98', Address('J Rosenberg \\"', "sip:j@h", {"tag": "98"})),
        ('"a, <b>; c" <sip:a@b>', Address("a, <b>; c", "sip:a@b", {})),
        ("<sip:a,b@h;x=1,2>;q=0.5", Address("", "sip:a,b@h;x=1,2", {"q": "0.5"})),
        ('"Watson, Thomas" < sip:t.watson@example.org >', Address("Watson, Thomas", "sip:t.watson@example.org", {})),
        ("Bell, Alexander <sip:a@b>;tag=43", Address("Bell, Alexander", "sip:a@b", {"tag": "43"})),
        ("token1~` token2'+_ token3*%!.- <sip:a@b>", Address("token1~` token2'+_ token3*%!.-", "sip:a@b", {})),
        ("isbn:2983792873", Address("", "isbn:2983792873", {})),
        ("tel:+15551234;tag=9", Address("", "tel:+15551234", {"tag": "9"})),
        ('<sip:a@b>;+sip.instance="<urn:uuid:1>";lone', Address("", "sip:a@b", {"+sip.instance": '"<urn:uuid:1>"', "lone": None})),
        ("sip:user@example.com?Route=%3Csip:x%3E", Address("", "sip:user@example.com?Route=%3Csip:x%3E", {})),
        ('"\udcfc" <sip:a@b>', Address("\udcfc", "sip:a@b", {})),
        ("<sip:a@b>;tag=", Address("", "sip:a@b", {"tag": ""})),
        ("<sip:a@b> ", Address("", "sip:a@b", {})),
    ],
)
def test_an_address_is_read_with_and_without_brackets_quotes_and_spaces(written: str, expected: Address) -> None:
    assert parse_address(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Bell",
        "*",
        '"Mr. J. User <sip:j.user@example.com>',
        "<sip:a@b",
        "sip:a@b>",
        "<>",
        "<sip:>",
        "< sip:a b@c >",
        "<sip:a@b>;;tag=1",
        "<sip:a@b>;",
        "<sip:a@b>;tag=1;TAG=2",
        "<sip:a@b>tag=1",
        "<sip:a@b>;tag=a b",
        '<sip:a@b>;tag="a',
        "<sip:a@b>;tag=a,b",
        "sip:a@b c",
        "<sip:\udc80@b>",
        "<sip:a@b>;tag=\udc80",
        '<sip:a@b>;x="\udc80"',
        '"a" "b" <sip:a@b>',
        "<sip:a@b>;" + "a" * LONGEST_VALUE,
    ],
)
def test_a_malformed_address_is_refused(written: str) -> None:
    refused(parse_address, written)


def test_the_tag_of_an_address_is_empty_when_there_is_none() -> None:
    assert [parse_address(each).tag for each in ("<sip:a@b>;tag=7", "<sip:a@b>", "<sip:a@b>;tag")] == ["7", "", ""]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("SIP/2.0/UDP 10.0.0.11:2048;branch=z9hG4bK1;rport", Via("UDP", "10.0.0.11", 2048, {"branch": "z9hG4bK1", "rport": None})),
        ("SIP  /   2.0 /UDP    192.0.2.2;branch=390skdjuw", Via("UDP", "192.0.2.2", None, {"branch": "390skdjuw"})),
        ("SIP / 2.0  / TCP  spindle.example.com ; branch  =   z9 ", Via("TCP", "spindle.example.com", None, {"branch": "z9"})),
        ("SIP/2.0/UDP [2001:db8::9:1] : 5060;received=[::1]", Via("UDP", "[2001:db8::9:1]", 5060, {"received": "[::1]"})),
        ('SIP/2.0/UDP h;received=2001:db8::1;x="a;b,c"', Via("UDP", "h", None, {"received": "2001:db8::1", "x": '"a;b,c"'})),
        (
            "SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",
            Via("TCP", "host1.example.com", None, {"branch": "z9hG4bK-.!%66*_+`'~"}),
        ),
        ("sip/2.0/udp Host", Via("udp", "Host", None, {})),
        ("SIP/7.0/UDP c.example.com", Via("UDP", "c.example.com", None, {})),
    ],
)
def test_a_via_is_read(written: str, expected: Via) -> None:
    assert parse_via(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ;branch=1",
        "SIP/2.0 UDP host",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
        "SIP/2.0/UDP host:65536",
        "SIP/2.0/UDP host:",
        "SIP/2.0/UDP host;branch=1;branch=2",
        "SIP/2.0/UDP host x",
        "SIP/2.0/UDP ho@st",
        "SIP/2.0/UDP host;branch=a b",
        "SIP/2.0/UDP host;" + "x" * LONGEST_VALUE,
    ],
)
def test_a_malformed_via_is_refused(written: str) -> None:
    refused(parse_via, written)


def test_vias_come_in_their_order_over_commas_and_fields() -> None:
    message = Message({"via": ["SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b", "SIP/2.0/SCTP c"]})
    assert [via.host for via in vias(message)] == ["a", "b", "c"]


@pytest.mark.parametrize("fields", [[], [""], ["", ""]])
def test_there_is_a_topmost_via_or_a_refusal(fields: list[str]) -> None:
    refused(vias, Message({"via": fields}))
    refused(vias, Message({}))


@pytest.mark.parametrize("name", ["via", "contact"])
def test_more_values_than_the_limit_are_refused(name: str) -> None:
    one = {"via": "SIP/2.0/UDP a", "contact": "<sip:a@b>"}[name]
    read = {"via": vias, "contact": contacts}[name]
    assert len(read(Message({name: [", ".join([one] * MOST_VALUES)]}))) == MOST_VALUES
    refused(read, Message({name: [", ".join([one] * MOST_VALUES), one]}))


def test_the_star_stands_alone() -> None:
    star = Message({"contact": ["*"]})
    assert is_star(star)
    assert contacts(star) == (STAR,)
    for fields in (["*", "<sip:a@b>"], ["<sip:a@b>, *"], ["*, *"]):
        assert not is_star(Message({"contact": fields}))
        refused(contacts, Message({"contact": fields}))
    assert contacts(Message({})) == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a , b,c", ("a", "b", "c")),
        ('"a, \\", b" <x,y>, c', ('"a, \\", b" <x,y>', "c")),
        ('<a,"b>, c', ('<a,"b>', "c")),
    ],
)
def test_a_list_is_split_at_commas_outside_of_quotes_and_brackets(written: str, expected: tuple[str, ...]) -> None:
    assert split_list(written) == expected


@pytest.mark.parametrize("element", ["a", "<a,b>"])
def test_a_list_has_a_largest_number_of_elements(element: str) -> None:
    assert split_list(", ".join([element] * MOST_VALUES)) == (element,) * MOST_VALUES
    refused(split_list, ", ".join([element] * (MOST_VALUES + 1)))
    refused(split_list, element + "," * LARGEST_MESSAGE)


@pytest.mark.parametrize("written", [",", "a,", ",a", "a,,b", "a, ,b", '"a, b', "a, <b", '<a>, "', '"x",'])
def test_a_list_with_an_empty_element_or_an_open_quote_is_refused(written: str) -> None:
    refused(split_list, written)


@pytest.mark.parametrize(("written", "expected"), [("1 INVITE", CSeq(1, "INVITE")), ("0009 \t INVITE", CSeq(9, "INVITE"))])
def test_a_cseq_is_read(written: str, expected: CSeq) -> None:
    assert parse_cseq(written) == expected


def test_a_cseq_goes_up_to_32_bits() -> None:
    assert parse_cseq(f"{LARGEST_CSEQ} ACK").number == 2**32 - 1
    refused(parse_cseq, f"{LARGEST_CSEQ + 1} ACK")


@pytest.mark.parametrize(
    "written",
    ["", "1", "INVITE", "INVITE 1", "-1 INVITE", "1 INVITE x", "1.0 INVITE", "² INVITE", "1INVITE", "0" * LONGEST_VALUE + " ACK"],
)
def test_a_malformed_cseq_is_refused(written: str) -> None:
    refused(parse_cseq, written)


@pytest.mark.parametrize(("written", "value"), [("0", 0), ("0068", 68), ("70", 70), ("0" * 5000 + "7", 7)])
def test_a_number_is_read(written: str, value: int) -> None:
    assert number(written, 70) == value


@pytest.mark.parametrize("written", ["", "-1", "+1", " 1", "1 ", "1e3", "²", "٣", "71", "9" * 21, "9" * LARGEST_MESSAGE])
def test_what_is_no_number_or_too_large_is_refused(written: str) -> None:
    refused(number, written, 70)


@pytest.mark.parametrize(
    ("written", "thousandths"),
    [(None, 1000), ("1", 1000), ("1.0", 1000), ("1.000", 1000), ("0", 0), ("0.", 0), ("0.5", 500), ("0.33", 330), ("0.007", 7)],
)
def test_q_is_exact_in_thousandths(written: str | None, thousandths: int) -> None:
    assert q_of(Address("", "sip:a@b", {} if written is None else {"q": written})) == thousandths


@pytest.mark.parametrize("written", ["", "2", "1.1", "0.1234", "-0.5", ".5", "0,5", '"0.5"', "1.001"])
def test_a_malformed_q_is_refused(written: str) -> None:
    refused(q_of, Address("", "sip:a@b", {"q": written}))


def test_credentials_are_read_without_their_quotes() -> None:
    """The example of RFC 2617 section 3.5 as SIP writes it, with spaces and commas where they hurt."""
    written = (
        'Digest username="Muf\\"asa", realm="a, b=c",\tNonce="dcd98b", uri="sip:a,b@h;x=1" , qop=auth,nc=00000001 ,'
        'cnonce="0a4f113b", response="", algorithm=MD5'
    )
    assert credentials(written) == (
        "digest",
        {
            "username": 'Muf"asa',
            "realm": "a, b=c",
            "nonce": "dcd98b",
            "uri": "sip:a,b@h;x=1",
            "qop": "auth",
            "nc": "00000001",
            "cnonce": "0a4f113b",
            "response": "",
            "algorithm": "MD5",
        },
    )


@pytest.mark.parametrize("written", ["NoOneKnowsThisScheme opaque-data=here", "Bearer abc==", "Basic", "", '"Digest" x'])
def test_credentials_of_other_schemes_are_no_error(written: str) -> None:
    scheme, found = credentials(written)
    assert scheme != "digest"
    assert found == {}


@pytest.mark.parametrize(
    "written",
    [
        "Digest x",
        'Digest username="a',
        'Digest username="a" realm="b"',
        'Digest username="a",',
        'Digest ,username="a"',
        'Digest username="a",,realm="b"',
        "Digest nc=1,NC=2",
        "Digest =a",
        "Digest nc=",
        "Digest nc=a b",
        "Digest a=" + "b" * LONGEST_VALUE,
    ],
)
def test_malformed_digest_credentials_are_refused(written: str) -> None:
    refused(credentials, written)


def test_refused_values_are_not_remembered() -> None:
    """A flood of broken messages must not push the phones' own values out."""
    memo = parse_address.__self__  # type: ignore[attr-defined]  # it is the bound look-up of a Memo, declared as a plain function
    for index in range(10):
        refused(parse_address, f"<sip:{index}@b")
        assert f"<sip:{index}@b" not in memo


def test_a_uri_that_an_address_holds_can_be_read_as_it_stands() -> None:
    assert SipUri.parse(parse_address("A <sip:a@b:5;lr>;tag=1").uri).port == 5
