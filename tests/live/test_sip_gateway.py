"""The SIP server in the gateway's own process, on the gateway's LAN and on port 5060 of the phones' own public address."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.capture import Capture, rtp
from tests.live.sipp import Sipp
from tests.live.sippeer import SipPeer
from tests.live.sipsites import HANDSETS, SipStage
from tests.live.sites import SITE_A
from voxpath.manage.client import ask

pytestmark = pytest.mark.live

OUTSIDE, OUTSIDE_ADDRESS = "outside", "198.51.100.20"
GATEWAY = SITE_A.gateway
SIP_PORT = 5060
LAN_ADDRESS = "10.0.0.1"
SIP = f'[sip]\nlisten = ["{SITE_A.public}:{SIP_PORT}", "{LAN_ADDRESS}:{SIP_PORT}"]'
SERVICE = f'[[ports.service]]\nname = "sip"\npublic = "{SITE_A.public}"\nport = {SIP_PORT}'


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SipStage]:
    with SipStage(tmp_path_factory.mktemp("sip"), server=GATEWAY, domain=SITE_A.public, ledger_feed=False) as made:
        made.build()
        made.connect(OUTSIDE, OUTSIDE_ADDRESS)
        made.net.sysctl(GATEWAY, "net.ipv4.ip_local_port_range", "1025 2047")
        made.net.address(GATEWAY, "lo", f"{SITE_A.public}/32")
        made.write_sip_gateway(SITE_A, SIP, SERVICE)
        made.start(GATEWAY, "voxpath")
        made.serving(GATEWAY)
        made.boot("a-gruu", "a-shim", "a-plain", "a-plain2")
        yield made
        made.is_sound()


def test_phones_register_from_their_private_addresses_and_are_known_by_both(stage: SipStage) -> None:
    """GEN-2, DNT-15: what reaches the gateway itself is not translated, so the ledger tells the public address."""
    assert [row["role"] for row in stage.rows(GATEWAY, "roles")] == ["dhcp", "tftp", "sip"]
    known = stage.bindings()
    for name in stage.phones:
        row, port = known[stage.aor(name)], stage.ports[name].first
        assert row["source"] == f"{HANDSETS[name].address}:{port}"
        assert (row["public"], row["private"]) == (stage.at(name), row["source"])
        assert (row["phone"], row["realm"]) == (HANDSETS[name].mac, GATEWAY)
    own = stage.phones["a-gruu"].registered().header("contact")
    assert f'pub-gruu="sip:a-gruu@{stage.at("a-gruu")}"' in own


@pytest.mark.parametrize("callee", ["a-gruu", "a-shim"])
def test_a_caller_outside_asks_the_public_address_and_is_redirected_to_a_port_of_it(
    stage: SipStage, tmp_path: Path, callee: str
) -> None:
    """DNT-9, DNT-12, DNT-14: redirect server and phone have one address, and each its own port of it."""
    phone = stage.phones[callee]
    phone.forget()
    caller = Sipp(stage.net, OUTSIDE, OUTSIDE_ADDRESS, tmp_path)
    options = ("-s", callee, "-mp", "7000", "-rtp_echo")
    outcome = caller.run("follow.xml", f"{SITE_A.public}:{SIP_PORT}", SIP_PORT, *options)
    assert outcome.flawless, caller.errors()
    assert [line.rpartition("@")[2] for line in caller.log()] == [stage.at(callee)] * 2
    assert phone.hears(HANDSETS[callee].tone_hz)
    phone.tells("CALL_CLOSED")


@pytest.mark.parametrize(("caller", "callee"), [("a-plain", "a-plain2"), ("a-gruu", "a-shim"), ("a-shim", "a-gruu")])
def test_callers_inside_get_what_leads_there_and_nothing_leaves_the_site(
    stage: SipStage, tmp_path: Path, caller: str, callee: str
) -> None:
    """TRI-4: not even the question to the server is outside."""
    with Capture(stage.net, GATEWAY, "wan0", tmp_path, "udp") as wan, Capture(stage.net, callee, "eth0", tmp_path, "udp") as lan:
        stage.talk(caller, callee)
        stage.phones[caller].hang_up()
        stage.phones[callee].tells("CALL_CLOSED")
    assert wan.frames() == []
    assert len(rtp(lan.frames())) > 20
    (call,) = [row for row in stage.rows(GATEWAY, "calls") if row["phone"] == HANDSETS[caller].mac]
    assert call["path"] == ("private" if HANDSETS[callee].showing != "self" else "public")
    assert call["state"] == "acknowledged"


def test_a_phone_may_register_by_the_address_on_the_lan(stage: SipStage) -> None:
    """The binding is the user's, whichever of the server's addresses it came by."""
    user = HANDSETS["a-plain2"]
    port = stage.ports[user.name].first + 40
    contact = f"<sip:again@{user.address}:{port}>"
    with SipPeer(stage.net, user.name, (LAN_ADDRESS, SIP_PORT), (user.address, port)) as peer:
        answer = peer.register(stage.aor(user.name), contact, password=user.password)
        assert answer.status == 200
        assert len(answer.all("contact")) == 2
        assert peer.register(stage.aor(user.name), contact, password=user.password, expires=0).status == 200
    assert stage.bindings()[stage.aor(user.name)]["source"] == f"{user.address}:{stage.ports[user.name].first}"


def test_the_ladder_of_a_phone_has_its_whole_journey(stage: SipStage) -> None:
    """DHCP, TFTP and SIP of one phone in one diagram, asked for by its Ethernet address or by its user."""
    told, same = (
        [entry.id for entry in ask(stage.socket(GATEWAY), "ladder", (asked,)).entries]
        for asked in (HANDSETS["a-gruu"].mac, stage.aor("a-gruu"))
    )
    assert told == same
    assert {"DHCP_ACK", "TFTP_SERVED", "CONTACT_BOUND", "REDIRECTED", "MESSAGE"} <= set(told)
