"""Whether a fitted evaluator that makes no calls may encode in int8; if so, it is fitted again on such vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clave.concepts.cases import encoded_text
from clave.encoder import Encoder
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision, compare
from clave.fitting.learn import Learnt, learn
from clave.fitting.samples import Sample
from clave.records import LABELS
from clave.settings import Settings


def in_int8(samples: Sequence[Sample], exact: Learnt, settings: Settings, encoder: Encoder) -> tuple[Precision, Learnt, Vectors] | None:
    """The same fit on int8 vectors, and how it compares.

    Only for the head on the text: with a large model the call is what costs, and the vectors decide which examples its prompt shows.

    Returns:
        None where the question does not arise; else what was found, the fit and its vectors, whether or not they may be used.
    """
    if settings.calls or not settings.int8 or exact.recognizer.kind != "head":
        return None
    small = encoder.quantised()
    if small is None:
        return None
    vectors = small.encode([encoded_text(s.labelled) for s in samples])
    learnt = learn(samples, vectors, settings, small)
    y = np.array([LABELS.index(s.labelled.label) for s in samples])
    return compare(exact.out_of_fold(), learnt.out_of_fold(), y), learnt, vectors
