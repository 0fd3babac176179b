"""The references of commands and events say what the code says."""

from pathlib import Path

from voxpath.app import catalogue
from voxpath.manage.commands import COMMANDS
from voxpath.model.event import Event

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_current() -> None:
    """``make docs`` was run after the last change of a command or an event."""
    assert (ROOT / catalogue.COMMANDS_FILE).read_text() == catalogue.commands_page()
    assert (ROOT / catalogue.EVENTS_FILE).read_text() == catalogue.events_page()


def test_every_command_is_on_its_page() -> None:
    page = catalogue.commands_page()
    for command in COMMANDS.values():
        usage = command.usage.replace("|", "\\|")
        assert f"| `{usage}` | {command.help} |" in page


def test_every_event_has_a_docstring_of_its_own_and_stands_on_its_page() -> None:
    page = catalogue.events_page()
    told = [kind for _, kinds in catalogue.events() for kind in kinds]
    assert {kind.ID for kind in told} >= {"MESSAGE", "STARTED", "DHCP_ACK", "NAT_SPOOFED_PORT"}
    for kind in told:
        assert kind.__doc__
        assert kind.__doc__ != Event.__doc__
        assert f"### `{kind.ID}`\n" in page


def test_a_note_of_a_field_stands_beside_it() -> None:
    assert "| `sender` | `str` | the role or the phone that sent it. |" in catalogue.events_page()
    assert ":ivar" not in catalogue.events_page()


def test_pages_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    assert catalogue.main(tmp_path) == 0
    assert (tmp_path / catalogue.EVENTS_FILE).read_text() == catalogue.events_page()
