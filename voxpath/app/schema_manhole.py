"""The section of the manhole; :mod:`voxpath.app.schema` has the whole file."""

from typing import Annotated

from voxpath.app.kinds import EndpointText
from voxpath.app.section import Section, doc


class Manhole(Section, frozen=True):
    """Python inside the running process, for its developers: whoever may log in can do everything that the process can.

    It is off until an address is given.
    """

    ssh: Annotated[
        tuple[EndpointText, ...], doc("Where it listens for SSH; only keys of `authorized_keys` are admitted.", ["127.0.0.1:2222"])
    ] = ()
    authorized_keys: Annotated[
        str,
        doc(
            "Public keys that are admitted, one a line as in OpenSSH's `.pub` files, read at each login; "
            "a relative path lies in `state`.",
            "/etc/voxpath/authorized_keys",
            min_length=1,
        ),
    ] = "manhole/authorized_keys"
    host_key: Annotated[
        str,
        doc(
            "The server's own private key, made at the first start; a relative path lies in `state`.",
            "/etc/voxpath/host_key",
            min_length=1,
        ),
    ] = "manhole/host_key"
    telnet: Annotated[
        tuple[EndpointText, ...], doc("Where it listens for telnet; addresses of loopback only.", ["127.0.0.1:2323"])
    ] = ()
    passwords: Annotated[
        str,
        doc(
            "Users of telnet, as `voxpath manhole-password USER` makes the lines; a relative path lies in `state`.",
            "/etc/voxpath/passwords",
            min_length=1,
        ),
    ] = "manhole/passwords"
