"""A phone that does not exist: what templates are tried with before a real phone asks for its file."""

from ipaddress import IPv4Address, IPv4Network

from voxpath.model.address import Mac
from voxpath.model.phone import Lease, PhoneClass, Provision, Scope
from voxpath.model.ports import PortBlock
from voxpath.model.user import Showing, SipAccount, SipUser
from voxpath.provision.record import LOG_SERVERS, NTP_SERVERS, TIME_SERVERS, PhoneRecord, record_of

MAC = Mac.parse("02:00:5e:00:53:01")
SERVER = IPv4Address("192.0.2.1")
SCOPE = Scope(
    name="sample",
    interface="eth1",
    subnet=IPv4Network("192.0.2.0/24"),
    server=SERVER,
    first=IPv4Address("192.0.2.10"),
    last=IPv4Address("192.0.2.99"),
    realm="sample",
    dns=(SERVER,),
    domain="sample.example",
    options=tuple((code, SERVER.packed) for code in (TIME_SERVERS, LOG_SERVERS, NTP_SERVERS)),
)
CLASS = PhoneClass("sample", ("sample",), 64, 3600, "boot.bin", ("192.0.2.2",), application="application.bin")


def samples() -> tuple[PhoneRecord, ...]:
    """Records that differ in what templates ask about: users, how they show their address, and servers."""
    lease = Lease(MAC, b"", SCOPE.name, SCOPE.first, CLASS.name, "sample-phone", 0.0)
    block = PortBlock(IPv4Address("203.0.113.1"), 20032, CLASS.ports)
    full = Provision(lease, block, CLASS, SCOPE)
    bare = Provision(lease, block, PhoneClass("sample", ("sample",), 64, 3600), Scope(*_bare()))
    return (*(record_of(full, _users(showing)) for showing in Showing), record_of(bare))


def _users(showing: Showing) -> tuple[SipAccount, ...]:
    return tuple(
        SipAccount(SipUser(name, "voip.example", password, str(MAC), showing), port, 3600)
        for name, password, port in (("sample-1", "sample-password", 5060), ("sample-2", "", 5070))
    )


def _bare() -> tuple[str, str, IPv4Network, IPv4Address, IPv4Address, IPv4Address, str]:
    return SCOPE.name, SCOPE.interface, SCOPE.subnet, SCOPE.server, SCOPE.first, SCOPE.last, SCOPE.realm
