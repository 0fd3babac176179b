"""Sets the shim up in the network namespace of this process, and takes it away again; what it consists of tells ``shim_rules``.

Nothing is kept in files: the kernel's table holds the record of what stood before, and vanishes with its namespace.
"""

import json
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.utils import getProcessOutputAndValue

from voxpath.app import shim_lease, shim_rules
from voxpath.app.shim_rules import Record
from voxpath.core.errors import LocalError
from voxpath.model.event import Event, printable
from voxpath.natreactor.claim import claim
from voxpath.natreactor.event import HostSetting
from voxpath.natreactor.host import PREFIX, SYSCTL, prepare
from voxpath.natreactor.libnftables import Nftables
from voxpath.phone.event import ShimDown as ShimGone
from voxpath.phone.event import ShimNotRemoved
from voxpath.phone.host import ShimDown, ShimDrops, ShimLook, ShimUp

LINE_STATES = (" linkdown", " dead")
"""What ``ip`` adds to routes while a cable is out: nobody touched them."""


class ShimHost:
    """The shim of this network namespace; it belongs to one process.

    :param tell: takes events.
    :param sysctl: where kernel parameters are.
    :raises LocalError: another process has a shim here, or libnftables is missing.
    """

    def __init__(self, tell: Callable[[Event], None], sysctl: Path = SYSCTL) -> None:
        self._tell = tell
        self._sysctl = sysctl
        self._turns = DeferredLock()
        self._shown = ""
        self._mine: Record | None = None
        self._kernel = Nftables()
        try:
            self._claim = claim(shim_rules.TABLE)
        except LocalError:
            self._kernel.close()
            raise LocalError("another process has a shim in this network namespace: stop it, or run this one elsewhere") from None

    def turn(self, step: Callable[[], "Deferred[object]"]) -> "Deferred[object]":
        """Do one thing after the other: an address must not come back before the shim over the old one is away."""
        return self._turns.run(step)

    async def close(self) -> None:
        """Wait for what is under way, and let go of the namespace."""
        await self._turns.acquire()
        self._kernel.close()
        self._claim.close()

    async def answer(self, question: ShimUp | ShimLook | ShimDown) -> object:
        """Do what the phone asks for.

        :raises LocalError: it cannot be done.
        """
        match question:
            case ShimUp():
                return await self.up(question)
            case ShimLook():
                return await self.look()
            case ShimDown():
                await self.down(question)
                return None

    async def up(self, wanted: ShimUp) -> bool:
        """Set the shim up; tell whether the one of an earlier run stood already.

        :raises LocalError: it cannot be set up; then nothing is left, not even what an earlier run had set up.
        """
        try:
            shim_lease.check(wanted)
            if await self._stands(wanted):
                return True
            await self._take_away()
            await self._set_up(wanted)
        except LocalError:
            with suppress(LocalError):
                await self._take_away()
            raise
        return False

    async def down(self, gone: ShimDown) -> None:
        """Take the shim away, if there is one; a failure is told to the operator, since the phone has gone on."""
        try:
            stood = await self._take_away()
        except LocalError as error:
            self._tell(ShimNotRemoved(phone=str(gone.mac), reason=printable(str(error))))
            return
        if stood:
            self._tell(ShimGone(phone=str(gone.mac), combination=str(gone.block)))

    async def look(self) -> ShimDrops:
        """What it dropped.

        :raises LocalError: somebody has changed or removed a part of it, in the kernel's table or around it.
        """
        try:
            listed = self._kernel.read(f"list counters table ip {shim_rules.TABLE}")
            shown = await self._show()
        except LocalError as error:
            raise LocalError(f"somebody removed a part of it: {error}") from None
        if shown != self._shown:
            raise LocalError("somebody changed its rules or its routes")
        found = {part["counter"]["name"]: part["counter"]["packets"] for part in listed if "counter" in part}
        return ShimDrops(found.get(shim_rules.UNLEASED, 0), found.get(shim_rules.BOGON, 0))

    async def _stands(self, wanted: ShimUp) -> bool:
        """Whether an earlier run left this very shim, and left it whole."""
        record = self._record()
        if record is None or not record.standing:
            return False
        with suppress(LocalError):
            self._shown = await self._show()
            if record.standing == _standing(wanted, self._shown):
                self._mine = record
                return True
        return False

    async def _set_up(self, wanted: ShimUp) -> None:
        """The table first: from the first packet on that could show the public address it is translated."""
        after = shim_rules.parameters(wanted)
        before = {key: self._get(key) for key in after}
        self._mine = Record("", before)
        self._kernel.run(shim_rules.ruleset(wanted, before))
        settings = tuple(HostSetting(key=PREFIX + key, before=before[key], after=value) for key, value in after.items())
        prepare(settings, self._sysctl)
        await _ip(shim_rules.up(wanted))
        self._shown = await self._show()
        self._kernel.run(shim_rules.finished(_standing(wanted, self._shown)))
        for setting in settings:
            self._tell(setting)

    async def _take_away(self) -> bool:
        """Put everything back, as far as possible; tell whether there was anything.

        :raises LocalError: something is still there, why in one line.
        """
        # Whoever flushed the kernel's rules took the record with them, and whoever changed it is not to be followed.
        record = self._mine or self._record() or Record("", {})
        rules: Sequence[dict[str, Any]] = json.loads(await _ip(["rule show"], "-N", "-j") or "[]")
        lines = shim_rules.down(rules, bool(await _ip(shim_rules.SHOW_ROUTES)), _there(shim_rules.DEVICE))
        try:
            if lines:
                await _ip(lines, "-force")
        finally:
            self._put_back(record)
            self._kernel.run(shim_rules.remove())
            self._mine = None
        return bool(record.before or lines)

    def _record(self) -> Record | None:
        """What an earlier run recorded; ``None``: there is no such table, or its record is not ours.

        Tables are not listed: nft 1.0.6 writes broken JSON when one of them, whosever it is, belongs to its maker alone.
        """
        try:
            return shim_rules.read_record(self._kernel.read(f"list set ip {shim_rules.TABLE} record"))
        except (LocalError, ValueError, KeyError, TypeError):
            return None

    def _put_back(self, record: Record) -> None:
        """Interfaces may be gone, and their parameters with them."""
        there = {key: value for key, value in record.before.items() if (self._sysctl / key).exists()}
        settings = (HostSetting(key=PREFIX + key, before=self._get(key), after=value) for key, value in there.items())
        prepare(tuple(settings), self._sysctl)

    def _get(self, key: str) -> str:
        try:
            return " ".join((self._sysctl / key).read_text(encoding="ascii").split())
        except OSError as error:
            raise LocalError(f"{PREFIX}{key} cannot be read: {error.strerror}") from None

    async def _show(self) -> str:
        """The chains of the table, and rules and routes; the text is the same as long as nobody touches them.

        :raises LocalError: one of the chains is gone.
        """
        chains = "".join(self._kernel.text(f"list chain ip {shim_rules.TABLE} {name}") for name in shim_rules.CHAINS)
        shown = await _ip(shim_rules.SHOW)
        for state in LINE_STATES:
            shown = shown.replace(state, "")
        return chains + shown


