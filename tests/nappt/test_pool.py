"""The ordinary NAPT beside the blocks (NAP-15)."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from voxpath.nappt.packet import ICMP, TCP, UDP
from voxpath.nappt.pool import ICMP_S, MOST_OF_ONE, MOST_PEERS, TCP_S, TCP_TRANSITORY_S, UDP_S, NaptPool, Place, PoolPorts

PUBLIC, PHONE, OTHER, PEER, STRANGER = 0xCB007101, 0x0A00000B, 0x0A00000C, 0xC6336402, 0xC6336403
HERE = Place(UDP, PHONE, 40000)


def pool(first: int = 50000, last: int = 50999) -> NaptPool:
    return NaptPool(PoolPorts(PUBLIC, first, last), Random(1))


def test_an_answer_finds_its_phone_and_a_stranger_nobody() -> None:
    here = pool()
    port = here.leaving(HERE, PEER, 0.0)
    assert port in range(50000, 51000)
    assert here.entering(UDP, port, PEER, 1.0) == HERE
    assert here.entering(UDP, port, STRANGER, 1.0) is None
    assert here.entering(TCP, port, PEER, 1.0) is None
    assert here.holds(PUBLIC, port)
    assert not here.holds(PUBLIC, 49999)


def test_a_port_that_is_somebody_elses_is_never_given() -> None:
    """A block that is older than the pool."""
    here = NaptPool(PoolPorts(PUBLIC, 50000, 50003), Random(1), lambda port: port < 50003)
    assert here.leaving(HERE, PEER, 0.0) == 50003
    assert here.leaving(HERE._replace(address=OTHER), PEER, 0.0) is None


def test_it_tells_who_has_any_of_it() -> None:
    here = pool()
    here.leaving(HERE, PEER, 0.0)
    here.leaving(HERE._replace(address=OTHER), PEER, 0.0)
    here.withdraw(PHONE)
    here.withdraw(PHONE)
    assert here.addresses() == (OTHER,)


def test_one_inside_port_is_one_outside_port_whoever_is_spoken_to() -> None:
    here = pool()
    assert here.leaving(HERE, PEER, 0.0) == here.leaving(HERE, STRANGER, 0.0)
    assert here.leaving(HERE._replace(address=OTHER), PEER, 0.0) != here.leaving(HERE, PEER, 0.0)
    assert len(here) == 2


def test_a_mapping_lives_as_long_as_it_is_used_from_either_side() -> None:
    here = pool()
    port = here.leaving(HERE, PEER, 0.0)
    assert port is not None
    assert here.entering(UDP, port, PEER, UDP_S - 1) == HERE
    assert here.entering(UDP, port, PEER, 2 * UDP_S - 2) == HERE
    assert here.leaving(HERE, PEER, 3 * UDP_S - 3) == port
    assert here.entering(UDP, port, PEER, 4 * UDP_S - 3) is None
    assert here.leaving(HERE, STRANGER, 4 * UDP_S - 3) is not None
    assert len(here) == 1


def test_a_connection_is_kept_long_once_it_was_answered_and_its_end_is_noted() -> None:
    here, inside = pool(), Place(TCP, PHONE, 40000)
    port = here.leaving(inside, PEER, 0.0)
    assert port is not None
    assert here.entering(TCP, port, PEER, TCP_TRANSITORY_S) is None, "nobody answered"
    port = here.leaving(inside, PEER, 1000.0)
    assert port is not None
    assert here.entering(TCP, port, PEER, 1001.0) == inside
    assert here.entering(TCP, port, PEER, 1000.0 + TCP_S) == inside
    here.leaving(inside, PEER, 1001.0 + TCP_S, ends=True)
    assert here.entering(TCP, port, PEER, 1001.0 + TCP_S + TCP_TRANSITORY_S) is None


def test_an_echo_is_forgotten_after_a_minute() -> None:
    here = pool()
    identifier = here.leaving(Place(ICMP, PHONE, 7), PEER, 0.0)
    assert identifier is not None
    assert here.entering(ICMP, identifier, PEER, ICMP_S) is None


def test_one_phone_cannot_take_the_pool() -> None:
    here = pool()
    ports = [here.leaving(HERE._replace(port=port), PEER, 0.0) for port in range(40000, 40000 + MOST_OF_ONE + 1)]
    assert ports.count(None) == 1
    assert len(set(ports)) == MOST_OF_ONE + 1
    assert here.leaving(HERE._replace(address=OTHER), PEER, 0.0) is not None
    assert here.leaving(HERE._replace(port=39999), PEER, UDP_S) is not None, "the old ones have ended"


def test_a_long_connection_keeps_nothing_that_has_ended() -> None:
    """Somebody else's, which was used before all of it, and lives on."""
    here, inside = pool(), Place(TCP, OTHER, 40000)
    port = here.leaving(inside, PEER, 0.0)
    assert port is not None
    here.entering(TCP, port, PEER, 0.0)
    for number in range(MOST_OF_ONE):
        here.leaving(HERE._replace(port=40000 + number), PEER, 1.0)
    assert here.leaving(HERE._replace(port=39999), PEER, 1.0 + UDP_S) is not None
    assert len(here) == 2


def test_a_full_pool_gives_no_port_twice_and_goes_on_when_one_has_ended() -> None:
    here = pool(50000, 50003)
    places = [HERE._replace(address=PHONE + number) for number in range(5)]
    ports = [here.leaving(place, PEER, float(number)) for number, place in enumerate(places)]
    assert sorted(port for port in ports if port) == [50000, 50001, 50002, 50003]
    assert ports[4] is None
    assert here.leaving(places[4], PEER, UDP_S) == ports[0]


def test_the_peers_of_a_mapping_are_so_many_at_the_most() -> None:
    here = pool()
    for peer in range(MOST_PEERS + 1):
        port = here.leaving(HERE, PEER + peer, 0.0)
    assert port is not None
    assert here.entering(UDP, port, PEER, 0.0) is None
    assert here.entering(UDP, port, PEER + 1, 0.0) == HERE


def test_with_a_lease_its_mappings_end() -> None:
    here = pool()
    port, kept = here.leaving(HERE, PEER, 0.0), here.leaving(HERE._replace(address=OTHER), PEER, 0.0)
    assert port is not None
    assert kept is not None
    here.withdraw(PHONE)
    assert here.entering(UDP, port, PEER, 0.0) is None
    assert here.entering(UDP, kept, PEER, 0.0) is not None


steps = st.tuples(st.sampled_from((UDP, TCP, ICMP)), st.integers(0, 4), st.integers(0, 6), st.integers(0, 3), st.floats(0, 400))


@given(st.lists(steps, max_size=80))
def test_no_outside_port_ever_has_two_owners(history: list[tuple[int, int, int, int, float]]) -> None:
    here, now = pool(50000, 50009), 0.0
    for protocol, host, number, peer, pause in history:
        now += pause
        here.leaving(Place(protocol, PHONE + host, 40000 + number), PEER + peer, now, ends=pause > 300)
        alive = [mapping for mapping in here._inside.values() if mapping.until > now]
        assert len({(mapping.inside.protocol, mapping.port) for mapping in alive}) == len(alive)
        assert len(here._inside) == len(here._outside) == sum(here._held.values())
