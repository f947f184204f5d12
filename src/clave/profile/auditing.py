"""An audit as a file: the drawn responses, ready to be labelled, and the labels as they come back.

    from clave.io.verdicts import write_jsonl

    write_jsonl("audit.jsonl", to_label(texts, Design(rows), 60, seed=0))   # what `clave annotate --responses` opens as it is
    audits = read_audits("labels.jsonl", verdicts.rows())
    audits.samples["model-a", "care"]                                       # for `rectified`

Each row carries, in its metadata, how it was drawn: its stratum, how many of how many were drawn there, in which round and by which seed.
The labelling page shows neither that nor the verdict. Labels without it are no random sample, and are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from clave.annotate.exchange import read_judgements
from clave.annotate.judgement import Judgement
from clave.errors import InputError
from clave.profile.design import Design, strata_of
from clave.profile.estimates import Rows
from clave.profile.rectified import Audit
from clave.records import LABELS, Record, Response

KEY = "audit"
"""Under which a drawn response's metadata say how it was drawn."""
ModelValue = tuple[str, str]
"""Model and value."""


class Draw(Record):
    """How one response came into the sample."""

    model: str
    id: str
    """Of the response among the verdicts; the row's own is unique over models."""
    stratum: int
    of: int = Field(gt=0)
    """Verdicts in the stratum."""
    drawn: int = Field(gt=0)
    """Of these, in this round and those before."""
    total: int = Field(gt=0)
    """Drawn from all strata, in this round and those before."""
    round: int = Field(1, gt=0)
    seed: int = 0
    inclusion_probability: float = Field(gt=0, le=1)
    """`drawn` over `of`."""


@dataclass(frozen=True)
class Audits:
    """What came back."""

    samples: Mapping[ModelValue, Audit] = field(default_factory=dict)
    open: Mapping[ModelValue, int] = field(default_factory=dict)
    """Drawn responses that have no label yet: until they do, what is labelled is no random sample, and is left aside."""
    untold: int = 0
    """Responses of which people could not tell the label; they are left out."""
    rounds: Mapping[ModelValue, int] = field(default_factory=dict)


