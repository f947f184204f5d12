"""Views and leaks: what the response decides, where controls are at chance, and what a calibration row gives away."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clave.records import LABELS, Label
from clave.valeval.hard import floor, hard_rows
from clave.valeval.leaks import apart
from clave.valeval.neardup import near_any
from clave.valeval.row import ValEvalRow, row_id
from clave.valeval.splits import capped, taught, two_sided
from clave.valeval.views import deciding, marked


def row(scenario: str, response: str, label: Label, source: str = "s", value: str = "care") -> ValEvalRow:
    return ValEvalRow(
        id=row_id(source, "mft", value, scenario, response), system="mft", value=value, split="original", scenario=scenario,
        response=response, label=label, label_origin="stated", source=source, license="MIT", group=scenario or response,
    )  # fmt: skip


def test_rows_are_marked_by_what_other_answers_to_the_prompt_differ_in() -> None:
    rows = [
        row("Q1", "helps", "adhere"),
        row("q1!", "leaves it aside", "unrelated"),
        row("Q2", "helps", "adhere"),
        row("Q2", "hurts", "oppose"),
        row("Q3", "helps", "adhere"),
        row("Q3", "helps too", "adhere"),
        row("Q3", "another value", "oppose", value="loyalty"),
        row("Q3", "another source", "oppose", source="t"),
        row("", "no prompt", "adhere"),
        row("", "none either", "oppose"),
    ]
    assert [r.decides for r in marked(rows)] == ["relevance", "relevance", "side", "side", *[""] * 6]


def test_the_prompt_alone_is_right_by_chance_only_where_the_response_decides() -> None:
    rng = random.Random(0)
    rows = [row(f"Q{i}", f"answer {i} {j}", rng.choice(LABELS)) for i in range(40) for j in range(5)]
    view = deciding(marked(rows), seed=0)
    assert view
    by_prompt = defaultdict[str, Counter[bool]](Counter)
    for r in view:
        by_prompt[r.scenario].update([(r.label == "unrelated") if r.decides == "relevance" else (r.label == "oppose")])
    assert all(c[True] == c[False] for c in by_prompt.values())


def test_prompts_with_unlike_answers_are_taken_first() -> None:
    alike = [row(f"Q{i}", f"a{i}", label) for i in range(400) for label in ("adhere",)]  # type: ignore[arg-type]
    unlike = [row(f"P{i}", f"{label} {i}", label) for i in range(60) for label in ("adhere", "oppose")]  # type: ignore[arg-type]
    kept = {r.id for r in capped([*alike, *unlike], 0)}
    assert {r.id for r in unlike} <= kept


def test_a_near_copy_of_a_learnt_response_and_a_reworded_scenario_give_a_row_away() -> None:
    learnt = [row("How is bread made?", "Mix flour and water, let the dough rest, then bake it in a hot oven.", "adhere")]
    copy = row("What about cake?", "mix flour and water; let the dough rest, then bake it in a hot oven", "adhere")
    reworded = row("How do you make bread?", "Buy it.", "oppose")
    fine = row("Who sweeps the street?", "The baker mixes flour there.", "oppose")
    vectors = {"How is bread made?": [1, 0], "How do you make bread?": [0.95, 0.31], "Who sweeps the street?": [0, 1]}

    def of(texts: list[str]) -> Mapping[str, NDArray[np.float32]]:
        return {t: np.array(vectors.get(t, [0, 1]), np.float32) for t in texts}

    assert apart([copy, reworded, fine], learnt, of) == [fine]
    assert apart([copy, fine], [], of) == [copy, fine]
    assert near_any(["one two three four five"], ["one two three four six"], 0.9) == set()
    assert near_any([], ["x"]) == set()


def test_one_label_is_neither_tested_nor_taught() -> None:
    rows = [row("", "a", "adhere"), row("", "b", "oppose"), row("", "c", "adhere", source="t"), row("", "d", "adhere", value="loyalty")]
    assert two_sided(rows) == rows[:2]
    cells = {("mft", "care", "adhere"): rows * 5, ("mft", "care", "oppose"): rows[:1] * 5, ("mft", "loyalty", "adhere"): rows * 9}
    assert set(taught(cells)) == {("mft", "care", "adhere"), ("mft", "care", "oppose")}
    cells["mft", "loyalty", "oppose"] = rows[:1] * 4
    assert ("mft", "loyalty", "adhere") not in taught(cells)


def test_controls_are_at_chance_on_the_hard_view_and_were_not_before() -> None:
    """Of 1,200 rows in half the scenario, in a quarter the layout gives the label away."""
    rng, rows = random.Random(1), list[ValEvalRow]()
    for i in range(1200):
        label = LABELS[i % 3]
        topic = label if rng.random() < 0.5 else rng.choice(LABELS)
        marks = {"adhere": "!!", "oppose": "??", "unrelated": ".."}[label if rng.random() < 0.25 else rng.choice(LABELS)]
        rows.append(row(f"{topic} {i}", f"words {i}{marks}", label))
    directions = {label: np.eye(8, dtype=np.float32)[k] for k, label in enumerate(LABELS)}

    def of(texts: list[str]) -> Mapping[str, NDArray[np.float32]]:
        noise = {t: np.random.default_rng(len(t) + sum(map(ord, t))).normal(0, 0.1, 8).astype(np.float32) for t in texts}
        return {t: directions.get(t.split()[0], np.zeros(8, np.float32)) + noise[t] for t in texts}

    learnt, tested = rows[:90], rows[90:]
    before, view = floor(tested, learnt, of, halves=1), hard_rows(tested, learnt, of, 0)
    after = floor(view, learnt, of, halves=1)
    assert before["scenario-only"]["halves"] > 0.6
    assert before["surface"]["halves"] > 0.45
    assert len(view) > 120
    assert set(Counter(r.label for r in view).values()) == {len(view) // 3}
    assert all(abs(share - 1 / 3) < 0.1 for shares in after.values() for share in shares.values()), after
