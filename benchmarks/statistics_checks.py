"""What the intervals, tests and thresholds of `clave.scoring` keep of what they promise, beside the usual ways: docs/design/statistics.md.

    python benchmarks/statistics_checks.py [--runs 200] [--only intervals,differences,tiers]

Everything is simulated and seeded; no data are needed. "before" is the usual way: a percentile bootstrap over scenarios, the paired test
against the judge that came out best with Holm's correction, plain bins, a threshold read off the rows at hand, one for all values.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clave.annotate.aggregate import dawid_skene
from clave.annotate.agreement import pair_agreement
from clave.annotate.curve import expected_gain
from clave.records import LABELS
from clave.scoring.comparing import pairwise
from clave.scoring.reliability import calibration_error
from clave.scoring.selective import choose_threshold
from clave.scoring.statistics import difference, estimate, holm

Array = NDArray[np.float64]
DRAWS = 1000


def mean(total: Array) -> Array:
    return np.asarray(total[..., 0] / total[..., 1])


def with_ones(right: Array) -> Array:
    return np.column_stack([right, np.ones(len(right))])


def percentile(sums: Array, groups: NDArray[np.intp], formula: Callable[[Array], Array], rng: np.random.Generator) -> tuple[float, float]:
    """The usual interval: groups drawn anew."""
    per_group = np.zeros((groups.max() + 1, sums.shape[1]))
    np.add.at(per_group, groups, sums)
    weights = rng.multinomial(len(per_group), np.full(len(per_group), 1 / len(per_group)), size=DRAWS)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.nanpercentile(formula(weights @ per_group), [2.5, 97.5])
    return float(low), float(high)


def table(*columns: str) -> None:
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))


def row(*cells: object) -> None:
    print("| " + " | ".join(f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells) + " |", flush=True)


def intervals(runs: int) -> None:
    """Share of 95 % intervals of an accuracy that hold the true one, by the rows' scenarios and their likeness."""
    table("scenarios", "likeness", "true accuracy", "before", "width", "now", "width")
    shapes = {"30 of one row": [1] * 30, "120 of 1 to 4 rows": [1, 2, 3, 4] * 30, 
              "10 uneven (264 rows)": [106, 53, 26, 21, 16, 13, 11, 8, 5, 5], "6 of 44 rows": [44] * 6}  # fmt: skip
    for name, sizes in shapes.items():
        for alike in (0.0,) if max(sizes) == 1 else (0.0, 0.4):
            for true in (0.7, 0.95, 0.99):
                rng, held, width = np.random.default_rng(1), np.zeros(2), np.zeros(2)
                groups = np.repeat(np.arange(len(sizes)), sizes)
                for _ in range(runs):
                    of = (
                        rng.beta(true * (1 - alike) / alike, (1 - true) * (1 - alike) / alike, len(sizes))
                        if alike
                        else np.full(len(sizes), true)
                    )
                    sums = with_ones((rng.random(len(groups)) < of[groups]).astype(float))
                    found = estimate(sums, groups, mean)
                    for i, (low, high) in enumerate((percentile(sums, groups, mean, rng), (found.low or 0.0, found.high or 0.0))):
                        held[i] += low <= true <= high
                        width[i] += high - low
                row(name, alike, true, *(x for i in (0, 1) for x in (held[i] / runs, width[i] / runs)))


def differences(runs: int) -> None:
    """Paired differences of two evaluators on rows each its own scenario."""
    table("rows", "only first right", "only second right", "before", "now", "told apart before", "now")
    for n in (20, 60, 264):
        for first, second in ((0.02, 0.02), (0.1, 0.1), (0.1, 0.0), (0.6, 0.05)):
            rng, held, told = np.random.default_rng(2), np.zeros(2), np.zeros(2)
            for _ in range(runs):
                luck = rng.random(n)
                a, b = (luck < first).astype(float), ((luck >= first) & (luck < first + second)).astype(float)
                groups, both = np.arange(n), np.hstack([with_ones(a), with_ones(b)])
                found = difference(with_ones(a), with_ones(b), groups, mean)
                old = percentile(both, groups, lambda t: mean(t[..., :2]) - mean(t[..., 2:]), rng)
                for i, (low, high) in enumerate((old, (found.low or 0.0, found.high or 0.0))):
                    held[i] += low - 1e-9 <= first - second <= high + 1e-9
                    told[i] += low > 1e-9 or high < -1e-9
            row(n, first, second, *(held / runs).tolist(), *(told / runs).tolist())


