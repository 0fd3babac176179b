"""Realms: addresses that reach each other without NAT (decision D7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Realm:
    """A configured set of inside prefixes that reach each other without NAT, and the public addresses they stand behind.

    Usually the scopes of one gateway; with a no-NAT tunnel, of several.
    """

    name: str
    private: tuple[IPv4Network, ...]
    public: tuple[IPv4Address, ...]

    def holds(self, private: IPv4Address, public: IPv4Address) -> bool:
        """Whether this pair of addresses lies in the realm.

        Both are needed: two customers' realms may use the same private prefix.
        """
        return public in self.public and any(private in prefix for prefix in self.private)


def realm_of(realms: Iterable[Realm], private: IPv4Address | None, public: IPv4Address) -> Realm | None:
    """Find the realm of a phone from its address pair; ``None`` when none is configured for it."""
    if private is None:
        return None
    return next((realm for realm in realms if realm.holds(private, public)), None)
