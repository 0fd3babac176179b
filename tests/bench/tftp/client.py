"""Many TFTP clients in one process: each reads one file, and compares every block with what it should be.

``python client.py SERVER FILE EXPECTED CLIENTS BLOCK WINDOW`` sends all requests at once, and prints one line of JSON.
It stands alone: it is started by its path, in another namespace.
"""

import json
import select
import socket
import sys
import time
from pathlib import Path

PORT = 69
REPEAT_S = 1.0
"""A message that is not answered for so long is sent again."""
GIVE_UP_S = 60.0
LOOK_S = 0.05
RECEIVED = 1 << 16
BUFFER_OCTETS = 1 << 20
DATA, ERROR, OACK = 3, 5, 6


class Client:
    """One read; the file's content is known, so nothing is stored."""

    def __init__(self, server: str, request: bytes, expected: memoryview) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        self.failed = ""
        self.over = False
        self.octets = 0
        self.repeated = 0
        self.requests = 0
        self._expected = expected
        self._block_size, self._window = 512, 1
        self._blocks = self._unacknowledged = 0
        self._peer: tuple[str, int] | None = None
        self._last = (request, (server, PORT))
        self.ask()

    def ask(self) -> None:
        """Send what was said last."""
        self.requests += self._peer is None
        self.heard = time.perf_counter()
        self.socket.sendto(*self._last)

    def look(self, now: float) -> None:
        """Repeat what was not answered."""
        if not self.over and now - self.heard > REPEAT_S:
            self.repeated += 1
            self.ask()

    def read(self) -> None:
        """Take all that has come."""
        while not self.over:
            try:
                message, source = self.socket.recvfrom(RECEIVED)
            except BlockingIOError:
                return
            self._peer = self._peer or source
            if source == self._peer:
                self.heard = time.perf_counter()
                self._take(message)

    def _take(self, message: bytes) -> None:
        if message[1] == DATA:
            self._data(message[2] << 8 | message[3], memoryview(message)[4:])
        elif message[1] == OACK:
            words = message[2:].decode().lower().split("\0")
            agreed = dict(zip(words[::2], words[1::2], strict=False))
            self._block_size = int(agreed.get("blksize", 512))
            self._window = int(agreed.get("windowsize", 1))
            self._acknowledge()
        elif message[1] == ERROR:
            self._end(message[4:-1].decode(errors="replace"))

    def _data(self, number: int, payload: memoryview) -> None:
        if number != (self._blocks + 1) & 0xFFFF:
            if self._unacknowledged:
                self.repeated += 1
                self._acknowledge()
            return
        if payload != self._expected[self.octets : self.octets + len(payload)]:
            self._end(f"block {number} is not what it should be")
            return
        self.octets += len(payload)
        self._blocks += 1
        self._unacknowledged += 1
        if len(payload) < self._block_size:
            self._acknowledge()
            self._end("" if self.octets == len(self._expected) else f"{self.octets} octets came")
        elif self._unacknowledged == self._window:
            self._acknowledge()

    def _acknowledge(self) -> None:
        assert self._peer is not None
        self._unacknowledged = 0
        self._last = (b"\0\4" + (self._blocks & 0xFFFF).to_bytes(2, "big"), self._peer)
        self.socket.sendto(*self._last)

    def _end(self, reason: str) -> None:
        self.over = True
        self.failed = reason


def main() -> None:
    """Read, and tell."""
    server, name, path, count, block, window = sys.argv[1:]
    expected = memoryview(Path(path).read_bytes())
    options = f"blksize\0{block}\0" * (block != "512") + f"windowsize\0{window}\0" * (window != "1")
    request = f"\0\1{name}\0octet\0{options}".encode()
    began = time.perf_counter()
    poll = select.epoll()
    clients = {}
    for _ in range(int(count)):
        client = Client(server, request, expected)
        clients[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
    waiting = len(clients)
    looked = began
    while waiting and looked - began < GIVE_UP_S:
        for number, _ in poll.poll(LOOK_S):
            clients[number].read()
            if clients[number].over:
                poll.unregister(number)
                waiting -= 1
        now = time.perf_counter()
        if now - looked > LOOK_S:
            looked = now
            for client in clients.values():
                client.look(now)
    everyone = clients.values()
    print(
        json.dumps(
            {
                "done": sum(client.over and not client.failed for client in everyone),
                "octets": sum(client.octets for client in everyone),
                "seconds": time.perf_counter() - began,
                "repeated": sum(client.repeated for client in everyone),
                "lost": sum(client.requests - 1 for client in everyone),
                "window": max(client._window for client in everyone),
                "reasons": sorted({client.failed for client in everyone if client.failed}),
            }
        )
    )


if __name__ == "__main__":
    main()
