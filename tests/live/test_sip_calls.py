"""Stock SIP phones at two sites with the same private addresses boot from voxpath, register and call each other by redirection.

A phone shows its combination address, public address and own port, by the shim or by the registrar's GRUU, or not at all.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.live.capture import LAN, RTP_OCTETS, Capture, passed, rtp
from tests.live.sipsites import HANDSETS, SERVER, SipStage
from tests.live.sites import SITE_A, SITE_B, until

pytestmark = pytest.mark.live

BOOTED = ("a-gruu", "a-gruu2", "a-shim", "a-shim2", "a-plain", "a-plain2", "b-gruu", "b-shim")
BETWEEN = [("b-gruu", "a-gruu"), ("b-shim", "a-shim"), ("b-gruu", "a-shim"), ("b-shim", "a-gruu")]
WITHIN = [("a-gruu", "a-gruu2"), ("a-shim", "a-shim2"), ("a-shim", "a-gruu"), ("a-gruu", "a-shim")]

SHOWS = {"not": "private", "gruu": "gruu", "self": "combination"}
"""How ``bindings`` tells what a phone shows."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SipStage]:
    with SipStage(tmp_path_factory.mktemp("sip")) as made:
        made.build()
        made.begin()
        made.boot(*BOOTED)
        yield made
        made.is_sound()


def end_call(stage: SipStage, first: str, other: str) -> None:
    """Hang up at one phone; the other one has to learn it."""
    stage.phones[first].hang_up()
    stage.phones[other].tells("CALL_CLOSED")
    stage.phones[first].tells("CALL_CLOSED")


def test_phones_of_both_sites_have_the_same_addresses_and_every_one_is_registered(stage: SipStage) -> None:
    """DNT-3, DNT-15, TFT-9: each from the port of its own block that its file named."""
    inside = {name: stage.phones[name].name_of_socket().split(":")[0] for name in ("a-gruu", "b-gruu")}
    assert len(set(inside.values())) == 1
    known = stage.bindings()
    for name in BOOTED:
        row = known[stage.aor(name)]
        assert row["source"] == stage.at(name)
        assert row["phone"] == HANDSETS[name].mac
        shown = stage.at(name) if HANDSETS[name].shim else f"{HANDSETS[name].address}:{stage.ports[name].first}"
        assert shown in row["contact"]
        assert (row["public"], row["shows"]) == (stage.at(name), SHOWS[HANDSETS[name].showing])


@pytest.mark.parametrize(("caller", "callee"), BETWEEN)
def test_a_call_between_sites_completes_and_the_gateways_change_nothing_but_addresses(
    stage: SipStage, tmp_path: Path, caller: str, callee: str
) -> None:
    """DNT-4, DNT-10, DNT-14, DNT-16, NAP-1 to NAP-3: ACK, RTP both ways and BYE arrive; ports and payloads stay as they are."""
    with ExitStack() as stack:
        wires = {
            (name, interface): stack.enter_context(Capture(stage.net, name, interface, tmp_path, "udp"))
            for name, interface in ((caller, "eth0"), (callee, "eth0"), ("sga", "wan0"), ("sgb", "wan0"))
        }
        stage.talk(caller, callee)
        end_call(stage, callee, caller)
    one, other = stage.phones[caller], stage.phones[callee]
    (call_id,) = {each.message.header("call-id") for each in other.received("INVITE")}
    assert {each.message.header("call-id") for each in (*other.received("ACK"), *one.received("BYE"))} == {call_id}
    assert len(other.received("ACK")) == len(one.received("BYE")) == 1
    for name in (caller, callee):
        handset, ports = HANDSETS[name], stage.ports[name]
        before = passed(wires[name, "eth0"].frames(), handset.address)
        after = passed(wires[handset.site.gateway, "wan0"].frames(), ports.public)
        assert before == after
        assert {ports.first <= each.port <= ports.last for each in before} == {True}
        for outwards in (True, False):
            assert sum(each.outwards is outwards and len(each.payload) == RTP_OCTETS for each in before) > 20
    on_wan = wires["sga", "wan0"].frames() + wires["sgb", "wan0"].frames()
    assert not [frame for frame in on_wan if IPv4Address(frame.source) in LAN or IPv4Address(frame.destination) in LAN]


