"""Templates and aliases that would give phones nothing, or too much, are told before the start."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from voxpath.app import values
from voxpath.app.check import check, load, notes
from voxpath.app.decode import decode
from voxpath.app.machine import Machine
from voxpath.app.schema import Config
from voxpath.app.schema_tftp import FilesName
from voxpath.app.shelf import TEMPLATES_LIMIT, make_shelf, read_templates
from voxpath.provision.table import COMMON, NOTHING, shipped_sets
from voxpath.provision.template import LARGEST_OCTETS

MACHINE = Machine(root=True, interfaces=frozenset({"eth1"}), addresses=frozenset())


def decoded(state: Path, text: str) -> Config:
    found = decode(f'state = "{state}"\n[tftp]\ntemplates = "templates"\n{text}'.encode())
    assert found.config is not None, found.problems
    return found.config


def problems(state: Path, text: str = "") -> list[str]:
    return [str(problem) for problem in check(decoded(state, text), MACHINE, thorough=True) if problem.path.startswith("tftp")]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "templates" / "yealink").mkdir(parents=True)
    return tmp_path


def put(state: Path, name: str, text: str) -> None:
    path = state / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_good_templates_are_passed_over_in_silence(state: Path) -> None:
    put(state, "yealink/mac.cfg", '{% include "shipped/yealink/mac.cfg" %}\n{% import "my/macros" as my %}{{ my.one(mac) }}')
    put(state, "my/macros", "{% macro one(mac) %}x={{ mac.upper }}{% endmacro %}")
    put(state, "spa.xml", "<x>{{ parts.model }}</x>")
    put(state, "old.cfg~", "{% if %}")
    put(state, ".git/config", "{% if %}")
    assert problems(state, '[[tftp.alias]]\npattern = "spa{model}.cfg"\ntemplate = "spa.xml"\n') == []


def test_a_wrong_template_is_one_line_with_place_and_reason(state: Path) -> None:
    put(state, "yealink/mac.cfg", "#!version:1.0.0.1\nx={{ sip_prt }}\n")
    put(state, "b", "{% if %}")
    first, second = problems(state)
    assert first.startswith("tftp.templates: b line 1: Expected an expression")
    assert second.startswith("tftp.templates: yealink/mac.cfg line 2: 'sip_prt' is undefined; correct it")


def test_a_template_that_fails_only_for_a_phone_without_users_is_found(state: Path) -> None:
    put(state, "yealink/mac.cfg", "{{ accounts[0].user }}")
    (only,) = problems(state)
    assert "line 1" in only


def test_what_cannot_be_read_is_told(state: Path) -> None:
    (state / "templates" / "bad").write_bytes(b"\xff")
    put(state, "large", "x" * (LARGEST_OCTETS + 1))
    first, second = problems(state)
    assert "bad: " in first
    assert "large: has more than" in second


def test_a_directory_that_is_none_or_is_too_full_or_is_everybodys_is_told(state: Path) -> None:
    (state / "templates").chmod(0o777)
    assert "every user" in problems(state)[0]
    (state / "templates").chmod(0o755)
    for number in range(TEMPLATES_LIMIT + 1):
        put(state, f"t{number}", "")
    assert "files, 256 at the most" in problems(state)[0]
    assert "no such directory" in problems(state / "nowhere")[0]


def test_templates_are_not_served_as_images(state: Path) -> None:
    """They may hold secrets, and images are everybody's."""
    (state / "images").mkdir()
    text = f'state = "{state}"\n[tftp]\ntemplates = "images/templates"\n'
    config = decode(text.encode()).config
    assert config is not None
    told = [problem for problem in check(config, MACHINE) if problem.path == "tftp.templates"]
    assert "could be read" in told[0].what


@pytest.mark.parametrize(
    ("alias", "path", "words"),
    [
        ('pattern = "a"', "tftp.alias[0]", "neither a file nor a template"),
        ('pattern = "a"\nfile = "b"\ntemplate = "yealink/mac.cfg"', "tftp.alias[0]", "both"),
        ('pattern = "a{b}"\nfile = "{c}"', "tftp.alias[0].file", "use one of: {mac}, {b}"),
        ('pattern = "a"\ntemplate = "none"', "tftp.alias[0].template", "put it there"),
        ('pattern = "a"\nfile = "b"\nclasses = ["desk"]', "tftp.alias[0].classes[0]", "there is no class 'desk'"),
    ],
)
def test_an_alias_that_leads_nowhere_is_told_once(state: Path, alias: str, path: str, words: str) -> None:
    (only,) = problems(state, f"[[tftp.alias]]\n{alias}\n")
    assert only.startswith(f"{path}: ")
    assert words in only


def test_a_pattern_that_is_none_is_told() -> None:
    (only,) = decode(b'[[tftp.alias]]\npattern = "a{b"\nfile = "x"\n').problems
    assert "brace" in only.what


def test_the_schema_names_every_set() -> None:
    assert set(FilesName.__args__) == {"", NOTHING, *shipped_sets()}


