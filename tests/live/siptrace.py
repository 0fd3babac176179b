"""SIP messages as a test looks at them: text with headers, read without voxpath's own parser."""

import re
from typing import NamedTuple

PACKET = re.compile(r"UDP (\S+) -> (\S+)\r?\n(.*?)\x1b\[;m", re.DOTALL)
"""One message in what ``baresip -s`` prints; the address that a socket is bound to stands for the own one."""


class SipText(NamedTuple):
    """One message.

    :ivar first: the request line or the status line.
    :ivar headers: names in lower case and values, in their order.
    """

    first: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def header(self, name: str) -> str:
        """The first value of a header; empty when there is none."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def status(self) -> int:
        """The status code; 0: it is a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """The method, of a response that of its request."""
        return self.header("cseq").split()[-1] if self.status else self.first.split()[0]

    @property
    def contact_uri(self) -> str:
        """The URI of the first contact."""
        found = re.search(r"<([^>]*)>", self.header("contact"))
        return found[1] if found else ""


class Traced(NamedTuple):
    """A message that a phone sent or received, and between which addresses as the phone sees them."""

    source: str
    destination: str
    message: SipText


def read(text: str) -> SipText:
    """Read a message."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    named = (line.partition(":") for line in lines)
    return SipText(first, tuple((name.strip().lower(), value.strip()) for name, _, value in named), body)


def traced(output: str) -> list[Traced]:
    """All messages in baresip's output, in their order."""
    return [Traced(source, destination, read(text)) for source, destination, text in PACKET.findall(output)]
