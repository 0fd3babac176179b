"""``twistd voxpath-sg``: the service gateway: DHCP, TFTP, NAPPT and the port ledger."""

from functools import partial

from voxpath.app.assembly import make_service
from voxpath.app.options import Options
from voxpath.app.parts import Part

__all__ = ["Options", "makeService"]

makeService = partial(make_service, (Part.GATEWAY,))
