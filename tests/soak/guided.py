"""Guided fuzzing of a codec by atheris, in a process of its own, which libFuzzer ends when it has found something."""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.part import ROOT

LIMITS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=1024")
"""A message that is no longer than any of DHCP; seconds that one may take, and MiB that the process may have."""
DONE = re.compile(r"DONE +cov: (?P<edges>\d+) .* corp: (?P<kept>\d+)/")
PATIENCE_S = 1200


def guided(name: str, seed: int, amount: int) -> str:
    """Let atheris look for octets that a codec answers by anything but what it read or a RemoteError.

    :raises AssertionError: atheris is not there, or found something; the octets are told.
    """
    with TemporaryDirectory() as findings:
        # Seed 0 would be drawn anew.
        asked = (f"-runs={amount}", f"-seed={seed or 1}", f"-artifact_prefix={findings}/", *LIMITS)
        argv = [sys.executable, "-m", "tests.soak.fuzz_atheris", name, *asked]
        ended = subprocess.run(argv, capture_output=True, text=True, errors="replace", cwd=ROOT, timeout=PATIENCE_S, check=False)
        assert "No module named 'atheris'" not in ended.stderr, "atheris cannot be imported: install it by pip install '.[test]'"
        found = "".join(f"\n{path.name}: {path.read_bytes().hex()}" for path in Path(findings).iterdir())
    assert ended.returncode == 0, f"it ended with {ended.returncode}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}{found}"
    done = DONE.search(ended.stderr)
    assert done is not None, f"it did not tell what it has done: {ended.stderr[-2000:]}"
    assert int(done["kept"]) > 1, "no message led to anything new: the codec is not instrumented"
    return f"{amount} guided mutations: {done['edges']} edges reached, by {done['kept']} kept messages, nothing but RemoteErrors"
