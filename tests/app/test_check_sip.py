"""SIP in the configuration: what would refuse phones, or break their files, is told before the start."""

from dataclasses import replace
from pathlib import Path

import pytest

from voxpath.app import values, values_sip
from voxpath.app.check import check, notes, off
from voxpath.app.decode import decode
from voxpath.app.machine import Machine
from voxpath.app.schema import Config
from voxpath.model.user import Algorithm, Callers, Showing, SipDomain

MACHINE = Machine(root=True, interfaces=frozenset({"lo"}), addresses=frozenset())

SITE = """
[sip]
listen = ["127.0.0.1:5060"]
[[domain]]
name = "VoIP.example"
[[user]]
name = "A1"
password = "7hUq-2mPz"
phone = "02:00:00:00:0A:01"
[[user]]
name = "a2"
password = "9Rcw-t4Lk"
phone = "02:00:00:00:0a:01"
"""

SECOND_DOMAIN = '[[domain]]\nname = "198.51.100.10"\nport = 5070\n'


def config(text: str) -> Config:
    decoded = decode(text.encode())
    assert decoded.config is not None, decoded.problems
    return decoded.config


def found(text: str, machine: Machine = MACHINE) -> dict[str, str]:
    return {problem.path: str(problem) for problem in check(config(text), machine)}


def test_the_site_is_right() -> None:
    assert found(SITE) == {}


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ("[sip]", "[sip]\nmin_expires_s = 4000", "sip.default_expires_s", "less than min_expires_s, 4000"),
        ("[sip]", "[sip]\ndefault_expires_s = 7201", "sip.max_expires_s", "write 7201 or more"),
        (
            "[sip]",
            "[sip]\nmin_expires_s = 600\ndefault_expires_s = 60\nmax_expires_s = 120",
            "sip.max_expires_s",
            "less than min_exp",
        ),
        ("5060", "2944", "sip.listen[0]", "used by mgc.listen[0]"),
        ("[[user]]", '[[domain]]\nname = "voip.EXAMPLE"\n[[user]]', "domain[1].name", "stands in domain[0] already"),
        ("VoIP.example", "198.51.100.256", "domain[0].name", "no IPv4 address"),
        ("[[user]]", 'algorithms = ["MD5", "MD5"]\n[[user]]', "domain[0].algorithms", "twice"),
        ("[[user]]", SECOND_DOMAIN + "[[user]]", "user[0].domain", "write one of: 198.51.100.10, voip.example"),
        ('name = "a2"', 'name = "a2"\ndomain = "else.example"', "user[1].domain", "use one of: voip.example"),
        ('name = "a2"', 'name = "a1"', "user[1].name", "a1@voip.example stands in user[0] already"),
        ('password = "9Rcw-t4Lk"', "", "user[1].password", "is missing"),
        ('password = "9Rcw-t4Lk"', 'password = "9Rcw-t4Lk"\nshowing = "gruu"', "user[1].showing", "differs from user[0]"),
        ("02:00:00:00:0A:01", "ff:ff:ff:ff:ff:ff", "user[0].phone", "group address"),
        (
            "[[domain]]",
            '[[class]]\nname = "x"\nvendor_classes = ["x"]\nsettings = ["{mac} {} {address}", "a {adress} {B}"]\n[[domain]]',
            "class[0].settings[1]",
            "{adress} is no place-holder; use one of: {mac}, {address}",
        ),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, path: str, words: str) -> None:
    assert old in SITE
    wrong = found(SITE.replace(old, new, 1))
    assert words in wrong[path]


@pytest.mark.parametrize("password", ["a b", "a;b", 'a"b', "a<b", "a>b", "a,b", "a\\b", "a\tb", "a\x85b", "x" * 129])
def test_a_password_that_breaks_an_account_line_is_refused_and_not_shown(password: str) -> None:
    written = "".join(f"\\u{ord(ch):04x}" for ch in password)
    (problem,) = decode(SITE.replace("9Rcw-t4Lk", written).encode()).problems
    assert problem.path == "user[1].password"
    assert password not in str(problem)


