"""A program at a pseudo-terminal, as an operator sees it."""

import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence
from typing import Any

PATIENCE_S = 60.0
AGAIN_S = 1.0
"""A key that may have come too early is pressed again after so long."""

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|[\x07\r]")
"""Control sequences, which move the cursor and ring the bell."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Tests that were started in the background would have every program that they start ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """A running program; use it as a context manager.

    Type only when it has shown its prompt: what comes earlier is the terminal's, which may take Ctrl-D away.

    :ivar seen: everything that it wrote, without control sequences.
    """

    def __init__(self, argv: Sequence[str], env: dict[str, str] | None = None, **more: Any) -> None:
        self.seen = ""
        self._read_so_far = 0
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (40, 200))
        environment = {**os.environ, "TERM": "xterm", **(env or {})}
        # The terminal has to be the program's own, so that Ctrl-C is a signal.
        argv = ["setsid", "--ctty", *argv]
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=environment, **more)
        os.close(slave)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def types(self, text: str) -> None:
        """Press keys; ``\\r`` is the return key, ``\\x03`` Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._master, text.encode())

    def shows(self, text: str) -> str:
        """Wait until it shows a text after what was waited for last; give what came before it."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.seen[self._read_so_far :]:
            if not self._more(end - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown; seen: {self.seen[self._read_so_far :]!r}")
        found = self.seen.index(text, self._read_so_far)
        before = self.seen[self._read_so_far : found]
        self._read_so_far = found + len(text)
        return before

    def interrupts(self, text: str) -> None:
        """Press Ctrl-C until it shows a text: a signal between a prompt and the wait for a key is seen at the next key only."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.seen[self._read_so_far :] and time.monotonic() < end:
            self.types("\x03")
            while text not in self.seen[self._read_so_far :] and self._more(AGAIN_S):
                pass
        self.shows(text)

    def ends(self) -> int:
        """Wait for its end; give its exit status."""
        end = time.monotonic() + PATIENCE_S
        while self._more(end - time.monotonic()):
            pass
        try:
            return self.process.wait(max(1.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; seen: {self.seen!r}") from None

    def _more(self, patience_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, patience_s))
        if not ready:
            return False
        try:
            octets = os.read(self._master, 65536)
        except OSError:
            return False
        self.seen += CONTROL.sub("", octets.decode(errors="replace"))
        return bool(octets)
