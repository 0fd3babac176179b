"""What the shipped templates say, read as the makers' phones read it: XML by a parser, lines as ``name = value`` (TFT-9)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from tests.flow.test_files import ELSEWHERE, HOME, MAC, Provisions, is_withheld, provision
from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.model.user import Showing, SipAccount, SipUser
from voxpath.provision.table import Shelf, shipped_sets
from voxpath.tftp.question import Fetch, Refused

DOMAIN, PASSWORD = "voip.example", "p&<>\"'%w"
NTP, LOG = IPv4Address("10.0.0.7"), IPv4Address("10.0.0.8")


def users(*names: str, showing: Showing = Showing.SELF, password: str = PASSWORD) -> tuple[SipAccount, ...]:
    return tuple(SipAccount(SipUser(name, DOMAIN, password, str(MAC), showing), 5070, 1800) for name in names)


def policy(maker: str, given: tuple[SipAccount, ...] = users("a1", "a2"), size: int = 64, host_name: str = "x") -> FilePolicy:
    made = provision(size, host_name)
    kind = replace(made.phone_class, options=((42, NTP.packed), (7, LOG.packed)), application="app-2.bin", settings=("extra = 1",))
    return FilePolicy(Provisions(replace(made, phone_class=kind)), {str(MAC): given}, shelf=Shelf({"desk": maker}))


def fetched(which: FilePolicy, name: str) -> str:
    choice = which.choose(Fetch(name, HOME))
    if isinstance(choice, Image):
        choice = choice.otherwise
    assert isinstance(choice, Rendered), choice
    return choice.content.decode()


class Seen(NamedTuple):
    """What a phone would do by its file.

    :ivar sip: its local ports for signalling.
    :ivar rtp: first and last port for media; the last one is ``None`` where the phone counts up from the first.
    """

    sip: set[int]
    rtp: tuple[int, int | None]
    users: list[tuple[str, str]]
    registrar: set[str]
    nat: str
    ntp: str


def lines_of(text: str) -> dict[str, str]:
    """``name = value`` lines, as Yealink phones read them: the name to the first ``=``, the value to the end of the line."""
    header, *lines = text.splitlines()
    assert header == "#!version:1.0.0.1"
    found = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert all(equals for _, equals, _ in found), text
    return {name.strip(): value.strip() for name, _, value in found}


def yealink(text: str) -> Seen:
    values = lines_of(text)
    numbers = sorted({name.split(".")[1] for name in values if name.startswith("account.")})
    assert values["extra"] == "1"
    assert values["static.firmware.url"] == "tftp://10.0.0.1/app-2.bin"
    assert values["static.network.port.min_rtpport"] == values["network.port.min_rtpport"]
    ports = {values["sip.listen_port"], *(values[f"account.{number}.sip_listen_port"] for number in numbers)}
    return Seen(
        sip=set(map(int, ports)),
        rtp=(int(values["static.network.port.min_rtpport"]), int(values["static.network.port.max_rtpport"])),
        users=[(values[f"account.{number}.auth_name"], values[f"account.{number}.password"]) for number in numbers],
        registrar={
            f"{values[f'account.{number}.sip_server.1.address']}:{values[f'account.{number}.sip_server.1.port']}"
            for number in numbers
        },
        nat=values["static.network.static_nat.addr"],
        ntp=values["local_time.ntp_server1"],
    )


def grandstream(text: str) -> Seen:
    root = ElementTree.fromstring(text)
    assert root.findtext("mac", "").startswith("02000000")
    value = {each.tag: each.text or "" for each in root.find("config") or ()}
    assert (value["P271"], value["P401"], value["P78"]) == ("1", "1", "0")
    return Seen(
        sip={int(value["P40"]), int(value["P413"])},
        rtp=(int(value["P39"]), None),
        users=[(value["P36"], value["P34"]), (value["P405"], value["P406"])],
        registrar={value["P47"], value["P402"]},
        nat=value["P101"],
        ntp=value["P30"],
    )


def cisco(text: str) -> Seen:
    root = ElementTree.fromstring(text)
    assert root.tag == "device"
    assert root.findtext("deviceProtocol") == "SIP"
    assert root.findtext("loadInformation") == "app-2.bin"
    profile = root.find("sipProfile")
    assert profile is not None
    lines = profile.findall("sipLines/line")
    assert [line.get("button") for line in lines] == ["1", "2"]
    assert profile.findtext("natEnabled") == str(bool(profile.findtext("natAddress"))).lower()
    return Seen(
        sip={int(profile.findtext("voipControlPort", ""))},
        rtp=(int(profile.findtext("startMediaPort", "")), int(profile.findtext("stopMediaPort", "")) + 1),
        users=[(line.findtext("authName", ""), line.findtext("authPassword", "")) for line in lines],
        registrar={f"{line.findtext('proxy')}:{line.findtext('port')}" for line in lines},
        nat=profile.findtext("natAddress", ""),
        ntp=root.findtext("devicePool/dateTimeSetting/ntps/ntp/name", ""),
    )


def snom(text: str) -> Seen:
    root = ElementTree.fromstring(text)
    assert root.tag == "settings"
    settings = root.find("phone-settings")
    assert settings is not None
    assert root.findtext("firmware-settings/firmware") == "tftp://10.0.0.1/app-2.bin"
    names = {each.get("idx"): each.text or "" for each in settings.findall("user_name")}
    secrets = {each.get("idx"): each.text or "" for each in settings.findall("user_pass")}
    return Seen(
        sip={int(settings.findtext("network_id_port", ""))},
        rtp=(int(settings.findtext("rtp_port_start", "")), int(settings.findtext("rtp_port_end", ""))),
        users=[(names[number], secrets[number]) for number in sorted(names, key=str)],
        registrar={each.text or "" for each in settings.findall("user_host")},
        nat="",  # it has no setting for it
        ntp=settings.findtext("ntp_server", ""),
    )


def poly(text: str) -> Seen:
    root = ElementTree.fromstring(text)
    value = {name: text for each in root.iter() for name, text in each.attrib.items()}
    numbers = ("1", "2")
    assert value["nat.signalPort"] in (value["voIpProt.SIP.local.port"], "0")
    return Seen(
        sip={int(value["voIpProt.SIP.local.port"]), int(value["voIpProt.local.port"])},
        rtp=(int(value["tcpIpApp.port.rtp.mediaPortRangeStart"]), int(value["tcpIpApp.port.rtp.mediaPortRangeEnd"])),
        users=[(value[f"reg.{number}.auth.userId"], value[f"reg.{number}.auth.password"]) for number in numbers],
        registrar={f"{value[f'reg.{number}.server.1.address']}:{value[f'reg.{number}.server.1.port']}" for number in numbers},
        nat=value["nat.ip"],
        ntp=value["tcpIpApp.sntp.address"],
    )


MAKERS: Mapping[str, tuple[str, Callable[[str], Seen]]] = {
    "yealink": ("020000000a01.cfg", yealink),
    "grandstream": ("cfg020000000a01.xml", grandstream),
    "cisco": ("SEP020000000A01.cnf.xml", cisco),
    "snom": ("snom370-020000000A01.htm", snom),
    "poly": ("020000000a01-voxpath.cfg", poly),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_phones_file_keeps_it_in_its_block_and_leads_it_to_its_registrar(maker: str) -> None:
    """TFT-9: the block is 2048 to 2111."""
    name, read = MAKERS[maker]
    seen = read(fetched(policy(maker), name))
    assert min(seen.sip) == 2048
    assert seen.sip <= {2048, 2049}
    assert seen.rtp in ((2050, 2111), (2050, None))
    assert seen.users == [("a1", PASSWORD), ("a2", PASSWORD)], "signs that XML has for itself arrive as they are"
    assert seen.registrar == {f"{DOMAIN}:5070"}
    assert seen.nat == ("" if maker == "snom" else "203.0.113.1")
    assert seen.ntp == str(NTP)


@pytest.mark.parametrize("maker", [maker for maker in MAKERS if maker != "snom"])
def test_a_phone_that_is_to_show_nothing_is_told_no_public_address(maker: str) -> None:
    name, read = MAKERS[maker]
    text = fetched(policy(maker, users("a1", "a2", showing=Showing.NOT)), name)
    assert read(text).nat == ""
    assert "203.0.113.1" not in text


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("size", [4, 8, 16, 1024])
@pytest.mark.parametrize("count", [0, 1, 6])
def test_every_port_of_every_file_lies_in_the_block(maker: str, size: int, count: int) -> None:
    """TFT-9: whatever the size of the block, and with as many users as a phone has lines."""
    name, _ = MAKERS[maker]
    text = fetched(policy(maker, users(*(f"u{number}" for number in range(count))), size), name)
    text = re.sub(rf"{DOMAIN}:5070|>5070<|port *= *\"?5070\"?", "", text)
    seconds = {1800, 3600}
    ports = {int(number) for number in re.findall(r"(?<![\d.:P])\d{4,5}(?![\d.:])", text)} - seconds
    assert 2050 in ports
    assert ports <= set(range(2048, 2048 + size)), text


@pytest.mark.parametrize("maker", MAKERS)
def test_only_the_holder_of_the_lease_gets_a_file_by_any_spelling_of_its_address(maker: str) -> None:
    """TFT-9: error 2 for all others, and it is counted."""
    name, _ = MAKERS[maker]
    which = policy(maker)
    spellings = [name, name.upper(), name.lower()]
    spellings += [re.sub("020000000a01", other, name, flags=re.IGNORECASE) for other in ("02-00-00-00-0A-01", "0200.0000.0a01")]
    for spelling in spellings:
        assert fetched(which, f"/{spelling}") == fetched(which, name)
        assert is_withheld(which.choose(Fetch(spelling, ELSEWHERE)))
    assert which.misused == len(spellings)
    stranger = re.sub("020000000a01", "0004f2000001", name, flags=re.IGNORECASE)
    assert is_withheld(which.choose(Fetch(stranger, HOME)), holds=True)


COMMON = {
    "yealink": "y000000000028.cfg",
    "grandstream": "cfg.xml",
    "cisco": "XMLDefault.cnf.xml",
    "snom": "snom370.htm",
    "poly": "000000000000.cfg",
}


@pytest.mark.parametrize(("maker", "name"), COMMON.items())
def test_what_is_common_comes_from_the_directory_or_is_rendered(maker: str, name: str) -> None:
    """TFT-8: an operator's own file counts; a client without a lease is given nothing that was rendered."""
    choice = policy(maker).choose(Fetch(name, HOME))
    assert isinstance(choice, Image)
    assert choice.name == name
    assert isinstance(choice.otherwise, Rendered)
    assert policy(maker).choose(Fetch(name, ELSEWHERE)) == Image(name)


