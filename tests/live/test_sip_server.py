"""The SIP server among stock programs: callers outside, refusals, a second family of phones, ends, restarts and a dead gateway."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.capture import Capture
from tests.live.sipp import Outcome, Sipp
from tests.live.sippeer import SipPeer
from tests.live.sipsites import HANDSETS, SERVER, SIP_SERVER, SipStage
from tests.live.sites import until
from tests.live.softphones import Twinkle

pytestmark = pytest.mark.live

OUTSIDE = "outside"
OUTSIDE_ADDRESS = "198.51.100.20"
SIP_PORT = 5060


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SipStage]:
    with SipStage(tmp_path_factory.mktemp("sip")) as made:
        made.build()
        made.connect(OUTSIDE, OUTSIDE_ADDRESS)
        made.begin()
        made.boot("a-gruu", "b-gruu")
        yield made
        made.is_sound()


@pytest.fixture
def peer(stage: SipStage) -> Iterator[SipPeer]:
    """A caller outside."""
    with SipPeer(stage.net, OUTSIDE, (SERVER, SIP_PORT), (OUTSIDE_ADDRESS, SIP_PORT)) as made:
        yield made


@pytest.fixture
def caller(stage: SipStage, tmp_path: Path) -> Sipp:
    """sipp outside."""
    return Sipp(stage.net, OUTSIDE, OUTSIDE_ADDRESS, tmp_path)


def follow(caller: Sipp, user: str) -> Outcome:
    """Call a user and follow the redirection; what is heard is sent back."""
    return caller.run("follow.xml", f"{SERVER}:{SIP_PORT}", SIP_PORT, "-s", user, "-mp", "7000", "-rtp_echo")


def is_fed(stage: SipStage) -> bool:
    """Whether the server has a fresh copy of site A's ledger."""
    told = [text for text in stage.texts(SIP_SERVER, "FEED_LINK") if "sga" in text]
    return told[-1:] == ["the ledger feed with sga is up"]


def test_a_caller_outside_follows_the_redirection_to_a_port_of_the_phones_block(stage: SipStage, caller: Sipp) -> None:
    """DNT-14, DNT-12: sipp gets a 302 with public address and port, completes the call there, and RTP flows both ways."""
    phone = stage.phones["a-gruu"]
    phone.forget()
    assert follow(caller, "a-gruu").flawless, caller.errors()
    redirected, answered = caller.log()
    assert redirected.startswith("302 sip:a-gruu")
    assert redirected.endswith(f"@{stage.at('a-gruu')}")
    assert answered == f"200 sip:a-gruu@{stage.at('a-gruu')}"
    assert phone.hears(HANDSETS["a-gruu"].tone_hz)
    phone.tells("CALL_CLOSED")


def test_a_busy_phones_own_answer_reaches_the_caller(stage: SipStage, caller: Sipp) -> None:
    """A redirect server sees no calls: whether a phone is busy is its own business."""
    stage.talk("b-gruu", "a-gruu")
    assert follow(caller, "a-gruu").flawless, caller.errors()
    redirected, answered = caller.log()
    assert redirected.endswith(f"@{stage.at('a-gruu')}")
    assert answered == "486"
    stage.phones["b-gruu"].hang_up()
    stage.phones["a-gruu"].tells("CALL_CLOSED")


def test_who_is_not_there_is_told_so(stage: SipStage, peer: SipPeer) -> None:
    """404 for nobody's name and for a foreign domain, 480 for a user without a phone."""
    invited = {
        user: peer.ask("INVITE", f"sip:{user}").status
        for user in (f"nobody@{SERVER}", "a-gruu@elsewhere.example", stage.aor("b-twinkle"))
    }
    assert list(invited.values()) == [404, 404, 480]
    assert peer.ask("OPTIONS", f"sip:{SERVER}").status == 200


