"""Labelled samples made ready for fitting: one label each, enough of them, and dealt into folds by scenario."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from clave.errors import InputError
from clave.recognizers.folds import scenario_folds
from clave.records import LABELS, Extraction, Label, LabelledResponse, Record

FEWEST = 6
"""Labels per value: two folds must each hold more than one sample of something."""


class Sample(Record):
    """A labelled sample with its fold and, where there is a large model, what that found without having seen the fold's labels."""

    labelled: LabelledResponse
    fold: int
    extraction: Extraction | None = None


def one_label_each(labelled: Iterable[LabelledResponse]) -> tuple[list[LabelledResponse], int]:
    """Join the annotators of each (id, value) by majority; samples without one are left out and counted."""
    by_key: defaultdict[tuple[str, str], list[LabelledResponse]] = defaultdict(list)
    for row in labelled:
        by_key[row.id, row.value].append(row)
    joined, disputed = list[LabelledResponse](), 0
    texts: dict[str, tuple[str, str]] = {}
    for key in sorted(by_key):
        rows = by_key[key]
        if any(texts.setdefault(r.id, (r.scenario, r.response)) != (r.scenario, r.response) for r in rows):
            raise InputError(f"id {key[0]!r} stands for different texts: give each response an id of its own")
        counts = Counter(r.label for r in rows).most_common(2)
        if len(counts) > 1 and counts[0][1] == counts[1][1]:
            disputed += 1
        else:
            joined.append(rows[0].model_copy(update={"label": counts[0][0]}))
    return joined, disputed


def check_enough(samples: Sequence[LabelledResponse]) -> None:
    """Refuse values that nothing can be learnt from.

    Raises:
        InputError: A value has too few labels, or all alike.
    """
    if not samples:
        raise InputError("there are no labelled samples")
    labels: defaultdict[str, list[Label]] = defaultdict(list)
    for sample in samples:
        labels[sample.value].append(sample.label)
    for value, own in labels.items():
        if len(own) < FEWEST:
            raise InputError(f"value {value!r} has {len(own)} labels and needs at least {FEWEST}: add some, or leave the value out")
        if len(set(own)) == 1:
            raise InputError(f"all {len(own)} labels of value {value!r} are {own[0]!r}: add others, or leave the value out")


def check_apart(learnt: Iterable[LabelledResponse], judged: Iterable[LabelledResponse]) -> None:
    """Refuse to judge by a text that was learnt from.

    Raises:
        InputError: A row of `judged` is one of `learnt`.
    """
    known = {(r.scenario, r.response, r.value) for r in learnt}
    for row in judged:
        if (row.scenario, row.response, row.value) in known:
            raise InputError(f"row {row.id!r} is among the calibration rows too: what was learnt from cannot be judged")


def dealt_samples(labelled: Iterable[LabelledResponse], folds: int, seed: int, *, given: bool) -> tuple[list[Sample], int]:
    """Labelled responses as samples: joined, found to be enough, and dealt into folds; and how many no majority settled.

    Args:
        labelled: As people labelled them.
        folds: See `deal_folds`.
        seed: See `deal_folds`.
        given: See `deal_folds`.

    Raises:
        InputError: A value has too few labels, or the samples cannot be dealt.
    """
    joined, disputed = one_label_each(labelled)
    check_enough(joined)
    return deal_folds(joined, folds, seed, given=given), disputed


def unseen_labels(samples: Sequence[LabelledResponse]) -> dict[str, list[Label]]:
    """value -> the labels that none of its samples has."""
    seen: defaultdict[str, set[Label]] = defaultdict(set)
    for sample in samples:
        seen[sample.value].add(sample.label)
    return {value: [label for label in LABELS if label not in labels] for value, labels in seen.items() if len(labels) < len(LABELS)}


def deal_folds(samples: Sequence[LabelledResponse], folds: int, seed: int, *, given: bool) -> list[Sample]:
    """Give each sample a fold, so that no scenario stands in two and every value and label is spread.

    Args:
        samples: One per (id, value).
        folds: How many.
        seed: Of the dealing.
        given: The samples carry folds of their own (`read_labels(fold_column=…)`), which are kept.

    Raises:
        InputError: All given folds are one, or there are fewer scenarios than folds.
    """
    if given:
        names = sorted({s.fold or "" for s in samples})
        if len(names) < 2:
            raise InputError("the fold column puts all samples into one fold: it needs at least two")
        return [Sample(labelled=s, fold=names.index(s.fold or "")) for s in samples]
    fold_of = scenario_folds([f"{s.value} {s.label}" for s in samples], [s.group for s in samples], folds, seed)
    return [Sample(labelled=s, fold=int(fold)) for s, fold in zip(samples, fold_of, strict=True)]
