"""Files for Twinkle: ``twinkle.cfg``, the profile of the phone's first user, and ``twinkle.sys``, the settings of the program.

Twinkle names its public address in Contact, Via and session descriptions when it is told to, so it needs neither shim nor GRUU.
Of two lines of one name it takes the last one: what the phone's class adds to ``twinkle.sys`` stands at the end.
"""

from voxpath.flow.rendering import added_lines, media_ports, signalling_port
from voxpath.model.phone import Provision
from voxpath.model.user import Showing

PROFILE = "twinkle"
"""The profile's name: that of its file, ``twinkle.cfg``."""


def profile(provision: Provision) -> str:
    """The profile of the phone's first user; without a user it names none."""
    if not provision.accounts:
        return ""
    account = provision.accounts[0]
    user = account.user
    shown = user.showing is not Showing.NOT
    values = {
        "user_name": user.name,
        "user_domain": account.host,
        "auth_name": user.name,
        "auth_pass": user.password,
        "registrar": account.host,
        "register_at_startup": "yes",
        "registration_time": account.expires_s,
        "use_nat_public_ip": "yes" if shown else "no",
        "nat_public_ip": provision.block.public if shown else "",
        "codecs": "g711a,g711u",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def system(provision: Provision) -> str:
    """Ports, and the profile to begin with."""
    values = {
        "sip_port": signalling_port(provision.block),
        "rtp_port": media_ports(provision.block)[0],
        "start_user_profile": PROFILE,
    }
    own = (f"{name}={value}" for name, value in values.items())
    return "".join(f"{line}\n" for line in (*own, *added_lines(provision)))
