"""The namespaces of one measurement: a server and its load generator meet nobody else."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.part import ROOT, STATE_PARENT, Server
from tests.live.namespaces import Namespaces

START_S = 30.0
"""How long a server may take until it listens."""


class Site:
    """Namespaces; usable as a context manager, which ends all that was started in them.

    :param home: the namespace of the server.
    :param port: the UDP port that it serves.
    """

    def __init__(self, home: str, port: int) -> None:
        self.net = Namespaces()
        self.home = home
        self.port = port

    def __enter__(self) -> "Site":
        try:
            self.build()
        except BaseException:
            self.net.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.net.close()

    def build(self) -> None:
        """Make the namespaces: the server's alone, with its loopback."""
        self.net.create(self.home)

    @contextmanager
    def serving(self, server: Server) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server with an empty state directory for the length of a ``with`` block; it must not end by itself."""
        with TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-bench-") as name:
            directory = Path(name)
            process = self.start(server.prepare(directory), directory / "output")
            yield process
            if process.poll() is not None:
                raise AssertionError(f"{server.name} ended under load:\n{(directory / 'output').read_text()[-4000:]}")
            self.net.end(process)

    def start(self, argv: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a server, and wait until it listens.

        :raises AssertionError: it ended, or does not listen in time; its output is told.
        """
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with log.open("ab") as output:
            server = self.net.spawn(self.home, argv, stdout=output, stderr=subprocess.STDOUT, env=environment)
        deadline = time.monotonic() + START_S
        while f":{self.port} " not in self.net.run(self.home, ["ss", "--listening", "--udp", "--numeric", "--no-header"]).stdout:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{argv[0]} does not listen:\n{log.read_text()[-4000:]}")
            # Another process opens the port: there is no event to wait for.
            time.sleep(0.05)
        return server
