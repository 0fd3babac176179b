"""Files of a baresip directory: ``config``, ``accounts``, ``contacts`` and ``uuid``, so that an unchanged program boots from us.

baresip takes the first line of a name: what the phone's class adds stands before what follows from the lease, and wins.
A line of the class that begins with ``;`` is a parameter, and stands in each account.
"""

from voxpath.flow.rendering import added_lines, media_ports, signalling_port
from voxpath.model.phone import Provision
from voxpath.model.user import Showing, SipAccount

FORM = "baresip 1"
"""First word: who reads it; second: the version of the form."""

MODULES = "/usr/lib/baresip/modules"
"""Where Debian and its descendants keep them."""

DNS_PORT = 53


def config(provision: Provision) -> str:
    """Addresses and ports; a phone that shows its combination address names the public one in its session descriptions.

    With the shim the public address is the phone's own, and it listens there.
    """
    lease, block, showing = provision.lease, provision.block, _showing(provision)
    own = block.public if showing is Showing.SELF else lease.address
    media = media_ports(block)
    return _lines(
        *(line for line in added_lines(provision) if not line.startswith(";")),
        f"sip_listen {own}:{signalling_port(block)}",
        f"net_interface {lease.address if showing is Showing.NOT else block.public}",
        f"rtp_ports {media[0]}-{media[-1]}",
        *(f"dns_server {server}:{DNS_PORT}" for server in provision.scope.dns),
        f"module_path {MODULES}",
        "module g711.so",
        "module_tmp uuid.so",
        "module_tmp account.so",
        "module_app contact.so",
        "module_app menu.so",
    )


def accounts(provision: Provision) -> str:
    """A line for each user of the phone."""
    more = "".join(line for line in added_lines(provision) if line.startswith(";"))
    return _lines(*(_account(account, more) for account in provision.accounts))


def _account(account: SipAccount, more: str) -> str:
    password = f";auth_pass={account.user.password}" if account.user.password else ""
    return f"<sip:{account.uri}>{more}{password};regint={account.expires_s};audio_codecs=PCMA,PCMU"


def contacts(provision: Provision) -> str:
    """An empty list: baresip makes one with strangers in it when it finds none."""
    return _lines()


def uuid(provision: Provision) -> str:
    """The phone's instance identifier, which makes its binding the same after a reboot (RFC 5626 section 4.1).

    It is a version 1 UUID of the phone's Ethernet address at time 0 (RFC 9562 section 5.1).
    """
    return f"00000000-0000-1000-8000-{provision.lease.mac.hex()}"


def _showing(provision: Provision) -> Showing:
    return provision.accounts[0].user.showing if provision.accounts else Showing.NOT


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in (f"# {FORM}", *lines))
