"""What an operator types to take away what a NAT back end has left."""

import pytest

from voxpath.core.errors import LocalError
from voxpath.natreactor import withdraw


def test_without_a_table_it_tells_how_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        withdraw.main([])
    assert ended.value.code == 2
    assert "withdraw [-h] TABLE [INSIDE ...]" in capsys.readouterr().err


def test_what_an_operator_is_told_to_type_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(withdraw, "withdraw", lambda *words: asked.append(words))
    words = withdraw.command("voxpath", ("eth1", "eth2")).split()
    assert words[:3] == ["python", "-m", withdraw.__name__]
    assert withdraw.main(words[3:]) == 0
    assert asked == [("voxpath", ("eth1", "eth2"))]


@pytest.mark.parametrize("forwards", [True, False])
def test_it_tells_that_packets_leave_untranslated_from_now_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], forwards: bool
) -> None:
    monkeypatch.setattr(withdraw, "withdraw", lambda *words: None)
    monkeypatch.setattr(withdraw, "forwards", lambda: forwards)
    assert withdraw.main(["voxpath"]) == 0
    assert ("net.ipv4.ip_forward=0" in capsys.readouterr().out) == forwards


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*words: object) -> None:
        raise LocalError("another process keeps the kernel table voxpath")

    monkeypatch.setattr(withdraw, "withdraw", refused)
    assert withdraw.main(["voxpath"]) == 1
    assert capsys.readouterr().err == "another process keeps the kernel table voxpath\n"
