"""The section ``[redundancy]``: a second host that has the same state (DHC-19, TFT-7, RED-3)."""

from typing import Annotated, Literal

from voxpath.app.kinds import EndpointText
from voxpath.app.section import Section, doc
from voxpath.replica.active import WAIT_S


class Redundancy(Section, frozen=True):
    """A pair of hosts, one active and one standby: leases, port blocks, registrations, bindings and images are the same on both.

    The active connects to the standby over TLS, and both certificates are checked (see `[tls]`).
    The standby serves no DHCP, NAT, MEGACO and SIP; it keeps the state, and serves images by TFTP if that is on.
    """

    role: Annotated[Literal["off", "active", "standby"], doc("What this host is.", "active")] = "off"
    peer: Annotated[str, doc("Name that the other host's certificate must carry: its `name`.", "sg-b", max_length=63)] = ""
    address: Annotated[
        EndpointText, doc("Where the standby listens, and where the active connects to; the same on both.", "192.0.2.2:2947")
    ] = EndpointText("127.0.0.1:2947")
    wait_s: Annotated[
        float,
        doc("Seconds that an acknowledgement waits for the standby's commit before the active goes on alone.", 0.05, gt=0, le=1),
    ] = WAIT_S
