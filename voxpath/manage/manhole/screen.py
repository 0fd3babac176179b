"""A visitor's screen: line editing on his terminal, or plain lines where he has none."""

from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any

from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.recvline import HistoricRecvLine
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure

from voxpath.manage.manhole.gate import Visit
from voxpath.manage.manhole.python import LINE_LIMIT, TOO_LONG, Names, Python

HISTORY_LIMIT = 100
"""Lines that the arrow keys bring back."""

SEQUENCE_LIMIT = 32
"""Octets of one control sequence from a terminal."""

BANNER = "voxpath: Python inside the running process; every line goes to the log. help() tells the names, Ctrl-D leaves."

SILENT = Logger("voxpath.manhole", observer=LogPublisher())
"""For what Twisted would log of its own accord: strangers cause most of it, and our own events tell what matters."""

NO_TEXT = "the line holds octets that are no printable characters in UTF-8"
INCOMPLETE = "the last statement is not complete"
"""Why a line is refused."""

CTRL_A, CTRL_C, CTRL_D, CTRL_E, CTRL_H, CTRL_L, CTRL_U = b"\x01", b"\x03", b"\x04", b"\x05", b"\x08", b"\x0c", b"\x15"

Close = Callable[[int], None]
"""Ends the visit, with an exit status for the client."""


