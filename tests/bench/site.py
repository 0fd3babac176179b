"""One gateway and one load generator in namespaces of their own, with a cable between them.

perfdhcp plays a relay even when it broadcasts: it writes its own address into giaddr, and it reads nothing but what is sent to that
address.
Two nftables rules on its side of the cable make it many direct clients: giaddr and hops are cleared on the way out, and replies to
the clients' Ethernet addresses are brought to its socket on the way in.
Every server under test gets the same packets, and the rules cost it nothing.
"""

import subprocess
import time
from pathlib import Path
from typing import IO, Any

from tests.live.namespaces import Namespaces

GATEWAY, PHONES = "gw", "phones"
LAN, WAN, LOAD = "lan0", "wan0", "load0"
SERVER_ADDRESS, LOAD_ADDRESS, PREFIX = "10.64.0.1", "10.64.0.2", "/10"

START_S = 30.0
"""How long a server may take until it listens on port 67."""

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


class Site:
    """The namespaces; usable as a context manager, which ends all that was started in them."""

    def __init__(self) -> None:
        self.net = Namespaces()

    def __enter__(self) -> "Site":
        net = self.net
        try:
            net.create(GATEWAY, PHONES)
            net.veth(GATEWAY, LAN, PHONES, LOAD)
            net.address(GATEWAY, LAN, SERVER_ADDRESS + PREFIX)
            net.address(PHONES, LOAD, LOAD_ADDRESS + PREFIX)
            net.veth(GATEWAY, WAN, PHONES, "far0")
            mac = net.ip(PHONES, "-br", "link", "show", LOAD).split()[2]
            net.run(PHONES, ["nft", "-f", "-"], input=RULES.format(load=LOAD, mac=mac, address=LOAD_ADDRESS))
        except BaseException:
            net.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.net.close()

    def start(self, argv: list[str], log: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a DHCP server in the gateway's namespace, and wait until it listens.

        :raises AssertionError: it ended, or does not listen in time; its output is told.
        """
        with log.open("ab") as output:
            server = self.net.spawn(GATEWAY, argv, stdout=output, stderr=subprocess.STDOUT, env=env)
        deadline = time.monotonic() + START_S
        while ":67 " not in self.net.run(GATEWAY, ["ss", "--listening", "--udp", "--numeric", "--no-header"]).stdout:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{argv[0]} does not listen:\n{log.read_text()[-4000:]}")
            time.sleep(0.05)
        return server

    def listen(self, argv: list[str], output: IO[Any]) -> subprocess.Popen[bytes]:
        """Start a program beside the load generator."""
        return self.net.spawn(PHONES, argv, stdout=output, stderr=subprocess.DEVNULL)
