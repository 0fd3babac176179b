"""Interfaces that phones are served on and that carry nothing: a pulled cable is told, and not left to be guessed from silence."""

from collections.abc import Callable

from voxpath.app.event import LinkBack, LinkLost
from voxpath.app.node import Node
from voxpath.io.carrier import LinkState

REMEDIES = {
    LinkState.DOWN: "set it up: ip link set {interface} up",
    LinkState.NO_CARRIER: "look at its cable, and at what is at the other end of it",
    LinkState.GONE: "make it again, and its sockets are opened again by themselves; or name another one in the configuration",
}


class LinkWatch:
    """The interfaces of one node's scopes.

    :param look: tells the state of an interface; an :class:`OSError` is no news, and what was known stays.
    """

    def __init__(self, node: Node, look: Callable[[str], LinkState]) -> None:
        self._node = node
        self._look = look
        self._scopes: dict[str, list[str]] = {}
        for scope in node.config.scopes if node.config.dhcp.enabled else ():
            self._scopes.setdefault(scope.interface, []).append(scope.name)
        self._lost: dict[str, LinkState] = {}

    @property
    def lost(self) -> dict[str, str]:
        """What cannot be heard at the moment, a line for each interface."""
        return {
            interface: f"{interface} is {state.value}: no phone of {', '.join(self._scopes[interface])} is heard"
            for interface, state in self._lost.items()
        }

    def look(self, role: str) -> None:
        """Look at every interface, and tell what has changed since the last time; at first all are taken to be well."""
        for interface, scopes in self._scopes.items():
            try:
                state = self._look(interface)
            except OSError:
                continue
            if state is self._lost.get(interface, LinkState.RUNNING):
                continue
            names = ", ".join(scopes)
            if state is LinkState.RUNNING:
                del self._lost[interface]
                self._node.bus.publish(role, LinkBack(interface=interface, scopes=names))
                continue
            self._lost[interface] = state
            remedy = REMEDIES[state].format(interface=interface)
            self._node.bus.publish(role, LinkLost(interface=interface, state=state.value, scopes=names, remedy=remedy))
