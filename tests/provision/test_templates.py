"""Templates: strict names, a sandbox, bounds, and how an operator's replace the shipped ones; names and aliases."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.test_files import ELSEWHERE, HOME, MAC, Provisions, is_withheld, provision
from tests.provision.test_vendors import users
from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.provision.name import LONGEST_NAME, NamePattern
from voxpath.provision.record import FIELDS, MASK, record_of
from voxpath.provision.sample import samples
from voxpath.provision.table import Alias, Shelf, shipped_sets, shipped_templates
from voxpath.provision.template import LARGEST_OCTETS, TemplateFault, Templates
from voxpath.tftp.question import Fetch, Refused

RECORD = record_of(provision(), users("a1"))


def rendered(text: str, **more: str) -> str:
    return Templates(shipped_templates(), {"t": text, **more}).render("t", RECORD, {"model": "x7"}).decode()


def fault(text: str, **more: str) -> TemplateFault:
    with pytest.raises(TemplateFault) as raised:
        rendered(text, **more)
    return raised.value


def test_a_template_knows_the_record_and_the_parts_of_the_name() -> None:
    assert rendered("{{ mac }} {{ mac.upper }} {{ sip_port }} {{ parts.model }}") == "02:00:00:00:0a:01 020000000A01 2048 x7"
    assert all(rendered(f"[{{{{ {name} }}}}]") for name in FIELDS)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("\n{{ sip_prt }}", 2, "'sip_prt' is undefined"),
        ("\n\n{{ mac.other }}", 3, "no attribute 'other'"),
        ("{{ accounts[7].user }}", 1, "no element 7"),
        ("a\n{% if %}", 2, "Expected an expression"),
        ("{% for x in dns %}", 1, "endfor"),
        ('{% include "none" %}', 1, "there is no template none"),
        ("{{ 1 // 0 }}", 1, "zero"),
        ("{{ sip_port.__class__ }}", 1, "unsafe"),
        ("{{ ''.__class__.__mro__ }}", 1, "unsafe"),
        ("{{ settings.append('x') }}", 1, "no attribute 'append'"),
        ("{{ lipsum() }}", 1, "'lipsum' is undefined"),
    ],
)
def test_a_wrong_template_is_told_with_its_line_and_the_reason(text: str, line: int, what: str) -> None:
    """An operator reads one line: what, where."""
    found = fault(text)
    assert (found.template, found.line) == ("t", line)
    assert what in found.what
    assert "\n" not in str(found)


def test_a_fault_in_an_included_template_is_raised_too() -> None:
    assert "'nobody' is undefined" in fault('{% include "u" %}', u="{{ nobody }}").what


def test_a_file_is_bounded() -> None:
    assert "octets" in fault("{% for x in range(9999) %}" + "y" * 100 + "{% endfor %}").what
    assert len(rendered("y" * LARGEST_OCTETS)) == LARGEST_OCTETS
    assert fault("{% for x in range(10 ** 9) %}{% endfor %}").line == 1


def test_an_operators_template_replaces_the_shipped_one_and_can_use_it() -> None:
    own = {"voxpath/phone.cfg": '{% include "shipped/voxpath/phone.cfg" %}site=9\n'}
    policy = FilePolicy(Provisions(provision()), shelf=Shelf(texts=own))
    choice = policy.choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(choice, Rendered)
    assert choice.content.startswith(b"# voxpath-phone 1\n")
    assert choice.content.endswith(b"\nsite=9\n")


def test_xml_is_known_by_its_first_sign_and_lines_are_left_as_they_are() -> None:
    record = replace(RECORD, host_name="<&>")
    made = Templates({}, {"x": "\n<x>{{ host_name }}</x>", "l": "x={{ host_name }}"})
    assert made.render("x", record, {}) == b"\n<x>&lt;&amp;&gt;</x>"
    assert made.render("l", record, {}) == b"x=<&>"


@pytest.mark.parametrize(
    ("text", "xml"),
    [
        ("<x>{{ host_name }}", True),
        ("{# why #}\n{% set x = 1 %}\n<x>{{ host_name }}", True),
        ('{% include "shipped/cisco/dialplan.xml" %}{{ host_name }}', True),
        ('{%- extends "shipped/snom/phone.xml" -%}{{ host_name }}', True),
        ('{# why #}{% import "u" as u %}{% include "u" %}{{ host_name }}', True),
        ('{% include "shipped/yealink/mac.cfg" %}<{{ host_name }}', False),
        ('{% include "t" %}', False),
        ('{% include "none" %}', False),
        ("x={{ host_name }}<", False),
        ("{% if true %}x={{ host_name }}{% endif %}", False),
        ("{# open", False),
        ("", False),
    ],
)
def test_a_template_that_begins_with_another_is_of_its_kind(text: str, xml: bool) -> None:
    """An operator's template that only adds to a shipped one escapes as that does."""
    assert Templates(shipped_templates(), {"t": text, "u": '{% include "v" %}', "v": "<v/>"}).makes_xml("t") is xml


