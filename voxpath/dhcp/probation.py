"""Ends of probations on an operator's word: he has seen to the other machine, or knows that there was none.

The address is free from then on, or its former phone's; where addresses are verified it is looked at before it is in the stock.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.effects import Commit, Delete, Effect, Emit, Failed, Outcome
from voxpath.core.errors import LocalError
from voxpath.dhcp.event_probe import DhcpProbationEnded, DhcpProbationKept
from voxpath.dhcp.found import claim
from voxpath.dhcp.machine import Book
from voxpath.dhcp.record import Timer
from voxpath.model.phone import Probation


class ProbationToken(NamedTuple):
    """Which probation a commit's outcome is about."""

    probation: Probation


class Probations:
    """Ends them; one of a declined address counts as over from when that is stored."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._ending: set[IPv4Address] = set()

    def end(self, address: IPv4Address, now: float) -> list[Effect]:
        """Let an address be given again.

        :raises LocalError: it is not on probation, or the end of it is under way.
        """
        declined = self._book.declined.at(address)
        if declined is not None:
            if address in self._ending:
                raise LocalError(f"the end of the probation of {address} is under way")
            self._ending.add(address)
            told = DhcpProbationEnded(phone=str(declined.mac), address=str(address))
            return [Commit((Delete(declined),), (Emit(told),), ProbationToken(declined))]
        conflict = self._book.demand.conflicts.at(address, now)
        if conflict is None:
            raise LocalError(f"{address} is not on probation")
        # What was found by a probe is not stored: another probe would find it again.
        claim(self._book, conflict)
        return [Emit(DhcpProbationEnded(phone=str(conflict.mac or ""), address=str(address)))]

    def resolve(self, token: ProbationToken, outcome: Outcome) -> list[Effect]:
        """Take the outcome of a commit."""
        probation = token.probation
        self._ending.discard(probation.address)
        if isinstance(outcome, Failed):
            told = DhcpProbationKept(phone=str(probation.mac), address=str(probation.address), reason=outcome.reason)
            return [Emit(told)]
        # It may have ended by itself meanwhile.
        if self._book.declined.at(probation.address) == probation:
            self._book.timers.disarm(Timer("probation", probation.mac, probation.scope, probation.address))
            self._book.end_probation(probation.scope, probation.address, probation.mac)
        return []
