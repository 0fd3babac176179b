"""The call-aware mode: who may reach a phone from outside."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import LocalError
from voxpath.model.ports import PortBlock
from voxpath.nappt import pinhole
from voxpath.nappt.pinhole import Pinhole, PinholeChange, Pinholes

PUBLIC, PEER, STRANGER, PROXY = 0xCB007101, 0xC6336402, 0xC6336403, 0xC6336404
MEDIA = Pinhole(PUBLIC, 2050, PEER)
OPEN, CLOSE = PinholeChange(open=(MEDIA,)), PinholeChange(close=(MEDIA,))


def test_a_peer_may_send_while_the_pinhole_is_open_and_a_stranger_never() -> None:
    pinholes = Pinholes()
    assert not pinholes.admits(PUBLIC, 2050, PEER)
    assert pinholes.apply(OPEN) == OPEN
    assert pinholes.admits(PUBLIC, 2050, PEER)
    assert not pinholes.admits(PUBLIC, 2050, STRANGER)
    assert not pinholes.admits(PUBLIC, 2052, PEER)
    assert pinholes.apply(CLOSE) == CLOSE
    assert not pinholes.admits(PUBLIC, 2050, PEER)


def test_opening_and_closing_are_idempotent() -> None:
    pinholes = Pinholes()
    assert [pinholes.apply(OPEN), pinholes.apply(OPEN), len(pinholes)] == [OPEN, PinholeChange(), 1]
    assert pinholes.apply(PinholeChange((MEDIA, MEDIA), (MEDIA,))) == PinholeChange()
    assert [pinholes.apply(CLOSE), pinholes.apply(CLOSE), len(pinholes)] == [CLOSE, PinholeChange(), 0]


def test_a_port_may_have_several_peers() -> None:
    """Such as a call that is held, and the one that takes its place."""
    pinholes, other = Pinholes(), MEDIA._replace(peer=STRANGER)
    pinholes.apply(PinholeChange(open=(MEDIA, other)))
    assert set(pinholes) == {MEDIA, other}
    pinholes.apply(CLOSE)
    assert set(pinholes) == {other}


def test_those_of_a_block_are_found_when_its_lease_ends() -> None:
    pinholes = Pinholes()
    within = {MEDIA, MEDIA._replace(port=2111, peer=STRANGER)}
    pinholes.apply(PinholeChange(open=(*within, MEDIA._replace(port=2112), MEDIA._replace(public=PUBLIC + 1))))
    assert set(pinholes.into(PortBlock(IPv4Address(PUBLIC), 2048, 64))) == within


def test_the_controller_and_the_proxy_reach_every_port() -> None:
    assert Pinholes([PROXY]).admits(PUBLIC, 2048, PROXY)


def test_so_many_are_open_at_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change beyond the limit changes nothing; one that closes as many as it opens is none beyond it."""
    monkeypatch.setattr(pinhole, "MOST_PINHOLES", 2)
    pinholes = Pinholes()
    full = (MEDIA, MEDIA._replace(port=2052))
    pinholes.apply(PinholeChange(open=full))
    with pytest.raises(LocalError, match="no more than 2 pinholes"):
        pinholes.apply(PinholeChange(open=(MEDIA._replace(port=2054),)))
    assert set(pinholes) == set(full)
    pinholes.apply(PinholeChange((MEDIA._replace(port=2054),), (MEDIA,)))
    assert len(pinholes) == 2


def test_a_pinhole_is_readable() -> None:
    assert str(MEDIA) == "203.0.113.1:2050 from 198.51.100.2"
