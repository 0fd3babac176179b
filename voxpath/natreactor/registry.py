"""Which NAT back ends there are, and which one runs here.

The back ends of voxpath itself stand in a table; others are plug-ins of ``twisted.plugins`` that provide :class:`INATBackEnd`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from twisted.plugin import IPlugin, getPlugins
from zope.interface import Attribute, implementer

from voxpath.core.errors import LocalError
from voxpath.model.event import printable
from voxpath.natreactor import memory, nftables, tun
from voxpath.natreactor.ebpf import nat as ebpf
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.interface import Capabilities, INATReactor
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.tun import TunNAT

AUTO = "auto"


class INATBackEnd(IPlugin):
    """A kind of NAT back end that the configuration may name."""

    name = Attribute("The name in the configuration.")

    def probe(settings: NatSettings) -> Capabilities:  # noqa: N805 (zope interfaces declare methods without self)
        """Tell whether it can run here; changes nothing."""

    def make(settings: NatSettings) -> INATReactor:  # noqa: N805 (as above)
        """Make a back end; it does nothing before it is started."""


@implementer(INATBackEnd)
@dataclass(frozen=True)
class BackEnd:
    """A back end by its probe and its factory."""

    name: str
    probe: Callable[[NatSettings], Capabilities]
    make: Callable[[NatSettings], INATReactor]


def _memory_can(settings: NatSettings) -> Capabilities:
    return MemoryNAT(settings).capabilities()


OWN = (
    BackEnd(nftables.NAME, nftables.probe, NftablesNAT),
    BackEnd(ebpf.NAME, ebpf.probe, EbpfNAT),
    BackEnd(tun.NAME, tun.probe, TunNAT),
    BackEnd(memory.NAME, _memory_can, MemoryNAT),
)
"""The back ends of voxpath, best first."""

AUTOMATIC = (nftables.NAME, tun.NAME)
"""What ``auto`` chooses from, best first; where none of them can run, packets are translated in memory only."""

OF_MACHINE = (nftables.NAME, ebpf.NAME, tun.NAME)
"""Those of voxpath that translate the packets of the machine: they need root, and interfaces on both sides."""


@dataclass(frozen=True)
class Selection:
    """The back end that was chosen, and why, in one line for the operator."""

    name: str
    reason: str
    nat: INATReactor


def back_ends() -> dict[str, INATBackEnd]:
    """All back ends by name, best first.

    :raises LocalError: two have the same name.
    """
    found: dict[str, INATBackEnd] = {}
    for each in (*OWN, *getPlugins(INATBackEnd)):
        if each.name in found:
            raise LocalError(f"two NAT back ends are called {each.name}")
        found[each.name] = each
    return found


def select(name: str, settings: NatSettings, known: Iterable[INATBackEnd] = ()) -> Selection:
    """Choose the back end of that name; with ``auto``, the first of :data:`AUTOMATIC` that can run, and memory elsewhere.

    :param known: choose among these alone; empty: among all of :func:`back_ends`.
    :raises LocalError: there is no such back end, or it was named and cannot run here.
    """
    among = {each.name: each for each in known} or back_ends()
    if name == AUTO:
        return _automatic(settings, among)
    if name not in among:
        raise LocalError(f"there is no NAT back end {name!r}: choose {AUTO}, {', '.join(among)}")
    able = among[name].probe(settings)
    if not able.usable:
        raise LocalError(f"NAT back end {name} cannot run here: {able.reason}")
    return Selection(name, able.reason, among[name].make(settings))


def capabilities(settings: NatSettings) -> list[Capabilities]:
    """What every back end can do here; one whose probe fails hides nothing of the others."""
    return [_probed(each, settings) for each in back_ends().values()]


def _probed(each: INATBackEnd, settings: NatSettings) -> Capabilities:
    try:
        return each.probe(settings)
    # A plug-in of somebody else's may raise whatever it likes.
    except Exception as error:
        return Capabilities(each.name, False, f"its probe failed: {printable(repr(error))}")


def _automatic(settings: NatSettings, among: dict[str, INATBackEnd]) -> Selection:
    refusals: list[str] = []
    for each in (among[name] for name in AUTOMATIC if name in among):
        able = each.probe(settings)
        if able.usable:
            return Selection(each.name, "; ".join((able.reason, *refusals)), each.make(settings))
        refusals.append(f"{each.name} cannot run here ({able.reason})")
    reason = "; ".join((*refusals, "so no packet of this machine is translated"))
    return Selection(memory.NAME, reason, among[memory.NAME].make(settings))