def test_a_class_has_the_files_of_its_layout_unless_it_says_otherwise(state: Path) -> None:
    classes = "".join(
        f'[[class]]\nname = "{name}"\nvendor_classes = ["{name}"]\n{more}\n'
        for name, more in (("a", 'layout = "snom"'), ("b", 'layout = "snom"\nfiles = "programs"'), ("c", 'layout = "mitel"'))
    )
    config = decoded(state, classes)
    shelf = make_shelf(config, read_templates(config))
    first = {name: next(iter(shelf.files(name))).template for name in "abc"}
    common = shipped_sets()[COMMON].files[0].template
    assert first == {"a": "snom/phone.xml", "b": common, "c": common}
    assert len(list(shelf.files("b"))) == len(shipped_sets()[COMMON].files)


def test_a_standby_gets_the_templates_too(state: Path) -> None:
    """TFT-7."""
    assert set(values.replicated(decoded(state, ""))) == {"images", "templates"}
    assert set(values.replicated(Config())) == {"images"}


def blocks(language: str) -> list[str]:
    """The examples of the how-to in one language."""
    text = (Path(__file__).parents[2] / "docs/how-to/provision-phones.md").read_text()
    return [dedent(found) for found in re.findall(rf"(?ms)^ *```{language}\n(.*?)^ *```$", text)]


def test_the_examples_of_the_how_to_work_as_they_stand(state: Path) -> None:
    site, aliases = blocks("toml")[0], blocks("toml")[-1]
    (template,) = blocks("jinja")
    put(state, "yealink/mac.cfg", template)
    put(state, "spa/phone.xml", "<spa>{{ parts.model }}</spa>")
    classes = '[[class]]\nlike = "cisco-spa"\n'
    assert problems(state, aliases + classes + site) == []
    assert len(blocks("toml")) == 3


ALIAS = '[[tftp.alias]]\npattern = "spa{model}.cfg"\ntemplate = "spa.xml"\n'


def test_a_wrong_template_is_a_problem_that_keeps_nothing_from_starting(state: Path) -> None:
    """Phones need their leases and their NAT all the same, after a power failure most of all."""
    put(state, "yealink/common.cfg", "{{ nosuch }}\n")
    (first, second) = problems(state, ALIAS)
    assert "there is no template 'spa.xml'" in first
    assert "yealink/common.cfg line 1: 'nosuch' is undefined" in second
    config = decoded(state, ALIAS)
    assert [problem for problem in check(config, MACHINE) if problem.path.startswith("tftp")] == []
    (line,) = [each for each in notes(config) if "template" in each]
    assert line.endswith("and 1 more like it: phones get no file that is made from it until it is corrected")


def test_a_file_with_a_wrong_template_can_be_started(state: Path) -> None:
    put(state, "yealink/common.cfg", "{{ nosuch }}\n")
    file = state / "gw.toml"
    file.write_text(f'state = "{state}"\n[tftp]\ntemplates = "templates"\n')
    assert load(file).config is not None
    assert [problem.path for problem in load(file, thorough=True).problems] == ["tftp.templates"]


STANDBY = """
[[tftp.alias]]
pattern = "spa{model}.cfg"
template = "spa.xml"
[redundancy]
role = "standby"
peer = "sg-a"
"""


def test_a_standby_starts_without_the_templates_that_it_will_be_sent_and_says_so_in_one_line(state: Path) -> None:
    """A new standby has nothing; to have its operator copy by hand what it is there to copy makes no sense."""
    (state / "templates" / "yealink").rmdir()
    (state / "templates").rmdir()
    assert problems(state, STANDBY) == []
    (line,) = [each for each in notes(decoded(state, STANDBY)) if "template" in each]
    assert line.startswith("tftp.templates: ")
    assert "there is no such directory, and 1 more like it: the standby starts, and takes the templates that sg-a sends" in line
    assert problems(state, STANDBY.replace('"standby"', '"active"'))
    put(state, "spa.xml", "<x>{{ parts.model }}</x>")
    assert not [each for each in notes(decoded(state, STANDBY)) if "template" in each]


def test_what_a_standby_is_not_sent_keeps_it_from_starting_as_on_any_host(state: Path) -> None:
    wrong = STANDBY.replace('{model}.cfg"', '{model}.cfg"\nfile = "{mac}.cfg"')
    (problem,) = problems(state, wrong)
    assert "names both a file and a template" in problem


def test_an_image_that_is_kept_for_one_phone_as_its_date_is_a_mac_is_told(state: Path) -> None:
    (state / "images" / "sub").mkdir(parents=True)
    for name in (
        "fw-260721-153000.bin",
        "sub/20260721153000.bin",
        "fw-20260721-153000.bin",
        "020000000a01.cfg",
        "260722-153000.bin",
    ):
        (state / "images" / name).write_bytes(b"x")
    of_a_class = '[[class]]\nname = "a"\nvendor_classes = ["a"]\nimage = "260722-153000.bin"\n'
    told = [line for line in notes(decoded(state, of_a_class)) if "Ethernet" in line]
    what = "fw-260721-153000.bin is kept for one phone, since its digits are an Ethernet address, too, and 1 more like it"
    assert told == [f"tftp.root: {what}: if all are to read it, make it the image of a class, or write the time as 20260721-153000"]
    assert not [line for line in notes(decoded(state / "nowhere", of_a_class)) if "Ethernet" in line]
