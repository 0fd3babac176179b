"""``python -m tests.soak.fuzz_atheris CODEC``: guided fuzzing of a codec by atheris, which ends by a finding or by ``-runs=N``.

The proofs of :mod:`tests.soak.guided` run it.
Whatever follows the codec goes to libFuzzer, such as ``-runs=1000000``, ``-max_len=4096``, ``-seed=1`` or a corpus directory.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["voxpath"]):
    from tests.soak.fuzz import CODECS
    from voxpath.core.errors import RemoteError


def main(words: list[str]) -> None:
    """Fuzz one codec from its good messages; anything but a RemoteError is a finding."""
    codec = CODECS[words[1]]

    def one(octets: bytes) -> None:
        try:
            codec.use(octets)
        except RemoteError:
            return

    with tempfile.TemporaryDirectory() as corpus:
        for number, octets in enumerate(codec.originals()):
            (Path(corpus) / str(number)).write_bytes(octets)
        atheris.Setup([words[0], *words[2:], corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
