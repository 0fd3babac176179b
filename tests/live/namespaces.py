"""Network namespaces for live tests: hosts, cables, switches and processes that end with the test.

Every name carries the process id, so parallel runs do not meet, and everything made here is removed by :meth:`Namespaces.close`.
Only processes that were started here are ended.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import IO, Any

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNET = 0x40000000

END_S = 3.0
"""How long a process may take to end after SIGTERM before it is killed."""

Output = int | IO[Any] | None


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end a program as Ctrl-C does: what it made is taken away."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)


class Namespaces:
    """A set of namespaces by short names (``gw``, ``phone1``); usable as a context manager.

    >>> with Namespaces() as net:
    ...     net.create("gw", "phone")
    ...     net.veth("phone", "eth0", "gw", "lan0")
    ...     net.address("gw", "lan0", "10.0.0.1/24")
    ...     net.run("phone", ["ip", "addr"])
    """

    def __init__(self) -> None:
        self.prefix = f"vp{os.getpid()}x{token_hex(2)}"
        self._names: list[str] = []
        self._processes: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> "Namespaces":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def full(self, name: str) -> str:
        """The name under which ``ip netns`` knows the namespace."""
        return f"{self.prefix}-{name}"

    def create(self, *names: str) -> None:
        """Make namespaces, each with its loopback up."""
        for name in names:
            self._ip("netns", "add", self.full(name))
            self._names.append(name)
            self.ip(name, "link", "set", "lo", "up")

    def veth(self, one: str, one_interface: str, other: str, other_interface: str) -> None:
        """Lay a cable between two namespaces, both ends up."""
        self._ip(
            "link", "add", one_interface, "netns", self.full(one),
            "type", "veth", "peer", "name", other_interface, "netns", self.full(other),
        )  # fmt: skip
        self.ip(one, "link", "set", one_interface, "up")
        self.ip(other, "link", "set", other_interface, "up")

    def bridge(self, name: str, bridge: str, *ports: str) -> None:
        """Make a switch in a namespace out of interfaces that are there already, and bring it up."""
        # Of its own accord it would take the lowest address of its ports, another one when a port comes: packets of its
        # neighbours would be lost until they ask ARP again.
        self.ip(name, "link", "add", bridge, "address", f"06:{os.urandom(5).hex(':')}", "type", "bridge", "forward_delay", "0")
        for port in ports:
            self.plug(name, bridge, port)
        self.ip(name, "link", "set", bridge, "up")

    def plug(self, name: str, bridge: str, port: str) -> None:
        """Connect one more interface to a switch."""
        self.ip(name, "link", "set", port, "master", bridge, "up")

    def mac(self, name: str, interface: str, mac: str) -> None:
        """Give an interface an Ethernet address."""
        self.ip(name, "link", "set", interface, "address", mac)

    def address(self, name: str, interface: str, *prefixes: str) -> None:
        """Give an interface addresses, such as ``10.0.0.1/24``."""
        for prefix in prefixes:
            self.ip(name, "addr", "add", prefix, "dev", interface)

    def route(self, name: str, prefix: str, via: str) -> None:
        """Add a route; the prefix may be ``default``."""
        self.ip(name, "route", "add", prefix, "via", via)

    def cut(self, name: str, interface: str) -> None:
        """Pull a cable: the interface goes down."""
        self.ip(name, "link", "set", interface, "down")

    def sysctl(self, name: str, key: str, value: str) -> None:
        """Set a kernel parameter of one namespace, such as ``net.ipv4.ip_local_port_range``."""
        self.run(name, ["sysctl", "-qw", f"{key}={value}"])

    def ip(self, name: str, *arguments: str) -> str:
        """Run ``ip`` on one namespace; give its output."""
        return self._ip("-n", self.full(name), *arguments)

    def argv(self, name: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs a program in the namespace."""
        return ["ip", "netns", "exec", self.full(name), *argv]

    def run(
        self, name: str, argv: Sequence[str], *, timeout: float = 30, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; with ``check``, fail with its output when it fails."""
        done = subprocess.run(self.argv(name, argv), capture_output=True, text=True, timeout=timeout, check=False, input=input)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: Output = subprocess.DEVNULL,
        stdout: Output = subprocess.DEVNULL,
        stderr: Output = None,
        **more: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own; it is ended by :meth:`close` if not before.

        ``ip netns exec`` replaces itself by the program, so the process id is the program's.
        """
        process = subprocess.Popen(self.argv(name, argv), stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True, **more)
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen[Any], signal_number: int = signal.SIGTERM) -> int:
        """End a process that :meth:`spawn` started, and its children; give its exit status."""
        if process.poll() is None:
            _signal_group(process, signal_number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
        # The group may outlive its leader; the number cannot be anybody else's while a member lives.
        _signal_group(process, signal.SIGKILL)
        process.wait(END_S)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        if process in self._processes:
            self._processes.remove(process)
        return process.returncode

    @contextmanager
    def running(self, name: str, argv: Sequence[str], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program for the length of a ``with`` block."""
        process = self.spawn(name, argv, **more)
        try:
            yield process
        finally:
            self.end(process)

    @contextmanager
    def entered(self, name: str) -> Iterator[None]:
        """Let the calling thread stand in the namespace: sockets that it opens there stay there afterwards."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.full(name)}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def close(self) -> None:
        """End all processes and remove all namespaces; their cables and switches go with them."""
        for process in reversed(tuple(self._processes)):
            self.end(process)
        self.remove(*self._names)

    def remove(self, *names: str) -> None:
        """Remove namespaces, and what still runs in them."""
        for name in names:
            self._end_all(name)
            self._ip("netns", "delete", self.full(name))
            self._names.remove(name)

    def _end_all(self, name: str) -> None:
        """End what has left its parent, and lives on in a namespace of ours; we are in none of them."""
        for process in self._ip("netns", "pids", self.full(name)).split():
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)

    @staticmethod
    def _ip(*arguments: str) -> str:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _signal_group(process: subprocess.Popen[Any], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