def test_who_calls_himself_is_told_that_he_is_busy(stage: SipStage) -> None:
    phone = stage.phones["a-gruu"]
    phone.forget()
    phone.dial(f"sip:{stage.aor('a-gruu')}")
    assert "486" in phone.tells("CALL_CLOSED")["param"]


def test_wrong_passwords_and_unknown_users_get_the_same_challenge_and_bind_nothing(stage: SipStage, peer: SipPeer) -> None:
    """Nobody finds out which users there are; the operator sees both."""
    before = stage.rows(SIP_SERVER, "bindings")
    contact = f"<sip:me@{OUTSIDE_ADDRESS}>"
    wrong = peer.register(stage.aor("b-twinkle"), contact, password="wrong")
    unknown = peer.register(f"nobody@{SERVER}", contact, password="wrong")
    foreign = peer.register(stage.aor("b-twinkle"), contact, name="a-twinkle", password=HANDSETS["a-twinkle"].password)
    assert (wrong.status, wrong.first) == (401, unknown.first)
    assert [name for name, _ in wrong.headers] == [name for name, _ in unknown.headers]
    assert foreign.status in {401, 403}
    assert stage.rows(SIP_SERVER, "bindings") == before
    assert len(stage.why("b-twinkle", "CREDENTIALS_REFUSED")) == 2


def test_zero_seconds_remove_a_binding(stage: SipStage, peer: SipPeer) -> None:
    """The registration of a caller outside, with its own public contact, ends with ``expires=0``."""
    user = HANDSETS["b-twinkle"]
    contact = f"<sip:b-twinkle@{OUTSIDE_ADDRESS}:{SIP_PORT}>"
    assert peer.register(stage.aor(user.name), contact, password=user.password).status == 200
    assert stage.bindings()[stage.aor(user.name)]["contact"] == contact.strip("<>")
    removed = peer.register(stage.aor(user.name), contact, password=user.password, expires=0)
    assert (removed.status, removed.all("contact")) == (200, [])
    assert stage.aor(user.name) not in stage.bindings()


def test_twinkle_registers_and_takes_a_call_by_its_own_public_address(stage: SipStage, tmp_path: Path) -> None:
    """A second family of phones, which is told its public address: its combination contact is left as it is."""
    handset = HANDSETS["a-twinkle"]
    stage.lease(handset.name)
    settings = tmp_path / ".twinkle"
    settings.mkdir()
    for file in stage.fetch(handset.name).glob("twinkle.*"):
        (settings / file.name).write_bytes(file.read_bytes())
    twinkle = Twinkle(stage.net, handset.name, tmp_path)
    twinkle.start()
    ports = stage.ports[handset.name]
    row = until(lambda: stage.bindings().get(stage.aor(handset.name)), f"twinkle registers:\n{twinkle.output()}", 15)
    assert f"@{stage.at(handset.name)}" in row["contact"]
    assert row["source"] == stage.at(handset.name)
    caller = stage.phones["b-gruu"]
    caller.forget()
    with Capture(stage.net, "sga", "wan0", tmp_path, "udp") as wan:
        caller.dial(f"sip:{stage.aor(handset.name)}")
        caller.tells("CALL_RINGING")
        twinkle.command("answer")
        caller.tells("CALL_ESTABLISHED")
        first, last = ports.first, ports.last
        until(
            lambda: [frame for frame in wan.frames() if first + 2 <= frame.destination_port <= last and len(frame.payload) == 172],
            "RTP",
        )
        twinkle.command("bye")
        caller.tells("CALL_CLOSED")
    twinkle.end()


def test_a_phone_that_is_switched_off_takes_its_binding_back(stage: SipStage) -> None:
    phone = stage.phones["b-gruu"]
    assert phone.end() == 0
    until(lambda: stage.aor("b-gruu") not in stage.bindings(), "the binding is gone")
    phone.start()
    phone.registered()
    assert stage.aor("b-gruu") in stage.bindings()


