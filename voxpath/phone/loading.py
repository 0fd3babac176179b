"""Figure 5B of the source document: the phone loads its software and its configuration (steps 542 to 584)."""

from ipaddress import AddressValueError, IPv4Address

from voxpath.core.effects import Ask, Datagram, Effect, Effects, Emit
from voxpath.core.retransmit import Entropy
from voxpath.core.timers import earliest
from voxpath.model.address import Endpoint
from voxpath.model.event import printable
from voxpath.model.phone import BootLease
from voxpath.phone.event import LoadFailed
from voxpath.phone.host import KeepImage, StoredImage
from voxpath.tftp.client import Download, Wanted

THRESHOLD = 4
"""More failed attempts than this end the loading (PHN-15)."""
PAUSE_S = 1.0
"""Longest pause between two attempts; the shortest is half of it, so that a floor of phones does not ask in step."""
KEEP = "keep"
"""Token of the question to keep the image."""


def server_address(text: str) -> bool:
    """Whether a file server is told by its address: a phone that boots can resolve no name."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def lacks_server(lease: BootLease, configuration: bool) -> tuple[str, ...]:
    """What a lease lacks to be loaded from: the file server has to be an address when there is something to load.

    :param configuration: whether the phone fetches its configuration from any file server that it is told of.
    """
    loads = bool(lease.boot_file) or (bool(lease.tftp) and configuration)
    return ("a TFTP server address",) if loads and not server_address(lease.tftp) else ()


def application_of(configuration: str) -> str:
    """What a configuration file has the phone load after it; empty: nothing."""
    lines = (line.partition("=") for line in configuration.splitlines())
    return next((value for name, _, value in lines if name == "application"), "")


class Loading:
    """Loads what is missing: first the image (TFT-8), then the configuration (TFT-9), then the application (TFT-10).

    :param stored: the image in the phone's own memory.
    :param configuration: whether the configuration is wanted too.
    :ivar given_up: whether it failed more often than it may (584).
    :ivar configuration: the text of the configuration; ``None`` before it is there.
    :ivar application: the application that the configuration names; ``None`` before it is there.
    """

    def __init__(self, lease: BootLease, stored: StoredImage | None, configuration: bool, tftp_port: int, entropy: Entropy) -> None:
        self._lease = lease
        self._wants_configuration = configuration
        self._tftp_port = tftp_port
        self._entropy = entropy
        self._downloads: dict[str, Download] = {}
        self._current: Download | None = None
        self._again_at: float | None = None
        self._failures = self._opened = 0
        self.stored = stored
        self.configuration: str | None = None
        self.application: bytes | None = None
        self.given_up = False

    @property
    def image(self) -> StoredImage | None:
        """The indicated image, if it is in local memory; an older one under another name is not it (PHN-19)."""
        stored = self.stored
        return stored if stored is not None and stored.name == self._lease.boot_file else None

    @property
    def missing(self) -> str:
        """Step 542: the next file to load; empty: none, or no server to load from."""
        lease = self._lease
        if not server_address(lease.tftp):
            return ""
        if lease.boot_file and self.image is None:
            return lease.boot_file
        if self._wants_configuration and self.configuration is None:
            return f"{lease.mac.hex()}.cfg"
        return application_of(self.configuration or "") if self.application is None else ""

    def request(self, now: float) -> Effects:
        """Steps 544 and 546: ask the server of the lease for what is missing (PHN-11)."""
        lease, name = self._lease, self.missing
        if not name:
            return []
        self._opened += 1
        wanted = Wanted(name, Endpoint(lease.tftp, self._tftp_port))
        local = Endpoint(str(lease.address), 0)
        download = Download(wanted, f"tftp/{self._opened}", local, self._entropy, str(lease.mac))
        self._downloads[download.port] = self._current = download
        return download.start(now)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a message of the server.

        :raises RemoteError: it is malformed.
        """
        download = self._downloads.get(datagram.port)
        if download is None:
            return []
        return [*download.receive(datagram, now), *self._follow(now)]

    def tick(self, now: float) -> Effects:
        """Repeat messages, try again after a pause, close ports."""
        effects: list[Effect] = []
        if self._again_at is not None and self._again_at <= now:
            self._again_at = None
            effects += self.request(now)
        for download in list(self._downloads.values()):
            due = download.next_due()
            if due is not None and due <= now:
                effects += download.tick(now)
        return [*effects, *self._follow(now)]

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return earliest(self._again_at, *(download.next_due() for download in self._downloads.values()))

    def port_failed(self, port: str, reason: str, now: float) -> Effects:
        """A local port could not be opened."""
        if self._downloads.pop(port, None) is None:
            return []
        self._current = None
        return self._count(self.missing, f"no local port: {reason}", now)

    def stop(self) -> Effects:
        """Close every port."""
        self._current = self._again_at = None
        effects = [effect for download in self._downloads.values() for effect in download.stop()]
        self._downloads.clear()
        return effects

    def _follow(self, now: float) -> Effects:
        """Steps 552 to 556: when a file is complete, keep it and go on to the next."""
        for port in [port for port, download in self._downloads.items() if download.over]:
            del self._downloads[port]
        current = self._current
        if current is None or current.ending is None:
            return []
        self._current = None
        if current.ending.reason:
            return self._count(current.wanted.name, current.ending.reason, now)
        return [*self._keep(current.wanted.name, current.content), *self.request(now)]

    def _keep(self, name: str, content: bytes) -> Effects:
        """Step 554: store what was loaded (PHN-12)."""
        self._failures = 0
        if name == self._lease.boot_file and self.image is None:
            self.stored = StoredImage(name, content)
            return [Ask(KeepImage(self._lease.mac, self.stored), KEEP)]
        if self._wants_configuration and self.configuration is None:
            self.configuration = content.decode("utf-8", "replace")
        else:
            self.application = content
        return []

    def _count(self, name: str, reason: str, now: float) -> Effects:
        """Steps 580 to 584: count the failure; ask again, or after more than four give up (PHN-13 to PHN-15)."""
        self._failures += 1
        if self._failures > THRESHOLD:
            self.given_up = True
        else:
            self._again_at = now + PAUSE_S * (1 - 0.5 * self._entropy.random())
        phone = str(self._lease.mac)
        return [Emit(LoadFailed(phone=phone, name=printable(name), attempt=self._failures, reason=printable(reason)))]
