"""A note about names that phones are told and cannot resolve."""

import pytest
from msgspec.structs import replace

from tests.app.test_check_options import option, read
from voxpath.app.check import notes
from voxpath.app.check_names import name_notes


def told(scope: str = "", phone_class: str = "") -> list[str]:
    config, problems = read(scope, phone_class)
    assert problems == []
    found = list(name_notes(config))
    assert [note for note in notes(config) if "DNS" in note] == found
    return found


def note(names: str) -> list[str]:
    what = f"is empty: phones told of no DNS server cannot resolve {names}; name DNS servers, or write addresses instead"
    return [f"scope[0].dns: {what}"]


@pytest.mark.parametrize(
    ("scope", "phone_class", "names"),
    [
        ('sip_servers = ["sip.example"]', "", "sip.example (scope[0].sip_servers)"),
        ("", 'sip_servers = ["a.example", "b.example"]', "a.example (class[0].sip_servers), b.example (class[0].sip_servers)"),
        ("", 'url = "https://prov.example:8443/phones"', "prov.example (class[0].url)"),
        ("", 'url = "prov.example/phones"', "prov.example (class[0].url)"),
        ("", option("class", code=160, type="text", value="http://acs.example/x"), "acs.example (class[0].option[0])"),
        (option("scope", code=137, type="names", value=["lost.example"]), "", "lost.example (scope[0].option[0])"),
    ],
    ids=["SIP servers of the scope", "of the class", "URL", "URL without scheme", "text of a URL", "names"],
)
def test_a_name_that_phones_are_told_without_a_dns_server_is_noted(scope: str, phone_class: str, names: str) -> None:
    assert told(scope, phone_class) == note(names)
    assert told(f'dns = ["10.0.0.1"]\n{scope}', phone_class) == [], "the scope tells one"
    assert told(scope, f"{phone_class}\n" + option("class", code=6, type="addresses", value=["10.0.0.1"])) == [], "the class does"


@pytest.mark.parametrize(
    "phone_class",
    [
        'sip_servers = ["192.0.2.1"]',
        'url = "http://192.0.2.1:8080/x"',
        'url = "http://[2001:db8::1]/x"',
        'url = "http://[x"',
        'url = "/x"',
        option("class", code=119, type="names", value=["a.example"]),
        option("class", code=128, type="text", value="just a text"),
        option("class", code=132, type="u16", value=7),
    ],
    ids=["address", "URL of an address", "IPv6", "no URL", "no host", "domain search", "text", "number"],
)
def test_what_needs_no_resolving_is_not_noted(phone_class: str) -> None:
    assert told("", phone_class) == []


def test_of_many_names_the_first_ones_are_shown() -> None:
    servers = ", ".join(f'"s{number}.example"' for number in range(6))
    (found,) = told(f"sip_servers = [{servers}]")
    assert "s3.example (scope[0].sip_servers) and 2 more; name DNS servers" in found
    assert "s4.example" not in found


def test_while_dhcp_is_off_nobody_is_told_a_name() -> None:
    config, _ = read('sip_servers = ["sip.example"]')
    assert list(name_notes(config))
    assert list(name_notes(replace(config, dhcp=replace(config.dhcp, enabled=False)))) == []
