"""The parts of voxpath that a ``twistd`` command can start (GEN-2)."""

from enum import Enum


class Part(Enum):
    """A part of the product; the values are the names of the commands that start it alone."""

    GATEWAY = "voxpath-sg"
    CONTROLLER = "voxpath-mgc"
    SIP = "voxpath-sip"
    PHONES = "voxpath-phone"