def test_the_first_file_of_a_maker_leads_to_the_phones_own() -> None:
    """TFT-10: the master file names the next one, and that is served."""
    master = ElementTree.fromstring(fetched(policy("poly"), "000000000000.cfg"))
    assert master.get("APP_FILE_PATH") == "app-2.bin"
    poly(fetched(policy("poly"), master.get("CONFIG_FILES", "")))
    assert fetched(policy("poly"), f"{MAC.hex()}.cfg") == fetched(policy("poly"), "000000000000.cfg")


@pytest.mark.parametrize(
    "name", ["CTLSEP020000000A01.tlv", "ITLSEP020000000A01.tlv", "SEP020000000A01.cnf.xml.sgn", "g3-tones.xml"]
)
def test_what_cisco_phones_try_first_is_left_to_the_directory(name: str) -> None:
    """TFT-4: they go on after error 1."""
    assert policy("cisco").choose(Fetch(name, HOME)) == Image(name)


def test_a_yealinks_boot_files_are_the_operators_own_and_it_goes_on_without_them() -> None:
    """TFT-4: from firmware 81 on MAC.boot is asked for first, then the common one, then what is rendered."""
    yealink = policy("yealink")
    for name in (f"{MAC.hex()}.boot", "y000000000000.boot"):
        assert yealink.choose(Fetch(name, HOME)) == Image(name)
    assert is_withheld(yealink.choose(Fetch(f"{MAC.hex()}.boot", ELSEWHERE)))
    assert fetched(yealink, "y000000000028.cfg")
    assert fetched(yealink, f"{MAC.hex()}.cfg")


