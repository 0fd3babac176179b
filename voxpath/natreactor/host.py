"""The kernel parameters that a gateway needs; these few are set, nothing else of the machine is touched.

``/proc/sys/net`` shows the network namespace of the caller.
"""

from pathlib import Path

from voxpath.core.errors import LocalError
from voxpath.natreactor.event import HostSetting
from voxpath.natreactor.interface import Outside

SYSCTL = Path("/proc/sys/net/ipv4")

LOOSE = "2"
STRICT = 1


def prepare(outside: Outside, root: Path = SYSCTL) -> tuple[HostSetting, ...]:
    """Set what is not yet right; give what was changed.

    Packets are forwarded.
    No ICMP redirect is sent: a packet that turns back at the gateway (hairpin) would cause one for each call.
    Strict reverse-path filtering becomes loose: behind two uplinks a reply may come by the other one.

    :raises LocalError: an interface does not exist, or the rights are missing.
    """
    changed = [_set(root, "ip_forward", "1"), _set(root, "conf/all/send_redirects", "0")]
    changed += [_set(root, f"conf/{name}/send_redirects", "0") for name in outside.inside]
    # The stricter of "all" and the interface's own value counts.
    everywhere = int(_get(root, "conf/all/rp_filter"))
    for name in (*outside.inside, *outside.outside):
        key = f"conf/{name}/rp_filter"
        if max(everywhere, int(_get(root, key))) == STRICT:
            changed.append(_set(root, key, LOOSE))
    return tuple(event for event in changed if event is not None)


def _get(root: Path, key: str) -> str:
    try:
        return (root / key).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise LocalError(f"net.ipv4.{key.replace('/', '.')} does not exist: is the interface there?") from None


def _set(root: Path, key: str, value: str) -> HostSetting | None:
    before = _get(root, key)
    if before == value:
        return None
    name = f"net.ipv4.{key.replace('/', '.')}"
    try:
        (root / key).write_text(value, encoding="ascii")
    except OSError as error:
        raise LocalError(f"{name} is {before} and cannot be set to {value}: {error.strerror}") from None
    return HostSetting(key=name, before=before, after=value)