@pytest.mark.parametrize("name", ["", "a b", "a@b", "a;b", "ä", "x" * 65])
def test_a_user_name_stands_in_a_uri_without_escapes(name: str) -> None:
    assert [problem.path for problem in decode(SITE.replace('"a2"', f'"{name}"').encode()).problems] == ["user[1].name"]


@pytest.mark.parametrize("name", ["", "-a.example", "a..example", "a_b.example", "a.example.", "x" * 64 + ".example"])
def test_a_domain_is_a_host_name(name: str) -> None:
    assert [problem.path for problem in decode(SITE.replace("VoIP.example", name).encode()).problems] == ["domain[0].name"]


def test_a_hash_that_this_machine_lacks_is_told() -> None:
    text = SITE.replace("[[user]]", 'algorithms = ["MD5", "SHA-512-256"]\n[[user]]', 1)
    assert found(text, replace(MACHINE, hashes=frozenset({"md5", "sha256", "sha512_256"}))) == {}
    (path,) = found(text, replace(MACHINE, hashes=frozenset({"md5", "sha256"})))
    assert path == "domain[0].algorithms[1]"


def test_users_of_an_open_domain_need_no_password() -> None:
    text = SITE.replace('password = "9Rcw-t4Lk"', "").replace("[[user]]", "open = true\n[[user]]", 1)
    assert found(text) == {}
    (note,) = [note for note in notes(config(text)) if note.startswith("domain")]
    assert "any user of VoIP.example, without a password" in note


def test_several_algorithms_are_noted() -> None:
    text = SITE.replace("[[user]]", 'algorithms = ["SHA-256", "MD5"]\n[[user]]', 1)
    assert any("never answer a challenge that offers several" in note for note in notes(config(text)))
    assert not any("challenge" in note for note in notes(config(SITE)))


def test_users_whose_phones_show_private_addresses_are_noted_in_one_line() -> None:
    (note,) = [note for note in notes(config(SITE)) if "proxy" in note]
    assert note.startswith("user[0] and 1 more: ")
    shown = SITE.replace("password", 'showing = "self"\npassword')
    assert not any("proxy" in note for note in notes(config(shown)))


def test_a_short_password_is_noted_and_not_shown() -> None:
    assert not any("password" in note for note in notes(config(SITE)))
    (note,) = [note for note in notes(config(SITE.replace("7hUq-2mPz", "7hUq-2m"))) if "password" in note]
    assert note.startswith("user[0]: its password has fewer than 8 characters")
    assert "7hUq" not in note


def test_a_port_for_phones_on_which_nobody_listens_is_noted() -> None:
    moved = SITE.replace("[[user]]", "port = 5070\n[[user]]", 1)
    assert "domain[0].port: phones' files name port 5070, and sip.listen has 5060" in notes(config(moved))
    assert not any("port 5070" in note for note in notes(config(moved.replace("[sip]", "[sip]\nenabled = false"))))


SCOPE = """
[dhcp]
macs = ["02:00:00:00:0a:01"]
[[scope]]
name = "lan"
interface = "eth1"
subnet = "10.0.0.0/24"
server = "10.0.0.1"
range = ["10.0.0.11", "10.0.0.12"]
realm = "office"
[[class]]
name = "soft"
vendor_classes = ["x"]
"""


def test_a_user_whose_phone_gets_no_lease_is_noted() -> None:
    assert not any("dhcp.macs" in note for note in notes(config(SITE + SCOPE)))
    elsewhere = SITE.replace("02:00:00:00:0a:01", "02:00:00:00:0a:02") + SCOPE
    assert "user[1]: its phone is not among dhcp.macs, and gets no lease and no file here" in notes(config(elsewhere))
    reserved = '[[reservation]]\nmac = "02:00:00:00:0a:02"\naddress = "10.0.0.20"\n'
    assert not any("dhcp.macs" in note for note in notes(config(elsewhere + reserved)))


