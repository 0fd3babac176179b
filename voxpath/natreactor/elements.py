"""Changes of the kernel's maps as netlink messages: what every lease costs.

libnftables reads text, and asks the kernel about the table, before it writes the same messages: some 50 us for a mapping of a usual
change, where this takes a few.
Rules, whole tables and listings are left to it (:mod:`voxpath.natreactor.ruleset`), and the tests hold the two against each other.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as ReadOnly
from socket import AF_INET
from struct import Struct

from voxpath.core.errors import LocalError
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.table import Table, cells
from voxpath.natreactor import filtering, napt
from voxpath.natreactor.netlink import NESTED, NFPROTO_NETDEV, Netfilter, Part, attribute, explained, name
from voxpath.natreactor.ruleset import MAPS, STATE_KEY, note_of, state_of
from voxpath.natreactor.settings import NatSettings

NFT_MSG_NEWSETELEM, NFT_MSG_GETSETELEM, NFT_MSG_DELSETELEM = 12, 13, 14
NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
NFTA_LIST_ELEM = 1
NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_USERDATA = 1, 2, 6
NFTA_DATA_VALUE = 1
UDATA_COMMENT = 0
"""How nft marks an element's comment among the octets that the kernel keeps for it without reading them."""

MOST_LISTED = 60_000
"""Octets of elements in one message: the length of an attribute has 16 bits."""

_ENDPOINT = Struct("!IHxx")
_PEER = Struct("!IHxxI")
_ADDRESS = Struct("!I")
_MARK = Struct("=I")

NO_PINHOLES: ReadOnly[Pinhole, int] = {}


def change(
    kernel: Netfilter,
    settings: NatSettings,
    table: Table,
    done: Transaction,
    shut: ReadOnly[Pinhole, int] = NO_PINHOLES,
    fast: str = "",
) -> None:
    """Carry out what a transaction changed, in one step; ``table`` is as it is afterwards.

    :param shut: the pinholes that went with mappings, and the inside addresses that they led to.
    :param fast: what the table of the fast form says of itself, if there is one.
    :raises LocalError: the kernel refuses, and has changed nothing.
    """
    parts = [*_pinholes(NFT_MSG_DELSETELEM, settings, table, shut), *_parts(settings, table, done)]
    if fast:
        parts += _fast_parts(settings, done, fast)
    _carry_out(kernel, settings, parts)


def admit(kernel: Netfilter, settings: NatSettings, table: Table, done: PinholeChange) -> None:
    """Carry out what a change of pinholes changed, as :func:`change`."""
    if not done.open and not done.close:
        return
    parts = [
        *_pinholes(NFT_MSG_DELSETELEM, settings, table, dict.fromkeys(done.close, 0)),
        *_pinholes(NFT_MSG_NEWSETELEM, settings, table, dict.fromkeys(done.open, 0)),
    ]
    _carry_out(kernel, settings, parts)


def _carry_out(kernel: Netfilter, settings: NatSettings, parts: list[Part]) -> None:
    try:
        kernel.change(parts)
    except OSError as error:
        reason = explained(error.strerror or str(error))
        raise LocalError(f"the kernel refuses a change of the table {settings.table}: {reason}") from None


def _parts(settings: NatSettings, table: Table, done: Transaction) -> Iterator[Part]:
    size = settings.block_size
    gone = {private for mapping in done.remove if not table.is_phone(private := int(mapping.private))}
    there = {int(mapping.private) for mapping in done.add}
    for kind, mappings, phones in ((NFT_MSG_DELSETELEM, done.remove, gone), (NFT_MSG_NEWSETELEM, done.add, there)):
        for chosen, elements in _mapped(mappings, size, data=kind == NFT_MSG_NEWSETELEM).items():
            yield from _listed(kind, settings.table, chosen, elements)
        yield from _listed(kind, settings.table, "phones", [_PHONE.pack(_PHONE_HEAD, phone) for phone in phones])
    for kind, mappings in ((NFT_MSG_DELSETELEM, done.remove), (NFT_MSG_NEWSETELEM, done.add)):
        for chosen, keys in _sets(settings, mappings).items():
            yield from _listed(kind, settings.table, chosen, [_PLAIN_KEY.pack(_KEY_HEAD, *key) for key in keys])
    yield from _state(settings, state_of(settings, table.generation))


