"""The configuration of a gateway that leases addresses and ports: what live tests share, around what each of them is about."""

from collections.abc import Iterable

from tests.live.sites import SITE_A

REALM = "site"
PHONES = "02:00:00:00:00:00-02:00:00:ff:ff:ff"
"""The Ethernet addresses of the tests' phones."""
ONE_LINE = """
[[class]]
name = "one-line"
vendor_classes = ["voxpath-phone"]
ports = 64
"""


def gateway(
    *tables: str,
    private: Iterable[str] = ("10.0.0.0/24",),
    public: Iterable[str] = (SITE_A.public,),
    ports: tuple[int, int] = (20480, 24575),
    inside: Iterable[str] = ("lan0",),
    macs: Iterable[str] = (PHONES,),
    dhcp: str = "",
) -> str:
    """A gateway of one realm that serves DHCP and translates in the kernel, and does nothing else.

    :param tables: scopes, classes and whatever else stands in tables of its own.
    :param ports: first and last port of the pool that each public address has.
    :param macs: the Ethernet addresses that are served.
    :param dhcp: further lines of ``[dhcp]``.
    """
    addresses = tuple(public)
    pools = "".join(f'[[pool]]\npublic = "{address}"\nports = {list(ports)}\nrealm = "{REALM}"\n' for address in addresses)
    return f"""
[[realm]]
name = "{REALM}"
private = {_list(private)}
public = {_list(addresses)}
{pools}
[dhcp]
macs = {_list(macs)}
{dhcp}
{"".join(tables)}
[tftp]
enabled = false
[nat]
backend = "nftables"
inside = {_list(inside)}
outside = ["wan0"]
[mgc]
enabled = false
"""


def scope(name: str, interface: str, network: str, first: int, last: int, more: str = "") -> str:
    """A scope of a /24, whose first three numbers are ``network``; the gateway is .1 there.

    :param more: further lines of it.
    """
    return f"""
[[scope]]
name = "{name}"
interface = "{interface}"
subnet = "{network}.0/24"
server = "{network}.1"
range = ["{network}.{first}", "{network}.{last}"]
realm = "{REALM}"
{more}
"""


def far_scope(first: int = 11, last: int = 99) -> str:
    """The scope ``far``: phones beyond the relay that :meth:`tests.live.bench.Bench.add_relay` puts behind ``trunk0``."""
    return f"""
[[scope]]
name = "far"
interface = "trunk0"
subnet = "10.2.0.0/24"
server = "10.9.0.1"
router = "10.2.0.1"
relays = ["10.2.0.1", "10.9.0.2"]
range = ["10.2.0.{first}", "10.2.0.{last}"]
realm = "{REALM}"
"""


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"
