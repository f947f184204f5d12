"""Do profiles hold? Coverage, width and false findings of counted, corrected and rectified profiles, by simulation.

    python benchmarks/profile_coverage.py [--repeats 1000] [--jobs 2] [--only rectified …] [--json FILE]

Labels are drawn with known shares, 1-6 responses a scenario that are alike (intra-class correlation .3); verdicts by a confusion matrix:
that of the default evaluator on recorded rows (`benchmarks/replay_accuracy.py`, split dev), a symmetric one, and one that reads a tenth
of a model's adhering responses as opposing. 60 calibration labels of each of four values, a third of each label. Over just these
responses, evaluators are poor and labels rare, as on real labels (`profile_real.py`). The tables stand in docs/design/profile.md.
Takes some ten minutes for 1,000 repeats on two idle cores.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from clave.profile.comparing import net_difference
from clave.profile.corrected import corrected
from clave.profile.counted import counted
from clave.profile.design import Design
from clave.profile.estimates import QUANTITIES, Profile, Rows, quantities
from clave.profile.rates import Known, error_rates
from clave.profile.rectified import Audit, rectified
from clave.profile.support import unlike, unsupported

Array = NDArray[np.float64]
DEFAULT = np.array([[77, 3, 12], [3, 76, 12], [8, 6, 67]]) / np.array([[92], [91], [81]])
SYMMETRIC = 0.7 * np.eye(3) + 0.1
STYLE = DEFAULT + np.array([[-0.1, 0.1, 0], [0, 0, 0], [0, 0, 0]])
CONFUSIONS = {"default": DEFAULT, "symmetric": SYMMETRIC, "style": STYLE}
SHARES = {"+.75": (0.70, 0.10, 0.20), "+.80": (0.18, 0.02, 0.80), "+1.00": (0.10, 0.00, 0.90)}
SIZES, AUDITS = (100, 500, 2000), (30, 60, 120)
JUST_THESE, POOR = 900, (0.45, 0.65)
"""Responses, and how often a poor evaluator is right about each label."""
THESE = ((2, 0), (9, 0), (27, 0), (72, 0), (270, 0), (270, 360), (90, 720), (162, 684), (180, 702), (450, 270))
"""How many of them oppose and how many are unrelated."""
VALUES, LABELS_A_VALUE = 4, 60
ALIKE = 0.3
WRONG = np.array([[0, 0.2, 0.8], [0.2, 0, 0.8], [0.55, 0.45, 0]])
"""Where a verdict's probability goes that is not its own."""
NOVELTY, SPREAD = np.array([0.45, 0.45, 0.52]), 0.1
"""Of responses of each label: mean and standard deviation."""
Row = dict[str, object]


def draw(
    rng: np.random.Generator,
    n: int,
    shares: tuple[float, ...],
    rates: Array,
    *,
    twins: bool = True,
    novel: float = 0.0,
    model: str = "m",
    labels: NDArray[np.intp] | None = None,
) -> tuple[NDArray[np.intp], Rows]:
    """Labels, if none are given, and verdicts on them; `novel` moves novelty by so many standard deviations."""
    scenarios = np.repeat(np.arange(n), rng.integers(1, 7, n) if twins else 1)[:n]
    if labels is None:
        common, own = rng.choice(3, n, p=shares), rng.choice(3, n, p=shares)
        labels = np.where(rng.random(n) < (ALIKE if twins else 0), common[scenarios], own)
    codes = (rng.random(n)[:, None] > np.cumsum(rates[labels], axis=1)).sum(axis=1).clip(0, 2)
    sure = 1 / 3 + 2 / 3 * np.where(codes == labels, rng.beta(7, 2, n), rng.beta(4, 3, n))
    probabilities = (1 - sure)[:, None] * WRONG[codes] + sure[:, None] * np.eye(3)[codes]
    novelty = NOVELTY[labels] + SPREAD * (rng.standard_normal(n) + novel)
    return labels, Rows(model, "v0", codes, probabilities, scenarios, novelty=novelty)


def calibration(rng: np.random.Generator, rates: list[Array]) -> Known:
    """Labels of some values with what the evaluator said of them."""
    parts = [draw(rng, LABELS_A_VALUE, (1 / 3, 1 / 3, 1 / 3), r, twins=False) for r in rates]
    names = [f"v{v}" for v in range(len(rates)) for _ in range(LABELS_A_VALUE)]
    return Known(
        values=tuple(names),
        probabilities=np.concatenate([rows.probabilities for _, rows in parts]),
        labels=np.concatenate([labels for labels, _ in parts]),
        groups=tuple(map(str, range(len(names)))),
        novelty=np.concatenate([np.asarray(rows.novelty) for _, rows in parts]),
    )