def calibration(runs: int) -> None:
    """Expected calibration error: share of intervals that hold the true one, and what is shown on average."""
    table("judge", "n", "true", "counted before", "held before", "counted now", "by chance", "without chance", "held now")
    kinds: dict[str, Callable[[Array], Array]] = {
        "keeps what it says": lambda c: c,
        "too sure by .1": lambda c: c - 0.1,
        "too sure by .2 above .8": lambda c: np.where(c > 0.8, c - 0.2, c),
    }
    for name, kept in kinds.items():
        for n in (60, 264, 1000):
            rng, held, shown = np.random.default_rng(3), np.zeros(2), np.zeros(4)
            drawn = np.clip(rng.beta(6, 2, 200_000), 0.51, 0.99)
            true = float(np.abs(drawn - kept(drawn)).mean())
            for _ in range(runs):
                c = np.clip(rng.beta(6, 2, n), 0.51, 0.99)
                right = rng.random(n) < kept(c)
                sums = np.zeros((n, 15, 2))
                sums[np.arange(n), np.clip(np.ceil(c * 15).astype(int) - 1, 0, 14)] = np.column_stack([c, right])
                sums = sums.reshape(n, 30)

                def plain(total: Array, n: int = n) -> Array:
                    bins = total.reshape(*total.shape[:-1], 15, 2)
                    return np.asarray(np.abs(bins[..., 0] - bins[..., 1]).sum(-1) / n)

                low, high = percentile(sums, np.arange(n), plain, rng)
                found = calibration_error([LABELS[0] if r else LABELS[1] for r in right], np.column_stack([c, 1 - c, np.zeros(n)]))
                held += low <= true <= high, (found.low or 0.0) <= true <= (found.high or 0.0)
                shown += float(plain(sums.sum(axis=0))), found.counted or 0.0, found.by_chance or 0.0, found.value or 0.0
            shown, held = shown / runs, held / runs
            row(name, n, *(f"{x:.3f}" for x in (true, shown[0])), float(held[0]), *(f"{x:.3f}" for x in shown[1:]), float(held[1]))


