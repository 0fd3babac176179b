"""The call-aware mode: who may reach a phone from outside."""

import pytest

from voxpath.core.errors import LocalError
from voxpath.nappt import pinhole
from voxpath.nappt.pinhole import Pinhole, Pinholes

PUBLIC, PEER, STRANGER, PROXY = 0xCB007101, 0xC6336402, 0xC6336403, 0xC6336404
MEDIA = Pinhole(PUBLIC, 2050, PEER)


def test_a_peer_may_send_while_the_call_lasts_and_a_stranger_never() -> None:
    open_ = Pinholes()
    assert not open_.admits(PUBLIC, 2050, PEER)
    assert open_.open(MEDIA)
    assert open_.admits(PUBLIC, 2050, PEER)
    assert not open_.admits(PUBLIC, 2050, STRANGER)
    assert not open_.admits(PUBLIC, 2052, PEER)
    assert open_.close(MEDIA)
    assert not open_.admits(PUBLIC, 2050, PEER)


def test_what_two_calls_opened_stays_until_both_have_ended() -> None:
    """Such as a call that is held, and the one that takes its place."""
    open_ = Pinholes()
    assert [open_.open(MEDIA), open_.open(MEDIA)] == [True, False]
    assert [open_.close(MEDIA), open_.admits(PUBLIC, 2050, PEER), open_.close(MEDIA)] == [False, True, True]
    assert not open_.close(MEDIA)
    assert len(open_) == 0


def test_the_controller_and_the_proxy_reach_every_port() -> None:
    assert Pinholes([PROXY]).admits(PUBLIC, 2048, PROXY)


def test_so_many_are_open_at_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinhole, "MOST_PINHOLES", 2)
    open_ = Pinholes()
    for port in (2050, 2052):
        open_.open(MEDIA._replace(port=port))
    with pytest.raises(LocalError, match="2 pinholes are open already"):
        open_.open(MEDIA._replace(port=2054))
    open_.open(MEDIA)
    open_.close(MEDIA)
    assert open_.admits(PUBLIC, 2050, PEER)