def _standing(wanted: ShimUp, shown: str) -> str:
    return f"{shim_rules.describe(wanted)}; {sha256(shown.encode()).hexdigest()[:16]}"


def _there(interface: str) -> bool:
    return any(name == interface for _, name in socket.if_nameindex())


async def _ip(lines: Sequence[str], *options: str) -> str:
    """Run commands by one ``ip``; give its output.

    :raises LocalError: with the command that failed, and ip's own words.
    """
    arguments = ("-4", *options, "-batch", "-")
    text = "".join(f"{line}\n" for line in lines).encode()
    output, error, code = await getProcessOutputAndValue("ip", arguments, env=None, stdinBytes=text)
    if code:
        raise LocalError(f"ip: {failure(lines, error.decode(errors='replace'))}")
    return str(output, "utf-8", "replace")


def failure(lines: Sequence[str], error: str) -> str:
    """What ``ip -batch`` complains of, in one line: its words, and the command they are about."""
    words = [line.strip() for line in error.splitlines() if line.strip()] or ["refused without a word"]
    failed = next((line.rpartition(":")[2] for line in words if line.startswith("Command failed")), "")
    number = int(failed) if failed.isdecimal() else 0
    command = f" ({lines[number - 1]})" if 0 < number <= len(lines) else ""
    return printable(words[0]) + command
