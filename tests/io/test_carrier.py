"""What the kernel's flags of an interface mean (netdevice(7))."""

import errno
import fcntl
import struct

import pytest

from voxpath.io.carrier import LinkState, link_state


@pytest.mark.parametrize(
    ("flags", "state"),
    [(0x1043, LinkState.RUNNING), (0x1003, LinkState.NO_CARRIER), (0x1002, LinkState.DOWN), (0x1042, LinkState.DOWN)],
    ids=["up with a carrier", "up without", "down", "down, but with a carrier"],
)
def test_up_and_running_are_both_needed(flags: int, state: LinkState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "ioctl", lambda asked, request, name: struct.pack("16sH22x", name[:16], flags))
    assert link_state("eth1") is state


def test_an_interface_that_is_not_there_is_gone() -> None:
    assert link_state("nosuch0") is LinkState.GONE


def test_what_the_kernel_does_not_tell_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(asked: object, request: int, name: bytes) -> bytes:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(fcntl, "ioctl", refused)
    with pytest.raises(PermissionError):
        link_state("eth1")
