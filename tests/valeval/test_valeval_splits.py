"""Cutting by group: who goes where, how many, and that the seed and not the order decides."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clave.records import Label
from clave.valeval.diversity import pick_diverse
from clave.valeval.row import ValEvalRow, row_id
from clave.valeval.splits import CAP, FLOOR, PER_VALUE, capped, cut, deal, label_quotas


def row(i: int, label: Label, group: str, source: str = "a", value: str = "care") -> ValEvalRow:
    text = f"{source} {value} text number {i} {label}"
    return ValEvalRow(
        id=row_id(source, "mft", value, "", text), system="mft", value=value, split="", scenario="", response=text,
        label=label, label_origin="stated", source=source, license="MIT", group=group,
    )  # fmt: skip


def vectors(texts: list[str]) -> Mapping[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {t: rng.normal(size=4).astype(np.float32) for t in texts}


LABELS: tuple[Label, ...] = ("adhere", "oppose", "unrelated")
POOL = [row(i, label, f"g{i}") for i in range(300) for label in LABELS] + [
    row(i, "adhere", f"g{i}" if i < 10 else f"h{i}", source="b") for i in range(60)
]
ROLES = {"a": "calibration", "b": "generalization"}


def test_no_group_stands_in_two_splits_and_known_scenarios_leave_generalization() -> None:
    splits, _ = cut(POOL, ROLES, vectors, seed=0)  # type: ignore[arg-type]
    groups = {name: {r.group for r in rows} for name, rows in splits.items()}
    for a, b in itertools.combinations(("calibration", "original", "generalization"), 2):
        assert not groups[a] & groups[b], (a, b)
    assert not groups["calibration_random"] & groups["original"]
    assert not any(g.startswith("g") for g in groups["generalization"])
    assert all(r.split == name for name, rows in splits.items() for r in rows)


def test_calibration_has_a_hundred_rows_a_value_in_equal_parts() -> None:
    splits, _ = cut(POOL, ROLES, vectors, seed=0)  # type: ignore[arg-type]
    for name in ("calibration", "calibration_random"):
        assert sorted(Counter(r.label for r in splits[name]).values()) == [33, 33, 34]
    assert {r.id for r in splits["calibration"]} != {r.id for r in splits["calibration_random"]}


def test_the_order_of_the_pool_does_not_matter_and_the_seed_does() -> None:
    def ids(pool: list[ValEvalRow], seed: int) -> list[list[str]]:
        splits, _ = cut(pool, ROLES, vectors, seed)  # type: ignore[arg-type]
        return [sorted(r.id for r in splits[name]) for name in ("calibration_random", "original", "generalization")]

    assert ids(POOL, 0) == ids(POOL[::-1], 0)
    assert ids(POOL, 0) != ids(POOL, 1)


def test_rare_labels_reach_both_sides() -> None:
    pool = [row(i, "adhere", f"g{i}") for i in range(50)] + [row(i, "oppose", f"g{i}") for i in range(4)]
    side = deal({r.group for r in pool}, pool, seed=3)
    rare = [r.group in side for r in pool if r.label == "oppose"]
    assert 0 < sum(rare) < 4


def test_what_a_thin_label_lacks_goes_to_the_others_up_to_half() -> None:
    def quotas(adhere: int, oppose: int, unrelated: int) -> list[int]:
        found = label_quotas({("s", "v", label): n for label, n in zip(LABELS, (adhere, oppose, unrelated), strict=True)})
        return [found.get(("s", "v", label), 0) for label in LABELS]

    assert quotas(500, 500, 500) == [33, 33, 34]
    assert quotas(500, 4, 500) == [48, 4, 48]
    assert quotas(2, 0, 500) == [2, 0, 50]
    assert sum(quotas(90, 40, 20)) <= PER_VALUE


def test_caps_hold_unrelated_to_the_richest_label_and_lean_sources_to_two_to_one() -> None:
    rows = [row(i, "unrelated", f"g{i}") for i in range(500)] + [row(i, "adhere", f"g{i}") for i in range(60)]
    assert Counter(r.label for r in capped(rows, 0)) == {"unrelated": 60, "adhere": 60}
    rows = [row(i, "adhere", f"g{i}") for i in range(500)] + [row(i, "oppose", f"g{i}") for i in range(12)]
    assert Counter(r.label for r in capped(rows, 0)) == {"adhere": 24, "oppose": 12}
    assert len(capped([row(i, "adhere", f"g{i}") for i in range(500)], 0)) == FLOOR
    both = [row(i, label, f"g{i}") for i in range(500) for label in ("adhere", "oppose")]  # type: ignore[arg-type]
    assert set(Counter(r.label for r in capped(both, 0)).values()) == {CAP}


def test_capped_rows_are_spread_over_groups() -> None:
    rows = [row(i, "adhere", f"g{i % 5}") for i in range(200)] + [row(i, "adhere", f"h{i}") for i in range(10)]
    kept = capped(rows, 0)
    assert {r.group for r in kept} == {r.group for r in rows}


def test_diverse_picks_one_row_of_each_cluster() -> None:
    rows = [row(i, "adhere", f"g{i}") for i in range(40)]
    corners = {r.response: np.eye(4, dtype=np.float32)[i % 4] for i, r in enumerate(rows)}
    picked = pick_diverse(rows, 4, corners, seed=0)
    assert len({corners[r.response].tobytes() for r in picked}) == 4
    assert len(pick_diverse(rows, 10, corners, seed=0)) == 10, "equal points leave clusters empty, which are filled up"
    assert pick_diverse(rows, 99, corners, seed=0) == rows
