"""The comparison of packets before and after a gateway itself: it sees what it is there to see."""

import pytest

from tests.live.capture import UDP, Frame, passed

INSIDE, OUTSIDE, PEER = "10.0.0.21", "203.0.113.1", "203.0.113.2"
SENT = Frame("", "", UDP, INSIDE, 2050, PEER, 2052, b"sound")
HEARD = Frame("", "", UDP, PEER, 2052, INSIDE, 2050, b"answer")


def test_a_swapped_address_is_no_difference() -> None:
    after = [SENT._replace(source=OUTSIDE), HEARD._replace(destination=OUTSIDE)]
    assert passed([SENT, HEARD], INSIDE) == passed(after, OUTSIDE)


@pytest.mark.parametrize(
    "altered",
    [
        SENT._replace(source=OUTSIDE, source_port=2051),
        SENT._replace(source=OUTSIDE, destination_port=2053),
        SENT._replace(source=OUTSIDE, payload=b"Sound"),
    ],
    ids=["own port", "peer's port", "octet"],
)
def test_an_altered_port_or_octet_is_a_difference(altered: Frame) -> None:
    assert passed([SENT], INSIDE) != passed([altered], OUTSIDE)


def test_a_packet_too_many_is_a_difference_and_a_neighbours_is_not_counted() -> None:
    neighbour = SENT._replace(destination="10.0.0.1")
    assert passed([SENT, SENT], INSIDE) != passed([SENT], INSIDE)
    assert passed([SENT, neighbour], INSIDE) == passed([SENT], INSIDE)
