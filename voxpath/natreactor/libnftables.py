"""A thin binding of libnftables, the library behind ``nft``: commands in, JSON out, errors in one line.

A context belongs to the thread and to the network namespace in which it was made.
One call blocks for less than a tenth of a millisecond for a single change, so it may be made on the reactor thread.
"""

import ctypes
import json
from typing import Any

from voxpath.core.errors import LocalError
from voxpath.natreactor.netlink import explained

LIBRARY = "libnftables.so.1"

_JSON = 1 << 4
_NUMERIC = (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10)


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise LocalError(f"{LIBRARY} is missing: install libnftables1 (Debian) or nftables-libs (Fedora)") from None
    context = ctypes.c_void_p
    for name, result, arguments in (
        ("nft_ctx_new", context, [ctypes.c_uint32]),
        ("nft_ctx_free", None, [context]),
        ("nft_ctx_buffer_output", ctypes.c_int, [context]),
        ("nft_ctx_buffer_error", ctypes.c_int, [context]),
        ("nft_ctx_get_output_buffer", ctypes.c_char_p, [context]),
        ("nft_ctx_get_error_buffer", ctypes.c_char_p, [context]),
        ("nft_ctx_output_set_flags", None, [context, ctypes.c_uint]),
        ("nft_run_cmd_from_buffer", ctypes.c_int, [context, ctypes.c_char_p]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


class Nftables:
    """One libnftables context.

    :raises LocalError: the library is missing or cannot begin.
    """

    def __init__(self) -> None:
        self._library = _load()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise LocalError("libnftables cannot begin")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> None:
        """Carry out all commands as one transaction: all or none.

        :raises LocalError: with nft's own words.
        """
        self._call(commands, 0)

    def read(self, command: str) -> list[dict[str, Any]]:
        """Carry out a ``list`` command; give the objects of nft's JSON (``libnftables-json(5)``) without its preamble.

        :raises LocalError: with nft's own words, also when what is asked for does not exist.
        """
        text = self._call(command, _JSON | _NUMERIC)
        return [part for part in json.loads(text)["nftables"] if "metainfo" not in part] if text else []

    def text(self, commands: str) -> str:
        """Carry out ``get`` commands, for which nft 1.0.6 has no JSON; give nft's own text.

        :raises LocalError: as for :meth:`read`.
        """
        return self._call(commands, _NUMERIC)

    def close(self) -> None:
        """Free the context; the kernel's tables stay. Closing twice is allowed."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None

    def _call(self, commands: str, flags: int) -> str:
        if not self._context:
            raise LocalError("libnftables is closed")
        self._library.nft_ctx_output_set_flags(self._context, flags)
        status = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        error: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if status != 0:
            raise LocalError(f"nftables: {_first_line(error.decode(errors='replace'))}")
        return output.decode()


def _first_line(error: str) -> str:
    """The first error of nft's report, without the marks under the quoted command."""
    return explained(next((line.strip() for line in error.splitlines() if line.strip()), "refused without a word"))