EVIL = "x\r\nsip.listen_port = 1\n\u2028\x85<evil/>\"'&]]>\0"


@pytest.mark.parametrize("maker", MAKERS)
def test_nothing_that_a_phone_or_a_file_of_ours_says_brings_a_line_or_an_element(maker: str) -> None:
    """The configuration refuses such users; the templates do not rely on it."""
    name, read = MAKERS[maker]
    clean = fetched(policy(maker, users("name", "a2", password="secret")), name)
    text = fetched(policy(maker, users(EVIL, "a2", password=EVIL), host_name=EVIL), name)
    assert len(text.splitlines()) == len(clean.splitlines())
    assert text.isprintable() or set(text) - {"\n"} == {ch for ch in text if ch.isprintable()}
    assert read(text)._replace(users=[]) == read(clean)._replace(users=[])
    if maker != "yealink":
        assert [each.tag for each in ElementTree.fromstring(text).iter()] == [
            each.tag for each in ElementTree.fromstring(clean).iter()
        ]


@pytest.mark.parametrize("bad", ["q7;z3", "q7 z3", 'q7"z3', "q7,z3", "<q7>", "q7\\z3"])
def test_a_word_that_baresip_would_cut_makes_no_file(bad: str) -> None:
    choice = policy("programs", users("a1", password=bad)).choose(Fetch("020000000a01/accounts", HOME))
    assert isinstance(choice, Refused)
    assert "no way to write" in choice.detail
    assert bad not in choice.detail


def test_a_class_may_leave_all_files_to_the_directory() -> None:
    assert policy("none").choose(Fetch("020000000a01.cfg", HOME)) == Image("020000000a01.cfg")
    assert is_withheld(policy("none").choose(Fetch("020000000a01.cfg", ELSEWHERE)))


def test_every_maker_of_the_table_is_tested_here() -> None:
    assert set(shipped_sets()) == {"programs", *MAKERS}