def audit(rng: np.random.Generator, labels: NDArray[np.intp], rows: Rows, n: int, *, planned: bool) -> Audit:
    """Labels of n responses, drawn as `clave audit plan` draws them or by simple random sampling."""
    n = min(n, rows.n)
    if not planned:
        chosen = np.sort(rng.choice(rows.n, n, replace=False))
        return Audit(chosen, np.eye(3)[labels[chosen]], np.full(n, rows.n / n), np.zeros(rows.n, np.intp))
    design = Design(rows)
    chosen = design.draw(n, seed=int(rng.integers(1 << 30)))
    weights = design.sizes / np.maximum(np.bincount(design.strata[chosen], minlength=len(design.sizes)), 1)
    return Audit(chosen, np.eye(3)[labels[chosen]], weights[design.strata[chosen]], design.strata)


class Tally:
    """Coverage, width and bias of one cell."""

    def __init__(self, shares: tuple[float, ...]) -> None:
        self.truth = quantities(np.array(shares))
        self.found: list[list[tuple[float, float, float]]] = []

    def add(self, profile: Profile) -> None:
        given = [profile.estimates[q] for q in QUANTITIES]
        silent = [q == "net" and profile.note for q in QUANTITIES]
        nothing = (np.nan, np.nan, np.nan)
        self.found.append(
            [
                nothing if hush or e.value is None or e.low is None or e.high is None else (e.value, e.low, e.high)
                for e, hush in zip(given, silent, strict=True)
            ]
        )

    def figures(self) -> Row:
        a = np.array(self.found)
        known = ~np.isnan(a[:, :, 0])
        inside = (a[:, :, 1] <= self.truth + 1e-9) & (a[:, :, 2] >= self.truth - 1e-9)
        out: Row = {}
        for i, q in enumerate(QUANTITIES):
            if q != "unrelated" and known[:, i].any():  # its interval is that of relevance turned around
                own = a[known[:, i], i]
                out[q] = {
                    "coverage": float(inside[known[:, i], i].mean()),
                    "width": float((own[:, 2] - own[:, 1]).mean()),
                    "bias": float(own[:, 0].mean() - self.truth[i]),
                    "given": float(known[:, i].mean()),
                }
        return out


def counted_cell(name: str, n: int, repeats: int) -> Row:
    """The table of the first lines: counts of verdicts under the default's confusion."""
    rng, tally = np.random.default_rng(7), Tally(SHARES[name])
    for _ in range(repeats):
        tally.add(counted(draw(rng, n, SHARES[name], DEFAULT)[1]))
    return {"what": "counted", "truth": name, "n": n} | tally.figures()


def rectified_cell(confusion: str, name: str, n: int, labels: int, planned: bool, repeats: int) -> Row:
    """Rectified, and beside it the labels alone, of the same or, where the audit is planned, of a simple random sample."""
    rng, tally, alone = np.random.default_rng(8), Tally(SHARES[name]), Tally(SHARES[name])
    worst, relevant = 0.0, 0.0
    for _ in range(repeats):
        truth, rows = draw(rng, n, SHARES[name], CONFUSIONS[confusion])
        chosen = audit(rng, truth, rows, labels, planned=planned)
        plain = audit(rng, truth, rows, labels, planned=False) if planned else chosen
        found, same = rectified(rows, chosen), rectified(rows, plain, predict=False)
        tally.add(found)
        alone.add(same)
        relevant += float(chosen.labels[:, :2].sum()) / repeats
        if not planned and found.net.low is not None and same.net.low is not None:
            worst = max(worst, (found.net.high - found.net.low) / (same.net.high - same.net.low))  # type: ignore[operator]
    figures, labels_alone = tally.figures(), alone.figures()
    ratio = {q: figures[q]["width"] / labels_alone[q]["width"] for q in figures if q in labels_alone}  # type: ignore[index]
    cell: Row = {"what": "rectified", "confusion": confusion, "truth": name, "n": n, "audit": labels, "planned": planned}
    return cell | figures | {"ratio": ratio, "worst": worst, "relevant": relevant}


