"""The namespaces of the live tests: cables carry, processes end, nothing is left."""

import subprocess
import sys

import pytest

from tests.live.namespaces import Namespaces

pytestmark = pytest.mark.live


def test_a_cable_and_a_switch_carry_packets(net: Namespaces) -> None:
    net.create("one", "switch", "two")
    net.veth("one", "eth0", "switch", "p1")
    net.veth("two", "eth0", "switch", "p2")
    net.bridge("switch", "br0", "p1", "p2")
    net.address("one", "eth0", "192.0.2.1/24")
    net.address("two", "eth0", "192.0.2.2/24")
    listen = "import socket; s = socket.create_server(('192.0.2.2', 7)); print('ready', flush=True); s.accept()"
    with net.running("two", [sys.executable, "-c", listen], stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"ready\n"
        net.run("one", [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.2', 7), 5)"])


def test_nothing_is_left_behind() -> None:
    with Namespaces() as made:
        made.create("one")
        process = made.spawn("one", ["sleep", "60"])
        assert made.full("one") in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert process.returncode is not None
    assert made.full("one") not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


def test_a_failing_program_shows_its_output(net: Namespaces) -> None:
    net.create("one")
    with pytest.raises(AssertionError, match="no such wish"):
        net.run("one", ["sh", "-c", "echo no such wish; exit 3"])
