"""The commented file and the reference say what the schema says."""

import re
from pathlib import Path

from voxpath.app import reference
from voxpath.app.check import check
from voxpath.app.decode import decode
from voxpath.app.machine import Machine
from voxpath.app.schema import Config
from voxpath.provision.record import FIELDS

ROOT = Path(__file__).parents[2]
MACHINE = Machine(root=True, interfaces=frozenset({"eth0", "eth1"}), addresses=frozenset())


def test_generated_files_are_current() -> None:
    """``python -m voxpath.app.reference`` was run after the last change of the schema."""
    assert (ROOT / reference.EXAMPLE_FILE).read_text() == reference.example_file()
    assert (ROOT / reference.REFERENCE_FILE).read_text() == reference.reference_page()
    assert (ROOT / reference.PHONE_CLASSES_FILE).read_text() == reference.phone_classes_page()
    assert (ROOT / reference.PHONE_FILES_FILE).read_text() == reference.phone_files_page()


def test_every_name_that_a_template_knows_is_told() -> None:
    text = reference.phone_files_page()
    assert all(f"| `{name}` | " in text for name in FIELDS)


def test_the_file_as_it_stands_changes_nothing() -> None:
    assert decode((ROOT / reference.EXAMPLE_FILE).read_bytes()).config == Config()


def test_uncommented_options_are_the_defaults() -> None:
    text = re.sub(r"(?m)^#(?=[a-z\[])", "", reference.example_file())
    assert text.count("\nblksize_max = 1468\n") == 1
    assert decode(text.encode()) == (Config(), ())


def test_no_option_is_missing_from_the_file() -> None:
    text = reference.example_file()
    for table in reference.tables():
        for option in table.options:
            assert re.search(rf"(?m)^#(     )?{option.name} = ", text), f"{table.heading} {option.name}"
            assert option.effect in text


def test_uncommented_examples_are_accepted() -> None:
    """Each example of a list of tables is valid as it stands."""
    text = re.sub(r"(?m)^#     (?=[a-z\[])", "", reference.example_file())
    decoded = decode(text.encode())
    assert decoded.problems == ()
    assert decoded.config is not None
    assert len(decoded.config.scopes) == 1
    wrong = {problem.path for problem in check(decoded.config, MACHINE)}
    assert wrong == {"phone.static", "tls.ca", "tls.certificate", "tls.key"}


def test_every_example_differs_from_the_default() -> None:
    same = [
        f"{table.heading}.{option.name}"
        for table in reference.tables()
        for option in table.options
        # A shared scope has public addresses; the example of a scope has private ones. An alias has a file or a template.
        if option.example == option.default and option.name not in {"termination", "shared", "template"}
    ]
    assert same == []


def test_files_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    assert reference.main(tmp_path) == 0
    assert (tmp_path / reference.EXAMPLE_FILE).read_text() == reference.example_file()
