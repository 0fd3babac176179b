"""The section ``[firewall]``: what of this host itself is reachable from outside (FWL-1)."""

from typing import Annotated

from voxpath.app.kinds import OpeningText
from voxpath.app.section import Section, doc


class Firewall(Section, frozen=True):
    """What of this host itself is reachable by the interfaces in `nat.outside`; ports of phones are the NAT's business."""

    enabled: Annotated[
        bool,
        doc(
            "Whether packets from outside reach only ports that roles of this process listen on, and what `open` names; "
            "needs nftables, beside any NAT back end.",
            True,
        ),
    ] = False
    open: Annotated[
        tuple[OpeningText, ...],
        doc("What else may be reached: the host's own SSH, IKE and ESP of its tunnels.", ["tcp/22", "udp/500", "udp/4500", "esp"]),
    ] = ()
