"""A media gateway's registration: what the controller must know of a phone before a call (REG-15, MGC-4)."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from voxpath.model.address import Endpoint


@dataclass(frozen=True, slots=True)
class Registration:
    """One registered media gateway, as it stands in the store before the reply leaves.

    :ivar mid: the message identifier in the form of the wire, such as ``[10.0.0.11]:20000`` or ``gateway_ut``; in lower case,
        since MEGACO compares it without regard to case.
    :ivar public: the address and port by which the outside reaches it.
    :ivar contact: where requests are sent: the transport source; it differs from ``public`` only when the gateway stands on the
        controller's own LAN (decision D3).
    :ivar private: its inside address; ``None`` for a gateway that has only a public one (TGW-2).
    :ivar realm: the configured realm of this address pair; empty when none is configured for it.
    :ivar phone: its identity in events and commands: the MAC from the ledger or from the gateway's own claim, else ``mid``.
    :ivar terminations: the names of its lines, as far as they are known.
    :ivar since: when it registered, in seconds of the server's clock.
    :ivar version: the protocol version agreed on.
    """

    mid: str
    public: Endpoint
    contact: Endpoint
    private: IPv4Address | None
    realm: str
    phone: str
    terminations: tuple[str, ...]
    since: float
    version: int = 1

    @property
    def key(self) -> tuple[str, str]:
        """Equal message identifiers behind different NATs are kept apart by the public address."""
        return self.mid, self.public.host
