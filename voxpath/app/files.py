"""The role ``tftp``: images from a directory, a configuration file for each phone, rendered from its lease, and drop boxes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from voxpath.app import values, values_sip
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.app.schema import Config
from voxpath.app.template_watch import TemplateWatch
from voxpath.flow.files import DIRECTORY, FilePolicy, Image, Listed
from voxpath.flow.uploads import UploadPolicy
from voxpath.io.driver import Driver
from voxpath.io.files import FileSource
from voxpath.io.gathered import Gathered
from voxpath.io.ports import UdpPorts
from voxpath.io.room import Limits
from voxpath.io.uploads import Uploads
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import FileRow
from voxpath.model.address import is_mac
from voxpath.model.event import printable
from voxpath.model.phone import Provision
from voxpath.provision.table import Shelf
from voxpath.tftp.question import Admit, Keep, Refused
from voxpath.tftp.server import TftpServer
from voxpath.tftp.session import PORT

PATTERN = "any name of this pattern"
"""Said of a row that stands for many names, of which the directory may hold some; the size is that of one that is rendered."""


class Leases(Protocol):
    """What the file server needs to know of leases."""

    def phone_at(self, address: str, port: int) -> str:
        """The identity of the phone that holds this address, and this port of it if it is shared; empty: nobody known."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now."""


class FileRole(Role):
    """Serves files, and keeps what phones write.

    :ivar uploads: the phones' drop boxes; ``None``: nobody may write, or the role does not run.
    :ivar policy: which file is for whom; ``None`` before the role ran.
    """

    def __init__(self, node: Node, leases: Leases) -> None:
        super().__init__("tftp", node.clock, node.bus)
        self._node = node
        self._leases = leases
        self.uploads: Uploads | None = None
        self.policy: FilePolicy | None = None
        self._watch: TemplateWatch | None = None
        self._core: TftpServer | None = None
        redundancy = node.config.redundancy
        self._active = redundancy.peer if redundancy.role == "standby" else ""

    async def begin(self) -> None:
        """Listen on every configured address."""
        node, config = self._node, self._node.config
        reactor: Any = node.reactor
        self._watch = TemplateWatch(config, self.clock, self.bus, self._in_thread, self._use)
        self.policy = self.make_policy(config, self._watch.start())
        source = FileSource(self.policy, str(values.in_state(config, config.tftp.root)), self._in_thread)
        self.uploads = self._boxes(config)
        self._core = core = TftpServer(self._leases, node.entropy, values.tftp_settings(config))
        ports = UdpPorts(Gathered(reactor), self.restart)
        answer = answerer(source, self.uploads)
        driver = Driver(self.role, core, node.clock, node.bus, ports=ports, answer=answer, on_fault=self.fault)
        node.own(self.role, driver)
        for text in config.tftp.listen:
            ports.open(PORT, text.endpoint, driver.feed)

    async def end(self) -> None:
        """Finish the commits and close every port; transfers under way end."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        await self._node.stop_drivers(self.role)
        self.uploads = None

    def rows(self, phone: str) -> Iterable[FileRow]:
        """The files that a phone would be given (TFT-9)."""
        return [self._row(entry) for entry in self._known("files", phone).listed(phone)]

    def text(self, phone: str, name: str, secrets: bool) -> str:
        """The text of a file that is rendered for a phone."""
        choice = self._known("render", phone).shown(phone, name, masked=not secrets)
        if isinstance(choice, Image):
            found = choice.otherwise
            if found is None or self._octets(choice.name) is not None:
                path = values.in_state(self._node.config, self._node.config.tftp.root) / choice.name
                raise CommandError("render", f"{printable(name, 100)!r} is not rendered", f"look for {printable(str(path))}")
            choice = found
        if isinstance(choice, Refused):
            raise CommandError("render", choice.detail or choice.reason, "see files and the reference of phones' files")
        return choice.content.decode("utf-8", "replace")

    def _known(self, verb: str, phone: str) -> FilePolicy:
        if self.policy is None:
            raise CommandError(verb, "the file server is not running", "see roles and events for the reason")
        if self._active:
            raise CommandError(verb, "this is a standby, which makes no files for phones", f"ask {printable(self._active, 64)}")
        if not is_mac(phone):
            raise CommandError(verb, f"{printable(phone, 40)!r} is no Ethernet address", "write for example 02:00:00:00:0a:01")
        if self._leases.provision_of(phone) is None:
            raise CommandError(verb, f"{printable(phone, 40)} holds no lease", "see leases")
        return self.policy

    def _row(self, entry: Listed) -> FileRow:
        choice, name, origin, note = entry.choice, entry.name, entry.origin, PATTERN if entry.is_pattern else ""
        if isinstance(choice, Image) and not (entry.is_pattern and choice.name != origin):
            octets = self._octets(choice.name)
            if octets is not None or choice.otherwise is None:
                return FileRow(name, DIRECTORY, octets, note if octets is not None else f"there is no {choice.name}")
        if isinstance(choice, Image):
            # Of a pattern whose names are files of their own it is not known which one the phone asks for.
            if choice.otherwise is None:
                return FileRow(name, DIRECTORY, None, f"{PATTERN} for which there is {origin}")
            choice = choice.otherwise
        if isinstance(choice, Refused):
            return FileRow(name, origin, None, choice.detail or choice.reason)
        return FileRow(name, origin, len(choice.content), note)

    def _octets(self, name: str) -> int | None:
        """The size of a file of the directory; ``None``: there is none."""
        path = values.in_state(self._node.config, self._node.config.tftp.root) / name
        try:
            return path.stat().st_size if path.is_file() else None
        except (OSError, ValueError):
            return None

    def silent(self) -> Mapping[str, int]:
        """How many requests were refused: for files of other phones (TFT-9), and for want of room (TFT-5, TFT-2)."""
        misused = self.policy.misused if self.policy is not None else 0
        refused, dropped = (self._core.no_room, self._core.dropped) if self._core is not None else (0, 0)
        where = "a phone asked this standby for its own file" if self._active else ""
        return {
            where or "somebody asked for the file of a phone whose lease he lacks": misused,
            "an upload was too large, or there was no room for it": refused,
            "a request got no answer, since too many transfers were running": dropped,
        }

    def make_policy(self, config: Config, shelf: Shelf) -> FilePolicy:
        """Which file is for whom."""
        return FilePolicy(self._leases, values_sip.accounts(config), values.shared_files(config), shelf, self._active)

    def _use(self, shelf: Shelf) -> None:
        if self.policy is not None:
            self.policy.use(shelf)

    def _boxes(self, config: Config) -> Uploads | None:
        options = config.tftp
        if not options.uploads:
            return None
        root, images = (str(values.in_state(config, path)) for path in (options.uploads, options.root))
        limits = Limits(options.upload_octets, options.upload_quota, options.upload_total, options.upload_floor)
        return Uploads(UploadPolicy(self._leases, self._active), root, images, limits, self._in_thread)

    def _in_thread(self, work: Callable[[], Any]) -> "Deferred[Any]":
        reactor: Any = self._node.reactor
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)


def answerer(source: FileSource, uploads: Uploads | None) -> Callable[[object], "Deferred[object]"]:
    """Who answers which question of the file server."""

    def answer(question: object) -> "Deferred[object]":
        if isinstance(question, Admit | Keep):
            assert uploads is not None, "the core refuses every write"
            return uploads.answer(question)
        return source.answer(question)

    return answer
