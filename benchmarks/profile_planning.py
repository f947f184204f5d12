"""Does a plan keep what it says? Power and half-widths that `clave audit plan` foresees, against those found; how narrow intervals can be.

    python benchmarks/profile_planning.py [--repeats 200] [--only power half-width asked rounds bound]
    python benchmarks/profile_planning.py --only real --raw FOLDER

Two models answer the same scenarios; labels of a scenario are alike as stated, verdicts come of the default evaluator's confusion
(`profile_coverage.py`). The bound is the least width that any estimate from such an audit can have beside that of the labels alone, worked
out from a large draw in which all is known. `real` takes six models on the same questions, all labelled by people (`profile_real.py`).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clave.profile.comparing import net_difference
from clave.profile.counted import counted
from clave.profile.design import Design, strata_of
from clave.profile.estimates import QUANTITIES, Profile, Rows, covariance
from clave.profile.intervals import Z
from clave.profile.planning import planned, scenario_correlation
from clave.profile.rectified import Audit, rectified
from profile_coverage import AUDITS, CONFUSIONS, DEFAULT, SHARES, SIZES, Row, audit, draw, show
from profile_real import Study, six_models

Shares = tuple[float, float, float]
STUDIES: tuple[tuple[str, int, Shares, Shares, float], ...] = (
    ("every response bears on it, 17 % of pairs differ", 135, (0.85, 0.15, 0.0), (0.75, 0.25, 0.0), 0.69),
    ("every response bears on it, 17 % of pairs differ", 500, (0.80, 0.20, 0.0), (0.75, 0.25, 0.0), 0.60),
    ("a fifth does not bear on it", 100, (0.70, 0.10, 0.20), (0.50, 0.30, 0.20), 0.5),
    ("a third does not bear on it", 400, (0.60, 0.07, 0.33), (0.53, 0.14, 0.33), 0.5),
    ("a third does not bear on it", 1500, (0.60, 0.07, 0.33), (0.53, 0.14, 0.33), 0.5),
)
"""What it is, scenarios, shares of the two models, and how often the two labels of a scenario come of one draw."""


RARE = (0.95, 0.02, 0.03)
"""Shares of labels that hardly vary."""


def pair(
    rng: np.random.Generator, n: int, first: Shares, second: Shares, alike: float, confusion: str
) -> list[tuple[NDArray[np.intp], Rows]]:
    """Labels and verdicts of two models on the same scenarios."""
    common, own = rng.random((1, n)), rng.random((2, n))
    place = np.where(rng.random(n) < alike, common, own)
    made = []
    for model, shares, at in zip("ab", (first, second), place, strict=True):
        labels = np.searchsorted(np.cumsum(shares)[:2], at, side="right").astype(np.intp)
        made.append((labels, draw(rng, n, shares, CONFUSIONS[confusion], twins=False, model=model, labels=labels)[1]))
    return made


def whole(labels: NDArray[np.intp]) -> Audit:
    """Everything labelled."""
    n = len(labels)
    return Audit(np.arange(n), np.eye(3)[labels], np.ones(n), np.zeros(n, np.intp))


def power_cell(confusion: str, what: str, n: int, first: Shares, second: Shares, alike: float, repeats: int) -> Row:
    """Power foreseen and found, with the planned labels and with all of them."""
    rng, nets = np.random.default_rng(112), [(s[0] - s[1]) / (s[0] + s[1]) for s in (first, second)]
    difference = nets[0] - nets[1]
    foreseen, found, most, all_found, labels = [], [], [], [], []
    for i in range(repeats):
        both = pair(rng, n, first, second, alike, confusion)
        plan = planned([rows for _, rows in both], difference=difference, power=0.8)
        most.append(plan.pairs[0].most)
        ends = [rectified(rows, whole(truth)) for truth, rows in both]
        all_found.append((net_difference(*ends).p or 0) < 0.05)
        if all(cell.labels for cell in plan.cells):
            labels.append(sum(cell.labels for cell in plan.cells))
            foreseen.append(plan.pairs[0].power)
            drawn = [
                (rows, design.draw(cell.labels, seed=i), design, truth)
                for (truth, rows), cell, design in zip(both, plan.cells, plan.designs, strict=True)
            ]
            profiles = [rectified(rows, _labelled(truth, chosen, design)) for rows, chosen, design, truth in drawn]
            found.append((net_difference(*profiles).p or 0) < 0.05)
    return {
        "what": "power",
        "confusion": confusion,
        "study": what,
        "scenarios": n,
        "difference": difference,
        "all labelled: foreseen": float(np.mean(most)),
        "found": float(np.mean(all_found)),
        "planned in": len(found) / repeats,
        "labels": float(np.mean(labels)) if labels else None,
        "planned: foreseen": float(np.mean(foreseen)) if foreseen else None,
        "found with these": float(np.mean(found)) if found else None,
    }


def _labelled(labels: NDArray[np.intp], chosen: NDArray[np.intp], design: Design) -> Audit:
    weights = design.sizes / np.maximum(np.bincount(design.strata[chosen], minlength=len(design.sizes)), 1)
    return Audit(chosen, np.eye(3)[labels[chosen]], weights[design.strata[chosen]], design.strata)


def width_cell(confusion: str, name: str, n: int, labels: int, repeats: int) -> Row:
    """The half-width foreseen, and the mean of those that came."""
    rng, foreseen, came = np.random.default_rng(113), [], []
    for _ in range(repeats):
        truth, rows = draw(rng, n, SHARES[name], CONFUSIONS[confusion])
        foreseen.append(Design(rows).half_width(labels))
        came.append(_half_width(rectified(rows, audit(rng, truth, rows, labels, planned=True))))
    return {"what": "half-width", "confusion": confusion, "truth": name, "n": n, "audit": labels} | _beside(foreseen, came)


def asked_cell(confusion: str, name: str, n: int, wanted: float, repeats: int) -> Row:
    """What comes where a plan is asked for a half-width, and how often it is no wider."""
    rng, labels, came = np.random.default_rng(114), [], []
    for _ in range(repeats):
        truth, rows = draw(rng, n, SHARES[name], CONFUSIONS[confusion])
        if asked := Design(rows).labels_for(wanted):
            labels.append(asked)
            came.append(_half_width(rectified(rows, audit(rng, truth, rows, asked, planned=True))))
    given = np.array(came)
    return {
        "what": "asked",
        "confusion": confusion,
        "truth": name,
        "n": n,
        "asked": wanted,
        "planned in": len(labels) / repeats,
        "labels": float(np.mean(labels)) if labels else None,
        "came": float(np.nanmean(given)) if labels else None,
        "no wider": float(np.mean(given <= wanted)) if labels else None,
        "by a tenth at most": float(np.mean(given <= 1.1 * wanted)) if labels else None,
    }


def _half_width(found: Profile) -> float:
    """NaN where nothing is said of net adherence."""
    return (found.net.high - found.net.low) / 2 if found.supported and found.net.high is not None and found.net.low is not None else np.nan


def _beside(foreseen: list[float], came: list[float]) -> Row:
    wide, found = float(np.mean(foreseen)), float(np.nanmean(came))
    return {"foreseen": wide, "came": found, "ratio": wide / found}


def rounds_cell(confusion: str, name: str, n: int, labels: int, repeats: int) -> Row:
    """Two rounds, as simulated."""
    rng, found = np.random.default_rng(116), []
    for i in range(repeats):
        truth, rows = draw(rng, n, RARE if name == "+.96" else SHARES[name], CONFUSIONS[confusion])
        found.append(two_rounds(Design(rows), truth, labels, int(rng.integers(1 << 30)), i))
    return {"what": "rounds", "confusion": confusion, "truth": name, "n": n, "audit": labels} | _both(found)


def real_cell(study: Study, labels: int, repeats: int) -> Row:
    """Two rounds, on people's labels."""
    rng = np.random.default_rng(115)
    found = [two_rounds(study.design, study.labels, labels, int(rng.integers(1 << 30)), i) for i in range(repeats)]
    return {"what": "real", "model": study.rows.model, "audit": labels} | _both(found)


