"""``twistd voxpath-phone``: software IP phones."""

from functools import partial

from voxpath.app.assembly import make_service
from voxpath.app.options import PhoneOptions as Options
from voxpath.app.parts import Part

__all__ = ["Options", "makeService"]

makeService = partial(make_service, (Part.PHONES,))
