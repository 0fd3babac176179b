"""SIP messages to and from octets (RFC 3261 section 7)."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sip.test_header import addresses, tokens, via_values
from tests.sip.test_uri import uris
from voxpath.core.errors import LocalError, RemoteError
from voxpath.sip.header import contacts, parse_address, parse_cseq, print_address, print_via, vias
from voxpath.sip.message import Headers, Message, Request, Response
from voxpath.sip.name import KEYS, LONGEST_NAME, spelled
from voxpath.sip.validity import check
from voxpath.sip.wire import (
    LARGEST_MESSAGE,
    MOST_HEADERS,
    SipError,
    is_keepalive,
    parse,
    print_request,
    print_response,
)

REGISTER = (
    b"REGISTER sip:voip.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.11:2048;branch=z9hG4bK1;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b"To: <sip:a1@voip.example>\r\n"
    b"From: <sip:a1@voip.example>;tag=1\r\n"
    b"Call-ID: 8a7d\r\n"
    b"CSeq: 1 REGISTER\r\n"
    b"Contact: <sip:a1@10.0.0.11:2048>\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)

TORTURE = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "vectors" / "sip-rfc4475").glob("*.dat"))]

octets = st.binary(max_size=40)
line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(lambda each: each.strip(" \t"))
raw = (
    st.binary(max_size=12).map(lambda each: each.decode("utf-8", "surrogateescape")).filter(lambda each: not set(each) & {*"\r\n"})
)
other_names = tokens.map(lambda each: f"x-{each}")
typed = st.fixed_dictionaries(
    {
        "via": st.lists(via_values.map(print_via), min_size=1, max_size=3),
        "from": addresses.map(print_address).map(lambda each: [each]),
        "to": addresses.map(print_address).map(lambda each: [each]),
        "call-id": tokens.map(lambda each: [each]),
        "cseq": st.just(["7 OPTIONS"]),
        "www-authenticate": st.just(['Digest realm="a"']),
    },
    optional={"contact": st.lists(addresses.map(print_address), min_size=1, max_size=3)},
)
others = st.dictionaries(other_names, st.lists(line | raw.map(lambda each: each.strip(" \t")), min_size=1, max_size=2), max_size=3)
headers = st.builds(lambda one, other: {**one, **other}, typed, others)
requests = st.builds(Request, tokens, uris.map(str), headers, octets)
responses = st.builds(Response, st.integers(100, 699), line, headers, octets)


def content(message: Message) -> tuple[object, ...]:
    own = {name: values for name, values in message.headers.items() if name != "content-length"}
    if isinstance(message, Request):
        return message.method, message.uri, own, message.body
    assert isinstance(message, Response)
    return message.status, message.reason, own, message.body


def registration(**changes: bytes) -> Request:
    """The registration with some of its octets replaced: each keyword's value holds what is replaced and by what."""
    changed = REGISTER
    for change in changes.values():
        old, new = change.split(b"|")
        assert old in changed
        changed = changed.replace(old, new)
    message = parse(changed)
    assert isinstance(message, Request)
    return message


def refusal(payload: bytes) -> SipError:
    with pytest.raises(SipError) as refused:
        parse(payload)
    return refused.value


@given(requests)
def test_reading_a_request_is_the_inverse_of_printing_it(request_: Request) -> None:
    read = parse(print_request(request_))
    assert content(read) == content(request_)
    assert read.value("content-length") == str(len(request_.body))


@given(responses)
def test_reading_a_response_is_the_inverse_of_printing_it(response: Response) -> None:
    assert content(parse(print_response(response))) == content(response)


def mutation(message: bytes, at: int, junk: bytes, gone: int) -> bytes:
    return message[:at] + junk + message[at + gone :]


junk = octets | st.sampled_from([b"\r\n", b"\n ", b'"', b"<", b">", b",", b";", b":", b"%", b"\xff", b"@", b"\r"])
mutations = st.builds(mutation, st.sampled_from([REGISTER, *TORTURE]), st.integers(0, 600), junk, st.integers(0, 20))


@settings(max_examples=300, deadline=None)
@given(octets | mutations)
def test_nothing_but_a_remote_error_leaves_the_readers(payload: bytes) -> None:
    try:
        message: Message | None = parse(payload)
    except SipError as error:
        assert 400 <= error.code < 600
        message = error.request
    for read in (vias, contacts, lambda each: parse_address(each.value("to")), lambda each: parse_cseq(each.value("cseq")), check):
        try:
            if message is not None and (read is not check or isinstance(message, Request)):
                read(message)  # type: ignore[operator]  # each of another type
        except RemoteError as error:
            assert error.code is not None


@settings(deadline=None)
@given(mutations)
def test_what_is_read_can_be_printed_and_read_again(payload: bytes) -> None:
    try:
        message = parse(payload)
    except SipError:
        return
    printed = print_request(message) if isinstance(message, Request) else print_response(message)
    assert content(parse(printed)) == content(message)