def two_rounds(design: Design, truth: NDArray[np.intp], labels: int, first: int, second: int) -> tuple[float, float, float, float]:
    """The half-width of so many labels, foreseen and found, and of twice as many when these are known; and the seeds of the two."""
    rows, start = design.rows, design.draw(labels, seed=first)
    known = Design(rows, start, np.eye(3)[truth[start]])
    more = np.sort(np.concatenate([start, known.draw(2 * labels, seed=second)]))
    came = [_half_width(rectified(rows, _labelled(truth, chosen, drawn))) for chosen, drawn in ((start, design), (more, known))]
    return design.half_width(labels), came[0], known.half_width(2 * labels), came[1]


def _both(found: list[tuple[float, float, float, float]]) -> Row:
    sides = [list(side) for side in zip(*found, strict=True)]
    rounds = {"first": _beside(*sides[:2]), "second": _beside(*sides[2:])}
    return {f"{name}, {which} round": value for which, row in rounds.items() for name, value in row.items()}


def alike_cell(first: Study, second: Study) -> Row:
    """How alike labels of two models are by scenario and were forecast to be, and the half-width of the difference if all are labelled."""
    net, ends = QUANTITIES.index("net"), [rectified(s.rows, whole(s.labels)) for s in (first, second)]
    own, forecast = [float(covariance(e, e)[net, net]) for e in ends], [s.design.variances(s.rows.n)[1] for s in (first, second)]
    labels, foreseen = float(covariance(*ends)[net, net]) / math.sqrt(own[0] * own[1]), scenario_correlation(first.design, second.design)
    said = [counted(s.rows) for s in (first, second)]
    spread = math.sqrt(float(covariance(said[0], said[0])[net, net] * covariance(said[1], said[1])[net, net]))
    return {
        "what": "alike",
        "first": first.rows.model,
        "second": second.rows.model,
        "labels": labels,
        "verdicts": float(covariance(*said)[net, net]) / spread,
        "foreseen": foreseen,
        "difference, labels": Z * math.sqrt(sum(own) - 2 * labels * math.sqrt(own[0] * own[1])),
        "difference, foreseen": Z * math.sqrt(sum(forecast) - 2 * foreseen * math.sqrt(forecast[0] * forecast[1])),
    }


