"""Notes about routes to the phones beyond relays."""

import errno
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from tests.app.test_check import SITE, config
from voxpath.app.check import notes
from voxpath.app.check_route import route_notes


def test_phones_beyond_a_relay_to_which_no_route_leads_are_noted_with_the_command_for_it() -> None:
    """They renew past the relay; a route out of the NAT's outside is none, for the gateway's own table stops what takes it."""
    relayed = SITE.replace('"eth1"', '"eth1"\nrelays = ["10.0.0.2", "10.9.0.2"]', 1)

    def told(way: Callable[[IPv4Address], str], text: str = relayed) -> list[str]:
        return list(route_notes(config(text), way))

    def none(number: int) -> Callable[[IPv4Address], str]:
        def refuse(address: IPv4Address) -> str:
            raise OSError(number, "no")

        return refuse

    rest = (
        ": renewals of its phones get no answer, and its addresses are not verified; "
        "write the missing route, such as ip route replace 10.0.0.0/24 via 10.9.0.2 dev eth1"
    )
    assert told(lambda address: "eth1") == [], "the right one"
    assert told(lambda address: "eth7") == [], "their router may stand behind another interface"
    assert told(none(errno.EPERM)) == [], "the kernel does not tell"
    assert told(none(errno.ENETUNREACH)) == [f"scope[0].subnet: this machine has no route to 10.0.0.10{rest}"]
    assert told(lambda address: "eth0") == [f"scope[0].subnet: 10.0.0.10 would be sent to by eth0, which is in nat.outside{rest}"]
    assert told(none(errno.ENETUNREACH), SITE) == [], "phones on the own link"
    assert told(none(errno.ENETUNREACH), relayed.replace("[dhcp]", "[dhcp]\nenabled = false")) == []


def test_a_route_to_a_relay_whose_near_side_is_not_named_is_left_for_the_operator_to_fill_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(address: IPv4Address) -> str:
        raise OSError(errno.EHOSTUNREACH, "no")

    monkeypatch.setattr(route_notes, "__defaults__", (refuse,))
    relayed = SITE.replace('"eth1"', '"eth1"\nrelays = ["10.0.0.2"]', 1)
    assert [note for note in notes(config(relayed)) if note.endswith("ip route replace 10.0.0.0/24 via ROUTER dev eth1")]
