"""One file server and its clients in namespaces of their own, with a cable between them."""

from tests.bench.site import Site

SERVER, CLIENTS = "files", "phones"
SERVER_ADDRESS, CLIENT_ADDRESS, PREFIX = "10.64.0.1", "10.64.0.2", "/24"
SERVER_PORT = 69


class Cable(Site):
    """The two namespaces."""

    def __init__(self) -> None:
        super().__init__(SERVER, SERVER_PORT)

    def build(self) -> None:
        """Make them, and lay the cable."""
        net = self.net
        net.create(SERVER, CLIENTS)
        net.veth(SERVER, "lan0", CLIENTS, "eth0")
        net.address(SERVER, "lan0", SERVER_ADDRESS + PREFIX)
        net.address(CLIENTS, "eth0", CLIENT_ADDRESS + PREFIX)
