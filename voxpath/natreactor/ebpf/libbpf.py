"""A thin binding of libbpf: programs are loaded into the kernel, and their maps are read and written."""

import ctypes
import errno
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple

from voxpath.core.errors import LocalError

LIBRARY: Final = "libbpf.so.1"

ANY: Final = 0
NO_EXIST: Final = 1

LOG_OCTETS: Final = 1 << 18

RIGHTS: Final = "the kernel refuses eBPF: CAP_SYS_ADMIN and CAP_NET_ADMIN are needed"
_NO_PROGRAM: Final = 0x7FFFFFFF

_SIGNATURES: tuple[tuple[str, Any, list[Any]], ...] = (
    ("libbpf_set_print", c_void_p, [c_void_p]),
    ("libbpf_num_possible_cpus", c_int, []),
    ("bpf_object__open_mem", c_void_p, [c_void_p, c_size_t, c_void_p]),
    ("bpf_object__load", c_int, [c_void_p]),
    ("bpf_object__close", None, [c_void_p]),
    ("bpf_object__find_map_by_name", c_void_p, [c_void_p, c_char_p]),
    ("bpf_object__find_program_by_name", c_void_p, [c_void_p, c_char_p]),
    ("bpf_map__set_max_entries", c_int, [c_void_p, c_uint32]),
    ("bpf_map__reuse_fd", c_int, [c_void_p, c_int]),
    ("bpf_map__fd", c_int, [c_void_p]),
    ("bpf_program__set_autoload", c_int, [c_void_p, ctypes.c_bool]),
    ("bpf_program__fd", c_int, [c_void_p]),
    ("bpf_map_lookup_elem", c_int, [c_int, c_void_p, c_void_p]),
    ("bpf_map_lookup_and_delete_elem", c_int, [c_int, c_void_p, c_void_p]),
    ("bpf_map_update_elem", c_int, [c_int, c_void_p, c_void_p, c_uint64]),
    ("bpf_map_delete_elem", c_int, [c_int, c_void_p]),
    ("bpf_map_get_next_key", c_int, [c_int, c_void_p, c_void_p]),
    ("bpf_prog_get_fd_by_id", c_int, [c_uint32]),
    ("bpf_map_get_fd_by_id", c_int, [c_uint32]),
    ("bpf_obj_get_info_by_fd", c_int, [c_int, c_void_p, c_void_p]),
)

_PROGRAM_INFO = Struct("=II8xII8x8x8xIIQ16s")
_MAP_INFO = Struct("=IIIIII16s")
_MOST_MAPS = 64
_INFO_OCTETS = 256

_PER_CPU = frozenset({5, 6, 10})
"""The types of maps that keep a value for each processor (``BPF_MAP_TYPE_PERCPU_HASH`` and so on)."""


