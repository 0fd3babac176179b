"""The triangle decision: which address of each party the other one is given (TRI-1 to TRI-6).

Two phones behind one gateway must talk by their private addresses, since what they send to their common public address would have
to turn round in the gateway; two phones behind different gateways must talk by their public ones.
The decision is made once for both sides, so that no call ever mixes a private with a public address.

Realms come first (decision D7): a realm is a configured set of prefixes that reach each other without NAT.
Where no realm is known for either party, equal public addresses stand for "the same gateway".
"""

from voxpath.model.call import Party, Selection


def select(first: Party, second: Party) -> Selection:
    """Decide for two parties; symmetric in them."""
    private, reason = _reason(first, second)
    if private:
        assert first.private is not None
        assert second.private is not None
        return Selection(first.private, second.private, private, reason)
    return Selection(first.public, second.public, private, reason)


def _reason(first: Party, second: Party) -> tuple[bool, str]:
    if first.private is None or second.private is None:
        return False, "a party has only a public address"
    if first.realm is not None and first.realm == second.realm:
        return True, f"both are in realm {first.realm}"
    if first.realm is not None and second.realm is not None:
        return False, f"realms {' and '.join(sorted((first.realm, second.realm)))} differ"
    if first.realm is not None or second.realm is not None:
        return False, f"only one party is in realm {first.realm or second.realm}"
    if first.public != second.public:
        return False, "public addresses differ"
    if first.private == second.private:
        # Behind one public address of a carrier's NAT, two sites may use the same inside addresses.
        return False, "both claim the same private address"
    return True, "public addresses are equal"
