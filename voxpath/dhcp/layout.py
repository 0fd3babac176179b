"""Layouts: how phones of one make want to be told where their files and servers are, as data and small encoders (DHC-8 to DHC-13).

A layout writes option 43, and whatever other options its phones read instead.
``source`` names the maker's document that it follows; ``docs/how-to/dhcp-options.md`` tells operators about each.
What a maker writes in another way than RFC 2132 section 8.4 says (code, length, data) is raw text, as its phones expect it.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import pack_sub_options, write_parts

OWN_LAYOUT = "voxpath"
"""The layout whose option 43 differs from phone to phone; :mod:`voxpath.dhcp.reply` writes it."""
MITEL = 1027
"""Enterprise number under which Mitel's phones look for their text."""
AVAYA = b"6889"
"""Avaya's enterprise number as text: the first sub-option of an option 43 that is meant for its phones."""
_AVAYA_TEXTS_242 = (2, 3, 5, 6)
MAX_CALL_SERVERS = 4
"""Mitel's ``call_srv`` takes one to four."""


class Told(NamedTuple):
    """What a layout is filled from.

    :ivar tftp: the TFTP servers, the first one being siaddr.
    :ivar url: where the phones fetch their configuration; empty: from the first TFTP server.
    :ivar mgcs: hosts of the controllers, primary first.
    :ivar sip: SIP servers, primary first.
    :ivar parameters: ``name=value`` texts that layouts made of such texts add.
    """

    tftp: tuple[IPv4Address, ...]
    url: str = ""
    mgcs: tuple[str, ...] = ()
    sip: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where the configuration is, always as a URL."""
        return self.url if "://" in self.url else f"tftp://{self.url or self.tftp[0]}"


class Layout(NamedTuple):
    """One make's layout.

    :ivar write: the options of a class, the same for all of its phones.
    :ivar source: what it follows.
    :ivar subs: sub-options of option 43 that it writes; ``None``: its option 43 is text, and takes no others.
    :ivar parameters: whether it takes ``name=value`` texts.
    :ivar url_159: whether its phones take option 159 for a URL, so that it never carries port parameters (RFC 7618).
    """

    write: Callable[[Told], Mapping[int, bytes]]
    source: str
    subs: frozenset[int] | None = frozenset()
    parameters: bool = False
    url_159: bool = False


def _nothing(told: Told) -> dict[int, bytes]:
    return {}


def _cisco(told: Told) -> dict[int, bytes]:
    return {code.TFTP_SERVERS: b"".join(address.packed for address in told.tftp)}


def _url_160(told: Told) -> dict[int, bytes]:
    return {code.URL_160: told.place.encode("utf-8")}


def _url_43(told: Told) -> dict[int, bytes]:
    return {code.VENDOR: told.place.encode("utf-8")}


def _snom(told: Told) -> dict[int, bytes]:
    # The maker's examples end each text with NUL.
    return {code.VENDOR: pack_sub_options({66: told.place.encode("utf-8") + b"\0"})}


def _aastra(told: Told) -> dict[int, bytes]:
    return {code.VENDOR: pack_sub_options({2: told.place.encode("utf-8")})}


def _mitel(told: Told) -> dict[int, bytes]:
    pairs = [f"sw_tftp={told.tftp[0]}"]
    if told.mgcs:
        pairs.append("call_srv=" + ",".join(told.mgcs[:MAX_CALL_SERVERS]))
    text = ";".join(("id:ipphone.mitel.com", *pairs, *told.parameters)).encode("ascii")
    return {code.VENDOR: text, code.ENTERPRISE: write_parts([(MITEL, text)])}


def _avaya(told: Told) -> dict[int, bytes]:
    texts = _avaya_texts(told)
    subs = {number: text.encode("utf-8") for number, (_, text) in texts.items()}
    # Ports and SIP servers stand in option 43 alone: not all phones that read 242 know them there.
    pairs = [f"{name}={text}" for number, (name, text) in texts.items() if number in _AVAYA_TEXTS_242]
    if told.mgcs:
        pairs.insert(0, "MCIPADD=" + ",".join(told.mgcs))
    written = {code.VENDOR: pack_sub_options({1: AVAYA, **subs})}
    text = ",".join((*pairs, *told.parameters))
    if text:
        written[code.AVAYA] = text.encode("utf-8")
    return written


def _avaya_texts(told: Told) -> dict[int, tuple[str, str]]:
    """Name and text by number of the sub-option."""
    place = urlsplit(told.url)
    texts: dict[int, tuple[str, str]] = {}
    if place.scheme in ("http", "https") and place.hostname:
        first, kind = (2, "HTTP") if place.scheme == "http" else (5, "TLS")
        texts[first] = f"{kind}SRVR", place.hostname
        if place.path.strip("/"):
            texts[first + 1] = f"{kind}DIR", place.path.strip("/")
        if place.port:
            texts[first + 2] = f"{kind}PORT", str(place.port)
    if told.sip:
        texts[15] = "SIP_CONTROLLER_LIST", ",".join(f"{server}:5060;transport=udp" for server in told.sip)
    return texts


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "none": Layout(_nothing, "options 66 and 67 alone (RFC 2132)"),
        OWN_LAYOUT: Layout(_nothing, "docs/protocols/dhcp-options.md", subs=frozenset(code.OWN_SUBS)),
        "cisco": Layout(_cisco, "Cisco IP phones: option 150 (RFC 5859); multiplatform phones read 66, 159 and 160", url_159=True),
        "poly": Layout(_url_160, "Polycom SIP 3.1 administrator's guide, Boot Server: custom option 160, then 66"),
        "yealink": Layout(_url_43, "Yealink T5 administrator's guide, DHCP options: custom, 66, 43", subs=None),
        "grandstream": Layout(_url_160, "Grandstream DHCP Options Guide: options 66 and 160"),
        "snom": Layout(_snom, "Snom wiki, DHCP options: 66 and 67 inside of option 43", subs=frozenset((66,))),
        "mitel": Layout(
            _mitel, "Mitel 3300 engineering guidelines, table 74: options 43 and 125", subs=None, parameters=True, url_159=True
        ),
        "aastra": Layout(
            _aastra, "Aastra 6700i/9000i administrator guide: options 43, 160, 159, 66", subs=frozenset((2,)), url_159=True
        ),
        "avaya": Layout(
            _avaya,
            "Avaya 9600 SIP administration, DHCP: options 43 and 242",
            subs=frozenset((1, 2, 3, 4, 5, 6, 7, 15)),
            parameters=True,
        ),
        "fanvil": Layout(_url_43, "Fanvil auto provision standard, 3.1: options 43 and 66", subs=None),
    }
)
"""All layouts, by the name that ``class.layout`` has for them."""
