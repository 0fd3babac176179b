"""What closes a host to the outside, as text; live tests load it."""

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.natreactor import firewall
from voxpath.natreactor.event import FirewallLost
from voxpath.natreactor.firewall import HostFirewall, Opening, rules


def test_what_is_open_is_open_where_it_listens_and_the_rest_is_dropped() -> None:
    chosen = (Opening("tcp", 22, 22), Opening("udp", 2944, 2944, "198.51.100.1"), Opening("esp"), Opening("tcp", 22, 22))
    lines = [line.strip() for line in rules("voxpath", ("wan0", "wan1"), chosen, (32768, 60999)).splitlines()]
    begin = lines.index("chain from_outside {") + 1
    assert lines[begin : lines.index("}", begin)] == [
        "tcp flags & (fin | syn | rst | ack) != syn accept",
        "meta l4proto { icmp, ipv6-icmp, 50 } accept",
        "udp dport 32768-60999 accept",
        "tcp dport 22-22 accept",
        "ip daddr 198.51.100.1 udp dport 2944-2944 accept",
        "counter name closed drop",
    ]
    assert 'iifname { "wan0", "wan1" } goto from_outside' in lines


class Kernel:
    """Stands for libnftables."""

    def __init__(self) -> None:
        self.tables = 0
        self.refuses = False

    def run(self, commands: str) -> None:
        if self.refuses:
            raise LocalError("no")
        self.tables += 1

    def read(self, command: str) -> None:
        if not self.tables:
            raise LocalError("No such file or directory")

    def close(self) -> None:
        pass


def test_a_table_that_somebody_removed_is_made_again_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, clock, events = Kernel(), Clock(), list[Event]()
    monkeypatch.setattr(firewall, "Nftables", lambda: kernel)
    closed = HostFirewall(clock, "voxpath", ("wan0",), (), events.append)
    closed.start()
    clock.advance(1)
    assert (kernel.tables, events) == (1, [])
    kernel.tables, kernel.refuses = 0, True
    clock.advance(1)
    assert events == []
    kernel.refuses = False
    clock.advance(1)
    clock.advance(1)
    assert (kernel.tables, events) == (1, [FirewallLost(reason="No such file or directory")])
    closed.stop()
    closed.stop()
    assert not clock.getDelayedCalls()


def test_a_kernel_that_refuses_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, clock = Kernel(), Clock()
    kernel.refuses = True
    monkeypatch.setattr(firewall, "Nftables", lambda: kernel)
    with pytest.raises(LocalError):
        HostFirewall(clock, "voxpath", ("wan0",), (), lambda _: None).start()
    assert not clock.getDelayedCalls()


def test_a_machine_that_does_not_tell_its_own_ports_is_not_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = Clock()
    monkeypatch.setattr(firewall, "Nftables", Kernel)
    monkeypatch.setattr(firewall, "EPHEMERAL", tmp_path / "ip_local_port_range")
    with pytest.raises(LocalError, match="ip_local_port_range cannot be read: No such file"):
        HostFirewall(clock, "voxpath", ("wan0",), (), lambda _: None).start()
    assert not clock.getDelayedCalls()
