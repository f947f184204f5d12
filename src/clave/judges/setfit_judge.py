"""SetFit (Tunstall et al. 2022, arXiv 2209.11055): a sentence encoder tuned on pairs of labelled texts, with a logistic head.

    judge = setfit()
    model = train(labels_of_one_value)       # the same in two steps, e.g. to time them
    chances(model, responses)                # shape (n, 3)

It is the usual few-shot method without a large model. The setfit package does the training, with its defaults: cosine-similarity
loss, batches of 16 pairs, AdamW at 2e-5 with a tenth of the steps as warm-up, as many pairs of one label as of two, then a logistic
regression on the tuned vectors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from clave.concepts.cases import encoded_text
from clave.encoder import encoder_place
from clave.errors import InputError
from clave.judges.protocol import PerValueJudge, Probabilities, needs
from clave.records import LABELS, LabelledResponse, Response
from clave.settings import FULL_ENCODER
from clave.values import Value


def setfit(encoder: str = FULL_ENCODER, *, steps: int = 150, length: int = 256, seed: int = 0) -> PerValueJudge:
    """SetFit on one value's labels; arguments as for `train`."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        return chances(train(calibration, encoder, steps=steps, length=length, seed=seed), responses)

    return PerValueJudge("setfit", score, needs("setfit", "bench"))


def train(
    calibration: Sequence[LabelledResponse],
    encoder: str = FULL_ENCODER,
    *,
    steps: int = 150,
    length: int = 256,
    seed: int = 0,
) -> Any:
    """A SetFit model of one value.

    Args:
        calibration: Labelled responses; where all bear one label there are no pairs to learn from, and the model always gives it.
        encoder: A Hub name or folder in sentence-transformers' layout; the default comes with the package.
        steps: Batches of 16 pairs. The authors draw, twenty times over, a pair of one label and a pair of two for every text: 150
            batches for 60 texts. For 60 texts of three equally frequent labels it is also one epoch over every pair, as the package
            trains today.
        length: Tokens of a text that are read, as the authors set it; time grows with it.
        seed: Of the training.

    Returns:
        A `setfit.SetFitModel`, for `chances`.

    Raises:
        InputError: There are no labels.
    """
    import datasets
    import setfit as package
    from sentence_transformers import SentenceTransformer
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    if not calibration:
        raise InputError("SetFit needs labelled responses and there are none: give at least one per label")
    texts, labels = [encoded_text(r) for r in calibration], [LABELS.index(r.label) for r in calibration]
    # Built from its parts: from_pretrained would unpickle a head that it finds beside the encoder.
    body = SentenceTransformer(encoder_place(encoder))
    body.max_seq_length = length
    several = len(set(labels)) > 1
    head = LogisticRegression(max_iter=1000) if several else DummyClassifier()
    model = package.SetFitModel(model_body=body, model_head=head, labels=list(LABELS))
    if not several:
        model.fit(texts, labels, num_epochs=1)
        return model
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        arguments = package.TrainingArguments(
            output_dir=folder,
            batch_size=16,
            max_steps=steps,
            seed=seed,
            sampling_strategy="oversampling",
            save_strategy="no",
            report_to="none",
            show_progress_bar=False,
        )
        package.Trainer(model=model, args=arguments, train_dataset=datasets.Dataset.from_dict({"text": texts, "label": labels})).train()
    return model


def chances(model: Any, responses: Sequence[Response]) -> Probabilities:
    """What a model of `train` says of responses; a label that it never saw gets 0."""
    found = np.zeros((len(responses), 3))
    if responses:
        raw = model.predict_proba([encoded_text(r) for r in responses], as_numpy=True)
        found[:, [int(c) for c in model.model_head.classes_]] = np.asarray(raw, dtype=np.float64)
    return found
