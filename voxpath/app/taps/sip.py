"""``twistd voxpath-sip``: SIP registrar and redirect server."""

from functools import partial

from voxpath.app.assembly import make_service
from voxpath.app.options import Options
from voxpath.app.parts import Part

__all__ = ["Options", "makeService"]

makeService = partial(make_service, (Part.SIP,))
