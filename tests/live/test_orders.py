"""What an operator orders, with the real programs: a phone is moved to another block, and is booted anew by DHCP and by SIP."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.sippeer import SipPeer
from tests.live.sipsites import HANDSETS, SERVER, SIP_SERVER, SipStage
from tests.live.sites import MACS, SITE_A, Stage, until
from voxpath.manage.client import Refused, ask

pytestmark = pytest.mark.live

PHONE = "a1"
MAC = MACS[PHONE]
FAR = 40960


def block(stage: Stage) -> str:
    """The block that the phone holds by its gateway's word."""
    (row,) = stage.rows("sga", "blocks", f"phone={MAC}", "state=held")
    return str(row["block"])


def order(stage: Stage, name: str, verb: str, *arguments: str) -> str:
    """Give an order, and tell the answer's last value."""
    return str(ask(stage.socket(name), verb, arguments).rows[-1]["value"])


def test_a_phone_is_moved_and_booted_anew_by_forcerenew_and_calls_from_its_new_ports(tmp_path: Path) -> None:
    """GEN-12, DHC-18: voxpath-phone heeds a FORCERENEW that is proven by RFC 6704, boots from DISCOVER on, and keeps its block."""
    with Stage(tmp_path) as stage:
        stage.build()
        stage.write_gateway(SITE_A)
        file = tmp_path / "sga.toml"
        text, line = file.read_text(), 'layout = "voxpath"'
        assert line in text
        file.write_text(text.replace(line, f"{line}\nforcerenew = true", 1))
        stage.write_controller("mgc1")
        stage.start("mgc1", "voxpath-mgc")
        stage.start("sga", "voxpath-sg")
        for name in ("mgc1", "sga"):
            stage.serving(name)
        stage.start_phones(PHONE, "a2")
        stage.registered(PHONE, "a2")
        before = block(stage)

        assert "FORCERENEW" in order(stage, "sga", "reboot", MAC)
        until(lambda: len(stage.texts(PHONE, "PHONE_BOOTED")) == 2, f"{PHONE} boots again; its log:\n{stage.log(PHONE)}")
        assert block(stage) == before

        told = order(stage, "sga", "move", MAC, f"{SITE_A.public}:{FAR}")
        assert told == f"from {before} to {SITE_A.public}:{FAR}-{FAR + 63}"
        assert order(stage, "sga", "move", MAC, before.partition("-")[0]).endswith(f"to {before}"), "its own former block"
        with pytest.raises(Refused, match="is in quarantine"):
            order(stage, "sga", "move", MACS["a2"], f"{SITE_A.public}:{FAR}")
        assert order(stage, "sga", "move", MAC, f"{SITE_A.public}:{FAR}") == told
        order(stage, "sga", "reboot", MAC)
        until(lambda: len(stage.texts(PHONE, "PHONE_BOOTED")) == 3, f"{PHONE} boots again; its log:\n{stage.log(PHONE)}")
        assert block(stage) == f"{SITE_A.public}:{FAR}-{FAR + 63}"
        stage.registered(PHONE)
        until(
            lambda: (
                {row["public"] for row in stage.rows("mgc1", "registrations") if row["phone"] == MAC} == {f"{SITE_A.public}:{FAR}"}
            ),
            f"{PHONE} is registered from its new ports",
        )
        stage.call(PHONE, "a2")
        stage.hang_up(PHONE, "a2")
        stage.is_sound()


def test_a_sip_phone_behind_the_nat_is_asked_by_check_sync(tmp_path: Path) -> None:
    """GEN-12: the NOTIFY goes through the NAPPT to where the phone registered from, and the operator is told its answer."""
    handset = HANDSETS["a-plain"]
    with SipStage(tmp_path) as stage, ThreadPoolExecutor(1) as operator:
        stage.build()
        stage.begin()
        stage.lease(handset.name)
        local = (handset.address, stage.ports[handset.name].first)
        with SipPeer(stage.net, handset.name, (SERVER, 5060), local) as phone:
            contact = f"<sip:{handset.name}@{local[0]}:{local[1]}>"
            assert phone.register(stage.aor(handset.name), contact, password=handset.password).status == 200
            told = operator.submit(order, stage, SIP_SERVER, "reboot", handset.mac)
            notify = phone.hear()
            assert (notify.method, notify.header("event")) == ("NOTIFY", "check-sync;reboot=true")
            phone.reply(notify, "200 OK")
            assert told.result(10) == f"{stage.aor(handset.name)} was asked to boot anew and answered 200 OK"
        with pytest.raises(Refused, match="is not registered here"):
            order(stage, SIP_SERVER, "reboot", "02:00:00:00:ff:ff")
        stage.is_sound()
