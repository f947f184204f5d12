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
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
    value: str = ""
    """It was drawn for; empty in plans of earlier versions."""
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
    aside: Mapping[ModelValue, NDArray[np.intp]] = field(default_factory=dict)
    """Places of these, which no later round draws again."""
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
            value=rows.value,
            stratum=stratum,
            of=int(design.sizes[stratum]),
            drawn=int(drawn[stratum]),
            total=int(drawn.sum()),
            round=number,
            seed=seed,
            inclusion_probability=float(drawn[stratum] / design.sizes[stratum]),
        )
        yield Response(
            id=_name_of(rows.model, identity),
            scenario=text.scenario,
            response=text.response,
            value=rows.value,
            metadata={KEY: how.model_dump()},
        )


def _name_of(model: str, identity: str) -> str:
    """Of a drawn response's row: it tells nothing, and no two models share it."""
    return hashlib.sha256(f"{model}\0{identity}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


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
    found: defaultdict[ModelValue, dict[str, _Drawn]] = defaultdict(dict)
    for judgement in read_judgements(path):
        drawn, model, identity = _how(path, judgement, cells)
        cell = (model, judgement.value)
        if cell not in known:
            raise InputError(
                f"{path}: {judgement.id!r} is labelled for {judgement.value!r} as a response of {model!r}, which has no verdict here"
            )
        first = found[cell].setdefault(identity, drawn)
        if (first.draw, first.probability) != (drawn.draw, drawn.probability):
            raise InputError(f"{path}: the rows of {judgement.id!r} say that it was drawn in two ways: {_AS_WRITTEN}")
        first.judgements.append(judgement)
    samples, open_, rounds, untold = dict[ModelValue, Audit](), dict[ModelValue, int](), dict[ModelValue, int](), 0
    aside = dict[ModelValue, NDArray[np.intp]]()
    for cell, labelled in found.items():
        missing = _missing(path, known[cell], labelled)
        if missing:
            open_[cell] = missing
            continue
        samples[cell], aside[cell] = _sample(path, known[cell], labelled)
        untold += len(aside[cell])
        rounds[cell] = max((one.draw.round for one in labelled.values() if one.draw), default=1)
    return Audits(samples, open_, untold, aside, rounds)


@dataclass(frozen=True)
class _Drawn:
    """A response of the sample."""

    draw: Draw | None
    """None where a plan of the user's own drew it."""
    probability: float
    judgements: list[Judgement] = field(default_factory=list)


_AS_WRITTEN = "take what stands under `audit`, and the ids, as `clave audit plan` wrote them"


def _how(path: str | Path, judgement: Judgement, cells: Sequence[Rows]) -> tuple[_Drawn, str, str]:
    """How a label's response was drawn: by a plan or by the user's own hand; its model and id."""
    given: Any = judgement.metadata.get(KEY)
    try:
        given = json.loads(given) if isinstance(given, str) else given  # a cell of a table
        if isinstance(given, dict):
            draw = Draw.model_validate(given)
            _check_row(path, judgement, draw)
            return _Drawn(draw, draw.inclusion_probability), draw.model, draw.id
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
    return _Drawn(None, probability), model, judgement.id


def _check_row(path: str | Path, judgement: Judgement, draw: Draw) -> None:
    """Whether a row is the one that a plan wrote, so far as it tells by itself.

    Raises:
        InputError: It was changed.
    """
    where = f"{path}: the row {judgement.id!r}"
    if judgement.id != _name_of(draw.model, draw.id):
        raise InputError(f"{where} says that it is response {draw.id!r} of {draw.model!r}, whose row has another name: {_AS_WRITTEN}")
    if draw.value not in ("", judgement.value):
        raise InputError(f"{where} was drawn for {draw.value!r} and is labelled for {judgement.value!r}: {_AS_WRITTEN}")
    if not math.isclose(draw.inclusion_probability, draw.drawn / draw.of):
        raise InputError(f"{where} has an inclusion probability that is not {draw.drawn} of {draw.of}: {_AS_WRITTEN}")


def _missing(path: str | Path, rows: Rows, labelled: Mapping[str, _Drawn]) -> int:
    """How many drawn responses have no label yet.

    Raises:
        InputError: They were drawn from other verdicts than these, by several plans, or the file says so after it was changed.
    """
    planned = {identity: one.draw for identity, one in labelled.items() if one.draw is not None}
    if not planned:
        return 0
    cell = f"{path}: the audit of {rows.model!r} on {rows.value!r}"
    if len(planned) < len(labelled):
        raise InputError(f"{cell} mixes responses that `clave audit plan` drew with others: give the labels of one sample")
    strata = dict(zip(rows.ids, strata_of(rows).tolist(), strict=True))
    sizes = Counter(strata.values())
    if any(sizes[draw.stratum] != draw.of or strata.get(identity) != draw.stratum for identity, draw in planned.items()):
        raise InputError(f"{cell} was drawn from other verdicts than these: name the files that `clave audit plan` was given")
    plans = {draw.round: (draw.seed, draw.total) for draw in planned.values()}
    shares = {(draw.round, draw.stratum): draw.drawn for draw in planned.values()}
    if any((draw.seed, draw.total) != plans[draw.round] or draw.drawn != shares[draw.round, draw.stratum] for draw in planned.values()):
        raise InputError(f"{cell} holds rows of two plans, or some that were changed: give the labels of one plan and its later rounds")
    drawn = {stratum: max(n for (_, s), n in shares.items() if s == stratum) for _, stratum in shares}
    total = max(total for _, total in plans.values())
    there = Counter(draw.stratum for draw in planned.values())
    if any(there[stratum] > drawn[stratum] for stratum in drawn) or sum(drawn.values()) > total:
        raise InputError(f"{cell} holds more labels than were drawn: {_AS_WRITTEN}")
    return total - len(planned)


def _sample(path: str | Path, rows: Rows, labelled: Mapping[str, _Drawn]) -> tuple[Audit, NDArray[np.intp]]:
    """The labels, and the places of what nobody could tell."""
    place = {identity: i for i, identity in enumerate(rows.ids)}
    chosen, shares, weights, untold = [], [], [], []
    for identity, one in labelled.items():
        if identity not in place:
            raise InputError(f"{path}: {identity!r} is labelled and has no verdict on {rows.value!r} that gives a label")
        said = [LABELS.index(j.label) for j in one.judgements if j.label != "cannot_tell"]
        if not said:
            untold.append(place[identity])
            continue
        chosen.append(place[identity])
        shares.append(np.bincount(said, minlength=3) / len(said))
        weights.append(1 / one.probability)
    planned = all(one.draw is not None for one in labelled.values())
    strata = strata_of(rows) if planned else np.zeros(rows.n, np.intp)
    at = np.array(chosen, np.intp)
    own = np.array(weights)
    if planned:  # of all rounds together, and of those that could be told
        own = (np.bincount(strata) / np.maximum(np.bincount(strata[at], minlength=int(strata.max()) + 1), 1))[strata[at]]
    return Audit(at, np.array(shares).reshape(-1, 3), own, strata), np.array(untold, np.intp)
