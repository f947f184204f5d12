"""Names of evaluators: every verdict carries one, and a file of verdicts is only gone on with under the same name.

    zero_shot_name(system, settings)      # "zero-shot openai/gpt-4o-mini mft-…"

The digits are a digest of all that bears on verdicts: definitions, settings, prompts, guidelines, samples, their vectors, concepts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from clave.concepts.prompts import prompts_in_use
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision
from clave.fitting.closer_look import CloserLook
from clave.records import Record
from clave.settings import Settings
from clave.values import ValueSystem


def zero_shot_name(system: ValueSystem, settings: Settings) -> str:
    """Of an evaluator without labels: which model, and what it is asked."""
    prompts = sorted(prompts_in_use(settings).items())
    digest = hashlib.sha256(f"{system.hash} {settings.ask == 'joint'} {settings.guideline} {prompts}".encode())
    return f"zero-shot {settings.model} {system.id}-{digest.hexdigest()[:8]}"


def fitted_name(
    system: ValueSystem,
    settings: Settings,
    precision: Precision,
    guidelines: Mapping[str, str],
    learnt_from: Iterable[Record],
    vectors: Vectors,
    closer_look: CloserLook | None,
) -> str:
    """Of a fitted evaluator.

    Args:
        system: What it evaluates.
        settings: How it was made.
        precision: The form in which its encoder runs.
        guidelines: Value -> the guideline in force.
        learnt_from: Its samples and the concepts of its pool.
        vectors: Of its samples, shape (n, dim): they tell one encoder's weights from another's.
        closer_look: When a joint answer is looked at closer.
    """
    prompts = sorted(prompts_in_use(settings).items())
    digest = hashlib.sha256(f"{system.hash} {settings.model_dump_json()} {precision.kind} {sorted(guidelines.items())} {prompts}".encode())
    for record in learnt_from:
        digest.update(record.model_dump_json().encode())
    if closer_look is not None:
        digest.update(f"below {closer_look.below}".encode())
    digest.update(np.round(vectors, 3).astype("<f4").tobytes())
    return f"clave-{system.id}-{digest.hexdigest()[:8]}"
