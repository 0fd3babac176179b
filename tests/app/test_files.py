"""What an operator is shown of phones' files, and what the role counts (TFT-9)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.flow.test_files import ELSEWHERE, HOME, MAC, Provisions, provision
from voxpath.app.decode import decode
from voxpath.app.files import PATTERN, FileRole
from voxpath.app.redundancy import NoLeases
from voxpath.app.shelf import find
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import FileRow
from voxpath.tftp.question import Fetch, Refused

PHONE = str(MAC)
CONFIG = """
[[domain]]
name = "voip.example"
[[user]]
name = "a1"
password = "topsecret"
phone = "02:00:00:00:0a:01"
[[class]]
name = "desk"
vendor_classes = ["desk"]
files = "yealink"
[[tftp.alias]]
pattern = "logo.bmp"
file = "art/logo.bmp"
[[tftp.alias]]
pattern = "T46*.rom"
file = "desk-1.4.bin"
[[tftp.alias]]
pattern = "{model}/ring.wav"
file = "rings/{model}.wav"
"""


@pytest.fixture
def role(tmp_path: Path) -> FileRole:
    config = decode(f'state = "{tmp_path}"\n{CONFIG}'.encode()).config
    assert config is not None
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "desk-1.4.bin").write_bytes(b"image")
    (tmp_path / "images" / "y0000000000x.cfg").write_bytes(b"mine")
    made = FileRole(cast("Any", SimpleNamespace(clock=None, bus=None, config=config)), Provisions(provision()))
    made.policy = made.make_policy(config, find(config).shelf)
    return made


def test_every_file_is_listed_with_what_it_comes_from(role: FileRole) -> None:
    found = {row.name: row for row in role.rows(PHONE)}
    assert found["logo.bmp"] == FileRow("logo.bmp", "directory", None, "there is no art/logo.bmp")
    assert found["020000000a01.cfg"].origin == "yealink/mac.cfg"
    assert found["020000000a01.cfg"].octets == len(role.text(PHONE, "020000000a01.cfg", secrets=True))
    assert found["desk-1.4.bin"] == FileRow("desk-1.4.bin", "directory", 5, "")


def test_a_pattern_is_shown_as_it_is_written_and_no_name_is_made_up(role: FileRole) -> None:
    """An operator who saw ``y0000000000x.cfg`` looked for a phone of model x."""
    found = {row.name: row for row in role.rows(PHONE)}
    assert not [name for name in found if "0000x" in name or "46x" in name or "x/" in name]
    assert found["T46*.rom"] == FileRow("T46*.rom", "directory", 5, PATTERN)
    ring = found["{model}/ring.wav"]
    assert (ring.origin, ring.octets, ring.note) == ("directory", None, f"{PATTERN} for which there is rings/{{model}}.wav")
    model = found["y0000000000{model}.cfg"]
    assert model.octets == len(role.text(PHONE, "y000000000028.cfg", secrets=True))
    assert (model.origin.split("/")[0], model.note) == ("yealink", PATTERN)


def test_passwords_are_shown_only_if_they_are_asked_for(role: FileRole) -> None:
    masked, whole = (role.text(PHONE, "020000000a01.cfg", secrets=secrets) for secrets in (False, True))
    assert "account.1.password = ********\n" in masked
    assert "account.1.password = topsecret\n" in whole
    assert masked.replace("********", "topsecret") == whole


@pytest.mark.parametrize(
    ("phone", "name", "words"),
    [
        (PHONE, "desk-1.4.bin", "is not rendered"),
        (PHONE, "y0000000000x.cfg", "is not rendered"),
        ("02:00:00:00:0a:99", "x", "holds no lease"),
        ("nobody", "x", "'nobody' is no Ethernet address"),
    ],
)
def test_what_cannot_be_shown_is_said(role: FileRole, phone: str, name: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        role.text(phone, name, secrets=False)


def test_on_a_standby_the_operator_is_sent_to_the_active_server(tmp_path: Path) -> None:
    """TFT-7: that the phone held no lease would be false."""
    config = decode(f'state = "{tmp_path}"\n[redundancy]\nrole = "standby"\npeer = "sg-a"\n{CONFIG}'.encode()).config
    assert config is not None
    made = FileRole(cast("Any", SimpleNamespace(clock=None, bus=None, config=config)), NoLeases())
    made.policy = made.make_policy(config, find(config).shelf)
    with pytest.raises(CommandError, match="this is a standby"):
        made.text(PHONE, "020000000a01.cfg", secrets=False)
    refused = made.policy.choose(Fetch("020000000a01.cfg", HOME))
    assert isinstance(refused, Refused)
    assert refused.reason == "this is a standby, ask the active server"
    assert made.silent()["a phone asked this standby for its own file"] == 1


def test_a_template_that_makes_no_file_is_shown_with_its_reason_beside_all_others(tmp_path: Path) -> None:
    (tmp_path / "templates" / "yealink").mkdir(parents=True)
    (tmp_path / "templates" / "yealink" / "common.cfg").write_text("{{ nosuch }}\n")
    config = decode(f'state = "{tmp_path}"\n[tftp]\ntemplates = "templates"\n{CONFIG}'.encode()).config
    assert config is not None
    made = FileRole(cast("Any", SimpleNamespace(clock=None, bus=None, config=config)), Provisions(provision()))
    made.policy = made.make_policy(config, find(config).shelf)
    rows = {row.origin: row for row in made.rows(PHONE)}
    assert rows["yealink/common.cfg"].note == "yealink/common.cfg line 1: 'nosuch' is undefined"
    assert rows["yealink/mac.cfg"].octets
    with pytest.raises(CommandError, match="'nosuch' is undefined"):
        made.text(PHONE, "y000000000028.cfg", secrets=False)


def test_requests_for_other_phones_files_are_counted(role: FileRole) -> None:
    assert role.policy is not None
    role.policy.choose(Fetch("020000000a01.cfg", ELSEWHERE))
    role.policy.choose(Fetch("020000000a01.cfg", HOME))
    assert list(role.silent().values()) == [1, 0, 0]
