"""SIP URIs: what is read, what is the same, what is printed (RFC 3261 section 19.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import RemoteError
from voxpath.sip.uri import LARGEST_PORT, LONGEST_URI, SipUri

text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
hosts = st.from_regex(r"[a-z0-9]([a-z0-9_.-]{0,12}[a-z0-9])?", fullmatch=True) | st.ip_addresses().map(
    lambda each: f"[{each}]" if each.version == 6 else str(each)
)
names = text.map(str.lower).filter(lambda each: each == each.lower())
params = st.dictionaries(names, st.none() | text | st.just(""), max_size=3)
headers = st.sampled_from(["", "Route=%3Csip:example.com%3E", "a=b&c=d"])
ports = st.none() | st.integers(1, LARGEST_PORT)
with_user = st.builds(SipUri, st.sampled_from(["sip", "sips"]), text, st.just("") | text, hosts, ports, params, headers)
uris = with_user | with_user.map(lambda uri: uri._replace(user="", password=""))


@given(uris)
def test_reading_is_the_inverse_of_printing(uri: SipUri) -> None:
    printed = str(uri)
    assert printed.isascii()
    assert printed.isprintable()
    assert SipUri.parse(printed) == uri


@given(uris)
def test_the_canonical_form_is_a_printable_uri_that_is_its_own_canonical_form(uri: SipUri) -> None:
    """It is kept and shown; the user has no octets in it that a store or a terminal would take badly."""
    assert uri.canonical.isascii()
    assert uri.canonical.isprintable()
    assert SipUri.parse(uri.canonical).canonical == uri.canonical


def test_all_parts_of_a_uri_are_read() -> None:
    uri = SipUri.parse("SIP:Alice:secret%3a@Voip.Example:5070;Transport=TCP;lr?subject=x&priority=urgent")
    assert uri == SipUri(
        "sip", "Alice", "secret:", "voip.example", 5070, {"transport": "TCP", "lr": None}, "subject=x&priority=urgent"
    )


@pytest.mark.parametrize(
    ("written", "user"),
    [
        # RFC 4475 section 3.1.1: esc01, escnull, semiuri, intmeth.
        ("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com"),
        ("sip:%75se%72@example.com", "user"),
        ("sip:null-%00-null@example.com", "null-\0-null"),
        ("sip:user;par=u%40example.net@example.com", "user;par=u@example.net"),
        (
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        ),
        ("sip:%2541@example.com", "%41"),
        ("sip:*72#@example.com", "*72#"),
        ("sip:J%C3%BCrgen@example.com", "Jürgen"),
        ("sip:example.com", ""),
    ],
)
def test_the_escapes_of_a_user_are_undone_once(written: str, user: str) -> None:
    assert SipUri.parse(written).user == user


def test_escapes_of_parameters_are_undone_once() -> None:
    """RFC 4475 section 3.1.1.3: ``%6C%72`` is ``lr``."""
    assert SipUri.parse("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31").params == {"lr": None, "name": "value%41"}


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("sip:a@[2001:DB8::0:1]:5060", "[2001:db8::1]", 5060),
        ("sip:[::1]", "[::1]", None),
        ("sip:a@10.0.0.11:02048", "10.0.0.11", 2048),
        ("sip:a@sip_proxy.Example.", "sip_proxy.example.", None),
    ],
)
def test_host_and_port_are_read_in_the_form_that_is_compared(written: str, host: str, port: int | None) -> None:
    uri = SipUri.parse(written)
    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "sip:",
        "sip:@host",
        "sip::secret@host",
        "sip:a@",
        "sip:a@b@host",
        "sip:a b@host",
        "sip:a@ho st",
        "sip:a@host:0",
        "sip:a@host:65536",
        "sip:a@host:99999999999999999999",
        "sip:a@host:",
        "sip:a@host;",
        "sip:a@host;;lr",
        "sip:a@host;lr;%6Cr",
        "sip:a@host;=x",
        "sip:a%4@host",
        "sip:a%zz@host",
        "sip:%ff@host",
        "sip:\udcff@host",
        "sip:a@[::1",
        "sip:a@[1:2:3]",
        "sip:a@[::1%25eth0]",
        "sip:a@hoſt",
        "sip:a@host\n",
        "<sip:a@host>",
        "no scheme",
        "sip:" + "a" * LONGEST_URI,
    ],
)
def test_a_malformed_uri_is_refused_with_400_and_a_reason(written: str) -> None:
    with pytest.raises(RemoteError) as refusal:
        SipUri.parse(written)
    assert refusal.value.code == 400
    assert refusal.value.section


@pytest.mark.parametrize("written", ["tel:+15551234", "nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"])
def test_another_scheme_is_refused_with_416(written: str) -> None:
    with pytest.raises(RemoteError) as refusal:
        SipUri.parse(written)
    assert refusal.value.code == 416


@pytest.mark.parametrize(
    ("written", "aor"),
    [
        ("sip:A1@Voip.Example:5070;user=phone", "a1@voip.example"),
        ("sips:a%31:pw@voip.example?x=y", "a1@voip.example"),
        ("sip:voip.example", "voip.example"),
    ],
)
def test_an_address_of_record_is_user_and_host_in_lower_case(written: str, aor: str) -> None:
    assert SipUri.parse(written).aor == aor


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@Atlanta.com;transport=TCP", "sip:alice@atlanta.com;transport=tcp;expires=5"),
        ("sip:a@h:5060;x=1", "SIP:a:pw@H:5060"),
        ("sip:%00@h", "sip:%00@h;ob"),
    ],
)
def test_contacts_that_differ_only_in_writing_are_one(one: str, other: str) -> None:
    assert SipUri.parse(one).canonical == SipUri.parse(other).canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:alice@h", "sip:Alice@h"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:a@h:5060"),
        ("sip:a@h", "sip:a@h;transport=udp"),
        ("sip:%00@h", "sip:%00%00@h"),
        ("sip:a%3Btransport=tcp@h", "sip:a@h;transport=tcp"),
        ("sip:a%40g@h", "sip:a@h"),
    ],
)
def test_contacts_that_differ_in_what_counts_are_two(one: str, other: str) -> None:
    """RFC 3261 section 19.1.4."""
    assert SipUri.parse(one).canonical != SipUri.parse(other).canonical


def test_a_uri_at_another_address_loses_the_parameters_that_name_an_address() -> None:
    moved = SipUri.parse("sip:a1-0x55@10.0.0.11:2048;maddr=10.0.0.1;transport=udp;received=x;ob").at("203.0.113.1", 2050)
    assert str(moved) == "sip:a1-0x55@203.0.113.1:2050;transport=udp;ob"