class Keyboard(ServerProtocol):
    """Turns octets of a terminal into keys and back."""

    def dataReceived(self, data: bytes) -> None:
        """Take octets; a control sequence without end is given up."""
        for at in range(0, len(data), SEQUENCE_LIMIT):
            super().dataReceived(data[at : at + SEQUENCE_LIMIT])
            if self.state == b"bracket-escaped" and len(self.escBuf) > SEQUENCE_LIMIT:
                self.state = b"data"

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size now."""
        if self.terminalProtocol is not None:
            self.terminalProtocol.terminalSize(columns, rows)


class Screen(HistoricRecvLine):
    """Line editing: arrow keys, history, Ctrl-C gives up a line, Ctrl-D leaves.

    :ivar python: what the lines go to.
    """

    _log = SILENT

    def __init__(self, visit: Visit, names: Names, close: Close) -> None:
        super().__init__()
        self.python = Python(visit, names, self)
        self._close = close
        self._refused = ""
        self._octets = b""
        self._gone = False

    @classmethod
    def on(cls, transport: Any, visit: Visit, names: Names, close: Close) -> Keyboard:
        """Connect a screen to a transport; give what takes the transport's octets."""
        keyboard = Keyboard(cls, visit, names, close)
        keyboard.makeConnection(transport)
        return keyboard

    def initializeScreen(self) -> None:
        """Greet; the visitor's terminal keeps what it shows."""
        self.keyHandlers |= {
            CTRL_A: self.handle_HOME,
            CTRL_C: self._interrupt,
            CTRL_D: self._end_of_file,
            CTRL_E: self.handle_END,
            CTRL_H: self.handle_BACKSPACE,
            CTRL_L: self._clear,
            CTRL_U: self._rub_out,
        }
        self.setInsertMode()
        self.terminal.write(f"{BANNER}\n")
        self._prompt()

    def terminalSize(self, width: int, height: int) -> None:
        """Note the terminal's size; what stands on it stays."""
        self.width, self.height = width, height

    def keystrokeReceived(self, keyID: Any, modifier: Any) -> None:
        """Take a key; characters beyond ASCII come octet by octet (UTF-8), and are put together first."""
        if not isinstance(keyID, bytes) or (keyID < b"\x80" and not self._octets):
            super().keystrokeReceived(keyID, modifier)
            return
        self._octets += keyID
        try:
            character = self._octets.decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                return
            character = ""
        octets, self._octets = self._octets, b""
        if character.isprintable() and character:
            self.characterReceived(octets, False)
            return
        self._refused = NO_TEXT
        if keyID < b"\x80":
            super().keystrokeReceived(keyID, modifier)

    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        """Add a character to the line; what is beyond the limit makes the line one that is not run."""
        if len(self.lineBuffer) < LINE_LIMIT:
            super().characterReceived(ch, moreCharactersComing)
        else:
            self._refused = TOO_LONG

    def handle_RETURN(self) -> None:
        """Take the line, unless part of it is missing: the rest may mean something else."""
        del self.historyLines[:-HISTORY_LIMIT]
        if self._refused:
            why = self._refused
            self._empty()
            self.terminal.nextLine()
            self.python.refuse(why)
            self._prompt()
        else:
            super().handle_RETURN()

    def handle_TAB(self) -> None:
        """Indent."""
        for _ in range(self.TABSTOP - len(self.lineBuffer) % self.TABSTOP):
            self.characterReceived(b" ", False)

    def lineReceived(self, line: bytes) -> None:
        """Run a line."""
        self.python.line(line.decode())
        if not self._gone:
            self._prompt()

    def show(self, text: str, late: bool) -> None:
        """Show a text, above the line that is being typed if there is one."""
        if self._gone:
            return
        if late:
            self.terminal.write("\r")
            self.terminal.eraseLine()
        self.terminal.write(text)
        if late:
            self._prompt()
            typed, after = b"".join(self.lineBuffer), len(self.lineBuffer) - self.lineBufferIndex
            self.terminal.write(typed)
            if after:
                self.terminal.cursorBackward(after)

    def close(self, status: int) -> None:
        """Let the visitor go, with his terminal as it was."""
        if not self._gone:
            self.setTypeoverMode()
            self._gone = True
            self._close(status)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The visitor is gone."""
        self._gone = True

    def _prompt(self) -> None:
        self.pn = int(self.python.more)
        if not self.terminal.lastWrite.endswith(b"\n"):
            # The output of a print without an end of line.
            self.terminal.nextLine()
        self.terminal.write(self.ps[self.pn])

    def _interrupt(self) -> None:
        self.python.forget()
        self._empty()
        self.terminal.write("^C\n")
        self._prompt()

    def _end_of_file(self) -> None:
        if not self.lineBuffer:
            self.terminal.nextLine()
            self.close(0)

    def _clear(self) -> None:
        self.terminal.eraseDisplay()
        self.terminal.cursorHome()
        self.drawInputLine()

    def _rub_out(self) -> None:
        self.handle_HOME()
        self.terminal.eraseToLineEnd()
        self._empty()

    def _empty(self) -> None:
        self.lineBuffer, self.lineBufferIndex = [], 0
        self._refused, self._octets = "", b""

    def _deliverBuffer(self, buf: bytes) -> None:
        """Twisted's own takes a line of the history apart into octets."""
        for character in buf.decode():
            self.characterReceived(character.encode(), False)


class Lines:
    """Plain lines, for scripts: no prompt, no echo.

    :ivar python: what the lines go to.
    """

    def __init__(self, write: Callable[[bytes], None], visit: Visit, names: Names, close: Close) -> None:
        self.python = Python(visit, names, self)
        self._write = write
        self._close = close
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._part = ""

    def dataReceived(self, data: bytes) -> None:
        """Run the lines that are complete."""
        *lines, self._part = (self._part + self._decoder.decode(data)).split("\n")
        for line in lines:
            self.python.line(line.rstrip("\r"))
        if len(self._part) > LINE_LIMIT:
            self.python.line(self._part)
            self.close(1)

    def end(self) -> None:
        """Run what is left, unless it was cut off; leave when nothing is waited for any more."""
        for line in filter(None, (self._part, "\n" if self.python.more or self._part else "")):
            self.python.line(line.rstrip("\n"))
        self._part = ""
        if self.python.more:
            self.python.refuse(INCOMPLETE)
        self.python.when_done(lambda: self.close(self.python.status))

    def show(self, text: str, late: bool) -> None:
        """Show a text."""
        self._write(text.encode(errors="backslashreplace"))

    def close(self, status: int) -> None:
        """Let the visitor go."""
        self._close(status)
