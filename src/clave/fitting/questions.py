"""What a labelled sample is asked: with the guideline and the examples of the other folds, so that its own label is not in view.

questions = Questions(system, samples, vectors, guidelines, settings)
questions.alone(0)          # the request for sample 0's value, with examples
questions.together(0)       # the request for all values at once
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clave.concepts.cases import CaseIndex
from clave.concepts.extractor import extraction_request, joint_request
from clave.encoder.encoder import Vectors
from clave.fitting.samples import Sample
from clave.llm.chat import ChatRequest
from clave.records import Case
from clave.settings import Settings
from clave.values import Value, ValueSystem


@dataclass(frozen=True)
class Questions:
    """See the module."""

    system: ValueSystem
    samples: Sequence[Sample]
    vectors: Vectors
    """Of the samples' texts, shape (n, dim)."""
    guidelines: Mapping[tuple[str, int], str]
    """(value, fold) -> the guideline that has not seen the fold."""
    settings: Settings

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Those of the samples, in the system's order."""
        fitted = {s.labelled.value for s in self.samples}
        return tuple(value for value in self.system.values if value.id in fitted)

    def shown(self, i: int) -> tuple[str | None, list[Case]]:
        """Guideline and examples that a question for sample i's own value shows."""
        sample, fold = self.samples[i].labelled, self.samples[i].fold
        examples = self._index.nearest(sample.value, self.vectors[i], self.settings.examples, without_group=sample.group, without_fold=fold)
        return self.guidelines.get((sample.value, fold)), examples

    def all_shown(self, i: int) -> dict[str, str | None]:
        """Value -> guideline that a question for all values shows."""
        return {v.id: self.guidelines.get((v.id, self.samples[i].fold)) for v in self.values}

    def alone(self, i: int) -> ChatRequest:
        """The request for sample i's own value."""
        sample = self.samples[i].labelled
        return extraction_request(sample, self.system[sample.value], *self.shown(i))

    def together(self, i: int) -> ChatRequest:
        """The request for all values of sample i's response."""
        return joint_request(self.samples[i].labelled, self.values, self.all_shown(i))

    @cached_property
    def _index(self) -> CaseIndex:
        return CaseIndex([s.labelled for s in self.samples], self.vectors, [s.fold for s in self.samples])