def test_what_is_added_to_shipped_xml_is_escaped() -> None:
    own = {"snom/common.xml": '{% include "shipped/snom/common.xml" %}<!-- {{ host_name }} -->'}
    made = Templates(shipped_templates(), own).render("snom/common.xml", replace(RECORD, host_name="--><x>"), {})
    assert made.endswith(b"<!-- --&gt;&lt;x&gt; -->")


def test_no_part_of_a_name_brings_a_line() -> None:
    made = Templates({}, {"l": "x={{ parts.name }}{% macro m(x) %}[{{ x }}]\n{% endmacro %}{{ m(parts.name) }}"})
    assert made.render("l", RECORD, {"name": "a\nb"}) == b"x=a\\nb[a\\nb]\n"


def test_every_shipped_file_is_made_for_every_sample() -> None:
    """The same as ``voxpath check`` does with those of an operator."""
    made = Templates(shipped_templates())
    for each in shipped_sets().values():
        for file in each.files:
            parts = dict.fromkeys((name for pattern in file.names for name in pattern.parts), "x")
            for record in samples():
                text = made.render(file.template, record, parts).decode()
                assert not [line for line in text.splitlines() if "{" in line or "%}" in line], text
    assert {file.template for each in shipped_sets().values() for file in each.files} == set(shipped_templates())


def test_every_text_of_a_record_is_one_line() -> None:
    """So a template that passes over what writes values lets nothing through either."""
    record = record_of(provision(host_name="a\nb\u2028c"), users("u\nv", password="p\rq"))
    assert record.host_name == "a\\nb\\u2028c"
    assert (record.accounts[0].user, record.accounts[0].password) == ("u\\nv", "p\\rq")


def test_a_masked_record_has_no_password() -> None:
    record = record_of(provision(), users("a1", password="topsecret"))
    assert "topsecret" not in repr(record)
    assert [account.password for account in record.masked().accounts] == [MASK]
    assert [account.password for account in record_of(provision(), users("a1", password="")).masked().accounts] == [""]


# Names.


@pytest.mark.parametrize(
    ("pattern", "name", "parts"),
    [
        ("SEP{mac}.cnf.xml", "sep020000000A01.CNF.XML", {"mac": "020000000a01"}),
        ("{mac}.cfg", "02:00:00:00:0a:01.cfg", {"mac": "020000000a01"}),
        ("{mac}.cfg", "0200.0000.0a01.cfg", {"mac": "020000000a01"}),
        ("snom{model}-{mac}.htm", "snomD785-020000000A01.htm", {"model": "D785", "mac": "020000000a01"}),
        ("{model}/x", "a/b/x", None),
        ("*.loads", "SIP45.9-4-2.loads", {}),
        ("*.loads", "a/b.loads", None),
        ("a.b", "axb", None),
        ("{mac}.cfg", "02-0000000a01.cfg", None),
        ("{mac}.cfg", "020000000a01.cfg\n", None),
        ("*x", "x" * (LONGEST_NAME + 1), None),
    ],
)
def test_a_name_matches_its_pattern_as_a_whole(pattern: str, name: str, parts: dict[str, str] | None) -> None:
    assert NamePattern(pattern).match(name) == parts


