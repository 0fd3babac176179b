"""What a redirect lets through: the caller's offered ports, and of the callee's side its block, each for the other one alone."""

from ipaddress import IPv4Address

import pytest

from tests.sip.exchange import Exchange
from tests.sip.test_redirect import MAC_A1, MAC_B1, OF_A1, STRANGER, A, B, invite, registered, request
from voxpath.model.address import Endpoint
from voxpath.model.media import MediaEnd, MediaSession
from voxpath.sip.media import REDIRECTED_S

OFFER = "v=0\r\no=- 1 1 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\nm=audio 2050 RTP/AVP 0\r\n"
A1 = MediaEnd(MAC_A1, IPv4Address(A), (2048, 2050, 2051), IPv4Address("10.0.0.11"))
B1 = MediaEnd(MAC_B1, IPv4Address(B), tuple(range(2048, 2112)), IPv4Address("10.0.0.11"))


def sessions(made: Exchange, payload: bytes, source: Endpoint = OF_A1) -> list[MediaSession]:
    """What was told before the answer left."""
    before = len(made.sent), len(made.sessions)
    made.send(payload, source)
    found = made.sessions[before[1] :]
    assert {at for at, _ in found} <= {before[0]}
    return [session for _, session in found]


def test_the_callers_offer_tells_its_ports_and_the_callee_has_its_block() -> None:
    """The port that signalling comes from is one of them, since callee and caller go on without this server."""
    [session] = sessions(registered(media=True), invite("b1", body=OFFER))
    assert (session.first, session.second) == (A1, B1)
    assert (session.limit_s, session.talking, session.inside) == (REDIRECTED_S, False, False)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no description",
        OFFER.replace("2050", "9000"),
        OFFER.replace("2050", "0"),
        OFFER.replace("m=audio 2050 RTP/AVP 0\r\n", ""),
    ],
)
def test_an_offer_that_says_nothing_leaves_the_whole_block(body: str) -> None:
    """Nothing, ports of somebody else, or a refused stream."""
    [session] = sessions(registered(media=True), invite("b1", body=body))
    assert session.first.ports == tuple(range(2048, 2112))


def test_of_several_streams_each_has_its_pair() -> None:
    [session] = sessions(registered(media=True), invite("b1", body=OFFER + "m=video 2060 RTP/AVP 96\r\nm=audio 2111 RTP/AVP 8\r\n"))
    assert session.first.ports == (2048, 2050, 2051, 2060, 2061, 2111)


def test_a_stranger_is_let_in_to_whom_he_called_by_us() -> None:
    [session] = sessions(registered(media=True), invite("b1", sender="sip:x@elsewhere.example", body=OFFER), STRANGER)
    assert session.first == MediaEnd("", IPv4Address(STRANGER.host), ())
    assert session.second == B1


def test_who_calls_again_is_the_same_session() -> None:
    made = registered(media=True)
    keys = [session.key for _ in range(3) for session in sessions(made, invite("b1", body=OFFER))]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_inside_calls_other_methods_and_refusals_connect_nothing() -> None:
    made = registered(media=True)
    assert sessions(made, invite("a2", body=OFFER)) == []
    assert sessions(made, invite("idle", body=OFFER)) == []
    assert sessions(made, request("OPTIONS", "sip:b1@voip.example", sender="sip:a1@voip.example")) == []


def test_nobody_is_told_where_nobody_wants_to_know() -> None:
    assert sessions(registered(), invite("b1", body=OFFER)) == []
