"""``python -m tests.soak``: run the long proofs, and write their results to docs/soak.md."""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path
from random import SystemRandom

from tests.live.namespaces import end_on_signals
from tests.soak.page import Result, write
from tests.soak.proofs import PROOFS, Proof

PAGE = Path(__file__).parents[2] / "docs/soak.md"


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--scale", type=float, default=float(os.environ.get("VOXPATH_SCALE", "1")), help="share of full scale")
    parser.add_argument("--only", action="append", choices=[proof.name for proof in PROOFS], help="this proof; may be repeated")
    parser.add_argument("--seed", type=int, default=None, help="seed (default: a new one)")
    parser.add_argument("--output", type=Path, default=None, help="the page to write (default: docs/soak.md, at full scale only)")
    return parser.parse_args(words)


def run(proof: Proof, seed: int, scale: float) -> Result:
    """Run one proof to its end or to its first failure."""
    print(f"{proof.name} seed={seed} scale={scale:g} amount={proof.scaled(scale)}", flush=True)
    begun = time.monotonic()
    try:
        seen, passed = proof.run(seed, proof.scaled(scale)), True
    # A proof that fails for whatever reason is one of the results.
    except Exception as error:
        traceback.print_exc()
        seen, passed = f"{type(error).__name__}: {error}"[:300], False
    result = Result(proof, passed, seen, seed, scale, time.monotonic() - begun)
    print(f"{proof.name} {'passed' if passed else 'FAILED'} in {result.seconds:.0f} s: {seen}", flush=True)
    return result


def main(words: list[str]) -> int:
    """Run the proofs; 1 when one failed."""
    end_on_signals()
    given = arguments(words)
    # The page is the record at full scale; a smaller run is for looking only.
    page = given.output or (PAGE if given.scale >= 1 else None)
    seed = SystemRandom().getrandbits(32) if given.seed is None else given.seed
    results = []
    for proof in PROOFS:
        if given.only is None or proof.name in given.only:
            results.append(run(proof, seed, given.scale))
            if page is not None:
                write(page, results)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