def test_a_phone_that_lost_its_power_has_one_binding_when_it_is_back(stage: SipStage) -> None:
    """Its contact is another one, but its served instance identifier is the same: the old binding is replaced."""
    phone = stage.phones["b-gruu"]
    before = stage.bindings()[stage.aor("b-gruu")]["contact"]
    phone.kill()
    phone.start()
    assert len(phone.registered().all("contact")) == 1
    assert stage.bindings()[stage.aor("b-gruu")]["contact"] != before


def test_a_killed_server_knows_all_bindings_again(stage: SipStage) -> None:
    before = stage.bindings()
    stage.end(SIP_SERVER, signal.SIGKILL)
    stage.start(SIP_SERVER, "voxpath-sip")
    stage.serving(SIP_SERVER)
    after = stage.bindings()
    same = ("contact", "source", "expires", "since")
    assert {aor: [row[name] for name in same] for aor, row in after.items()} == {
        aor: [row[name] for name in same] for aor, row in before.items()
    }
    until(lambda: stage.bindings() == before, "with the ledgers all is as it was")
    stage.talk("b-gruu", "a-gruu")
    stage.phones["b-gruu"].hang_up()
    stage.phones["a-gruu"].tells("CALL_CLOSED")


def test_calls_go_on_without_the_ledger_of_a_gateway_that_is_not_heard(stage: SipStage) -> None:
    """REG-23: a stale copy is not used; the packets' source leads to a phone, and gives it its GRUU."""
    until(lambda: is_fed(stage), "the gateway's ledger is copied")
    stage.end("sga", signal.SIGKILL)
    until(lambda: not is_fed(stage), "the server knows that the copy is stale")
    stage.talk("b-gruu", "a-gruu")
    stage.phones["b-gruu"].hang_up()
    stage.phones["a-gruu"].tells("CALL_CLOSED")
    phone = stage.phones["a-gruu"]
    phone.end()
    phone.start()
    own = next(value for value in phone.registered().all("contact") if phone.name_of_socket() in value)
    assert f'pub-gruu="sip:a-gruu@{stage.at("a-gruu")}"' in own
    bound = stage.why("a-gruu", "CONTACT_BOUND")
    assert "by the ledger" not in bound[-1]
    stage.talk("b-gruu", "a-gruu")
    stage.phones["b-gruu"].hang_up()
    phone.tells("CALL_CLOSED")
    assert stage.phones["b-gruu"].sent("BYE")
    assert phone.received("BYE")


def test_the_ledger_is_used_again_when_its_gateway_is_back(stage: SipStage) -> None:
    stage.start("sga", "voxpath-sg")
    stage.serving("sga")
    until(lambda: is_fed(stage), "the gateway's ledger is copied")
    stage.phones["a-gruu"].end()
    stage.phones["a-gruu"].start()
    stage.phones["a-gruu"].registered()
    bound = stage.why("a-gruu", "CONTACT_BOUND")
    assert "by the ledger" in bound[-1]


def test_a_domain_may_tell_its_users_alone_where_others_are(stage: SipStage, peer: SipPeer) -> None:
    """A phone shows by digest who it is when it calls; a caller outside learns nothing."""
    file = stage.directory / f"{SIP_SERVER}.toml"
    file.write_text(file.read_text().replace("[[domain]]\n", '[[domain]]\ncallers = "users"\n'))
    stage.end(SIP_SERVER)
    stage.start(SIP_SERVER, "voxpath-sip")
    stage.serving(SIP_SERVER)
    stage.talk("b-gruu", "a-gruu")
    stage.phones["b-gruu"].hang_up()
    stage.phones["a-gruu"].tells("CALL_CLOSED")
    known, unknown = (peer.ask("INVITE", f"sip:{user}") for user in (stage.aor("a-gruu"), f"nobody@{SERVER}"))
    assert known.first == unknown.first
    assert known.status in {401, 407}
    assert known.all("contact") == []