def test_with_the_shim_no_message_names_a_private_address(stage: SipStage, tmp_path: Path) -> None:
    """DNT-4, DNT-7, DNT-16: Via, Contact and SDP carry the combination address, in the LAN as on the wire outside."""
    with (
        Capture(stage.net, "b-shim", "eth0", tmp_path, "udp") as inside,
        Capture(stage.net, "sgb", "wan0", tmp_path, "udp") as wan,
    ):
        stage.talk("b-shim", "a-shim")
        end_call(stage, "b-shim", "a-shim")
    for capture in (inside, wan):
        messages = [frame.payload for frame in capture.frames() if b"SIP/2.0" in frame.payload]
        assert len(messages) > 5
        assert not [message for message in messages if b"10.0.0." in message]
    invites = [each.message for each in stage.phones["b-shim"].sent("INVITE")]
    assert len(invites) == 2
    for message in invites:
        assert stage.at("b-shim") in message.header("contact")
        assert stage.at("b-shim") in message.header("via")
        assert f"c=IN IP4 {SITE_B.public}" in message.body


def test_with_the_gruu_dialogs_and_media_name_the_public_address(stage: SipStage) -> None:
    """DNT-4, DNT-16: the registered contact stays private; the contact of the dialog is the GRUU of the 200."""
    phone = stage.phones["b-gruu"]
    own = next(value for value in phone.registered().all("contact") if phone.name_of_socket() in value)
    assert f'pub-gruu="sip:b-gruu@{stage.at("b-gruu")}"' in own
    stage.talk("b-gruu", "a-gruu")
    end_call(stage, "b-gruu", "a-gruu")
    invite = phone.sent("INVITE")[-1].message
    assert invite.contact_uri == f"sip:b-gruu@{stage.at('b-gruu')}"
    assert f"c=IN IP4 {SITE_B.public}" in invite.body
    assert re.search(rf"@{re.escape(stage.at('a-gruu'))}", phone.sent("ACK")[-1].message.first)


@pytest.mark.parametrize(("caller", "callee"), WITHIN)
def test_a_call_within_a_site_goes_by_the_gateways_hairpin_and_no_media_leaves_it(
    stage: SipStage, tmp_path: Path, caller: str, callee: str
) -> None:
    """TRI-2, TRI-4: phones that show their public addresses meet in the gateway; outside is only the question to the server."""
    with (
        Capture(stage.net, "sga", "wan0", tmp_path, "udp") as wan,
        Capture(stage.net, callee, "eth0", tmp_path, "udp") as lan,
    ):
        stage.talk(caller, callee)
        end_call(stage, caller, callee)
    assert rtp(wan.frames()) == []
    assert {frame.source for frame in wan.frames()} | {frame.destination for frame in wan.frames()} == {SITE_A.public, SERVER}
    heard = [frame for frame in rtp(lan.frames()) if frame.destination == HANDSETS[callee].address]
    assert len(heard) > 20
    assert {frame.source for frame in heard} == {SITE_A.public}
    assert stage.phones[callee].received("BYE")


def test_a_call_within_a_site_of_plain_phones_goes_directly(stage: SipStage, tmp_path: Path) -> None:
    """TRI-2, TRI-4: the caller gets the private address, and no packet of the call passes the gateway."""
    with (
        Capture(stage.net, "sga", "wan0", tmp_path, "udp") as wan,
        Capture(stage.net, "a-plain2", "eth0", tmp_path, "udp") as lan,
    ):
        stage.talk("a-plain", "a-plain2")
        end_call(stage, "a-plain", "a-plain2")
    assert rtp(wan.frames()) == []
    assert {frame.source for frame in wan.frames()} | {frame.destination for frame in wan.frames()} == {SITE_A.public, SERVER}
    caller, callee = HANDSETS["a-plain"], HANDSETS["a-plain2"]
    for one, other in ((caller, callee), (callee, caller)):
        links = {(frame.link_from, frame.link_to) for frame in rtp(lan.frames()) if frame.source == one.address}
        assert links == {(one.mac, other.mac)}
    for method in ("INVITE", "ACK", "BYE"):
        (request,) = stage.phones["a-plain2"].received(method)
        assert request.source == stage.phones["a-plain"].name_of_socket()


def test_a_plain_phone_is_called_from_beyond_its_realm_and_why_says_that_it_needs_a_proxy(stage: SipStage) -> None:
    """It rings at the packet's source, but shows its private address in its 200: ACK and BYE are lost, and the operator is told."""
    plain, caller = stage.phones["a-plain"], stage.phones["b-gruu"]
    plain.forget()
    caller.forget()
    caller.dial(f"sip:{stage.aor('a-plain')}")
    until(lambda: len(plain.answered(200, "INVITE")) > 1, "the phone answers again and again, since no ACK arrives")
    assert caller.sent("ACK")
    assert not plain.received("ACK")

    (text,) = until(lambda: stage.why("a-plain", "NEEDS_PROXY"), "why names the reason")
    assert stage.aor("a-plain") in text
    assert HANDSETS["a-plain"].address in text
    caller.hang_up()
    caller.tells("CALL_CLOSED")
    assert caller.sent("BYE")
    assert not plain.received("BYE")
    # Both would repeat themselves for half a minute, which their orderly end waits for.
    caller.kill()
    plain.kill()