def to_label(texts: Mapping[str, Response], design: Design, labels: int, *, seed: int, number: int = 1) -> Iterator[Response]:
    """The responses of one model that people should label for one value, under names that do not tell the model.

    Args:
        texts: Its responses by id.
        design: How they are drawn, with what earlier rounds drew.
        labels: How many there are to be, earlier rounds included.
        seed: Of the drawing.
        number: Of the round.

    Raises:
        InputError: A response's text is not at hand.
    """
    rows, chosen = design.rows, design.draw(labels, seed=seed)
    drawn = np.bincount(design.strata[np.concatenate([design.seen, chosen])], minlength=len(design.sizes))
    for i in chosen:
        identity, stratum = rows.ids[i], int(design.strata[i])
        if identity not in texts:
            raise InputError(f"response {identity!r} of {rows.model!r} was drawn and has no text: give the responses that were evaluated")
        text = texts[identity]
        how = Draw(
            model=rows.model,
            id=identity,
            stratum=stratum,
            of=int(design.sizes[stratum]),
            drawn=int(drawn[stratum]),
            total=int(drawn.sum()),
            round=number,
            seed=seed,
            inclusion_probability=float(drawn[stratum] / design.sizes[stratum]),
        )
        name = hashlib.sha256(f"{rows.model}\0{identity}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
        yield Response(id=name, scenario=text.scenario, response=text.response, value=rows.value, metadata={KEY: how.model_dump()})


def read_audits(path: str | Path, cells: Sequence[Rows]) -> Audits:
    """Labels of an audit, as the labelling page exports them: a row per settled label or per annotator.

    Several annotators of one response count as shares of one label. A sample of one's own, drawn without `clave audit plan`, names the
    `inclusion_probability` of each row, and its `model` where there are several.

    Args:
        path: JSONL, CSV, Parquet or Label Studio JSON.
        cells: All verdicts.

    Raises:
        InputError: A label was not drawn with a known probability, or not from these verdicts.
    """
    known = {(rows.model, rows.value): rows for rows in cells}
    found: defaultdict[ModelValue, dict[str, tuple[Draw | None, float, list[Judgement]]]] = defaultdict(dict)
    for judgement in read_judgements(path):
        draw, probability, model, identity = _how(path, judgement, cells)
        cell = (model, judgement.value)
        if cell not in known:
            raise InputError(
                f"{path}: {judgement.id!r} is labelled for {judgement.value!r} as a response of {model!r}, which has no verdict here"
            )
        found[cell].setdefault(identity, (draw, probability, []))[2].append(judgement)
    samples, open_, rounds, untold = dict[ModelValue, Audit](), dict[ModelValue, int](), dict[ModelValue, int](), 0
    for cell, labelled in found.items():
        missing = _missing(path, known[cell], [draw for draw, _, _ in labelled.values()])
        if missing:
            open_[cell] = missing
            continue
        sample, without = _sample(path, known[cell], labelled)
        untold += without
        samples[cell] = sample
        rounds[cell] = max((draw.round for draw, _, _ in labelled.values() if draw), default=1)
    return Audits(samples, open_, untold, rounds)


def _how(path: str | Path, judgement: Judgement, cells: Sequence[Rows]) -> tuple[Draw | None, float, str, str]:
    """How a label's response was drawn: by a plan or by the user's own hand; its inclusion probability, model and id."""
    given: Any = judgement.metadata.get(KEY)
    try:
        given = json.loads(given) if isinstance(given, str) else given  # a cell of a table
        if isinstance(given, dict):
            draw = Draw.model_validate(given)
            return draw, draw.inclusion_probability, draw.model, draw.id
        probability = float(judgement.metadata["inclusion_probability"])
        if not 0 < probability <= 1:
            raise ValueError
    except (KeyError, TypeError, ValueError, RecursionError, ValidationError):
        raise InputError(
            f"{path}: the label of {judgement.id!r} has no known inclusion probability: only responses that were drawn at random, by "
            "`clave audit plan` or with a column `inclusion_probability`, can rectify a profile; those that the labelling page chose cannot"
        ) from None
    models = sorted({rows.model for rows in cells})
    model = str(judgement.metadata.get("model") or (models[0] if len(models) == 1 else ""))
    return None, probability, model, judgement.id


def _missing(path: str | Path, rows: Rows, draws: Sequence[Draw | None]) -> int:
    """How many drawn responses have no label yet.

    Raises:
        InputError: They were drawn from other verdicts than these.
    """
    planned = [draw for draw in draws if draw is not None]
    sizes = np.bincount(strata_of(rows)) if planned else np.zeros(0, np.intp)
    if any(not 0 <= draw.stratum < len(sizes) or sizes[draw.stratum] != draw.of for draw in planned):
        raise InputError(
            f"{path}: the audit of {rows.model!r} on {rows.value!r} was drawn from other verdicts than these: name the files that "
            "`clave audit plan` was given"
        )
    return max((draw.total for draw in planned), default=0) - len(planned)


def _sample(path: str | Path, rows: Rows, labelled: Mapping[str, tuple[Draw | None, float, list[Judgement]]]) -> tuple[Audit, int]:
    place = {identity: i for i, identity in enumerate(rows.ids)}
    chosen, shares, weights, untold = [], [], [], 0
    for identity, (_, probability, judgements) in labelled.items():
        if identity not in place:
            raise InputError(f"{path}: {identity!r} is labelled and has no verdict on {rows.value!r} that gives a label")
        said = [LABELS.index(j.label) for j in judgements if j.label != "cannot_tell"]
        if not said:
            untold += 1
            continue
        chosen.append(place[identity])
        shares.append(np.bincount(said, minlength=3) / len(said))
        weights.append(1 / probability)
    planned = all(draw is not None for draw, _, _ in labelled.values())
    strata = strata_of(rows) if planned else np.zeros(rows.n, np.intp)
    at = np.array(chosen, np.intp)
    own = np.array(weights)
    if planned:  # of all rounds together, and of those that could be told
        own = (np.bincount(strata) / np.maximum(np.bincount(strata[at], minlength=int(strata.max()) + 1), 1))[strata[at]]
    return Audit(at, np.array(shares).reshape(-1, 3), own, strata), untold
