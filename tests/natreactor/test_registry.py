"""Which back end is chosen, and what the operator is told."""

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from voxpath.core.errors import LocalError
from voxpath.natreactor import registry
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.interface import Capabilities, INATReactor
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.registry import BackEnd, back_ends, select
from voxpath.natreactor.tun import TunNAT
from voxpath.testing.nat.rig import settings

ABLE = BackEnd("nftables", lambda _: Capabilities("nftables", True, "fine"), NftablesNAT)
UNABLE = BackEnd("nftables", lambda _: Capabilities("nftables", False, "no rights"), NftablesNAT)
TUN = BackEnd("tun", lambda _: Capabilities("tun", True, "a process"), TunNAT)
NO_TUN = BackEnd("tun", lambda _: Capabilities("tun", False, "no device"), TunNAT)
(MEMORY,) = (each for each in registry.OWN if each.name == "memory")


def test_all_provide_the_interface() -> None:
    assert verifyObject(INATReactor, EbpfNAT(settings(Clock())))
    assert verifyObject(INATReactor, MemoryNAT(settings(Clock())))
    assert verifyObject(INATReactor, NftablesNAT(settings(Clock())))
    assert verifyObject(INATReactor, TunNAT(settings(Clock())))


def test_auto_takes_the_kernel_where_it_can() -> None:
    chosen = select("auto", settings(Clock()), (ABLE, TUN, MEMORY))
    assert (chosen.name, type(chosen.nat)) == ("nftables", NftablesNAT)


def test_auto_takes_a_process_where_the_kernel_cannot_and_says_why() -> None:
    chosen = select("auto", settings(Clock()), (UNABLE, TUN, MEMORY))
    assert (chosen.name, type(chosen.nat)) == ("tun", TunNAT)
    assert chosen.reason == "a process; nftables cannot run here (no rights)"


def test_auto_falls_back_and_says_why() -> None:
    chosen = select("auto", settings(Clock()), (UNABLE, NO_TUN, MEMORY))
    assert (chosen.name, type(chosen.nat)) == ("memory", MemoryNAT)
    assert "nftables cannot run here (no rights); tun cannot run here (no device)" in chosen.reason


def test_a_named_back_end_that_cannot_run_is_an_error() -> None:
    with pytest.raises(LocalError, match="no rights"):
        select("nftables", settings(Clock()), (UNABLE, MEMORY))


def test_an_unknown_name_is_an_error_that_tells_the_known_ones() -> None:
    with pytest.raises(LocalError, match="auto, nftables, tun, memory"):
        select("ipfw", settings(Clock()), (ABLE, TUN, MEMORY))


def test_two_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "getPlugins", lambda _: [MEMORY])
    with pytest.raises(LocalError, match="two NAT back ends"):
        back_ends()


def test_the_plugins_of_this_machine_are_found() -> None:
    assert {"nftables", "tun", "memory"} <= set(back_ends())


def test_a_plugin_whose_probe_fails_hides_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> Capabilities:
        raise KeyError("device")

    monkeypatch.setattr(registry, "getPlugins", lambda _: [BackEnd("acme", fails, MemoryNAT)])
    able = {each.name: each for each in registry.capabilities(settings(Clock()))}
    assert able["memory"].usable
    assert (able["acme"].usable, able["acme"].reason) == (False, "its probe failed: KeyError('device')")
