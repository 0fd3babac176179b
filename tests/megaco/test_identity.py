"""Who registers under which addresses: observed, looked up, or claimed (REG-15, REG-21 to REG-23, D3)."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from voxpath.core.errors import RemoteError
from voxpath.megaco.identity import Claim, Identity, claim_of, identify
from voxpath.megaco.message import MId, Property, Quoted, Services
from voxpath.model.address import Endpoint, Mac
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.realm import Realm
from voxpath.ports.copy import LedgerCopy

PUBLIC, OTHER = IPv4Address("203.0.113.1"), IPv4Address("203.0.113.2")
PRIVATE = IPv4Address("10.0.0.11")
MAC = Mac.parse("02:00:00:00:0a:01")
PREFIX = (IPv4Network("10.0.0.0/24"),)
REALMS = (Realm("a", PREFIX, (PUBLIC,)), Realm("b", PREFIX, (OTHER,)))
MID = MId.parse("[10.0.0.11]:20032")


def binding(public: IPv4Address, realm: str, holder: str = str(MAC)) -> PortBinding:
    return PortBinding(holder, PortBlock(public, 20032, 32), PRIVATE, realm, BindingState.HELD, 0.0, 1)


class Ledger:
    def __init__(self, *bindings: PortBinding) -> None:
        self.bindings = bindings

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        return next((each for each in self.bindings if each.block.public == public and port in each.block), None)

    def binding_of(self, holder: str) -> PortBinding | None:
        return next((each for each in self.bindings if each.holder == holder), None)

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        return next((each for each in self.bindings if (each.realm, each.private) == (realm, private)), None)


def who(source: str, *bindings: PortBinding, claim: Claim | None = None, realms: tuple[Realm, ...] = REALMS) -> Identity:
    return identify(claim or Claim(MID), Endpoint(source, 20032), Ledger(*bindings), realms)


def test_the_ledger_knows_the_private_address_from_the_public_port() -> None:
    """REG-22: a gateway without any address of its own in its name is found all the same."""
    found = who(str(PUBLIC), binding(PUBLIC, "a"), claim=Claim(MId.parse("gateway_ut")))
    assert (found.phone, found.private, found.realm, found.origin) == (str(MAC), PRIVATE, "a", "the ledger")


def test_without_a_ledger_the_name_tells_the_private_address() -> None:
    """REG-23."""
    found = who(str(PUBLIC), claim=claim_of(MID, Services()))
    assert (found.phone, found.certain, found.private) == (MID.key, False, PRIVATE)
    assert found.public == Endpoint(str(PUBLIC), 20032)


@pytest.mark.parametrize("mid", ["[203.0.113.1]:20032", "[198.51.100.9]:20032", "gateway_ut", "<gw.example>"])
def test_a_gateway_without_a_private_address_has_none(mid: str) -> None:
    """TGW-2; a claimed private address outside every private prefix is none, either."""
    assert who(str(PUBLIC), claim=claim_of(MId.parse(mid), Services())).private is None


def test_on_the_controllers_own_lan_the_ledger_tells_the_public_address() -> None:
    """D3: the transport source is private there."""
    found = who(str(PRIVATE), binding(PUBLIC, "a"))
    assert (found.public, found.private, found.phone) == (Endpoint(str(PUBLIC), 20032), PRIVATE, str(MAC))


def test_on_the_lan_without_a_ledger_the_phone_tells_its_public_address() -> None:
    """REG-21."""
    services = Services(extensions=(Property("X-public", (Quoted(str(OTHER)),)), Property("x-MAC", (Quoted(str(MAC)),))))
    found = who(str(PRIVATE), claim=claim_of(MID, services))
    assert (found.public.host, found.private, found.realm) == (str(OTHER), PRIVATE, "b")
    assert (found.phone, found.certain) == (str(MAC), True)


def test_two_realms_with_one_prefix_are_told_apart_by_the_claimed_public_address() -> None:
    both = (binding(PUBLIC, "a"), binding(OTHER, "b", "02:00:00:00:0b:01"))
    assert who(str(PRIVATE), *both, claim=Claim(MID, public=OTHER)).phone == "02:00:00:00:0b:01"
    assert who(str(PRIVATE), *both).certain is False


def test_a_claimed_mac_that_is_not_the_holder_is_refused() -> None:
    with pytest.raises(RemoteError) as caught:
        who(str(PUBLIC), binding(PUBLIC, "a", "02:00:00:00:0b:02"), claim=Claim(MID, mac=MAC))
    assert caught.value.code == 402


def test_a_mac_with_ports_elsewhere_is_refused() -> None:
    with pytest.raises(RemoteError) as caught:
        who(str(OTHER), binding(PUBLIC, "a"), claim=Claim(MID, mac=MAC))
    assert caught.value.code == 402


def test_while_its_gateway_cannot_be_heard_a_phone_keeps_its_name() -> None:
    """REG-23 with a stale copy: the phone registers from its own block, a borrower from elsewhere is refused."""
    copy = LedgerCopy()
    mine = binding(PUBLIC, "a")
    copy.snapshot("sg", 1, [mine])
    copy.stale("sg")
    claim = Claim(MID, mac=MAC)
    known = identify(claim, Endpoint(str(PUBLIC), mine.block.first), copy, ())
    assert known.phone == str(MAC)
    with pytest.raises(RemoteError) as caught:
        identify(claim, Endpoint(str(OTHER), mine.block.first), copy, ())
    assert caught.value.code == 402


def test_unreadable_claims_count_as_absent() -> None:
    services = Services(extensions=(Property("X-mac", ("zz",)), Property("X-public", ("999.1.1.1",)), Property("X-priv", ())))
    assert claim_of(MId.parse("gw"), services) == Claim(MId.parse("gw"))


def test_ipv6_is_refused_by_name() -> None:
    with pytest.raises(RemoteError):
        who("2001:db8::1")
