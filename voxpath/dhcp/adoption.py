"""Ethernet addresses that an operator has adopted: they are served although the configuration does not name them."""

from collections.abc import Iterable
from typing import NamedTuple

from voxpath.core.effects import Commit, Delete, Effect, Emit, Failed, Outcome, Put
from voxpath.core.errors import LocalError
from voxpath.dhcp.event import DhcpAdopted, DhcpAdoptionFailed, DhcpDisowned
from voxpath.model.address import Mac
from voxpath.model.phone import Adoption

ADOPTED_LIMIT = 4096
"""Addresses that can be adopted; a site that needs more should name its phones in ``dhcp.macs``."""


class AdoptionToken(NamedTuple):
    """What a commit's outcome is about.

    :ivar adopted: whether the address is adopted after it.
    """

    adoption: Adoption
    adopted: bool


class Adoptions:
    """The adopted addresses; a change counts from when it is stored."""

    def __init__(self) -> None:
        self._adopted: dict[Mac, Adoption] = {}
        self._changing: set[Mac] = set()

    def __contains__(self, mac: Mac) -> bool:
        return mac in self._adopted

    def load(self, adoptions: Iterable[Adoption]) -> None:
        """Take those of the store at start-up."""
        self._adopted = {adoption.mac: adoption for adoption in adoptions}

    def all(self) -> list[Adoption]:
        """All of them, the oldest first."""
        return sorted(self._adopted.values(), key=lambda adoption: (adoption.since, adoption.mac))

    def adopt(self, mac: Mac, now: float) -> list[Effect]:
        """Serve an address from now on.

        :raises LocalError: it cannot be adopted; the reason says why.
        """
        if mac.is_group:
            raise LocalError(f"{mac} is a group address and no phone's")
        if not any(mac):
            raise LocalError(f"{mac} is no phone's")
        if mac in self._adopted:
            raise LocalError(f"{mac} is adopted already")
        if len(self._adopted) + len(self._changing) >= ADOPTED_LIMIT:
            raise LocalError(f"{ADOPTED_LIMIT} addresses are adopted, more cannot be: name them in dhcp.macs")
        adoption = Adoption(mac, now)
        return self._change(AdoptionToken(adoption, True), Emit(DhcpAdopted(phone=str(mac), mac=str(mac))))

    def disown(self, mac: Mac) -> list[Effect]:
        """Serve an address no longer, unless the configuration names it; a lease that it has stays until its end.

        :raises LocalError: it is not adopted.
        """
        adoption = self._adopted.get(mac)
        if adoption is None:
            raise LocalError(f"{mac} is not adopted")
        return self._change(AdoptionToken(adoption, False), Emit(DhcpDisowned(phone=str(mac), mac=str(mac))))

    def resolve(self, token: AdoptionToken, outcome: Outcome) -> list[Effect]:
        """Take the outcome of a commit."""
        mac = token.adoption.mac
        self._changing.discard(mac)
        if isinstance(outcome, Failed):
            return [Emit(DhcpAdoptionFailed(phone=str(mac), mac=str(mac), reason=outcome.reason))]
        if token.adopted:
            self._adopted[mac] = token.adoption
        else:
            self._adopted.pop(mac, None)
        return []

    def _change(self, token: AdoptionToken, told: Emit) -> list[Effect]:
        mac = token.adoption.mac
        if mac in self._changing:
            raise LocalError(f"a change for {mac} is under way")
        self._changing.add(mac)
        change = Put(token.adoption) if token.adopted else Delete(token.adoption)
        return [Commit((change,), (told,), token)]
