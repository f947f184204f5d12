"""How often `clave check` raises a false alarm, and how often it sees a model that changed: the table of docs/design/drift.md.

    python benchmarks/check_drift.py [--runs 1000] [--prompts 60]

Everything is simulated and seeded; no data are needed. A model gives its usual answer to each question or, with a probability called noise,
another stance; its confidence varies, too. A model that changed has another usual answer to a share of the questions, or is more confident.
The simplest alternative runs beside the test: an alarm if more than a fixed share of stances differ between the fit and one round today.
"""

from __future__ import annotations

import argparse

import numpy as np

from clave.evaluating.checking import ALPHA, Said, moved_p
from clave.scoring.statistics import wilson

STANCES = ("adhere", "oppose", "unrelated")
NOISES = (0.0, 0.02, 0.05, 0.1, 0.2)
USUAL = 0.1
"""Share of changed stances that a fixed bound would take for drift."""


def reading(usual: np.ndarray, sure: np.ndarray, noise: float, rng: np.random.Generator) -> list[list[Said]]:
    """Answers to all questions: stances with noise, confidences in steps of .05 as models state them."""
    other = (usual + rng.integers(1, 3, len(usual))) % 3
    stance = np.where(rng.random(len(usual)) < noise, other, usual)
    shaken = sure + rng.choice([-0.05, 0.0, 0.05], len(usual), p=[noise, 1 - 2 * noise, noise])
    return [[Said(STANCES[s], float(c))] for s, c in zip(stance, np.clip(shaken, 0, 1), strict=True)]


def alarms(runs: int, prompts: int, noise: float, turned: float, surer: float, seed: int) -> tuple[float, float, float, float]:
    """Share of runs that say the model moved, its interval, and the same share of the fixed bound."""
    rng = np.random.default_rng(seed)
    found = usual_found = 0
    for _ in range(runs):
        then = rng.integers(0, 3, prompts)
        sure = rng.choice([0.7, 0.75, 0.8, 0.85, 0.9], prompts)
        now = np.where(rng.random(prompts) < turned, (then + rng.integers(1, 3, prompts)) % 3, then)
        before = reading(then, sure, noise, rng)
        first, second = (reading(now, sure + surer, noise, rng) for _ in range(2))
        found += first != before and moved_p(before, first, second) < ALPHA
        usual_found += sum(a[0].stance != b[0].stance for a, b in zip(before, first, strict=True)) > USUAL * prompts
    low, high = wilson(found / runs, runs)
    return found / runs, low, high, usual_found / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--prompts", type=int, default=60)
    options = parser.parse_args()
    changes = [("nothing", 0.0, 0.0)] + [(f"{share:.0%} of stances", share, 0.0) for share in (0.05, 0.1, 0.2, 0.3)]
    changes += [("surer by .05", 0.0, 0.05)]
    print(f"{options.prompts} questions, {options.runs} runs a cell, alarm at p < {ALPHA}\n")
    print("| what moved | noise | alarms [95 %] | a bound at 10 % of stances |\n|---|---|---|---|")
    for change, turned, surer in changes:
        for noise in NOISES:
            share, low, high, usual = alarms(options.runs, options.prompts, noise, turned, surer, seed=round(1000 * noise + 7))
            print(f"| {change} | {noise:.2f} | {share:.3f} [{low:.3f}, {high:.3f}] | {usual:.3f} |", flush=True)


if __name__ == "__main__":
    main()
