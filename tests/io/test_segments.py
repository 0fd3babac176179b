"""Several datagrams by one system call, and what becomes of them where the kernel or the interface cannot."""

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from voxpath.io import segments
from voxpath.io.segments import Outlet


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        made.settimeout(10)
        yield made


class Counting:
    """A socket that counts its sends, and refuses those of several segments with an error."""

    def __init__(self, opened: socket.socket, refuses: int = 0) -> None:
        self.sent = 0
        self._socket = opened
        self._refuses = refuses

    def sendmsg(self, *given: Any) -> int:
        self.sent += 1
        if self._refuses and given[1]:
            raise OSError(self._refuses, "refused")
        return self._socket.sendmsg(*given)

    def sendto(self, *given: Any) -> int:
        self.sent += 1
        return self._socket.sendto(*given)


def carried(payloads: list[bytes], peer: socket.socket, refuses: int = 0) -> int:
    """Send datagrams, see that all arrive, each by itself, and count the system calls."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        counting = Counting(opened, refuses)
        Outlet(counting).send_each(payloads, peer.getsockname())  # type: ignore[arg-type]  # it counts for a socket
    assert [peer.recv(1 << 16) for _ in payloads] == payloads
    return counting.sent


def window(blocks: int, size: int, last: int) -> list[bytes]:
    return [bytes([number]) * size for number in range(blocks - 1)] + [b"l" * last]


@pytest.mark.parametrize(
    ("payloads", "calls"),
    [
        (window(7, 1472, 1472), 1),
        (window(16, 1472, 1472), 2),
        (window(16, 1472, 4), 2),
        (window(64, 1472, 4), 3),
        (window(200, 12, 12), 5),
        ([b"a"], 1),
        ([b"a", b"bb", b"c"], 3),
        ([b"aa", b"b", b"cc"], 3),
        ([b"aa", b""], 2),
        ([b"", b"", b""], 3),
        (window(2, 40_000, 40_000), 2),
    ],
)
def test_datagrams_of_one_size_leave_together_and_arrive_one_by_one(payloads: list[bytes], calls: int, peer: socket.socket) -> None:
    if not segments.kernel_segments():
        # Before Linux 4.18; CI refuses a skipped test, so there it is never so.
        pytest.skip("this kernel knows no segments")
    assert carried(payloads, peer) == calls


@pytest.mark.parametrize("refuses", [errno.EINVAL, errno.EIO, errno.EMSGSIZE])
def test_where_segments_are_refused_each_leaves_by_itself_and_it_is_not_tried_again(refuses: int, peer: socket.socket) -> None:
    assert carried(window(16, 1472, 4), peer, refuses) == 16 + segments.kernel_segments()


def test_another_error_is_told(peer: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "kernel_segments", lambda: True)
    with pytest.raises(OSError, match="refused"):
        carried([b"a", b"b"], peer, errno.ENETUNREACH)


def test_a_kernel_that_knows_no_segments_is_not_asked_for_them(peer: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not refuse them, but send one long datagram."""
    monkeypatch.setattr(segments, "UDP_SEGMENT", 9999)
    assert not segments.kernel_segments.__wrapped__()
    monkeypatch.setattr(segments, "kernel_segments", lambda: False)
    assert carried(window(16, 1472, 4), peer) == 16
