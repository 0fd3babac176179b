"""A read-only copy of the ledgers of service gateways, at a role that runs elsewhere (an MGC, say).

Each gateway is the only writer of its blocks and sends a snapshot, then its changes.
While the connection to a gateway is down its rows are stale and no look-up uses them: a wrong answer would send a call's media
to the wrong phone, while no answer makes the MGC fall back to the addresses that the phone registered (REG-21, REG-23).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address

from voxpath.model.ports import BindingState, PortBinding
from voxpath.ports.index import RowIndex


class _Gateway:
    """What one gateway has told."""

    __slots__ = ("fresh", "generation", "rows")

    def __init__(self) -> None:
        self.fresh = False
        self.generation = 0
        self.rows = RowIndex()


class LedgerCopy:
    """Copies by gateway name; the look-ups go over those that are fresh (REG-22)."""

    def __init__(self) -> None:
        self._gateways: dict[str, _Gateway] = {}

    def snapshot(self, gateway: str, generation: int, bindings: Iterable[PortBinding]) -> None:
        """Replace all that is known of a gateway; from now on it is fresh."""
        told = _Gateway()
        told.generation = generation
        told.fresh = True
        for row in bindings:
            told.rows.add(row)
        self._gateways[gateway] = told

    def apply(self, gateway: str, generation: int, puts: Iterable[PortBinding], deletes: Iterable[PortBinding]) -> bool:
        """Take one change; false when the gateway is not fresh, and then its feed has to ask for a snapshot.

        Changes settle in another order than they were made in, so a row is compared by its own generation, not by the change's.
        Taking a change twice is the same as taking it once.
        """
        told = self._gateways.get(gateway)
        if told is None or not told.fresh:
            return False
        told.generation = max(told.generation, generation)
        for row in deletes:
            known = told.rows.of(row.holder)
            if known is not None and known.generation <= row.generation:
                told.rows.remove(known)
        for row in puts:
            self._put(told.rows, row)
        return True

    def stale(self, gateway: str) -> None:
        """The connection to a gateway is lost: its rows are not used until the next snapshot."""
        told = self._gateways.get(gateway)
        if told is not None:
            told.fresh = False

    def fresh(self, gateway: str) -> bool:
        """Whether a gateway's rows are used."""
        told = self._gateways.get(gateway)
        return told is not None and told.fresh

    def generation(self, gateway: str) -> int:
        """The highest generation that a gateway has told of; 0: none."""
        told = self._gateways.get(gateway)
        return told.generation if told is not None else 0

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Who holds this public port; ``None`` also when only a stale gateway could tell."""
        for told in self._gateways.values():
            row = told.rows.at(public, port) if told.fresh else None
            if row is not None and row.state is BindingState.HELD:
                return row
        return None

    def gateway_of(self, public: IPv4Address, port: int) -> str:
        """The gateway that has this public port, held or not; empty: none that is fresh."""
        return next((name for name, told in self._gateways.items() if told.fresh and told.rows.at(public, port) is not None), "")

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """The held row of an inside address; ``None`` also when only a stale gateway could tell."""
        for told in self._gateways.values():
            row = told.rows.inside(realm, private) if told.fresh else None
            if row is not None:
                return row
        return None

    def binding_of(self, holder: str) -> PortBinding | None:
        """The row of a holder, a released one too, and also what a stale gateway told last.

        It serves to refuse those who claim to be that holder, so an old answer is better than none:
        while a gateway cannot be heard, nobody may take its phones' names.
        """
        for told in self._gateways.values():
            row = told.rows.of(holder)
            if row is not None:
                return row
        return None

    def bindings(self, gateway: str) -> tuple[PortBinding, ...]:
        """All rows of a gateway, whether fresh or stale."""
        told = self._gateways.get(gateway)
        return tuple(told.rows) if told is not None else ()

    @staticmethod
    def _put(rows: RowIndex, row: PortBinding) -> None:
        known = rows.of(row.holder)
        if known is not None:
            if known.generation > row.generation:
                return
            rows.remove(known)
        rows.add(row)
