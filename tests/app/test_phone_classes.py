"""The shipped phone classes: each text that such phones send selects its class, and a configuration may set any option anew."""

import pytest

from voxpath.app import reference, values
from voxpath.app.check import check
from voxpath.app.decode import decode
from voxpath.app.machine import Machine
from voxpath.app.phone_classes import LIKE, shipped
from voxpath.app.schema import Config
from voxpath.dhcp.layout import LAYOUTS, OWN_LAYOUT
from voxpath.dhcp.policy import Admitted, Applicant
from voxpath.model.address import Mac

MACHINE = Machine(root=True, interfaces=frozenset({"eth1"}), addresses=frozenset())
MAC = Mac(b"\x02\0\0\0\0\1")
WITHOUT_SELECTOR = {"one-line", "multi-line"}


def config(text: str) -> Config:
    decoded = decode(f'[dhcp]\nmacs = ["{MAC}"]\n{text}'.encode())
    assert decoded.config is not None, decoded.problems
    return decoded.config


def taking_over(name: str) -> str:
    selector = f'vendor_classes = ["test-{name}"]\n' if name in WITHOUT_SELECTOR else ""
    return f'[[class]]\nlike = "{name}"\n{selector}'


EVERYTHING = "".join(map(taking_over, shipped()))


def test_every_shipped_class_can_be_taken_over_as_it_is() -> None:
    taken = config(EVERYTHING)
    assert [entry.name for entry in taken.classes] == list(shipped())
    assert [problem for problem in check(taken, MACHINE) if problem.path.startswith("class")] == []
    assert {name for name, entry in shipped().items() if not entry.seen} == WITHOUT_SELECTOR


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, entry in shipped().items() for text in entry.seen])
def test_each_text_that_was_seen_selects_its_class_among_all(name: str, text: str) -> None:
    admission = values.admission(config(EVERYTHING))
    found = admission.admit(Applicant(MAC, text.encode().rstrip(b"\0")))
    assert isinstance(found, Admitted)
    assert found.phone_class.name == name


@pytest.mark.parametrize(
    "text", ["MSFT 5.0", "android-dhcp-14", "udhcp 1.36.1", "dhcpcd-9.4.1", "PXEClient:Arch:00000", "Cisco AP c1130", ""]
)
def test_other_machines_select_none(text: str) -> None:
    """DHC-17."""
    assert not isinstance(values.admission(config(EVERYTHING)).admit(Applicant(MAC, text.encode())), Admitted)


def test_an_old_cisco_phone_is_known_by_what_it_asks_for() -> None:
    found = values.admission(config(EVERYTHING)).admit(Applicant(MAC, wanted=bytes((1, 66, 6, 3, 15, 150, 35))))
    assert isinstance(found, Admitted)
    assert found.phone_class.name == "cisco"


def test_lines_make_the_block() -> None:
    """GEN-4, GEN-5: two ports a line and one for signalling, rounded up to a power of two."""
    ports = {entry.name: entry.ports for entry in values.classes(config(EVERYTHING))}
    assert ports["one-line"] == 4
    assert ports["multi-line"] == ports["yealink"] == 16
    assert ports["snom"] == 32


def test_any_option_may_be_set_anew() -> None:
    (entry,) = config('[[class]]\nname = "desk"\nlike = "yealink"\nlines = 2\nvendor_classes = ["y"]\nlease_s = 600\n').classes
    assert (entry.name, entry.lines, entry.vendor_classes, entry.lease_s) == ("desk", 2, ("y",), 600)
    assert entry.files == "yealink"


def test_an_unknown_class_is_told_with_the_nearest() -> None:
    found = {problem.path: str(problem) for problem in check(config('[[class]]\nname = "x"\nlike = "yaelink"\n'), MACHINE)}
    assert "did you mean yealink?" in found["class[0].like"]
    assert "class[0].vendor_classes" not in found


@pytest.mark.parametrize("text", ["class = 5\n", '[[class]]\nlike = 5\nname = "x"\n', "class = [5]\n", "[class]\n"])
def test_what_is_no_class_is_told_as_ever(text: str) -> None:
    assert decode(text.encode()).problems


def test_the_table_has_known_options_only() -> None:
    import tomllib
    from importlib.resources import files

    from msgspec.structs import fields

    from voxpath.app.schema_dhcp import PhoneClass

    known = {field.encode_name for field in fields(PhoneClass)} - {LIKE, "name"} | {"about", "seen"}
    table = tomllib.loads(files("voxpath.app").joinpath("phone_classes.toml").read_text())
    assert {key for entry in table.values() for key in entry} <= known


def test_a_make_is_told_in_its_own_layout() -> None:
    """DHC-10: what is taken over says it, and the server knows it."""
    layouts = {entry.name: entry.layout for entry in values.classes(config(EVERYTHING))}
    assert layouts["snom"] == "snom"
    assert layouts["one-line"] == "none"
    assert set(layouts.values()) - {"none"} == set(LAYOUTS) - {"none", OWN_LAYOUT}


def test_the_page_has_every_class() -> None:
    page = reference.phone_classes_page()
    for name, entry in shipped().items():
        assert f"| `{name}` |" in page
        assert entry.about in page


def test_a_misspelt_like_is_the_only_thing_that_is_told() -> None:
    """Not that its name is missing, nor that there is no class of the name that is meant."""
    text = '[[class]]\nlike = "yaelink"\n[[reservation]]\nmac = "02:00:00:00:00:01"\naddress = "10.0.0.5"\nclass = "yealink"\n'
    told = [str(problem) for problem in check(config(text), MACHINE) if problem.path.startswith(("class", "reservation[0].class"))]
    assert told == ["class[0].like: there is no shipped class 'yaelink'; did you mean yealink?"]


def test_a_like_that_is_near_to_nothing_is_told_with_what_there_is() -> None:
    [problem] = [problem for problem in check(config('[[class]]\nlike = "zzz"\n'), MACHINE) if problem.path.startswith("class")]
    assert problem.path == "class[0].like"
    assert "yealink" in problem.todo
