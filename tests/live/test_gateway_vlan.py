"""DHC-14, ADR-3: two scopes on two interfaces, one of them a VLAN of a trunk in tagged frames, whose priority bits are kept."""

from collections.abc import Iterator

import pytest
from scapy.layers.dhcp import BOOTP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.dhcpclients import ports_of
from tests.live.dhcpframes import CLASS, Cable, options_of
from tests.live.gatewayfile import ONE_LINE, gateway, scope

pytestmark = [pytest.mark.live, pytest.mark.together]

CONFIGURATION = gateway(
    scope("untagged", "lan0", "10.0.0", 11, 200),
    scope("voice", "lan0", "10.1.0", 21, 200, "vlan = 20"),
    ONE_LINE,
    private=["10.0.0.0/24", "10.1.0.0/24"],
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.net.address(GATEWAY, "lan0", "10.1.0.1/24")
        made.configure(CONFIGURATION)

    with bench_of(tmp_path_factory.mktemp("vlan"), configure) as made:
        yield made
        made.is_sound()


@pytest.mark.parametrize("broadcast", [True, False])
def test_an_answer_keeps_vlan_and_priority(bench: Bench, cable: Cable, broadcast: bool) -> None:
    """A whole exchange by tagged frames, for a client that has no address yet."""
    offer = cable.ask(Dot1Q(vlan=20, prio=5), "discover", broadcast=broadcast)
    assert (offer[Dot1Q].vlan, offer[Dot1Q].prio) == (20, 5)
    assert offer[Ether].dst == ("ff:ff:ff:ff:ff:ff" if broadcast else cable.phone.mac)
    address = offer[BOOTP].yiaddr
    assert address.startswith("10.1.0.")
    chosen = (("requested_addr", address), ("server_id", "10.1.0.1"))
    ack = cable.ask(Dot1Q(vlan=20, prio=6), "request", *chosen, broadcast=broadcast)
    told = options_of(ack)
    assert told["message-type"] == 5
    assert (ack[Dot1Q].vlan, ack[Dot1Q].prio) == (20, 6)
    row = bench.row_of("leases", cable.phone)
    assert (row["scope"], row["address"]) == ("voice", address)
    bench.has_block(cable.phone, ports_of(told[224]), address)


def test_an_outer_tag_is_kept_too(cable: Cable) -> None:
    """802.1ad: the inner tag is the phones' VLAN."""
    offer = cable.ask(Dot1AD(vlan=7, prio=3) / Dot1Q(vlan=20, prio=5), "discover")
    assert (offer[Dot1AD].vlan, offer[Dot1AD].prio, offer[Dot1Q].vlan, offer[Dot1Q].prio) == (7, 3, 20, 5)


def test_the_untagged_scope_is_another_one(cable: Cable) -> None:
    """The same cable without a tag: the other scope's addresses, and no tag in the answer."""
    offer = cable.ask(None, "discover")
    assert offer[BOOTP].yiaddr.startswith("10.0.0.")
    assert Dot1Q not in offer


def test_another_vlan_is_not_served(cable: Cable) -> None:
    """A phone that is served elsewhere gets no answer in VLAN 21: the first one heard is that to a later frame of VLAN 20."""
    cable.tell(Dot1Q(vlan=21), "discover", CLASS)
    assert cable.ask(Dot1Q(vlan=20), "discover")[Dot1Q].vlan == 20