def equal_judges(rng: np.random.Generator, k: int, n: int, chances: Array) -> tuple[Array, NDArray[np.intp]]:
    """Half of the rows are hard or easy for all; two rows of a scenario are alike."""
    luck = rng.random(n)[np.arange(n) // 2 * 2]
    mixed = np.where(rng.random((n, k)) < 0.5, luck[:, None], rng.random((n, k)))
    return (mixed < chances).astype(float), np.arange(n) // 2


def against_selected(right: Array, groups: NDArray[np.intp]) -> list[float]:
    best = int(right.mean(axis=0).argmax())
    others = [j for j in range(right.shape[1]) if j != best]
    return holm([difference(with_ones(right[:, best]), with_ones(right[:, j]), groups, mean).p or 0.0 for j in others])


def tiers(runs: int) -> None:
    """Equal judges (.75 right, n = 264) that are told apart, and one that is better by .1 or .15 that is told from all."""
    table("judges", "equal ones told apart before", "now", "better by .10, told from all others before", "now", "by .15 before", "now")
    for k in (5, 10, 21, 40, 52):
        cells: list[float] = []
        for gain in (0.0, 0.10, 0.15):
            rng, told, few = np.random.default_rng(4), np.zeros(2), max(20, runs // 3)
            for _ in range(few):
                right, groups = equal_judges(rng, k, 264, np.array([0.75 + gain] + [0.75] * (k - 1)))
                old, new = np.array(against_selected(right, groups)) < 0.05, pairwise(right, groups) < 0.05
                told += (old.any(), new.any()) if not gain else (old.all(), new[0, 1:].all())
            cells += (told / few).tolist()
        row(k, *cells)


def confidences(rng: np.random.Generator, n: int, kept: float = 0.97) -> tuple[Array, NDArray[np.bool_]]:
    top = rng.uniform(1 / 3, 1, n)
    return top, rng.random(n) > top * kept


def read_off(top: Array, wrong: NDArray[np.bool_], risk: float) -> float | None:
    """The usual way: the lowest threshold at which the errors seen stay within the risk."""
    order = np.argsort(-top)
    within = np.flatnonzero(np.cumsum(wrong[order]) <= risk * np.arange(1, len(order) + 1))
    return float(top[order][within[-1]]) if len(within) else None


def coverage(runs: int) -> None:
    """Thresholds at a stated risk: share that is broken on new rows, and share of rows that are answered."""
    table("n", "risk", "broken before", "answered", "broken now", "answered")
    fresh, fresh_wrong = confidences(np.random.default_rng(5), 200_000)
    for n in (100, 264, 1000):
        for risk in (0.1, 0.2):
            rng, broken, answered = np.random.default_rng(6), np.zeros(2), np.zeros(2)
            for _ in range(runs):
                top, wrong = confidences(rng, n)
                for i, threshold in enumerate(
                    (read_off(top, wrong, risk), choose_threshold(top, wrong, np.arange(n), risk=risk).threshold)
                ):
                    if threshold is not None:
                        broken[i] += fresh_wrong[fresh >= threshold].mean() > risk
                        answered[i] += (fresh >= threshold).mean()
            row(n, risk, *(float(x) for i in (0, 1) for x in (broken[i] / runs, answered[i] / runs)))


def cascade(runs: int) -> None:
    """Ten values with 60 labels each, whose confidences the small model keeps between the two factors. Risk .3."""
    table("kept", "values beyond their risk before", "answered", "now", "answered")
    for least in (0.97, 0.85, 0.7):
        rng, few, risk = np.random.default_rng(7), max(20, runs // 3), 0.3
        kept = np.linspace(least, 1.0, 10)
        beyond, answered = np.zeros(2), np.zeros(2)
        fresh = [confidences(np.random.default_rng(100 + v), 20_000, k) for v, k in enumerate(kept)]
        for _ in range(few):
            drawn = [confidences(rng, 60, k) for k in kept]
            top, wrong = np.concatenate([d[0] for d in drawn]), np.concatenate([d[1] for d in drawn])
            one = choose_threshold(top, wrong, np.arange(len(top)), risk=risk).threshold
            own = [choose_threshold(t, w, np.arange(60), risk=risk).threshold for t, w in drawn]
            for i, thresholds in enumerate(([one] * 10, own)):
                for threshold, (top_new, wrong_new) in zip(thresholds, fresh, strict=True):
                    if threshold is not None:
                        at = top_new >= threshold
                        beyond[i] += wrong_new[at].mean() > risk
                        answered[i] += at.mean()
        row(f"{least} to 1", *(float(x) for i in (0, 1) for x in (beyond[i] / (few * 10), answered[i] / (few * 10))))


def agreement(runs: int) -> None:
    """Krippendorff's alpha of two annotators who copy the truth with a probability and else guess."""
    table("items", "copied", "true alpha", "before", "now")
    for items in (12, 30, 60):
        for copied in (0.8, 0.95):
            rng, held = np.random.default_rng(8), np.zeros(2)
            for _ in range(runs):
                truth = rng.integers(0, 3, items)
                said = [np.where(rng.random(items) < copied, truth, rng.integers(0, 3, items)) for _ in range(2)]
                found = pair_agreement("v", ("p", "q"), [("aou"[x], "aou"[y]) for x, y in zip(*said, strict=True)]).alpha
                counts = sum(np.eye(3)[one] for one in said)
                sums = np.column_stack([2.0 * (said[0] != said[1]), counts])

                def alpha(total: Array) -> Array:
                    n = total[..., 1:].sum(-1)
                    return np.asarray(1 - total[..., 0] * (n - 1) / (n**2 - (total[..., 1:] ** 2).sum(-1)))

                low, high = percentile(sums, np.arange(items), alpha, rng)
                held += low <= copied**2 <= high, found.low is None or found.low <= copied**2 <= (found.high or 0.0)
            row(items, copied, copied**2, *(held / runs).tolist())


def certainty(runs: int) -> None:
    """Labels settled by Dawid-Skene: mean certainty stated and share right; the majority beside them."""
    table("items", "annotators right", "majority right", "stated before", "right", "stated now", "right")
    for items in (20, 60, 120):
        for right in ((0.8, 0.8, 0.8), (0.9, 0.7, 0.5), (0.6, 0.6, 0.6)):
            rng, sums, few = np.random.default_rng(9), np.zeros(5), max(20, runs // 3)
            for _ in range(few):
                truth, counts = rng.integers(0, 3, items), np.zeros((items, 3, 3))
                for k, p in enumerate(right):
                    other = (truth + rng.integers(1, 3, items)) % 3
                    counts[np.arange(items), k, np.where(rng.random(items) < p, truth, other)] = 1
                sums[0] += (counts.sum(axis=1).argmax(axis=1) == truth).mean()
                for i, smoothing in enumerate((0.01, 1.0)):
                    posterior, _, _ = dawid_skene(counts, smoothing=smoothing)
                    sums[1 + 2 * i] += posterior.max(axis=1).mean()
                    sums[2 + 2 * i] += (posterior.argmax(axis=1) == truth).mean()
            row(items, ", ".join(map(str, right)), *(sums / few).tolist())


def gain(runs: int) -> None:
    """Learning curve of 60 rows of 20 scenarios, right with n labels in .9 - 1 / sqrt(n): what ten more bring, and its interval."""
    table("true gain", "mean gain shown", "interval holds it", "width")
    sizes = [10, 20, 30, 40, 48]
    rng, held, shown, width = np.random.default_rng(10), 0, 0.0, 0.0
    true = 1 / np.sqrt(48) - 1 / np.sqrt(58)
    groups = [str(i // 3) for i in range(60)]
    for _ in range(runs):
        luck = np.where(rng.random(60) < 0.5, rng.random(20).repeat(3), rng.random(60))
        right = np.column_stack([luck < 0.9 - 1 / np.sqrt(n) for n in sizes]).astype(float)
        found = expected_gain(right, sizes, groups)
        held += (found.low or 0.0) <= true <= (found.high or 0.0)
        shown, width = shown + (found.value or 0.0), width + (found.high or 0.0) - (found.low or 0.0)
    row(f"{true:.3f}", f"{shown / runs:.3f}", held / runs, f"{width / runs:.3f}")


CHECKS = {
    "intervals": intervals, "differences": differences, "calibration": calibration, "tiers": tiers, "coverage": coverage,
    "cascade": cascade, "agreement": agreement, "certainty": certainty, "gain": gain,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", default=",".join(CHECKS), help="which checks, by comma")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        print(f"\n## {name}\n\n{CHECKS[name].__doc__}")
        CHECKS[name](arguments.runs)


if __name__ == "__main__":
    main()
