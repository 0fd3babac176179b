"""``voxpath check`` on DHCP options: what is right becomes octets, and what is wrong is told with its place and what to do."""

import pytest

from tests.app.test_check import MACHINE
from voxpath.app import values
from voxpath.app.check import check
from voxpath.app.check_options import KEYS, SERVER_OWNS, TYPES, option_notes
from voxpath.app.decode import Problem, decode
from voxpath.app.schema import Config
from voxpath.dhcp.enterprise import read_parts, sub_options
from voxpath.dhcp.value import KINDS

SITE = """
[[realm]]
name = "site"
private = ["10.0.0.0/24"]
public = ["203.0.113.1"]

[[pool]]
public = "203.0.113.1"
ports = [2048, 9999]
realm = "site"

[dhcp]
macs = ["02:00:00:00:00:00-02:00:00:ff:ff:ff"]

[[scope]]
name = "lan"
interface = "eth1"
subnet = "10.0.0.0/24"
server = "10.0.0.1"
range = ["10.0.0.10", "10.0.0.250"]
realm = "site"
SCOPE

[[class]]
name = "desk"
vendor_classes = ["desk"]
CLASS
"""


def read(scope: str = "", phone_class: str = "") -> tuple[Config, list[Problem]]:
    decoded = decode(SITE.replace("SCOPE", scope).replace("CLASS", phone_class).encode())
    assert decoded.config is not None, decoded.problems
    found = check(decoded.config, MACHINE)
    return decoded.config, [problem for problem in found if "option" in problem.path or problem.path.startswith(("scope", "class"))]


def option(section: str, **keys: object) -> str:
    texts = {key: str(value).lower() if isinstance(value, bool) else repr(value) for key, value in keys.items()}
    return f"[[{section}.option]]\n" + "\n".join(f"{key} = {text}" for key, text in texts.items()) + "\n"


def wrong(section: str, **keys: object) -> list[Problem]:
    text = option(section, **keys)
    return read(**{"scope" if section == "scope" else "phone_class": text})[1]


def test_what_is_right_becomes_the_octets_of_scope_and_class() -> None:
    scope = 'ntp_servers = ["10.0.0.1"]\nsip_servers = ["sip.example"]\n' + option("scope", code=2, type="i32", value=-3600)
    desk = (
        'tftp_servers = ["10.0.0.7", "10.0.0.8"]\nlayout = "snom"\nurl = "http://test"\n'
        + option("class", code=132, type="u16", value=7)
        + option("class", code=43, sub=132, type="text", value="7")
        + option("class", code=125, enterprise=3561, sub=1, type="text", value="abc")
        + option("class", code=125, enterprise=3561, sub=2, type="bool", value=True)
        + option("class", code=125, enterprise=872, type="hex", value="00:ff")
        + option("class", code=119, type="names", value=["a.example", "b.example"])
    )
    config, problems = read(scope, desk)
    assert problems == []
    assert dict(values.scopes(config)[0].options) == {
        42: bytes((10, 0, 0, 1)),
        120: b"\0\x03sip\x07example\0",
        2: bytes.fromhex("fffff1f0"),
    }
    made = values.classes(config)[0]
    options = dict(made.options)
    assert (made.layout, made.url, made.sub_options) == ("snom", "http://test", ((132, b"7"),))
    assert options[150] == bytes((10, 0, 0, 7, 10, 0, 0, 8))
    assert options[132] == b"\0\x07"
    assert options[119] == b"\x01a\x07example\0\x01b\x07example\0"
    parts = dict(read_parts(options[125]))
    assert (sub_options(parts[3561]), parts[872]) == ({1: b"abc", 2: b"\x01"}, b"\0\xff")


def test_option_43_of_a_scope_may_be_divided_too() -> None:
    config, problems = read(option("scope", code=43, sub=1, type="address", value="10.0.0.9"))
    assert problems == []
    assert dict(values.scopes(config)[0].options)[43] == bytes((1, 4, 10, 0, 0, 9))


@pytest.mark.parametrize("code", SERVER_OWNS)
def test_an_option_that_the_server_writes_itself_is_refused(code: int) -> None:
    for section in ("scope", "class"):
        found = wrong(section, code=code, type="hex", value="00")
        assert [problem.path for problem in found] == [f"{section}[0].option[0].code"]
        assert "writes it itself" in found[0].what


@pytest.mark.parametrize(
    ("section", "code", "key"), [(section, code, key) for section in KEYS for code, key in KEYS[section].items()]
)
def test_an_option_with_a_key_of_its_own_is_written_there(section: str, code: int, key: str) -> None:
    found = wrong(section, code=code, type="hex", value="00")
    assert [(problem.path, key in problem.todo) for problem in found] == [(f"{section}[0].option[0].code", True)]
    config, _ = read()
    assert hasattr(config.scopes[0] if section == "scope" else config.classes[0], key), "the key that is named exists"


@pytest.mark.parametrize(
    ("section", "keys", "path", "words"),
    [
        ("scope", {"code": 66, "type": "text", "value": "x"}, "code", "url in the [[class]]"),
        ("scope", {"code": 28, "type": "text", "value": "10.0.0.255"}, "type", 'type = "address"'),
        ("class", {"code": 6, "type": "address", "value": "10.0.0.1"}, "type", 'type = "addresses"'),
        ("scope", {"code": 28, "type": "address", "value": "10.0.0"}, "value", "not an IPv4 address"),
        ("scope", {"code": 200, "type": "u8", "value": 300}, "value", "from 0 to 255"),
        ("scope", {"code": 200, "type": "text", "value": ""}, "value", "0 octets"),
        ("scope", {"code": 200, "type": "text", "value": "x", "sub": 1}, "sub", "has no sub-options"),
        ("scope", {"code": 200, "type": "text", "value": "x", "enterprise": 9}, "enterprise", "has none"),
        ("scope", {"code": 125, "type": "text", "value": "x"}, "enterprise", "is missing"),
        ("class", {"code": 43, "type": "text", "value": "x" * 256, "sub": 1}, "value", "256 octets"),
        ("class", {"code": 125, "type": "text", "value": "x" * 256, "enterprise": 9}, "", "room for 255"),
    ],
)
def test_a_wrong_option_is_told_with_its_place(section: str, keys: dict[str, object], path: str, words: str) -> None:
    found = wrong(section, **keys)
    assert len(found) == 1
    assert found[0].path == (f"{section}[0].option[0].{path}" if path else f"{section}[0].option")
    assert words in str(found[0])


