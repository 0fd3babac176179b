"""Where a boot is, and what a phone knows before it."""

from dataclasses import dataclass
from enum import Enum

from voxpath.model.address import Mac
from voxpath.model.phone import BootLease, OwnAddress

TFTP_PORT = 69


class State(Enum):
    """Where the boot is; the value is the figure's step, but 505 is a step beside the figure and 606 one of registration."""

    OFF = 0
    BOOT = 502
    STATIC = 504
    INFORM = 505
    DISCOVER = 506
    WAIT_OFFER = 516
    CHECK = 518
    REQUEST = 522
    WAIT = 538
    IMAGE = 542
    TFTP = 546
    WAIT_ACK = 568
    STORE = 570
    ENABLE = 572
    RUN = 590
    FAILED = 606


@dataclass(frozen=True, slots=True)
class BootSettings:
    """What the phone knows before it boots.

    :ivar static: its lease if all of it is configured by hand, then DHCP is left out (PHN-2); its address if INFORM is to tell
        the rest (PHN-18); ``None``: DHCP gives it a lease.
    :ivar interface: where broadcasts leave; empty: the port knows.
    :ivar configuration: whether it fetches ``<mac>.cfg``; never from a file server that a person told it, since no lease proves
        there who it is.
    :ivar tftp_port: the file server's port, for servers without the right to 69.
    """

    mac: Mac
    static: BootLease | OwnAddress | None = None
    interface: str = ""
    configuration: bool = True
    tftp_port: int = TFTP_PORT