class _Options(ctypes.Structure):
    """``struct bpf_object_open_opts``."""

    _fields_ = (
        ("sz", c_size_t),
        ("object_name", c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", c_char_p),
        ("unused", c_uint32),
        ("kconfig", c_char_p),
        ("btf_custom_path", c_char_p),
        ("kernel_log_buf", c_void_p),
        ("kernel_log_size", c_size_t),
        ("kernel_log_level", c_uint32),
    )


class Shape(NamedTuple):
    """How the entries of a map look, and how many there may be."""

    kind: int
    key_octets: int
    value_octets: int
    entries: int


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise LocalError(f"{LIBRARY} is missing: install libbpf1 (Debian) or libbpf (Fedora)") from None
    for name, result, arguments in _SIGNATURES:
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    # It would write to standard error; what the operator has to know is in the exceptions.
    library.libbpf_set_print(None)
    return library


def check_rights() -> None:
    """See whether the library is there, and whether programs that others loaded may be looked for.

    :raises LocalError: no.
    """
    if _library().bpf_prog_get_fd_by_id(_NO_PROGRAM) == -errno.EPERM:
        raise LocalError(RIGHTS)


def _done(result: int) -> int:
    """The result of a call.

    :raises OSError: it was refused.
    """
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


class BpfMap:
    """A map in the kernel.

    :param owned: whether :meth:`close` closes the descriptor.
    """

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        self._library = _library()
        self.descriptor = descriptor
        self._owned = owned
        kind, _, key, value, entries, _, name = _MAP_INFO.unpack_from(_info(descriptor))
        self.name = name.rstrip(b"\0").decode()
        self.shape = Shape(kind, key, value, entries)
        copies = _done(self._library.libbpf_num_possible_cpus()) if kind in _PER_CPU else 1
        stride = (value + 7) & ~7 if kind in _PER_CPU else value
        self._value = ctypes.create_string_buffer(stride * copies)

    def close(self) -> None:
        """Let go of the map; closing twice is allowed."""
        if self._owned:
            os.close(self.descriptor)
            self._owned = False

    def memory(self) -> mmap.mmap:
        """All values of an array, as they stand in the kernel."""
        return mmap.mmap(self.descriptor, self.shape.entries * ((self.shape.value_octets + 7) & ~7))

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or its values on all processors; ``None``: it has none."""
        return self._found(self._library.bpf_map_lookup_elem(self.descriptor, key, self._value))

    def take(self, key: bytes) -> bytes | None:
        """The value of a key, which has none from now on."""
        return self._found(self._library.bpf_map_lookup_and_delete_elem(self.descriptor, key, self._value))

    def put(self, key: bytes, value: bytes) -> None:
        """Give a key a value.

        :raises OSError: there is no room.
        """
        _done(self._library.bpf_map_update_elem(self.descriptor, key, value, ANY))

    def clear(self, key: bytes) -> None:
        """Give an entry of an array zeros, on all processors."""
        self.put(key, bytes(len(self._value)))

    def remove(self, key: bytes) -> None:
        """Let a key have no value; one that has none is no error."""
        result = self._library.bpf_map_delete_elem(self.descriptor, key)
        if result != -errno.ENOENT:
            _done(result)

    def keys(self) -> Iterator[bytes]:
        """All keys of a hash; it must not change meanwhile."""
        last, key = None, ctypes.create_string_buffer(self.shape.key_octets)
        while self._library.bpf_map_get_next_key(self.descriptor, last, key) == 0:
            last = key.raw
            yield last

    def _found(self, result: int) -> bytes | None:
        if result == -errno.ENOENT:
            return None
        _done(result)
        return self._value.raw


class BpfObject:
    """A compiled object, loaded into the kernel; nothing runs it yet.

    :param entries: how many entries maps get, by their names.
    :param reused: maps that are there already and take the place of the object's own.
    :param without: names of programs that are left out.
    :raises LocalError: the kernel refuses it, with the last of what its verifier said.
    """

    def __init__(self, file: Path, entries: Mapping[str, int], reused: Mapping[str, BpfMap], without: Iterable[str] = ()) -> None:
        self._library = _library()
        octets = file.read_bytes()
        log = ctypes.create_string_buffer(LOG_OCTETS)
        options = _Options(
            sz=ctypes.sizeof(_Options), object_name=b"voxpath", kernel_log_buf=ctypes.addressof(log), kernel_log_size=LOG_OCTETS
        )
        self._object: int | None = self._library.bpf_object__open_mem(octets, len(octets), ctypes.byref(options))
        if not self._object:
            raise LocalError(f"{LIBRARY} cannot read {file.name}")
        try:
            for name, number in entries.items():
                _done(self._library.bpf_map__set_max_entries(self._map(name), number))
            for name, old in reused.items():
                _done(self._library.bpf_map__reuse_fd(self._map(name), old.descriptor))
            for name in without:
                _done(self._library.bpf_program__set_autoload(self._program(name), False))
            _done(self._library.bpf_object__load(self._object))
        except OSError as error:
            self.close()
            raise LocalError(_refusal(error, log.value.decode(errors="replace"))) from None

    def map(self, name: str) -> BpfMap:
        """A map of the object."""
        return BpfMap(self._library.bpf_map__fd(self._map(name)), owned=False)

    def program(self, name: str) -> int:
        """The descriptor of a program of the object."""
        return _done(self._library.bpf_program__fd(self._program(name)))

    def close(self) -> None:
        """Let go of the object; what is attached goes on. Closing twice is allowed."""
        if self._object:
            self._library.bpf_object__close(self._object)
            self._object = None

    def _map(self, name: str) -> int:
        return self._named(self._library.bpf_object__find_map_by_name(self._object, name.encode()), name)

    def _program(self, name: str) -> int:
        return self._named(self._library.bpf_object__find_program_by_name(self._object, name.encode()), name)

    @staticmethod
    def _named(found: int | None, name: str) -> int:
        if not found:
            raise LocalError(f"the eBPF object holds no {name}")
        return found


def maps_of(program: int) -> list[BpfMap]:
    """The maps of a program that the kernel has.

    :param program: its number in the kernel.
    :raises OSError: there is none, or the rights are missing (``CAP_SYS_ADMIN``).
    """
    numbers, _ = _program(program)
    return [BpfMap(_done(_library().bpf_map_get_fd_by_id(number)), owned=True) for number in numbers]


def name_of(program: int) -> str:
    """The name of a program that the kernel has; raises as :func:`maps_of`."""
    return _program(program)[1]


def _program(program: int) -> tuple[list[int], str]:
    """The numbers of a program's maps, and its name."""
    descriptor = _done(_library().bpf_prog_get_fd_by_id(program))
    try:
        numbers = (c_uint32 * _MOST_MAPS)()
        asked = bytearray(_INFO_OCTETS)
        _PROGRAM_INFO.pack_into(asked, 0, 0, 0, 0, 0, 0, _MOST_MAPS, ctypes.addressof(numbers), b"")
        *_, count, _, name = _PROGRAM_INFO.unpack_from(_info(descriptor, bytes(asked)))
    finally:
        os.close(descriptor)
    return list(numbers[:count]), name.rstrip(b"\0").decode()


def _info(descriptor: int, asked: bytes = bytes(_INFO_OCTETS)) -> bytes:
    content, length = ctypes.create_string_buffer(asked, _INFO_OCTETS), c_uint32(_INFO_OCTETS)
    _done(_library().bpf_obj_get_info_by_fd(descriptor, content, ctypes.byref(length)))
    return content.raw


def _refusal(error: OSError, log: str) -> str:
    if error.errno in (errno.EPERM, errno.EACCES) and not log:
        return RIGHTS
    said = [line for line in log.splitlines() if line.strip() and not line.startswith("processed ")]
    return f"the kernel refuses the eBPF program: {error.strerror}{f' ({said[-1].strip()})' if said else ''}"
