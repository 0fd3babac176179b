"""One gateway and one load generator in namespaces of their own, with a cable between them.

perfdhcp plays a relay even when it broadcasts: it writes its own address into giaddr, and it reads nothing but what is sent to that
address.
Two nftables rules on its side of the cable make it many direct clients: giaddr and hops are cleared on the way out, and replies to
the clients' Ethernet addresses are brought to its socket on the way in.
Every server under test gets the same packets, and the rules cost it nothing.
"""

from tests.bench.site import Site

GATEWAY, PHONES = "gw", "phones"
LAN, WAN, LOAD = "lan0", "wan0", "load0"
SERVER_ADDRESS, LOAD_ADDRESS, PREFIX = "10.64.0.1", "10.64.0.2", "/10"

SERVER_PORT = 67

RULES = """
table netdev direct {{
    chain replies {{
        type filter hook ingress device "{load}" priority 0
        udp dport 68 meta pkttype set host ether daddr set {mac} ip daddr set {address}
    }}
    chain requests {{
        type filter hook egress device "{load}" priority 0
        udp dport 67 @th,88,8 set 0 @th,256,32 set 0
    }}
}}
"""
"""In a request hops is the fourth octet after the UDP header's eight, and giaddr the 25th to 28th."""


class Cable(Site):
    """Gateway and load generator, and a cable between them; nothing is at the far end of the gateway's outside.

    :param relay: the load generator stays the relay that it is.
    """

    def __init__(self, relay: bool = False) -> None:
        super().__init__(GATEWAY, SERVER_PORT)
        self._relay = relay

    def build(self) -> None:
        """Make the namespaces, lay the cables, and, for phones without a relay, bend the load generator's packets straight."""
        net = self.net
        net.create(GATEWAY, PHONES)
        net.veth(GATEWAY, LAN, PHONES, LOAD)
        net.address(GATEWAY, LAN, SERVER_ADDRESS + PREFIX)
        net.address(PHONES, LOAD, LOAD_ADDRESS + PREFIX)
        net.veth(GATEWAY, WAN, PHONES, "far0")
        if self._relay:
            return
        mac = net.ip(PHONES, "-br", "link", "show", LOAD).split()[2]
        net.run(PHONES, ["nft", "-f", "-"], input=RULES.format(load=LOAD, mac=mac, address=LOAD_ADDRESS))
