"""How many attacks of a family are tried: a few, drawn with a seed, in the suite; all of them where CLAVE_ATTACKS=all is set.

@pytest.mark.parametrize("case", drawn(CASES, 12))

`python benchmarks/attacks.py` sets it, runs every family and writes the table of docs/security.md.
"""

import os
import random

import pytest

ALL = os.environ.get("CLAVE_ATTACKS") == "all"


def drawn(cases, few, seed=0):
    """All cases, or a few of them, as pytest's parameters; a mapping's keys are their names."""
    cases = list(cases.items()) if isinstance(cases, dict) else [(str(k), case) for k, case in enumerate(cases)]
    chosen = range(len(cases)) if ALL or len(cases) <= few else sorted(random.Random(seed).sample(range(len(cases)), few))
    return [pytest.param(cases[k][1], id=cases[k][0]) for k in chosen]
