"""A server and its load in one namespace: they talk over its loopback, by addresses such as they have in public."""

from tests.bench.site import Site

HOME = "sip"
SERVER_HOST, SERVER_PORT = "198.51.100.10", 5060
LOAD_HOST, LOAD_PORT = "203.0.113.1", 6060


class Loopback(Site):
    """The namespace."""

    def __init__(self) -> None:
        super().__init__(HOME, SERVER_PORT)

    def build(self) -> None:
        """Make it, and give both their addresses."""
        super().build()
        self.net.address(HOME, "lo", f"{SERVER_HOST}/32", f"{LOAD_HOST}/32")