@pytest.mark.parametrize("text", ["", "{", "{mac", "{Mac}", "{mac}{mac}", "{a}{b}{c}{d}*", "}{"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        NamePattern(text)


@given(
    st.text(max_size=200),
    st.sampled_from([pattern for each in shipped_sets().values() for file in each.files for pattern in file.names]),
)
def test_no_part_holds_what_a_path_or_a_line_is_made_of(name: str, pattern: NamePattern) -> None:
    parts = pattern.match(name) or {}
    assert all(value and not set(value) & set("/\\\r\n\0 ") for value in parts.values())


@given(st.binary(min_size=6, max_size=6).filter(lambda octets: octets[:3] != b"\0\0\0"))
def test_the_example_of_a_pattern_matches_it(octets: bytes) -> None:
    mac = type(MAC)(octets)
    for each in shipped_sets().values():
        for file in each.files:
            for pattern in file.names:
                parts = pattern.match(pattern.example(mac))
                assert parts is not None
                assert parts.get("mac", mac.hex()) == mac.hex()


# Aliases.


def aliased(*aliases: Alias, texts: dict[str, str] | None = None) -> FilePolicy:
    return FilePolicy(Provisions(provision()), images=["desk-1.4.bin"], shelf=Shelf({"desk": ""}, aliases, texts or {}))


def test_an_alias_leads_to_a_file_of_the_directory_or_to_a_rendered_one() -> None:
    policy = aliased(
        Alias(NamePattern("spa{model}.bin"), "firmware/{model}.bin"),
        Alias(NamePattern("fast-{mac}"), "{mac}.cfg"),
        Alias(NamePattern("common.cfg"), "{mac}.cfg"),
    )
    assert policy.choose(Fetch("SPA504.bin", HOME)) == Image("firmware/504.bin")
    mine = policy.choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(mine, Rendered)
    assert policy.choose(Fetch("fast-02-00-00-00-0A-01", HOME)) == mine
    assert is_withheld(policy.choose(Fetch("fast-02-00-00-00-0A-01", ELSEWHERE)))
    assert policy.choose(Fetch("common.cfg", HOME)) == mine


def test_an_alias_leads_to_nobody_elses_file_and_not_round_in_a_circle() -> None:
    policy = aliased(
        Alias(NamePattern("{a}+{b}"), "{a}{b}.cfg"),
        Alias(NamePattern("a"), "b"),
        Alias(NamePattern("b"), "a"),
        Alias(NamePattern("{mac}.ini"), "{mac}.cfg"),
    )
    assert is_withheld(policy.choose(Fetch("0004f2+000001", HOME)), holds=True)
    assert policy.misused == 1
    assert isinstance(policy.choose(Fetch("020000+000a01", HOME)), Rendered)
    assert policy.choose(Fetch("a", HOME)) == Image("b")
    assert policy.choose(Fetch("000000000028.ini", HOME)) == Image("000000000028.ini"), "everybody's, and not this phone's own"


def test_an_alias_is_for_the_classes_that_it_names() -> None:
    policy = aliased(Alias(NamePattern("x"), "other", classes=("kiosk",)), Alias(NamePattern("x"), "mine", classes=("desk",)))
    assert policy.choose(Fetch("x", HOME)) == Image("mine")


def test_an_alias_may_have_a_template_of_its_own() -> None:
    texts = {"spa/phone.xml": "<SPA model='{{ parts.model }}'>{{ sip_port }}</SPA>"}
    policy = aliased(Alias(NamePattern("spa{model}-{mac}.cfg"), template="spa/phone.xml"), texts=texts)
    assert policy.choose(Fetch("spa504-020000000a01.cfg", HOME)) == Rendered(b"<SPA model='504'>2048</SPA>")


def test_a_template_that_broke_since_the_start_is_told_to_the_operator_alone() -> None:
    policy = aliased(texts={"voxpath/phone.cfg": "{{ nobody }}"})
    refused = policy.choose(Fetch("020000000a01.cfg", HOME))
    assert refused == Refused(0, "the file cannot be made", "voxpath/phone.cfg line 1: 'nobody' is undefined")


# What an operator is shown.


def test_the_list_names_every_file_that_is_rendered_and_the_image() -> None:
    found = {entry.name: entry for entry in aliased(Alias(NamePattern("x"), "desk-1.4.bin")).listed(str(MAC))}
    assert found["x"].choice == Image("desk-1.4.bin")
    assert isinstance(found["020000000a01.cfg"].choice, Rendered)
    assert found["desk-1.4.bin"].origin == "directory"
    assert list(aliased().listed("02:00:00:00:0a:99")) == []


def test_a_password_is_shown_only_if_it_is_wanted() -> None:
    policy = FilePolicy(Provisions(provision()), {str(MAC): users("a1", password="topsecret")})
    for masked in (True, False):
        choice = policy.shown(str(MAC), "020000000a01/accounts", masked)
        assert isinstance(choice, Rendered)
        assert (b"topsecret" in choice.content) is not masked


def test_the_file_server_is_the_one_that_dhcp_tells() -> None:
    made = provision()
    assert record_of(made).tftp_server == "10.0.0.1"
    kind = replace(made.phone_class, options=((150, bytes((10, 0, 0, 9, 10, 0, 0, 8))),))
    assert record_of(replace(made, phone_class=kind)).tftp_server == "10.0.0.9"
