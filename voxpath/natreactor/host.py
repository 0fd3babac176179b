"""The kernel parameters that a gateway needs; these few are set, nothing else of the machine is touched.

``/proc/sys/net`` shows the network namespace of the caller.
"""

from contextlib import suppress
from pathlib import Path

from voxpath.core.errors import LocalError
from voxpath.natreactor.event import HostSetting
from voxpath.natreactor.interface import Outside

SYSCTL = Path("/proc/sys/net/ipv4")

PREFIX = "net/ipv4/"

LOOSE = "2"
STRICT = 1


def plan(outside: Outside, root: Path = SYSCTL) -> tuple[HostSetting, ...]:
    """What has to be changed; changes nothing yet.

    Packets are forwarded.
    No ICMP redirect is sent: a packet that turns back at the gateway (hairpin) would cause one for each call.
    Strict reverse-path filtering becomes loose: behind two uplinks a reply may come by the other one.

    :raises LocalError: an interface does not exist.
    """
    wanted = {"ip_forward": "1", "conf/all/send_redirects": "0"}
    wanted |= {f"conf/{name}/send_redirects": "0" for name in outside.inside}
    # The stricter of "all" and the interface's own value counts.
    everywhere = int(_get(root, "conf/all/rp_filter"))
    for name in (*outside.inside, *outside.outside):
        key = f"conf/{name}/rp_filter"
        if max(everywhere, int(_get(root, key))) == STRICT:
            wanted[key] = LOOSE
    settings = (HostSetting(key=_name(key), before=_get(root, key), after=value) for key, value in wanted.items())
    return tuple(setting for setting in settings if setting.before != setting.after)


def prepare(settings: tuple[HostSetting, ...], root: Path = SYSCTL) -> None:
    """Carry out a plan.

    :raises LocalError: the rights are missing.
    """
    for setting in settings:
        try:
            (root / setting.key.removeprefix(PREFIX)).write_text(setting.after, encoding="ascii")
        except OSError as error:
            reason = f"{setting.key} is {setting.before} and cannot be set to {setting.after}: {error.strerror}"
            raise LocalError(reason) from None


def forwards(root: Path = SYSCTL) -> bool:
    """Whether packets are forwarded.

    :raises LocalError: the kernel does not tell.
    """
    return _get(root, "ip_forward") != "0"


def prepare_device(name: str, root: Path = SYSCTL) -> None:
    """Let packets come by a device of our own from addresses that this host has, or that it reaches by another one.

    :raises LocalError: the rights are missing.
    """
    strict = int(_get(root, "conf/all/rp_filter")) == STRICT
    wanted = {"forwarding": "1", "accept_local": "1", "rp_filter": LOOSE if strict else "0"}
    settings = (HostSetting(key=_name(f"conf/{name}/{key}"), before="", after=value) for key, value in wanted.items())
    prepare(tuple(settings), root)
    with suppress(OSError):  # a kernel without IPv6 has nothing to say by it
        (root.parent / "ipv6/conf" / name / "disable_ipv6").write_text("1", encoding="ascii")


def _name(key: str) -> str:
    """As :manpage:`sysctl(8)` accepts it; interface names may hold dots, so the slashes stay."""
    return PREFIX + key


def _get(root: Path, key: str) -> str:
    try:
        return (root / key).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise LocalError(f"{_name(key)} does not exist: is the interface there?") from None
