"""What a phone reads in a server's answer (PHN-6, PHN-18)."""

from ipaddress import IPv4Address

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, INFINITE_S, Message
from voxpath.dhcp.options import read_assignment
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import BootLease, OwnAddress

SERVER = "server identifier (54)"
PORTS = "port range (43.1 or 224)"
MGCS = "MGC list (43.2 or 225)"


def lease_of(mac: Mac, message: Message, registers: bool) -> BootLease | tuple[str, ...]:
    """The lease that a message gives, or the names of what it lacks."""
    mask = message.address(code.SUBNET_MASK)
    server = message.address(code.SERVER_ID)
    lease_s = message.number(code.LEASE_TIME, 4)
    tftp = _tftp(message)
    given = read_assignment(message.options)
    necessary = {
        "address": message.yiaddr != ANY,
        "subnet mask (1)": mask is not None,
        "lease time (51)": lease_s is not None,
        SERVER: server is not None,
        "TFTP server (66)": bool(tftp) or not registers,
        PORTS: given.block is not None,
        MGCS: bool(given.mgcs) or not registers,
    }
    if mask is None or lease_s is None or server is None or given.block is None or not all(necessary.values()):
        return tuple(name for name, there in necessary.items() if not there)
    return BootLease(
        mac=mac,
        address=message.yiaddr,
        prefix_length=_prefix_length(mask),
        router=_router(message),
        server=server,
        lease_s=lease_s,
        tftp=tftp,
        boot_file=_boot_file(message),
        block=given.block,
        mgcs=given.mgcs,
        dns=message.addresses(code.DNS_SERVER),
        domain=printable(message.text(code.DOMAIN)),
        host_name=printable(message.text(code.HOST_NAME)),
    )


def told_of(own: OwnAddress, message: Message, registers: bool) -> BootLease | tuple[str, ...]:
    """What a phone with an address of its own has by hand and by the ACK of its INFORM, or the names of what it lacks (PHN-18).

    What a person told it comes first; it never ends (RFC 2131 section 4.3.5: the ACK has no address and no lease time).
    """
    server = message.address(code.SERVER_ID)
    given = read_assignment(message.options)
    block, mgcs = own.block or given.block, own.mgcs or given.mgcs
    necessary = {SERVER: server is not None, PORTS: block is not None, MGCS: bool(mgcs) or not registers}
    if server is None or block is None or not all(necessary.values()):
        return tuple(name for name, there in necessary.items() if not there)
    return BootLease(
        mac=own.mac,
        address=own.address,
        prefix_length=own.prefix_length,
        router=own.router or _router(message),
        server=server,
        lease_s=INFINITE_S,
        tftp=own.tftp or _tftp(message),
        boot_file=own.boot_file or _boot_file(message),
        block=block,
        mgcs=mgcs,
        dns=message.addresses(code.DNS_SERVER),
        domain=printable(message.text(code.DOMAIN)),
        host_name=printable(message.text(code.HOST_NAME)),
    )


def _router(message: Message) -> IPv4Address | None:
    routers = message.addresses(code.ROUTER)
    return routers[0] if routers else None


def _boot_file(message: Message) -> str:
    return printable(message.text(code.BOOT_FILE) or message.file.decode("ascii", "replace"))


def _tftp(message: Message) -> str:
    """Option 66, else the server's name, else siaddr: different servers use different ones."""
    name = message.text(code.TFTP_SERVER) or message.sname.decode("ascii", "replace")
    if name:
        return printable(name)
    return str(message.siaddr) if message.siaddr != ANY else ""


def _prefix_length(mask: IPv4Address) -> int:
    inverse = int(mask) ^ 0xFFFFFFFF
    if inverse & (inverse + 1):
        raise RemoteError(f"{mask} is no subnet mask", section="RFC 2132 section 3.3")
    return 32 - inverse.bit_length()