def _fast_parts(settings: NatSettings, done: Transaction, fast: str) -> Iterator[Part]:
    """The same maps in the table of the fast form (:mod:`voxpath.natreactor.fastform`)."""
    for kind, mappings in ((NFT_MSG_DELSETELEM, done.remove), (NFT_MSG_NEWSETELEM, done.add)):
        for chosen, elements in _mapped(mappings, settings.block_size, data=kind == NFT_MSG_NEWSETELEM).items():
            yield from _listed(kind, settings.table, chosen, elements, NFPROTO_NETDEV)
    yield from _state(settings, fast, NFPROTO_NETDEV)


def _state(settings: NatSettings, note: str, family: int = AF_INET) -> Iterator[Part]:
    """What a table says of itself: the comment of the one element of ``state``."""
    yield Part(NFT_MSG_DELSETELEM, elements_of(settings.table, "state"), family)
    element = _element(_MARK.pack(STATE_KEY), note=note)
    yield from _listed(NFT_MSG_NEWSETELEM, settings.table, "state", [element], family)


def _sets(settings: NatSettings, mappings: Iterable[Mapping]) -> dict[str, list[filtering.Key]]:
    """The keys of the sets beside the maps, as far as these settings use any."""
    held = filtering.held(mappings, settings.block_size) if settings.call_aware else {}
    return held | (napt.own(mappings, settings.block_size) if settings.pool is not None else {})


def _pinholes(kind: int, settings: NatSettings, table: Table, pinholes: ReadOnly[Pinhole, int]) -> Iterator[Part]:
    turned = (filtering.turning(table, pinhole, private) for pinhole, private in pinholes.items())
    for chosen, keys in (("pinholes", pinholes), ("turning", filter(None, turned))):
        yield from _listed(kind, settings.table, chosen, [_element(_PEER.pack(*key)) for key in keys])


def keys_of(mappings: Iterable[Mapping], block_size: int) -> dict[str, list[bytes]]:
    """The elements of each map that these mappings have, as messages name them."""
    return _mapped(mappings, block_size, data=False)


def _mapped(mappings: Iterable[Mapping], block_size: int, *, data: bool) -> dict[str, list[bytes]]:
    """The elements of each map."""
    found: dict[str, list[bytes]] = {chosen: [] for chosen in MAPS}
    for mapping in mappings:
        block, private, public = mapping.block, int(mapping.private), int(mapping.block.public)
        masked, ports = cells(block, block_size)
        note = note_of(block, block_size)
        inward, outward = (found["in_block"], found["out_block"]) if masked else (found["in_port"], found["out_port"])
        for port in ports:
            if not data:
                inward.append(_PLAIN_KEY.pack(_KEY_HEAD, public, port))
                outward.append(_PLAIN_KEY.pack(_KEY_HEAD, private, port))
                continue
            if note:
                inward.append(_element(_ENDPOINT.pack(public, port), _ADDRESS.pack(private), note))
            else:
                inward.append(_PLAIN.pack(_HEAD, public, port, _MIDDLE, private))
            outward.append(_PLAIN.pack(_HEAD, private, port, _MIDDLE, public))
    return found


def _element(key: bytes, data: bytes = b"", note: str = "") -> bytes:
    content = attribute(NESTED | NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key))
    if data:
        content += attribute(NESTED | NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, data))
    if note:
        text = note.encode() + b"\0"
        content += attribute(NFTA_SET_ELEM_USERDATA, bytes((UDATA_COMMENT, len(text))) + text)
    return attribute(NESTED | NFTA_LIST_ELEM, content)


# Nearly all elements are of one shape: what is the same in each of them is written once.
_PLAIN, _PLAIN_KEY = Struct("!12sIHxx8sI"), Struct("!12sIHxx")
_HEAD, _MIDDLE = (shape := _element(bytes(8), bytes(4)))[:12], shape[20:28]
_KEY_HEAD = _element(bytes(8))[:12]
_PHONE, _PHONE_HEAD = Struct("!12sI"), _element(bytes(4))[:12]


def _listed(kind: int, table: str, chosen: str, elements: list[bytes], family: int = AF_INET) -> Iterator[Part]:
    """Messages about elements of one set, as many in each as it holds."""
    start = octets = 0
    for at, element in enumerate(elements):
        if octets + len(element) > MOST_LISTED:
            yield Part(kind, elements_of(table, chosen, elements[start:at]), family)
            start, octets = at, 0
        octets += len(element)
    if elements:
        yield Part(kind, elements_of(table, chosen, elements[start:]), family)


def elements_of(table: str, chosen: str, elements: Iterable[bytes] = ()) -> bytes:
    """The content of a message about a set: to remove none by name is to remove all of them."""
    listed = b"".join(elements)
    named = name(NFTA_SET_ELEM_LIST_TABLE, table) + name(NFTA_SET_ELEM_LIST_SET, chosen)
    return named + attribute(NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, listed) if listed else named
