"""The table of the fast form in the kernel, kept as it has to be; without ``nat.fast`` it is not there."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.nappt.table import Table
from voxpath.natreactor import fastform, kernelcounters
from voxpath.natreactor.event import FastForm, NoFastForm, TableLost
from voxpath.natreactor.libnftables import Nftables
from voxpath.natreactor.netlink import NFPROTO_NETDEV, Netfilter
from voxpath.natreactor.rtnetlink import Rtnetlink
from voxpath.natreactor.ruleset import state_of
from voxpath.natreactor.settings import NatSettings


class FastTable:
    """Beside the usual table: a change of mappings is one of both, in one step.

    :param table: the back end's copy of its mappings.
    """

    def __init__(self, settings: NatSettings, table: Table, tell: Callable[[Event], None]) -> None:
        self._settings = settings
        self._table = table
        self._tell = tell
        self._routes: Rtnetlink | None = None
        self._plan: fastform.Plan | None = None
        self._digest = ""
        self._reason = ""
        # Of these ways the kernel wants no table: they are not tried again.
        self._refused: fastform.Plan | None = None

    def begin(self, kernel: Nftables) -> None:
        """See which ways there are; one that may not be used any more goes before the usual table changes.

        :raises LocalError: the kernel has no rtnetlink.
        """
        if self._settings.fast:
            self._routes = Rtnetlink()
            self._see()
        if self._plan is None:
            # Without this family there is nothing of it.
            with suppress(LocalError):
                kernel.run(fastform.remove(self._settings.table))

    def close(self) -> None:
        """Let go of the kernel; the table stays."""
        if self._routes is not None:
            self._routes.close()
            self._routes = None
        self._plan = self._refused = None

    @property
    def note(self) -> str:
        """What the table says of itself, for the present mappings; empty: there is none."""
        return f"{state_of(self._settings, self._table.generation)} {self._digest}" if self._plan is not None else ""

    def adopted(self, netfilter: Netfilter) -> str:
        """Commands for a table that a previous run may have left; none if that one is right."""
        return "" if self._plan is None or self._found(netfilter) == self.note else self.installed()

    def installed(self) -> str:
        """Commands that make it anew."""
        return fastform.install(self._settings, self._plan, self._table, self.note) if self._plan is not None else ""

    def filled(self) -> str:
        """Commands that replace all of its mappings."""
        return fastform.fill(self._settings, self._table, self.note) if self._plan is not None else ""

    def passed(self, netfilter: Netfilter, chosen: str, elements: Sequence[bytes]) -> tuple[int, int]:
        """Packets and octets that some elements of a map have counted, together.

        :raises LocalError: the kernel refuses to tell, such as when one of them is not there.
        """
        if self._plan is None:
            return 0, 0
        return kernelcounters.passed(netfilter, self._settings.table, chosen, elements, NFPROTO_NETDEV)

    def look(self, kernel: Nftables, netfilter: Netfilter) -> None:
        """Follow the kernel's routes, and make the table again if somebody took it away.

        :raises LocalError: the kernel refuses.
        """
        if self._routes is None:
            return
        before = self.note
        self._see()
        found = self._found(netfilter)
        if found == self.note:
            return
        if self._plan is None:
            kernel.run(fastform.remove(self._settings.table))
            return
        self.carry_out(kernel, "", self.installed())
        if before == self.note:
            self._tell(TableLost(reason="the table of the fast form is not as it was left"))

    def carry_out(self, kernel: Nftables, usual: str, own: str) -> None:
        """Carry out commands for the usual table and for this one, in one step.

        Where the kernel refuses only the latter, such as one that has no ``fwd``, all packets take the usual way.

        :raises LocalError: it refuses the former, too.
        """
        try:
            kernel.run(usual + own)
        except LocalError as error:
            if not own:
                raise
            if usual:
                kernel.run(usual)
            self._give_up(str(error), self._plan)
            # What stands has other ways, and will follow no lease; if it cannot be removed the next look tries that again.
            with suppress(LocalError):
                kernel.run(fastform.remove(self._settings.table))

    def _found(self, netfilter: Netfilter) -> str:
        return kernelcounters.note_of(netfilter, self._settings.table, NFPROTO_NETDEV)

    def _see(self) -> None:
        assert self._routes is not None
        before = self._plan
        try:
            plan = fastform.plan(self._routes, self._settings)
        except LocalError as error:
            self._give_up(str(error))
            return
        if plan == self._refused:
            return
        self._plan, self._refused, self._reason = plan, None, ""
        if plan != before:
            self._digest = fastform.digest(self._settings, plan)
            self._tell(FastForm(ways=str(plan)))

    def _give_up(self, reason: str, refused: fastform.Plan | None = None) -> None:
        self._plan, self._refused = None, refused
        if reason != self._reason:
            self._reason = reason
            self._tell(NoFastForm(reason=reason))
