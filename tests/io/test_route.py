"""By which interface the kernel would send: the real kernel answers, in this machine's own network namespace."""

import errno
import socket
from ipaddress import IPv4Address
from struct import pack

import pytest

from voxpath.core.effects import Send
from voxpath.io import neighbours, route
from voxpath.io.neighbours import EchoPort
from voxpath.model.address import Endpoint


class Kernel:
    """A netlink socket that answers what a test says."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def __call__(self, *kind: int) -> "Kernel":
        return self

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        pass

    def send(self, octets: bytes) -> None:
        pass

    def recv(self, most: int) -> bytes:
        return self.answer


def test_this_machine_sends_to_itself_by_its_loopback() -> None:
    assert route.way_to(IPv4Address("127.0.0.1")) == "lo"


def test_a_refusal_of_the_kernel_is_an_error_with_its_number_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = pack("=IHHIIi", 36, 2, 0, 1, 0, -errno.ENETUNREACH) + bytes(16)
    monkeypatch.setattr(route.socket, "socket", Kernel(refusal))
    with pytest.raises(OSError, match="Network is unreachable") as caught:
        route.way_to(IPv4Address("10.2.0.10"))
    assert caught.value.errno == errno.ENETUNREACH


@pytest.mark.parametrize("attributes", [b"", pack("=HHI", 8, 1, 0), pack("=HH", 0, 0), pack("=HHB", 5, 9, 0)])
def test_an_answer_without_an_interface_names_none(monkeypatch: pytest.MonkeyPatch, attributes: bytes) -> None:
    """The last two cannot be: a length of nothing, and one that runs over the end."""
    monkeypatch.setattr(route.socket, "socket", Kernel(pack("=IHHII", 28, 24, 0, 1, 0) + bytes(12) + attributes))
    assert route.way_to(IPv4Address("10.2.0.10")) == ""


class Refused(socket.socket):
    """A socket whose packets a firewall drops."""

    # The overloads of typeshed are of no use to one that always fails.
    def sendto(self, *what: object) -> int:  # type: ignore[override]
        raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (lambda address: "wan0", "Operation not permitted, since it would leave by wan0"),
        (lambda address: "", "Operation not permitted"),
        (None, "Operation not permitted"),
    ],
)
def test_an_echo_that_a_firewall_refuses_tells_the_way_that_it_would_take(monkeypatch: pytest.MonkeyPatch, way, told: str) -> None:
    """The gateway's own table refuses it when its route leads out of the wrong link; who has no route is told that anyway."""

    def none(address: IPv4Address) -> str:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(neighbours, "way_to", way or none)
    port = EchoPort.__new__(EchoPort)
    with Refused(socket.AF_INET, socket.SOCK_DGRAM) as refused:
        port._socket = refused
        with pytest.raises(PermissionError) as caught:
            port.send(Send(b"echo", Endpoint("10.2.0.10", 0), "icmp"))
    assert caught.value.strerror == told
