"""How many attacks of a family are tried: a few, drawn with a seed, in the suite; all of them with CLAVE_ATTACKS=all, or so many.

@pytest.mark.parametrize("case", drawn(CASES, 12))

`python benchmarks/attacks.py` sets it, runs every family and writes the table of docs/security.md.
"""

import os
import random

import pytest

WANTED = os.environ.get("CLAVE_ATTACKS", "few")


def drawn(cases, few, most=None, seed=0):
    """All cases (or `most` of them), or a few, as pytest's parameters; a mapping's keys are their names."""
    cases = list(cases.items()) if isinstance(cases, dict) else [(str(k), case) for k, case in enumerate(cases)]
    wanted = few if WANTED == "few" else most or len(cases) if WANTED == "all" else int(WANTED)
    chosen = sorted(random.Random(seed).sample(range(len(cases)), min(wanted, len(cases))))
    return [pytest.param(cases[k][1], id=cases[k][0]) for k in chosen]