def test_an_ordinary_request_is_read() -> None:
    message = registration()
    assert (message.method, message.uri, message.body) == ("REGISTER", "sip:voip.example", b"")
    assert list(message.headers) == ["via", "max-forwards", "to", "from", "call-id", "cseq", "contact", "content-length"]
    assert message.value("via") == "SIP/2.0/UDP 10.0.0.11:2048;branch=z9hG4bK1;rport"
    assert message.value("expires") == ""


def test_an_ordinary_response_is_read() -> None:
    message = parse(b"SIP/2.0 404 Not  Found\r\nVia: SIP/2.0/UDP h\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (404, "Not  Found")


@pytest.mark.parametrize(
    ("compact", "name"),
    [
        ("a", "accept-contact"),
        ("b", "referred-by"),
        ("c", "content-type"),
        ("d", "request-disposition"),
        ("e", "content-encoding"),
        ("f", "from"),
        ("i", "call-id"),
        ("j", "reject-contact"),
        ("k", "supported"),
        ("l", "content-length"),
        ("m", "contact"),
        ("n", "identity-info"),
        ("o", "event"),
        ("r", "refer-to"),
        ("s", "subject"),
        ("t", "to"),
        ("u", "allow-events"),
        ("v", "via"),
        ("x", "session-expires"),
        ("y", "identity"),
    ],
)
def test_a_compact_name_is_the_full_one(compact: str, name: str) -> None:
    for written in (compact, compact.upper(), f"{compact} \t", name, name.upper(), spelled(name)):
        assert KEYS[written] == name


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("call-id", "Call-ID"),
        ("cseq", "CSeq"),
        ("www-authenticate", "WWW-Authenticate"),
        ("min-expires", "Min-Expires"),
        ("via", "Via"),
        ("x-y", "X-Y"),
    ],
)
def test_a_name_is_printed_as_people_know_it(name: str, printed: str) -> None:
    assert print_response(Response(200, "OK", {name: ["1"]})).split(b"\r\n")[1] == f"{printed}: 1".encode()


def test_names_that_nobody_knows_do_not_make_the_table_of_names_grow() -> None:
    before = len(KEYS)
    assert [KEYS[f"X-Own-{number}"] for number in range(1000)] == [f"x-own-{number}" for number in range(1000)]
    assert len(KEYS) == before


def test_fields_of_one_header_keep_their_order_whatever_their_spelling() -> None:
    message = registration(more=b"CSeq|v: SIP/2.0/UDP b\r\nVIA : SIP/2.0/UDP c\r\nCSeq")
    assert [via.host for via in vias(message)] == ["10.0.0.11", "b", "c"]


@pytest.mark.parametrize("change", [b"\r\n|\n", b": |:", b": | :\t ", b": |:\r\n  ", b": |:\n\t", b": | : \r\n \r\n  "])
def test_line_ends_without_cr_folding_and_white_space_round_colons_change_nothing(change: bytes) -> None:
    assert content(registration(change=change)) == content(registration())


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\n\r\n\n"])
def test_empty_lines_before_a_message_are_skipped(before: bytes) -> None:
    """RFC 3261 section 7.5."""
    assert content(parse(before + REGISTER)) == content(registration())


@pytest.mark.parametrize("payload", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"\n"])
def test_a_datagram_without_text_is_a_keepalive(payload: bytes) -> None:
    assert is_keepalive(payload)
    assert not is_keepalive(payload + b"x")


@pytest.mark.parametrize(
    ("length", "body", "kept"),
    [(b"3", b"abc", b"abc"), (b"3", b"abcdef", b"abc"), (b"003", b"abcd", b"abc"), (b"0", b"INVITE", b"")],
)
def test_octets_beyond_the_content_length_are_ignored(length: bytes, body: bytes, kept: bytes) -> None:
    """RFC 3261 section 18.3."""
    assert parse(REGISTER.replace(b"Length: 0", b"Length: " + length) + body).body == kept


def test_without_a_content_length_the_body_goes_to_the_end() -> None:
    assert parse(REGISTER.replace(b"Content-Length: 0\r\n", b"") + b"a\r\n\r\nb\0\xff").body == b"a\r\n\r\nb\0\xff"


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 4", b"l: -1", b"l: ", b"l: x", b"l: 1, 1", b"l: 1\r\nContent-Length: 2", b"l: " + b"9" * 6000]
)
def test_a_content_length_that_cannot_be_is_refused_and_can_be_answered(fields: bytes) -> None:
    error = refusal(REGISTER.replace(b"Content-Length: 0", fields) + b"abc")
    assert error.code == 400
    assert "Content-Length" in str(error)
    assert error.request is not None
    assert content(error.request)[:2] == ("REGISTER", "sip:voip.example")


