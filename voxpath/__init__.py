"""voxpath: takes an IP phone from power-up to a call through NAT, with no media relay."""

__version__ = "0.1.0"
