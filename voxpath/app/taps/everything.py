"""``twistd voxpath``: all roles that the configuration has, in one process."""

from functools import partial

from voxpath.app.assembly import make_service
from voxpath.app.options import Options
from voxpath.app.parts import Part

__all__ = ["Options", "makeService"]

makeService = partial(make_service, (Part.GATEWAY, Part.CONTROLLER, Part.SIP))