def test_phones_of_users_need_no_controller() -> None:
    assert not any("controller" in note for note in notes(config(SITE + SCOPE)))
    assert any("controller" in note for note in notes(config(SITE + SCOPE + 'image = "desk.bin"')))
    assert any("controller" in note for note in notes(config(SCOPE)))


def test_a_file_with_passwords_that_others_can_read_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "voxpath.toml"
    file.write_text(SITE)
    file.chmod(0o644)
    assert any("holds passwords" in note for note in notes(config(SITE), file))
    assert not any("holds passwords" in note for note in notes(config(""), file))
    file.chmod(0o640)
    assert not any("holds passwords" in note for note in notes(config(SITE), file))


def test_what_is_off_is_stated() -> None:
    def stated(text: str) -> str:
        return "\n".join(line for line in off(config(text), MACHINE) if line.startswith("sip"))

    assert "no [[domain]]" in stated("")
    assert "no [[user]]" in stated('[[domain]]\nname = "a"')
    assert stated('[[domain]]\nname = "a"\nopen = true') == stated(SITE) == ""
    assert stated("[sip]\nenabled = false") == "sip: off by enabled = false"


def test_each_option_of_the_server_has_its_effect() -> None:
    text = SITE.replace("[sip]", "[sip]\nmin_expires_s = 61\ndefault_expires_s = 62\nmax_expires_s = 63\nmax_contacts = 4")
    text = text.replace("[[user]]", 'realm = "Phones"\nalgorithms = ["SHA-256"]\ncallers = "users"\nopen = true\n[[user]]', 1)
    made = values_sip.sip_settings(config(text + '[[realm]]\nname = "r"\nprivate = ["10.0.0.0/24"]\npublic = ["203.0.113.1"]\n'))
    assert (made.min_expires_s, made.default_expires_s, made.max_expires_s, made.max_contacts) == (61, 62, 63, 4)
    assert made.domain_of("voip.example") == SipDomain("voip.example", "Phones", (Algorithm.SHA_256,), Callers.USERS, open=True)
    assert [realm.name for realm in made.realms] == ["r"]
    user = made.user_of("a1@voip.example")
    assert user is not None
    assert (user.name, user.password, user.phone, user.showing) == ("A1", "7hUq-2mPz", "02:00:00:00:0a:01", Showing.NOT)
    assert "7hUq-2mPz" not in repr(made)
    assert values_sip.domains(config(SITE))[0].realm == "VoIP.example"


def test_accounts_are_those_of_a_phone_in_the_order_of_the_file() -> None:
    text = SITE.replace("[[user]]", SECOND_DOMAIN + "[[user]]", 1).replace("password", 'domain = "198.51.100.10"\npassword')
    text += '[[user]]\nname = "nobody"\ndomain = "voip.example"\npassword = "x"\n'
    (only,) = values_sip.accounts(config(text)).items()
    phone, accounts = only
    assert phone == "02:00:00:00:0a:01"
    assert [(one.user.aor, one.port, one.expires_s) for one in accounts] == [
        ("a1@198.51.100.10", 5070, 3600),
        ("a2@198.51.100.10", 5070, 3600),
    ]


def test_the_lines_of_a_class_reach_its_phones() -> None:
    (made,) = values.classes(config('[[class]]\nname = "x"\nvendor_classes = ["x"]\nsettings = ["a b", "c"]'))
    assert made.settings == ("a b", "c")
    (problem,) = decode(b'[[class]]\nname = "x"\nvendor_classes = ["x"]\nsettings = ["a\\nb"]').problems
    assert "one line of 1 to 500 characters" in str(problem)


def test_thousands_of_users_are_read_and_each_mistake_is_told() -> None:
    """A right table is read as a whole, a wrong one option by option: the outcome is the same."""
    text = SITE + "".join(f'[[user]]\nname = "u{place}"\npassword = "secret"\n' for place in range(1000))
    assert len(config(text).users) == 1002
    wrong = text.replace('"u500"', "500").replace('name = "u501"', 'nmae = "u501"')
    assert {problem.path for problem in decode(wrong.encode()).problems} == {"user[502].name", "user[503].nmae", "user[503].name"}
