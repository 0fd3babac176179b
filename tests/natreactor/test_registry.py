"""Which back end is chosen, and what the operator is told."""

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.natreactor.nat_conformance import settings
from voxpath.core.errors import LocalError
from voxpath.natreactor import registry
from voxpath.natreactor.interface import Capabilities, INATReactor
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.registry import BackEnd, back_ends, select

ABLE = BackEnd("nftables", lambda _: Capabilities("nftables", True, "fine"), NftablesNAT)
UNABLE = BackEnd("nftables", lambda _: Capabilities("nftables", False, "no rights"), NftablesNAT)
MEMORY = registry.OWN[1]


def test_both_provide_the_interface() -> None:
    assert verifyObject(INATReactor, MemoryNAT(settings(Clock())))
    assert verifyObject(INATReactor, NftablesNAT(settings(Clock())))


def test_auto_takes_the_kernel_where_it_can() -> None:
    chosen = select("auto", settings(Clock()), (ABLE, MEMORY))
    assert (chosen.name, type(chosen.nat)) == ("nftables", NftablesNAT)


def test_auto_falls_back_and_says_why() -> None:
    chosen = select("auto", settings(Clock()), (UNABLE, MEMORY))
    assert (chosen.name, type(chosen.nat)) == ("memory", MemoryNAT)
    assert "no rights" in chosen.reason


def test_a_named_back_end_that_cannot_run_is_an_error() -> None:
    with pytest.raises(LocalError, match="no rights"):
        select("nftables", settings(Clock()), (UNABLE, MEMORY))


def test_an_unknown_name_is_an_error_that_tells_the_known_ones() -> None:
    with pytest.raises(LocalError, match="auto, nftables, memory"):
        select("ipfw", settings(Clock()), (ABLE, MEMORY))


def test_two_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "getPlugins", lambda _: [MEMORY])
    with pytest.raises(LocalError, match="two NAT back ends"):
        back_ends()


def test_the_plugins_of_this_machine_are_found() -> None:
    assert {"nftables", "memory"} <= set(back_ends())
