"""What of SDP is accepted, kept and written."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError, RemoteError
from voxpath.model.address import Endpoint
from voxpath.sdp.message import Attribute, Connection, Line, MediaDescription, Origin, SessionDescription
from voxpath.sdp.wire import LARGEST_TEXT, MOST_LINES, parse, render

FOLDED = (
    "v=0 o=- 2890844526 2890842807 IN IP4\n124.124.124.222 s=- t= 0 0 c=IN IP4 124.124.124.222 m=audio 2222\n"
    "RTP/AVP  4 a=ptime:30 a=recvonly"
)


def one(text: str) -> SessionDescription:
    (session,) = parse(text)
    return session


def test_the_folded_form_of_rfc_3525_appendix_i() -> None:
    assert one(FOLDED) == SessionDescription(
        (MediaDescription("audio", 2222, "RTP/AVP", ("4",), attributes=(Attribute("ptime", "30"), Attribute("recvonly"))),),
        Connection("124.124.124.222"),
        Origin("-", "2890844526", "2890842807", "IN", "IP4", "124.124.124.222"),
        "-",
        others=(Line("t", "0 0"),),
    )


def test_white_space_costs_no_more_than_its_length() -> None:
    """It takes a quarter of a minute if each place is tried as the begin, and else some milliseconds: no speed is asserted here."""
    begun = process_time()
    gap = " \t\n" * (LARGEST_TEXT // 6 - 20)
    (session,) = parse(f"v=0{gap}s=a b{gap}t=0 0")
    assert session.name == "a b"
    with pytest.raises(RemoteError):
        parse(f"x{gap}y")
    assert process_time() - begun < 5


def test_alternatives_with_wildcards() -> None:
    first, second = parse("v=0 c=IN IP4 $ m=audio $ RTP/AVP 4 a=ptime:30 v=0 c=IN IP4 $ m=audio $ RTP/AVP 0")
    assert (first.media[0].port, first.media[0].formats) == (None, ("4",))
    assert second == SessionDescription.of_audio()
    assert second.rtp_endpoint() is None
    assert parse(render((first, second))) == (first, second)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\t\t", " \n\n"])
def test_line_ends_and_indentation_do_not_matter(end: str) -> None:
    session = one(end.join(("", "v=0", "c=IN IP4 192.0.2.1", "m=audio 10000 RTP/AVP 0 8", "a=fmtp:8 x=y z", "")))
    assert session.rtp_endpoint() == Endpoint("192.0.2.1", 10000)
    assert session.media[0].attribute("fmtp") == Attribute("fmtp", "8 x=y z")
    assert session.media[0].attribute("none") is None


def test_missing_lines_are_no_error_and_empty_text_has_no_description() -> None:
    assert one("m=audio 1 RTP/AVP 0").rtp_endpoint() is None
    assert parse("") == parse(" \r\n") == ()


def test_the_print_is_in_the_order_of_the_rfc() -> None:
    text = (
        "v=0|o=u 1 2 IN IP4 h|s=x|i=info|c=IN IP4 192.0.2.1|b=AS:64|t=0 0|r=1|t=1 2|k=clear:a|a=q|a=e:|"
        "m=audio 2/3 RTP/AVP 0|b=AS:6|a=z|"
    )
    shuffled = (
        "v=0|t=0 0|r=1|t=1 2|a=q|b=AS:64|k=clear:a|c=IN IP4 192.0.2.1|i=info|s=x|a=e:|o=u 1 2 IN IP4 h|"
        "m=audio 2/3 RTP/AVP 0|a=z|b=AS:6"
    ).replace("|", "\n")
    assert render(one(shuffled), end="|") == text


def test_another_address_stands_in_every_connection_and_in_the_origin_that_named_the_old_one() -> None:
    """The NAPPT keeps ports (NAP-1), so the address is all that changes when a description crosses it."""
    session = one("v=0\no=- 1 2 IN IP4 10.0.0.5\nc=IN IP4 10.0.0.5\nm=audio 10000 RTP/AVP 0\nc=IN IP4 10.0.0.5")
    changed = session.with_address("192.0.2.9")
    assert "10.0.0.5" not in render(changed)
    assert changed.rtp_endpoint() == Endpoint("192.0.2.9", 10000)
    assert changed.with_address("10.0.0.5") == session
    assert session.with_address("2001:db8::1").connection == Connection("2001:db8::1", "IP6")
    assert session.with_port(7).rtp_endpoint() == Endpoint("10.0.0.5", 7)
    assert one("m=audio 1 RTP/AVP 0").with_address("192.0.2.1").rtp_endpoint() == Endpoint("192.0.2.1", 1)


def test_a_foreign_origin_is_left_alone() -> None:
    changed = one(FOLDED.replace("IN IP4\n124.124.124.222", "IN IP4 host.example")).with_address("192.0.2.9")
    assert changed.origin is not None
    assert changed.origin.address == "host.example"


@pytest.mark.parametrize("text", ["m=audio 0 RTP/AVP 0\nc=IN IP4 192.0.2.1", "c=IN IP4 gw.example\nm=audio 5 RTP/AVP 0", "v=0"])
def test_what_is_no_endpoint(text: str) -> None:
    assert one(text).rtp_endpoint() is None


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "v=0\nc=IN IP4",
        "v=0\no=- 1 2",
        "m=audio",
        "m=audio x RTP/AVP 0",
        "m=audio 65536 RTP/AVP 0",
        "m=audio $/2 RTP/AVP 0",
        "m=audio 1 RTP/AVP 0\ns=late",
        "a=x\n" * (MOST_LINES + 1),
        "v" * (LARGEST_TEXT + 1),
    ],
)
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(RemoteError):
        parse(text)


def test_a_line_end_inside_a_value_is_never_written() -> None:
    with pytest.raises(LocalError):
        render(SessionDescription(name="x\r\nm=audio 9 RTP/AVP 0"))


fields = st.from_regex(r"[A-Za-z0-9.$*-]{1,8}", fullmatch=True)
attributes = st.lists(st.builds(Attribute, fields, st.none() | fields), max_size=3).map(tuple)
connections = st.none() | st.builds(Connection, fields, fields, fields)
others = st.lists(st.builds(Line, st.just("b"), fields), max_size=2).map(tuple)
ports = st.integers(0, 0xFFFF)
media = st.one_of(
    st.builds(MediaDescription, fields, ports, fields, st.tuples(fields), st.none() | ports, connections, attributes, others),
    st.builds(MediaDescription, fields, st.none(), fields, st.tuples(fields, fields)),
)
sessions = st.builds(
    SessionDescription,
    st.lists(media, max_size=2).map(tuple),
    connections,
    st.none() | st.builds(Origin, *[fields] * 6),
    st.none() | fields,
    attributes,
    others,
    fields,
)


@given(st.lists(sessions, max_size=3).map(tuple))
def test_parse_is_the_inverse_of_render(described: tuple[SessionDescription, ...]) -> None:
    assert parse(render(described)) == described


@given(st.one_of(st.text(max_size=80), st.text("vosctma=0 \n$IP4/1:", max_size=80)))
def test_nothing_but_a_remote_error_leaves_the_parser(text: str) -> None:
    try:
        described = parse(text)
    except RemoteError:
        return
    assert parse(render(described)) == described