def bound_cell(name: str, n: int, labels: int) -> Row:
    """The least width of any unbiased estimate beside that of the labels alone, to first order, by simple and by best random sampling.

    What a label adds to net adherence (its influence) varies by v in all; by w where verdict and probabilities are known, the root of w
    being s on average. Labels alone have v / m of m labels; the best prediction leaves w of v to the drawing, and the draw of the responses
    stays: (w / m) (1 - m / n) + v / n. If labels go where s is large, the drawing has s squared / m - w / n. Twins make the draw of
    responses matter more. Beside these two, the strata of a plan without predictions, its labels dealt as planned and as would be best.
    """
    m = min(labels, n)
    truth, rows = draw(np.random.default_rng(14), 400_000, SHARES[name], DEFAULT)
    adhere, oppose, _ = SHARES[name]
    influence = 2 * np.array([oppose, -adhere, 0.0])[truth] / (adhere + oppose) ** 2
    sums = np.bincount(rows.scenarios, influence)
    v = float((influence**2).mean())
    twins = float((sums**2).sum() / (influence**2).sum())
    steps = np.quantile(rows.probabilities.max(axis=1), np.linspace(0, 1, 41)[1:-1])
    kind = rows.codes * 40 + np.searchsorted(steps, rows.probabilities.max(axis=1))
    counts = np.maximum(np.bincount(kind, minlength=120), 1)
    within = np.bincount(kind, influence**2, 120) / counts - (np.bincount(kind, influence, 120) / counts) ** 2
    share = counts / counts.sum()
    w, s = float((share * within).sum()), float((share * np.sqrt(np.maximum(within, 0))).sum())
    alone = v / m * (1 - m / n) + twins * v / n
    simple, best = w / m * (1 - m / n) + twins * v / n, max(0.0, s * s / m - w / n) + twins * v / n
    dealt = _dealt(name, n, m, influence, strata_of(rows))
    return {
        "what": "bound",
        "truth": name,
        "n": n,
        "audit": labels,
        "explained": 1 - w / v,
        "simple": math.sqrt(simple / alone),
        "strata as planned": math.sqrt((dealt[0] + twins * v / n) / alone),
        "strata at best": math.sqrt((dealt[1] + twins * v / n) / alone),
        "best": math.sqrt(best / alone),
    }


