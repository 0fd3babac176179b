"""Stock SIP phones, unchanged, each in the namespace of a host: baresip and twinkle-console."""

import json
import signal
import socket
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from tests.live import siptrace
from tests.live.namespaces import Namespaces
from tests.live.siptrace import SipText, Traced
from tests.live.sites import until
from tests.live.tones import is_tone, last_samples, write_tone

OK = 200
CONTROL_PORT = 4444
TONE_FILE = "tone.wav"
"""What a phone says, beside its configuration, which names it so."""

BARESIP_LINES = (
    "module_path /usr/lib/baresip/modules",
    "module aufile.so",
    "module aubridge.so",
    "module sndfile.so",
    "module_app ctrl_tcp.so",
    f"ctrl_tcp_listen 127.0.0.1:{CONTROL_PORT}",
    f"audio_source aufile,{TONE_FILE}",
    "audio_player aubridge,sink",
    "audio_alert aubridge,alert",
    "ausrc_srate 8000",
    "auplay_srate 8000",
    "ausrc_channels 1",
    "auplay_channels 1",
    "snd_path .",
    "dns_server 127.0.0.1:53",
)
"""Lines of ``config`` that make a phone without sound devices, and let a test work its keys: the same for every phone."""


class Baresip:
    """baresip with a directory of ``config``, ``accounts`` and ``contacts``; it says a tone and records what it hears.

    :param name: its namespace.
    :ivar events: what it told.
    """

    def __init__(self, net: Namespaces, name: str, directory: Path, tone_hz: int) -> None:
        self.name = name
        self.events: list[dict[str, Any]] = []
        self._net = net
        self._directory = directory
        self._output = directory / "output"
        self._rest = b""
        self._seen = 0
        self._commands = 0
        write_tone(directory / TONE_FILE, tone_hz)

    def start(self) -> None:
        """Start it, and take hold of its keys."""
        self.events.clear()
        self._rest, self._seen = b"", 0
        with self._output.open("wb") as output:
            argv = ["baresip", "-f", str(self._directory), "-s"]
            self._process = self._net.spawn(self.name, argv, stdout=output, stderr=output, cwd=self._directory)
        self._control = until(self._connect, f"{self.name} takes commands", 10)

    def registered(self) -> SipText:
        """Wait until the registrar has bound it; give the 200 (its event comes before anybody listens)."""

        def answers() -> list[SipText]:
            return [
                each.message
                for each in siptrace.traced(self.output())
                if each.message.status == OK and each.message.method == "REGISTER"
            ]

        try:
            until(answers, f"{self.name} registers", 15)
        except AssertionError as error:
            raise AssertionError(f"{error}; it printed:\n{self.output()[-6000:]}") from None
        return answers()[-1]

    def end(self) -> int:
        """Switch it off in order: it takes its registration back."""
        self._control.close()
        return self._net.end(self._process)

    def kill(self) -> int:
        """Pull its plug."""
        self._control.close()
        return self._net.end(self._process, signal.SIGKILL)

    def command(self, command: str, words: str = "") -> None:
        """Press keys; what comes of it is seen from events and trace."""
        self._commands += 1
        text = json.dumps({"command": command, "params": words, "token": str(self._commands)}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def dial(self, uri: str) -> None:
        """Call somebody."""
        self.command("dial", uri)

    def hang_up(self) -> None:
        """End the call."""
        self.command("hangup")

    def told(self, event: str) -> list[dict[str, Any]]:
        """Its events of one type so far."""
        self._listen()
        return [entry for entry in self.events if entry.get("type") == event]

    def tells(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait until it told so many events of a type; give the last one of them."""
        try:
            until(lambda: len(self.told(event)) >= count, f"{self.name} tells {event} ({count})", 15)
        except AssertionError as error:
            raise AssertionError(f"{error}; it printed:\n{self.output()[-6000:]}") from None
        return self.told(event)[count - 1]

    def trace(self) -> list[Traced]:
        """The SIP messages that it sent and received, those of earlier calls left out that were to be forgotten."""
        return siptrace.traced(self.output())[self._seen :]

    def sent(self, method: str) -> list[Traced]:
        """Its requests of one method."""
        own = self.name_of_socket()
        return [each for each in self.trace() if not each.message.status and each.message.method == method and each.source == own]

    def received(self, method: str) -> list[Traced]:
        """The requests of one method that reached it."""
        own = self.name_of_socket()
        return [each for each in self.trace() if not each.message.status and each.message.method == method and each.source != own]

    def answered(self, status: int, method: str) -> list[Traced]:
        """Its answers with this status to requests of one method."""
        own = self.name_of_socket()
        return [each for each in self.trace() if (each.message.status, each.message.method, each.source) == (status, method, own)]

    def name_of_socket(self) -> str:
        """The address and port that its SIP socket is bound to."""
        words = (line.split() for line in (self._directory / "config").read_text().splitlines())
        return next(line[1] for line in words if line[:1] == ["sip_listen"])

    def hears(self, hz: float) -> bool:
        """Whether the end of its last recording is this tone."""
        recordings = sorted(self._directory.glob("dump-*-dec.wav"))
        return bool(recordings) and is_tone(last_samples(recordings[-1]), hz)

    def forget(self) -> None:
        """Remove recordings, events and messages of earlier calls."""
        self._listen()
        self.events.clear()
        self._seen = len(siptrace.traced(self.output()))
        for path in self._directory.glob("dump-*.wav"):
            path.unlink()

    def output(self) -> str:
        """All that it printed."""
        return self._output.read_text(errors="replace")

    def _connect(self) -> socket.socket | None:
        with self._net.entered(self.name):
            made = socket.socket()
        try:
            made.connect(("127.0.0.1", CONTROL_PORT))
        except ConnectionRefusedError:
            made.close()
            if self._process.poll() is not None:
                raise AssertionError(f"baresip of {self.name} ended:\n{self.output()}") from None
            return None
        made.setblocking(False)
        return made

    def _listen(self) -> None:
        """Take over what it told meanwhile: netstrings (``length:text,``) of JSON."""
        try:
            while octets := self._control.recv(65536):
                self._rest += octets
        except BlockingIOError:
            pass
        while b":" in self._rest:
            length, _, rest = self._rest.partition(b":")
            if len(rest) <= int(length):
                return
            self.events.append(json.loads(rest[: int(length)]))
            self._rest = rest[int(length) + 1 :]


class Twinkle:
    """twinkle-console with a home directory that has its files in ``.twinkle``: a phone that can be told its public address.

    Without a sound card it takes and makes calls and hears, but sends no RTP.
    """

    def __init__(self, net: Namespaces, name: str, directory: Path) -> None:
        self.name = name
        self._net = net
        self._home = directory
        self._output = directory / "output"

    def start(self) -> None:
        """Start it; it registers by itself."""
        with self._output.open("wb") as output:
            environment = {"HOME": str(self._home), "PATH": "/usr/bin:/bin", "TERM": "dumb"}
            self._process: Popen[bytes] = self._net.spawn(
                self.name, ["twinkle-console"], stdin=PIPE, stdout=output, stderr=output, env=environment, cwd=self._home
            )

    def command(self, line: str) -> None:
        """Type a line: ``answer``, ``call``, ``bye``, ``quit``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def prints(self, text: str) -> None:
        """Wait until it printed something."""
        until(lambda: text in self.output(), f"{self.name} prints {text!r}; so far:\n{self.output()}", 15)

    def output(self) -> str:
        """All that it printed."""
        return self._output.read_text(errors="replace")

    def end(self) -> int:
        """Switch it off."""
        self.command("quit")
        return self._net.end(self._process)
