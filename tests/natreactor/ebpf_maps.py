"""Maps without a kernel, and what the eBPF program would find in them."""

import mmap
import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

from voxpath.natreactor.ebpf import layout
from voxpath.natreactor.ebpf.libbpf import Shape

ENTRIES = {"state": 1, "publics": 3, "phones": 40}


class MemoryMap:
    """A map as :class:`voxpath.natreactor.ebpf.libbpf.BpfMap` shows it.

    :ivar room: keys that a hash takes at the most.
    """

    def __init__(self, name: str) -> None:
        entries = ENTRIES.get(name, 0)
        self.shape = Shape(0, 4, layout.VALUE_OCTETS[name], entries)
        self.room = 1000
        self._file = os.memfd_create(name)
        self._length = entries * ((self.shape.value_octets + 7) & ~7)
        os.ftruncate(self._file, self._length)
        self.values: dict[bytes, bytes] = {}

    def close(self) -> None:
        os.close(self._file)

    def memory(self) -> mmap.mmap:
        return mmap.mmap(self._file, self._length)

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self.values and len(self.values) >= self.room:
            raise OSError(7, "Argument list too long")
        self.values[key] = value

    def clear(self, key: bytes) -> None:
        self.values[key] = bytes(layout.TRAFFIC.size)

    def remove(self, key: bytes) -> None:
        self.values.pop(key, None)

    def keys(self) -> Iterator[bytes]:
        return iter(tuple(self.values))


class Packets:
    """What packets find in maps, step by step as the program does it (``table.h``)."""

    def __init__(self, maps: dict[str, MemoryMap]) -> None:
        self._maps = maps
        self._state, self._publics, self._phones = (maps[name].memory() for name in ENTRIES)

    @property
    def live(self) -> int:
        return int(struct.unpack_from("=I", self._state, layout.LIVE_AT)[0])

    def receiver(self, public: IPv4Address, port: int) -> IPv4Address | None:
        """The phone that a packet from outside reaches."""
        number = self._maps["public_of"].get(public.packed)
        index = self._cell(struct.unpack("=I", number)[0], port) & layout.PHONE_BITS if number else 0
        return self._address(index) if index else None

    def sender(self, private: IPv4Address, port: int) -> IPv4Address | str:
        """The public address that a phone's packet leaves with, or why it does not leave."""
        known = self._maps["phone_of"].get(private.packed)
        if known is None:
            return "unknown_phone"
        (index,) = struct.unpack("=I", known)
        at = index * layout.PHONE_OCTETS + layout.PHONE.size + self.live * layout.MOST_PUBLICS_OF_A_PHONE * 2
        publics = struct.unpack_from(f"={layout.MOST_PUBLICS_OF_A_PHONE}H", self._phones, at)
        if not publics[0]:
            return "unknown_phone"
        for number in publics:
            if not number:
                break
            if self._cell(number - 1, port) & layout.PHONE_BITS == index:
                return IPv4Address(struct.unpack_from("!I", self._publics, (number - 1) * layout.PUBLIC_OCTETS)[0])
        return "spoofed_port"

    def _cell(self, number: int, port: int) -> int:
        at = number * layout.PUBLIC_OCTETS + layout.PUBLIC_HEAD + (self.live * layout.PORTS + port) * layout.CELL
        return int(struct.unpack_from("=I", self._publics, at)[0])

    def _address(self, index: int) -> IPv4Address:
        return IPv4Address(struct.unpack_from("!I", self._phones, index * layout.PHONE_OCTETS)[0])
