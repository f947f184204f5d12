"""Shares as counted: of the verdicts, not of what people would say. Kept to stand beside the other two; nothing is claimed by it.

counted(rows).net           # its interval covers scenarios, and leaves the evaluator's errors out
"""

from __future__ import annotations

import numpy as np

from clave.profile.estimates import QUANTITIES, Profile, Rows, quantities
from clave.profile.intervals import effective, interval_of


def counted(rows: Rows, *, these: bool = False) -> Profile:
    """Shares of verdicts.

    Args:
        rows: All verdicts.
        these: For just these responses: all of them were counted, and there is no interval.
    """
    keys, scenario = np.unique(rows.scenarios, return_inverse=True)
    mix = rows.one_hot.sum(axis=0) / max(rows.n, 1)
    values = quantities(mix)
    moved = np.zeros((len(keys), 3))
    np.add.at(moved, scenario, (rows.one_hot - mix) / max(rows.n, 1))
    relevance = max(float(values[3]), 1e-12)
    net = 2 * (mix[1] * moved[:, 0] - mix[0] * moved[:, 1]) / relevance**2
    deviations = np.column_stack([moved, moved[:, 0] + moved[:, 1], net])
    counts = np.bincount(rows.codes, minlength=3).astype(float)
    trials, bears = effective(np.ones(rows.n), rows.scenarios), effective((rows.codes < 2).astype(float), rows.scenarios)
    events = [*(min(c, rows.n - c) for c in (*counts, counts[2])), min(counts[:2])]
    sizes = (trials, trials, trials, trials, bears)
    variances = (deviations**2).sum(axis=0)
    estimates = {
        name: interval_of(name, float(values[i]), float(variances[i]), sizes[i], float(events[i]), rows.n)
        for i, name in enumerate(QUANTITIES)
    }
    if these:
        estimates = {name: e.model_copy(update={"low": None, "high": None}) for name, e in estimates.items()}
    return Profile(
        model=rows.model,
        value=rows.value,
        method="counted",
        shares=mix,
        keys=keys,
        deviations=deviations,
        estimates=estimates,
        verdicts=rows.n,
        labels=0,
        scenarios=len(keys),
    )
