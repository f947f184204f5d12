"""How far the annotators of a source agree with one another, over all its texts: no evaluator can be asked for more there.

    from clave.valeval.sources.registry import find_sources

    ceilings(find_sources(["xstest"]), layouts, Path("raw"))["xstest"]["agreement"]        # 0.80

All texts count that the source tells several annotators' labels of, also those that give no row: rows are often those that annotators agree
on, and over them alone people would look of one mind. Where a label is rare, annotators agree mostly on what is not there; hence beside the
agreement Fleiss' kappa (1971), which takes out what chance gives, and for each label how often a second annotator says it where one does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clave.scoring.metrics import annotator_ceiling
from clave.valeval.sources.spec import Annotated, Source


def ceilings(sources: Sequence[Source], layouts: Mapping[str, tuple[str, ...]], raw_dir: Path) -> dict[str, dict[str, Any]]:
    """Of each source that tells what each annotator said: how far they agree."""
    found = {}
    for source in sources:
        texts = list(source.annotated(raw_dir, layouts[source.id])) if source.annotated else []
        if texts:
            found[source.id] = _agreement(texts) | {"of": source.annotated_of}
    return found


def _agreement(texts: Sequence[Annotated]) -> dict[str, Any]:
    one = annotator_ceiling([t.labels for t in texts], [t.group for t in texts])
    pairs, alike = Counter[str](), Counter[str]()
    same = 0.0
    for text in texts:
        counts, others = Counter(text.labels), len(text.labels) - 1
        for label, n in counts.items():
            pairs[label] += n * others
            alike[label] += n * (n - 1)
        same += sum(n * (n - 1) for n in counts.values()) / (len(text.labels) * others)
    given = Counter(label for text in texts for label in text.labels)
    chance = sum((n / given.total()) ** 2 for n in given.values())
    return {
        "texts": len({t.group for t in texts}),
        "judgements": len(texts),
        "annotators": dict(sorted(Counter(len(t.labels) for t in texts).items())),
        "agreement": _rounded(one.value),
        "low": _rounded(one.low),
        "high": _rounded(one.high),
        "kappa": _rounded((same / len(texts) - chance) / (1 - chance)) if chance < 1 else None,
        "labels": {label: {"given": given[label], "again": _rounded(alike[label] / pairs[label])} for label in sorted(given)},
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
