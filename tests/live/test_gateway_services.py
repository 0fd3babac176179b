"""A service of the gateway itself on a port of a public address (decision D18, DNT-14)."""

from collections.abc import Iterator

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench, bench_of
from tests.live.dhcpclients import ports_of
from tests.live.sites import PROVIDER, SITE_A

pytestmark = [pytest.mark.live, pytest.mark.together]

PORT = 5060
PUBLIC = SITE_A.public
SERVICE = f"""
[[ports.service]]
name = "sip"
public = "{PUBLIC}"
port = {PORT}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.net.sysctl(GATEWAY, "net.ipv4.ip_local_port_range", "1025 2047")
        made.net.ip(GATEWAY, "addr", "add", f"{PUBLIC}/32", "dev", "lo")
        made.write_gateway(SITE_A, SERVICE)

    with bench_of(tmp_path_factory.mktemp("service"), configure) as made:
        yield made
        made.is_sound()


def test_the_port_belongs_to_the_gateway_in_the_ledger(bench: Bench) -> None:
    row = next(row for row in bench.ask("blocks") if row["block"] == f"{PUBLIC}:{PORT}")
    assert (row["phone"], row["state"], row["private"]) == ("service:sip", "held", "")


def test_outside_and_phones_reach_the_service_and_are_answered_from_its_port(bench: Bench) -> None:
    phone = bench.phone()
    told = phone.udhcpc()
    first = ports_of(bytes.fromhex(told["opt224"])).first
    with (
        bench.udp(GATEWAY, PORT, PUBLIC) as service,
        bench.udp(OUTSIDE, 7000) as far,
        bench.udp(phone.name, first, told["ip"]) as near,
    ):
        for asking, source in ((far, (PROVIDER, 7000)), (near, (told["ip"], first))):
            asking.sendto(b"who is there", (PUBLIC, PORT))
            assert service.recvfrom(100) == (b"who is there", source)
            service.sendto(b"the service", source)
            assert asking.recvfrom(100) == (b"the service", (PUBLIC, PORT))


def test_every_other_port_of_the_address_stays_shut(bench: Bench) -> None:
    before = bench.dropped("unleased_port")
    with bench.udp(GATEWAY, PORT + 1, PUBLIC) as shut, bench.udp(OUTSIDE, 7000) as far:
        far.sendto(b"knock", (PUBLIC, PORT + 1))
        shut.settimeout(0.5)
        with pytest.raises(TimeoutError):
            shut.recvfrom(100)
    assert bench.dropped("unleased_port") == before + 1


def test_without_the_address_the_packet_is_dropped_and_not_sent_back(bench: Bench) -> None:
    bench.net.ip(GATEWAY, "addr", "del", f"{PUBLIC}/32", "dev", "lo")
    before = bench.dropped("unleased_port")
    with bench.udp(OUTSIDE, 7000) as far:
        far.sendto(b"nobody here", (PUBLIC, PORT))
        far.settimeout(0.5)
        with pytest.raises(TimeoutError):
            far.recvfrom(100)
    assert bench.dropped("unleased_port") == before + 1