def these_cell(opposing: int, unrelated: int, right: float, labels: int, repeats: int) -> Row:
    """Rectified over just these responses, whose labels are counted."""
    counts = np.array([JUST_THESE - opposing - unrelated, opposing, unrelated])
    shares = tuple((counts / JUST_THESE).tolist())
    rng, tally, alone = np.random.default_rng(12), Tally(shares), Tally(shares)
    for _ in range(repeats):
        truth = rng.permutation(np.repeat(np.arange(3), counts))
        rates = (1.5 * right - 0.5) * np.eye(3) + (1 - right) / 2
        _, rows = draw(rng, JUST_THESE, shares, rates, twins=False, labels=truth)
        tally.add(rectified(rows, audit(rng, truth, rows, labels, planned=True), these=True))
        alone.add(rectified(rows, audit(rng, truth, rows, labels, planned=False), these=True, predict=False))
    figures, labels_alone = tally.figures(), alone.figures()
    ratio = {q: figures[q]["width"] / labels_alone[q]["width"] for q in figures if q in labels_alone}  # type: ignore[index]
    return {"what": "these", "truth": "/".join(map(str, counts)), "right": right, "audit": labels} | figures | {"ratio": ratio}


def corrected_cell(confusion: str, name: str, n: int, alike: float, repeats: int) -> Row:
    """Corrected under label shift; `alike` is how alike the values' error rates are (strength of a Dirichlet distribution)."""
    rng, tally = np.random.default_rng(9), Tally(SHARES[name])
    for _ in range(repeats):
        rates = [_near(rng, CONFUSIONS[confusion], alike) for _ in range(VALUES)]
        _, rows = draw(rng, n, SHARES[name], rates[0])
        found = error_rates(calibration(rng, rates), "v0")
        assert found is not None
        tally.add(corrected(rows, found))
    return {"what": "corrected", "confusion": confusion, "truth": name, "n": n, "alike": alike} | tally.figures()


def _near(rng: np.random.Generator, rates: Array, alike: float) -> Array:
    return rates if alike == np.inf else np.stack([rng.dirichlet(alike * np.maximum(row, 1e-3)) for row in rates])


def equal_cell(kind: str, n: int, labels: int, repeats: int) -> Row:
    """Two models of net adherence .8: how often the interval of their difference leaves out zero."""
    rng, called, given = np.random.default_rng(10), dict.fromkeys(("counted", "corrected", "rectified"), 0.0), 0.0
    often, seldom = (0.81, 0.09, 0.10), (0.18, 0.02, 0.80)
    shares, rates, novel = {
        "relevance .9 and .2": ((often, seldom), (DEFAULT, DEFAULT), 0.0),
        "relevance .8 both": (((0.72, 0.08, 0.2),) * 2, (DEFAULT, DEFAULT), 0.0),
        "one model's style is misread": (((0.72, 0.08, 0.2),) * 2, (DEFAULT, STYLE), 1.0),
        "the same, more novel by 1/2 sd only": (((0.72, 0.08, 0.2),) * 2, (DEFAULT, STYLE), 0.5),
        "the same, no more novel": (((0.72, 0.08, 0.2),) * 2, (DEFAULT, STYLE), 0.0),
    }[kind]
    for _ in range(repeats):
        known = calibration(rng, [DEFAULT] * VALUES)
        both = [draw(rng, n, s, r, novel=novel if i else 0.0, model="ab"[i]) for i, (s, r) in enumerate(zip(shares, rates, strict=True))]
        error = error_rates(known, "v0")
        assert error is not None
        cells = [rows for _, rows in both]
        refused = unsupported(cells, known) or unlike(cells, known)
        pairs = {
            "counted": [counted(rows) for rows in cells],
            "corrected": [] if refused else [corrected(rows, error) for rows in cells],
            "rectified": [rectified(rows, audit(rng, truth, rows, labels, planned=True)) for truth, rows in both],
        }
        for method, pair in pairs.items():
            if pair and (method == "counted" or all(p.supported for p in pair)):
                called[method] += ((net_difference(*pair).p or 0) < 0.05) / repeats
        given += (not refused) / repeats
    return {"what": "equal", "kind": kind, "n": n, "audit": labels} | called | {"corrected in": given}