def _dealt(
    name: str, n: int, labels: int, influence: NDArray[np.float64], strata: NDArray[np.intp], repeats: int = 40
) -> NDArray[np.float64]:
    """Mean variance by the drawing of labels from the strata of plans, as the plan deals them, and by their size and true deviation."""
    deviation = np.array([influence[strata == h].std() for h in range(6)]).reshape(3, 2)
    rng, found = np.random.default_rng(15), []
    for _ in range(repeats):
        _, rows = draw(rng, n, SHARES[name], DEFAULT)
        design = Design(rows)
        codes = np.array([rows.codes[design.strata == h][0] for h in range(len(design.sizes))])
        own = np.array(
            [deviation[c].mean() if (codes == c).sum() == 1 else deviation[c, int((codes[:h] == c).any())] for h, c in enumerate(codes)]
        )
        wish, best = labels * design.sizes * own / (design.sizes @ own), np.minimum(2, design.sizes)
        for _ in range(labels - int(best.sum())):
            best[np.where(best < design.sizes, wish - best, -np.inf).argmax()] += 1
        found.append(
            [
                float(((design.sizes * own) ** 2 * (1 / given - 1 / design.sizes)).sum()) / n**2
                for given in (design.allocation(labels), best)
            ]
        )
    return np.asarray(np.mean(found, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--only", nargs="*", default=[], choices=["power", "half-width", "asked", "rounds", "bound", "real"])
    parser.add_argument("--raw", type=Path, help="sources of ValEval as published, for `real`")
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    cells: dict[str, Callable[[], list[Row]]] = {
        "power": lambda: [power_cell(c, *study, arguments.repeats) for c in CONFUSIONS for study in STUDIES],
        "half-width": lambda: [
            width_cell(c, s, n, m, arguments.repeats) for c in CONFUSIONS for s in ("+.75", "+.80") for n in SIZES for m in AUDITS[1:]
        ],
        "asked": lambda: [
            asked_cell(c, *cell, arguments.repeats)
            for c in CONFUSIONS
            for cell in (("+.75", 500, 0.1), ("+.75", 2000, 0.1), ("+.80", 2000, 0.2))
        ],
        "rounds": lambda: [rounds_cell(c, s, 500, 60, arguments.repeats) for c in CONFUSIONS for s in ("+.75", "+.80", "+.96")],
        "bound": lambda: [bound_cell(s, n, m) for s in ("+.75", "+.80") for n in SIZES for m in AUDITS],
    }
    for name, make in cells.items():
        if not arguments.only or name in arguments.only:
            show(make())
    if arguments.raw and (not arguments.only or "real" in arguments.only):
        six = list(six_models(arguments.raw))
        show([real_cell(study, 100, arguments.repeats) for study in six] + [alike_cell(*pair) for pair in combinations(six, 2)])


if __name__ == "__main__":
    main()
