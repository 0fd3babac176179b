"""Garbage on every port costs nothing but a count."""

import socket
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench, bench_of
from tests.live.sites import CONTROLLERS, PROVIDER, until

pytestmark = [pytest.mark.live, pytest.mark.together]

MGC = "mgc1"
DISCOVER = bytes.fromhex("0101060012345678" + "00" * 20 + "020000000eee" + "00" * 202 + "63825363" + "350101")
SEED = 4711


def garbage(rest: bytes, count: int = 60) -> list[bytes]:
    """Noise, and broken pieces of a message."""
    random = Random(SEED)
    noise = [random.randbytes(random.randrange(1, 1400)) for _ in range(count)]
    cut = [rest[: random.randrange(len(rest))] for _ in range(count)]
    bent = []
    for _ in range(count):
        octets = bytearray(rest)
        octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)
        bent.append(bytes(octets))
    return [b"", b"\0", *noise, *cut, *bent]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_of(tmp_path_factory.mktemp("malformed")) as made:
        made.controller(MGC)
        yield made
        made.is_sound(GATEWAY, MGC)


def throw(sender: socket.socket, target: tuple[str, int], messages: list[bytes], seen: Callable[[], int]) -> None:
    """Send all of it, and wait until the counter has grown."""
    before = seen()
    for message in messages:
        sender.sendto(message, target)
    until(lambda: seen() > before, "something is counted as malformed", 5)


def test_dhcp_goes_on(bench: Bench) -> None:
    """Broadcast garbage to port 67 is counted; the next phone gets its lease."""
    host = bench.phone()
    bench.net.address(host.name, "eth0", "10.0.0.250/24")
    with bench.udp(host.name, 68) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        throw(sender, ("255.255.255.255", 67), garbage(DISCOVER), lambda: bench.role("dhcp")["malformed"])
    assert bench.phone().udhcpc()["ip"]
    assert bench.role("dhcp")["state"] == "running"


def test_garbage_that_is_answered_is_counted_too(bench: Bench) -> None:
    """Each malformed request to port 69 counts once."""
    phone = bench.phone()
    phone.udhcpc()
    with bench.udp(phone.name, 0) as sender:
        before = bench.role("tftp")["malformed"]
        for _ in range(5):
            sender.sendto(b"\0\x09rubbish", ("10.0.0.1", 69))
            assert sender.recv(100)[:4] == b"\0\5\0\4"
        assert bench.role("tftp")["malformed"] == before + 5


def test_tftp_goes_on(bench: Bench) -> None:
    """Garbage to port 69 ends nothing; the next phone gets its image."""
    phone = bench.phone()
    phone.udhcpc()
    request = b"\0\1phone-1.0.bin\0octet\0blksize\x001400\0"
    with bench.udp(phone.name, 0) as sender:
        for message in garbage(request):
            sender.sendto(message, ("10.0.0.1", 69))
    to = bench.directory / "image"
    bench.net.run(phone.name, ["curl", "-sS", "-o", str(to), "tftp://10.0.0.1/phone-1.0.bin"])
    assert to.stat().st_size == 300_000


def test_megaco_goes_on(bench: Bench) -> None:
    """Garbage to a controller's port 2944 is counted; a proper message is answered afterwards."""
    message = b"MEGACO/1 [198.51.100.254]:7010\nTransaction = 1 {Context = - {AuditValue = ROOT {Audit {}}}}\n"
    target = (CONTROLLERS[MGC], 2944)
    with bench.udp(OUTSIDE, 7010, PROVIDER) as sender:
        throw(sender, target, garbage(message), lambda: bench.role("mgc", MGC)["malformed"])
    with bench.udp(OUTSIDE, 7011, PROVIDER) as sender:
        sender.sendto(message.replace(b"7010", b"7011"), target)
        assert b"Reply" in sender.recv(2048)


def test_every_process_lives_and_fell_over_nothing(bench: Bench) -> None:
    """After all of it the same processes run, without a fault or a restart."""
    assert [bench.processes[name].poll() for name in (GATEWAY, MGC)] == [None, None]
    bench.is_sound(GATEWAY, MGC)