def test_an_option_that_stands_twice_is_told() -> None:
    one = option("class", code=200, type="u8", value=1)
    assert [problem.path for problem in read(phone_class=one + one)[1]] == ["class[0].option[1]"]


@pytest.mark.parametrize(
    ("layout", "keys", "words"),
    [
        ("mitel", {"sub": 1}, "'mitel' writes option 43"),
        ("yealink", {}, "'yealink' writes option 43"),
        ("snom", {"sub": 66}, "sub-option 66"),
        ("voxpath", {"sub": 2}, "sub-option 2"),
        ("voxpath", {}, "'voxpath' writes option 43"),
    ],
)
def test_what_a_layout_writes_cannot_be_written_again(layout: str, keys: dict[str, int], words: str) -> None:
    text = f'layout = "{layout}"\n' + option("class", code=43, type="text", value="x", **keys)
    found = read(phone_class=text)[1]
    assert len(found) == 1
    assert words in str(found[0])


def test_option_43_is_written_as_a_whole_or_in_parts() -> None:
    both = option("class", code=43, type="text", value="x") + option("class", code=43, sub=1, type="text", value="x")
    assert "as a whole, and divided" in read(phone_class=both)[1][0].what


def test_option_67_is_for_classes_without_an_image() -> None:
    text = option("class", code=67, type="text", value="snom/settings.php")
    assert read(phone_class=text)[1] == []
    assert "image already" in read(phone_class=f'image = "a.bin"\n{text}')[1][0].what


def test_texts_for_a_layout_that_takes_none_are_told() -> None:
    assert read(phone_class='layout = "mitel"\nparameters = ["vlan=7"]')[1] == []
    found = read(phone_class='parameters = ["vlan=7"]')[1]
    assert [(problem.path, "mitel or avaya" in problem.todo) for problem in found] == [("class[0].parameters", True)]


@pytest.mark.parametrize("section", ["scope", "class"])
def test_mixed_sip_servers_are_told(section: str) -> None:
    text = 'sip_servers = ["sip.example", "192.0.2.1"]'
    found = read(**{"scope" if section == "scope" else "phone_class": text})[1]
    assert [problem.path for problem in found] == [f"{section}[0].sip_servers"]


@pytest.mark.parametrize("text", ['parameters = ["a;b=c"]', 'parameters = ["a"]', 'url = "a b"', 'layout = "nortel"'])
def test_what_cannot_be_told_is_refused_when_it_is_read(text: str) -> None:
    assert decode(SITE.replace("SCOPE", "").replace("CLASS", text).encode()).config is None


def test_options_beyond_what_every_phone_takes_are_noted() -> None:
    big = option("class", code=200, type="text", value="x" * 250)
    config, problems = read(phone_class=big)
    assert problems == []
    assert not option_notes(read()[0])
    assert len(option_notes(config)) == 1
    assert "class[0]: a reply in scope 'lan' has 5" in option_notes(config)[0]


SHARED = """
[[realm]]
name = "shared"
private = ["198.51.100.0/24"]
public = ["198.51.100.1"]

[[pool]]
public = "198.51.100.1"
ports = [2048, 9999]
realm = "shared"

[[scope]]
name = "street"
interface = "eth0"
subnet = "198.51.100.0/24"
server = "198.51.100.254"
range = ["198.51.100.1", "198.51.100.1"]
realm = "shared"
shared = true
"""


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("", ""), []),
        (('range = ["198.51.100.1", "198.51.100.1"]', 'range = ["198.51.100.2", "198.51.100.3"]'), ["scope[1].range"]),
        (('realm = "shared"\nshared', 'realm = "site"\nshared'), ["scope[1].range", "scope[1].shared", "scope[1].subnet"]),
        (
            ("[[realm]]", '[[reservation]]\nmac = "02:00:00:00:00:01"\naddress = "198.51.100.1"\n\n[[realm]]'),
            ["reservation[0].address"],
        ),
        (('interface = "eth0"', 'interface = "eth1"'), ["scope[1].interface"]),
        (('interface = "eth0"', 'interface = "eth1"\nvlan = 20'), []),
        (("shared = true", 'shared = true\nrelays = ["198.51.100.253"]'), ["scope[1].relays"]),
    ],
)
def test_a_shared_scope_has_the_addresses_of_its_own_pools_and_a_link_of_its_own(change: tuple[str, str], found: list[str]) -> None:
    decoded = decode((SITE.replace("SCOPE", "").replace("CLASS", "") + SHARED.replace(*change, 1)).encode())
    assert decoded.config is not None, decoded.problems
    assert sorted(problem.path for problem in check(decoded.config, MACHINE)) == found
    assert [scope.shared for scope in values.scopes(decoded.config)] == [False, True]


def test_the_types_of_standard_options_are_kinds_that_exist() -> None:
    assert set(TYPES.values()) <= set(KINDS)
    assert not TYPES.keys() & SERVER_OWNS.keys()
