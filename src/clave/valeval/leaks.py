"""Test rows that a calibration row gives away: nearly the same response, or nearly the same question.

    rows = apart(rows, learnt, vectors_of)      # what may be tested after `learnt` was seen

Groups keep near twins of one source on one side of the cut. A stock answer to another question, and a rewording in another source,
are found here, after the cut: such a row is left out of the test split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clave.valeval.diversity import Vectors
from clave.valeval.neardup import COSINE, near_any
from clave.valeval.row import ValEvalRow


def apart(rows: Sequence[ValEvalRow], learnt: Sequence[ValEvalRow], vectors_of: Callable[[list[str]], Vectors]) -> list[ValEvalRow]:
    """Rows whose response is no near duplicate of a learnt one, and whose scenario has a cosine below `COSINE` to all learnt ones."""
    told = near_any((r.response for r in rows), (r.response for r in learnt))
    left = [r for r in rows if r.response not in told]
    asked, known = sorted({_asked(r) for r in left}), sorted({_asked(r) for r in learnt})
    if not asked or not known:
        return left
    vectors = vectors_of(sorted({*asked, *known}))
    closest = (np.array([vectors[t] for t in asked]) @ np.array([vectors[t] for t in known]).T).max(axis=1)
    reworded = {text for text, cosine in zip(asked, closest.tolist(), strict=True) if cosine >= COSINE}
    return [r for r in left if _asked(r) not in reworded]


def _asked(row: ValEvalRow) -> str:
    return row.scenario or row.response