def support_cell(kind: str, name: str, n: int, repeats: int) -> Row:
    """How often `not supported` is said of a model: of four values whose net adherence would be off, or not; and how often a level is
    claimed whose interval leaves out the truth."""
    rng = np.random.default_rng(11)
    rates, novel, doubt = {
        "the assumption holds": (DEFAULT, 0.0, 0.0),
        "misread, responses more novel by 1 sd": (STYLE, 1.0, 0.0),
        "misread, responses more novel by 1/2 sd": (STYLE, 0.5, 0.0),
        "misread, verdicts less sure by a fifth": (STYLE, 0.0, 0.2),
        "misread without a trace": (STYLE, 0.0, 0.0),
    }[kind]
    refused = off = both = wrong = 0
    truth = quantities(np.array(SHARES[name]))[4]
    for _ in range(repeats):
        known = calibration(rng, [DEFAULT] * VALUES)
        cells = [replace(draw(rng, n, SHARES[name], rates, novel=novel)[1], value=f"v{v}") for v in range(VALUES)]
        cells = [replace(c, probabilities=(1 - doubt) * c.probabilities + doubt / 3) for c in cells]
        notes = unsupported(cells, known)
        for cell in cells:
            error = error_rates(known, cell.value)
            assert error is not None
            found, is_refused = corrected(cell, error), ("m", cell.value) in notes
            is_off = abs(quantities(found.shares)[4] - truth) > 0.1
            is_held = found.net.low is not None and found.net.high is not None and found.net.low <= truth <= found.net.high
            refused, off, both = refused + is_refused, off + is_off, both + (is_off and is_refused)
            wrong += not is_refused and not is_held
    many = VALUES * repeats
    return {
        "what": "support",
        "kind": kind,
        "truth": name,
        "n": n,
        "refused": refused / many,
        "off": off / many,
        "refused of those": both / max(off, 1),
        "claimed wrongly": wrong / many,
    }


def jobs(repeats: int, only: list[str]) -> Iterator[Callable[[], Row]]:
    """All cells, the slowest first."""
    made = {
        "rectified": [
            functools.partial(rectified_cell, c, s, n, a, planned, repeats)
            for n, c, s, a, planned in product(SIZES[::-1], CONFUSIONS, SHARES, AUDITS, (True, False))
            if planned or c == "default"
        ],
        "these": [functools.partial(these_cell, *t, right, m, repeats) for t, right, m in product(THESE, POOR, (50, 100))],
        "corrected": [
            functools.partial(corrected_cell, c, s, n, alike, repeats)
            for c, s, n, alike in product(("default", "symmetric"), SHARES, SIZES, (np.inf, 60.0))
            if c == "default" or alike == np.inf
        ],
        "equal": [
            functools.partial(equal_cell, kind, n, 120, repeats)
            for kind, n in product(
                (
                    "relevance .9 and .2",
                    "relevance .8 both",
                    "one model's style is misread",
                    "the same, more novel by 1/2 sd only",
                    "the same, no more novel",
                ),
                (100, 300, 1000),
            )
        ],
        "support": [
            functools.partial(support_cell, kind, s, n, max(10, repeats // 4))
            for kind, s, n in product(
                (
                    "the assumption holds",
                    "misread, responses more novel by 1 sd",
                    "misread, responses more novel by 1/2 sd",
                    "misread, verdicts less sure by a fifth",
                    "misread without a trace",
                ),
                ("+.75", "+.80"),
                SIZES,
            )
        ],
        "counted": [functools.partial(counted_cell, s, n, repeats) for s, n in product(SHARES, SIZES)],
    }
    for name, cells in made.items():
        if not only or name in only:
            yield from cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], choices=["counted", "corrected", "rectified", "these", "equal", "support"])
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        rows = []
        for row in pool.map(_run, jobs(arguments.repeats, arguments.only)):
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)  # each cell as it is ready
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _run(job: Callable[[], Row]) -> Row:
    np.seterr(all="ignore")
    return job()


def show(rows: list[Row]) -> None:
    """A table of each kind of cell, in Markdown's form."""
    console = Console(width=170)
    for what in dict.fromkeys(row["what"] for row in rows):
        own = [row for row in rows if row["what"] == what]
        table = Table(*(k for k in own[0] if k != "what"), title=str(what))
        for row in own:
            table.add_row(*(_cell(row.get(k)) for k in own[0] if k != "what"))
        console.print(table)
        if what in ("rectified", "these"):
            console.print(_of_net(own))


def _of_net(rows: list[Row]) -> str:
    """Coverage of net adherence over all cells in which it is given at least half of the time and lies inside the scale."""
    nets: list[Row] = [row["net"] for row in rows if "net" in row and row["truth"] != "+1.00"]  # type: ignore[misc]
    held = np.array([net["coverage"] for net in nets if float(str(net["given"])) >= 0.5])
    ends = f"{held.min():.3f} to {held.max():.3f}, {(held < 0.93).sum()} below .93, {(held > 0.97).sum()} above .97"
    return f"{len(held)} cells: mean {held.mean():.3f}, {ends}"


def _cell(value: object) -> str:
    if isinstance(value, dict):
        if "coverage" in value:
            rare = f" ({value['given']:.0%})" if value["given"] < 1 else ""
            return f"{value['coverage']:.3f} w {value['width']:.2f} b {value['bias']:+.3f}{rare}"
        return " ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