@pytest.mark.parametrize(
    ("start", "uri"),
    [
        (b"REGISTER  sip:h  SIP/2.0", "sip:h"),
        (b"REGISTER sip:h SIP/2.0  ", "sip:h"),
        (b"REGISTER <sip:h> SIP/2.0", "sip:h"),
        (b"REGISTER\tsip:h sip/2.0", "sip:h"),
        (b"REGISTER sip:h\r\n SIP/2.0", "sip:h"),
    ],
)
def test_a_start_line_is_read_liberally_where_it_cannot_be_mistaken(start: bytes, uri: str) -> None:
    """RFC 4475 sections 3.1.2.7, 3.1.2.9 and 3.1.2.10."""
    assert registration(start=b"REGISTER sip:voip.example SIP/2.0|" + start).uri == uri


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (b"REGISTER sip:h SIP/7.0", 505),
        (b"REGISTER sip:h SIP/2.00", 505),
        (b"REGISTER sip:h;  lr SIP/2.0", 400),
        (b"REGISTER sip:h HTTP/1.1", 400),
        (b"REGISTER sip:h", 400),
        (b"REGISTER SIP/2.0", 400),
        (b"REGISTER  SIP/2.0", 400),
        (b"REGISTER <> SIP/2.0", 400),
        (b"REGISTER", 400),
    ],
)
def test_a_start_line_that_is_wrong_is_refused_and_can_be_answered(start: bytes, code: int) -> None:
    error = refusal(REGISTER.replace(b"REGISTER sip:voip.example SIP/2.0", start))
    assert error.code == code
    assert error.request is not None
    assert error.request.method == "REGISTER"
    assert error.request.value("call-id") == "8a7d"


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        b"\0\1\2\3",
        b"REGISTER sip:h",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"R@GISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n",
        b"SIP/2.0 4294967301 no\r\n\r\n",
        b"SIP/2.0 099 no\r\n\r\n",
        b"SIP/2.0 700 no\r\n\r\n",
        b"SIP/2.0\r\n\r\n",
        b"SIP/3.0 200 OK\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"SIP/2.0 200 OK\r\nnonsense\r\n\r\n",
        b"a" * (LARGEST_MESSAGE + 1),
    ],
)
def test_what_nobody_waits_for_an_answer_to_is_refused_without_a_request(payload: bytes) -> None:
    assert refusal(payload).request is None


@pytest.mark.parametrize(
    "line_",
    [
        b"nonsense",
        b": value",
        b"na me: value",
        b"n\xc3\xa4me: value",
        b"X" * (LONGEST_NAME + 1) + b": value",
        b"Other: a\rb",
        b"Other: a\r\rb",
    ],
)
def test_a_broken_header_field_is_refused_and_the_others_are_there_for_the_answer(line_: bytes) -> None:
    error = refusal(REGISTER.replace(b"Max-Forwards: 70", line_))
    assert error.code == 400
    assert error.request is not None
    assert set(error.request.headers) - {"other"} == set(registration().headers) - {"max-forwards"}
    assert not any("\r" in value for values in error.request.headers.values() for value in values)


def test_a_message_that_no_datagram_can_hold_is_refused() -> None:
    body = b"x" * (LARGEST_MESSAGE - len(REGISTER))
    assert parse(REGISTER + body).body == b""
    assert refusal(REGISTER + body + b"x").code == 513


def test_more_header_fields_than_the_limit_are_refused_and_can_be_answered() -> None:
    extra = MOST_HEADERS - len(registration().headers)
    assert len(registration(more=b"CSeq|" + b"Other: y\r\n" * extra + b"CSeq").values("other")) == extra
    error = refusal(REGISTER.replace(b"Max", b"Other: y\r\n" * (extra + 1) + b"Max"))
    assert str(MOST_HEADERS) in str(error)
    assert error.request is not None
    assert sum(map(len, error.request.headers.values())) == MOST_HEADERS
    assert error.request.value("via")


def test_a_message_without_the_empty_line_at_its_end_is_read() -> None:
    assert content(parse(REGISTER[:-2])) == content(parse(REGISTER[:-4])) == content(registration())


def test_octets_that_are_no_text_go_out_as_they_came_in() -> None:
    sent = REGISTER.replace(b"To: ", b'To: "J\xfcrgen \xd0\xbf\xc3" ')
    read = parse(sent)
    assert isinstance(read, Request)
    assert print_request(read) == sent


def test_a_response_is_printed_in_the_order_of_its_headers_with_its_length_last() -> None:
    headers_: Headers = {"content-length": ["99"], "via": ["SIP/2.0/UDP a", "SIP/2.0/UDP b"], "cseq": ["1 INVITE"]}
    assert print_response(Response(302, "Moved", headers_, b"body")).split(b"\r\n") == [
        b"SIP/2.0 302 Moved",
        b"Via: SIP/2.0/UDP a",
        b"Via: SIP/2.0/UDP b",
        b"CSeq: 1 INVITE",
        b"Content-Length: 4",
        b"",
        b"body",
    ]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\nX: y"])
def test_a_line_end_within_a_value_is_never_printed(end: str) -> None:
    for response in (
        Response(200, f"OK{end}", {}),
        Response(200, "OK", {"to": [f"a{end}"]}),
        Response(200, "OK", {f"x{end}": ["a"]}),
    ):
        with pytest.raises(LocalError):
            print_response(response)
    with pytest.raises(LocalError):
        print_request(Request("INFO", f"sip:a{end}", {}))
