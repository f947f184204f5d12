"""A fitted evaluator as one frozen record: what `fit` makes, `save` writes, `load` reads and an evaluation judges by.

fitted = Clave.load("evaluator").fitted
fitted.provenance.scores["all"].accuracy
fitted.learnt.pool.concepts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from pydantic import Field

from clave.concepts.cases import encoded_text
from clave.concepts.prompts import prompts_in_use
from clave.encoder import BatchingEncoder, Encoder, load_encoder
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision
from clave.errors import EvaluatorError
from clave.fitting.asked import Asked, Check
from clave.fitting.closer_look import CloserLook
from clave.fitting.learn import Learnt, Scores
from clave.fitting.naming import fitted_name
from clave.fitting.samples import Sample
from clave.fitting.wording import Wording
from clave.records import Label, Record
from clave.scoring.statistics import Difference, Estimate
from clave.settings import Settings
from clave.values import Value, ValueSystem

_SAME = 0.99
"""Cosine between a sample's vector now and at fit time; int8 and fp32 forms of one model have .999, other weights far less."""


class Cost(Record):
    """What fitting took."""

    calls: int = 0
    cache_hits: int = 0
    dollars: float | None = 0.0
    """None where the price is not known."""


class Distillation(Record):
    """What a distilled evaluator learnt from, and how it compares with its teacher."""

    source: str
    """The teacher's name."""
    verdicts: int
    """Soft verdicts that it learnt from."""
    failed: int
    """Verdicts that the teacher could not give."""
    digest: str
    """Of the soft verdicts."""
    accuracy: Estimate | None = None
    teacher: Estimate | None = None
    loss: Difference | None = None
    """How far it falls behind the teacher."""


class Provenance(Record):
    """Where a fitted evaluator comes from, and how well it did on labels it had not seen."""

    labels: int
    disputed: int = 0
    """Samples left out because no majority settled their label."""
    failed: dict[str, int] = Field(default_factory=dict)
    """Kind of failure -> samples left out for it."""
    unseen_labels: dict[str, tuple[Label, ...]] = Field(default_factory=dict)
    """Value -> labels that none of its samples has."""
    served_by: tuple[str, ...] = ()
    """Ids of the large model as its server returned them."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Prompt -> its hash, of those that bear on a verdict."""
    scores: dict[str, Scores] = Field(default_factory=dict)
    """Cross-validated, over `all` values and per value."""
    cost: Cost = Cost()
    distilled: Distillation | None = None


@dataclass(frozen=True)
class Fitted:
    """See the module."""

    name: str
    """Every verdict carries it; it changes with whatever changes a verdict."""
    system: ValueSystem
    settings: Settings
    samples: tuple[Sample, ...]
    vectors: Vectors
    """Of the samples' texts, shape (n, dim)."""
    guidelines: Mapping[str, str]
    """Value -> the guideline in force, induced or given."""
    precision: Precision
    learnt: Learnt
    provenance: Provenance
    closer_look: CloserLook | None = None
    """When a joint answer is looked at closer; None where values are asked for in one way only."""
    asked: Asked | None = None
    """The questions of the fit, to ask them again; None without a large model, and of evaluators saved by clave 0.2 or earlier."""
    checks: tuple[Check, ...] = ()
    """How that went each time, in order. No part of what the name stands for."""

    @classmethod
    def of(
        cls,
        system: ValueSystem,
        settings: Settings,
        samples: Sequence[Sample],
        vectors: Vectors,
        guidelines: Mapping[str, str],
        precision: Precision,
        learnt: Learnt,
        provenance: Provenance,
        closer_look: CloserLook | None = None,
    ) -> Fitted:
        """Put the parts together: what was learnt gives the scores, and everything the name."""
        provenance = provenance.model_copy(update={"scores": learnt.scores, "prompts": prompts_in_use(settings)})
        known = (*samples, *(learnt.pool.concepts if learnt.pool else ()))
        name = fitted_name(system, settings, precision, guidelines, known, vectors, closer_look)
        return cls(name, system, settings, tuple(samples), vectors, dict(guidelines), precision, learnt, provenance, closer_look)

    @property
    def values(self) -> tuple[str, ...]:
        """The values it was fitted on, in the system's order."""
        seen = {s.labelled.value for s in self.samples}
        return tuple(v for v in self.system.by_id if v in seen)

    @cached_property
    def wording(self) -> Wording:
        """The words of its samples, which tell what is unlike them."""
        return Wording.of(self.samples)

    def guideline(self, value: Value) -> str | None:
        """The guideline in force for a value."""
        if not self.settings.guideline:
            return None
        return self.guidelines.get(value.id) or value.guideline

    def check_prompts(self) -> None:
        """Refuse to judge by other prompts than it was fitted with.

        Raises:
            EvaluatorError: A prompt file was changed since.
        """
        for name, found in prompts_in_use(self.settings).items():
            fitted_with = self.provenance.prompts.get(name, found)
            if fitted_with != found:
                raise EvaluatorError(
                    f"evaluator {self.name} was calibrated with another prompt {name!r} ({fitted_with}) than this clave has ({found}), "
                    "so its calibration does not hold here: calibrate again, or put the prompt back"
                )

    def open_encoder(self) -> BatchingEncoder:
        """Its encoder, loaded at the first use.

        The first use raises EvaluatorError where the encoder of that name gives other vectors than at fit time.
        """
        return BatchingEncoder(self._same_encoder)

    def _same_encoder(self) -> Encoder:
        encoder = load_encoder(self.settings.encoder, int8=self.precision.kind == "int8")
        now = encoder.encode([encoded_text(self.samples[0].labelled)])[0]
        if now.shape != self.vectors[0].shape or float(np.dot(now, self.vectors[0])) < _SAME:
            raise EvaluatorError(
                f"encoder {self.settings.encoder!r} gives other vectors than when {self.name} was fitted: install the model it had then, "
                "or calibrate again"
            )
        return encoder

    def renamed(self, name: str, distilled: Distillation) -> Fitted:
        """The same under the name of a distilled evaluator, with what it learnt from."""
        return replace(self, name=name, provenance=self.provenance.model_copy(update={"distilled": distilled}))
