"""When a joint answer is good enough: its own confidence says where to ask again, and the labelled samples say below which.

    look = choose_closer_look(joint, single, labels, groups)
    look.below          # 0.7: a value whose joint answer is less sure is asked for by itself, with examples
    look.share          # of the samples' joint answers that were

Chosen on the samples' cross-fitted answers: the lowest confidence from which on the joint stance is as often right as the single one, as
far as these samples can tell. See docs/design/calls.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from clave.records import Extraction, Label, Record
from clave.scoring.metrics import accuracy_difference
from clave.scoring.statistics import Difference

MOST_LOSS = 0.01
"""Accuracy that asking jointly may cost on the samples."""
_GRID = (0.7, 0.8, 0.85, 0.9, 0.95)
"""On the annotators' own kind of text joint answers often lose nothing at all, and on other sources five points (n = 350), which a look at
everything below .7 wins back: samples of the first kind cannot show that, so none lower is tried."""


class CloserLook(Record):
    """What was chosen, and on what."""

    below: float = Field(ge=0, le=1)
    """Confidence of a joint answer below which its value is asked for by itself."""
    share: float = Field(ge=0, le=1)
    """Of the samples' joint answers that are below it."""
    loss: Difference
    """Accuracy of the single answers' stances less that of these, on the samples."""


def choose_closer_look(
    joint: Sequence[Extraction], single: Sequence[Extraction], labels: Sequence[Label], groups: Sequence[str]
) -> CloserLook | None:
    """The lowest confidence to trust a joint answer at; None where asking jointly loses too much at all of them.

    Args:
        joint: Of n samples, by the call that asks for all values.
        single: Of the same, by the call that asks for the sample's own value with examples.
        labels: What people said.
        groups: The samples' scenarios.
    """
    alone = [one.stance for one in single]
    for below in _GRID:
        mixed = [(j if j.confidence >= below else s).stance for j, s in zip(joint, single, strict=True)]
        loss = accuracy_difference(labels, alone, mixed, groups)
        if loss.value is not None and loss.value <= MOST_LOSS + 1e-12 and not (loss.low is not None and loss.low > 0):
            share = sum(j.confidence < below for j in joint) / len(joint)
            return CloserLook(below=below, share=round(share, 4), loss=loss)
    return None
