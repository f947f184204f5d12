"""Fine-tuning of a sentence encoder with sentence-transformers; what comes back runs on onnxruntime where the model is a BERT.

tune(texts, values, y, training, seed, folder, "encoder", progress).encode(texts)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clave.encoder import FULL_ENCODER, Encoder, encoder_place, load_encoder
from clave.errors import InputError, require
from clave.recognizers.template import check_cut
from clave.records import LABELS, Progress
from clave.settings import Training

if TYPE_CHECKING:
    import torch

_RATE = 3e-5
_CLIP = 1.0
_SCALE = 10.0
"""Logits are this many times a cosine: unit vectors alone cannot say anything surely."""


def tune(
    texts: Sequence[str],
    values: Sequence[str],
    y: NDArray[np.int64],
    training: Training,
    seed: int,
    folder: Path,
    stage: str,
    progress: Progress,
) -> Encoder:
    """Fine-tune an encoder, write it to a folder in sentence-transformers' layout and load it from there.

    Args:
        texts: n inputs.
        values: The value of each.
        y: The label of each, as an index.
        training: How.
        seed: Of the order and of dropout.
        folder: An empty folder.
        stage: Its name in the progress.
        progress: Called after every batch.

    Raises:
        InputError: The base model cannot be loaded, or has no room for the inputs.
        MissingExtraError: torch or sentence-transformers is not installed.
    """
    torch = require("torch", "train")
    library = require("sentence_transformers", "train")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            model = library.SentenceTransformer(encoder_place(training.base or FULL_ENCODER))
        except (OSError, ValueError) as error:
            raise InputError(f"base model {training.base!r} cannot be loaded: {str(error).splitlines()[0]}") from None
        model.max_seq_length = min(training.room, model.max_seq_length or training.room)
        cut = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)["input_ids"]
        check_cut(texts, cut, model.max_seq_length)
        _train(model, texts, values, y, training, seed, stage, progress)
    model.save(str(folder), create_model_card=False)
    return load_encoder(str(folder))


def _train(
    model: Any,
    texts: Sequence[str],
    values: Sequence[str],
    y: NDArray[np.int64],
    training: Training,
    seed: int,
    stage: str,
    progress: Progress,
) -> None:
    import torch

    dim = int(model.get_embedding_dimension())
    index = {v: i for i, v in enumerate(sorted(set(values)))}
    classifier = torch.nn.Linear(dim, len(LABELS) * len(index)).to(model.device)
    parameters = [*model.parameters(), *(classifier.parameters() if training.method == "plain" else ())]
    optimiser = torch.optim.AdamW(parameters, lr=training.learning_rate or _RATE, weight_decay=0.01)
    rng = np.random.default_rng(seed)
    total = training.epochs * sum(1 for _ in _batches(values, y, training.batch, np.random.default_rng(seed)))
    model.train()
    done = 0
    for _ in range(training.epochs):
        for rows in _batches(values, y, training.batch, rng):
            for group in optimiser.param_groups:
                group["lr"] = (training.learning_rate or _RATE) * max(0.0, 1 - done / max(1, total)) * min(1.0, 10 * (done + 1) / total)
            vectors = _forward(model, [texts[i] for i in rows])
            gold = torch.tensor(y[rows], device=vectors.device)
            if training.method == "contrastive":
                loss = _pair_loss(vectors, gold)
            else:
                logits = classifier(_SCALE * vectors).view(len(rows), len(index), len(LABELS))
                own = torch.tensor([index[values[i]] for i in rows], device=vectors.device)
                loss = torch.nn.functional.cross_entropy(logits[torch.arange(len(rows)), own], gold)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
            optimiser.step()
            done += 1
            progress(stage, min(done, total), total)
    model.eval()


def _forward(model: Any, texts: list[str]) -> torch.Tensor:
    """Unit vectors of shape (n, dim), with a gradient."""
    import torch

    inputs = {k: v.to(model.device) if hasattr(v, "to") else v for k, v in model.preprocess(texts).items()}
    return torch.nn.functional.normalize(model(inputs)["sentence_embedding"], dim=-1)


def _pair_loss(vectors: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """Mean squared error between cosines and label agreement, over all pairs of a batch; like and unlike pairs weigh the same."""
    import torch

    upper = torch.triu(torch.ones(len(gold), len(gold), dtype=torch.bool, device=gold.device), diagonal=1)
    like = (gold[:, None] == gold[None, :])[upper]
    errors = ((vectors @ vectors.T)[upper] - like.float()) ** 2
    sides = [errors[side].mean() for side in (like, ~like) if bool(side.any())]
    return torch.stack(sides).mean() if sides else errors.sum()


def _batches(values: Sequence[str], y: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Batches of one value each, in random order; the labels of a value are drawn evenly."""
    batches = list[NDArray[np.intp]]()
    for value in sorted(set(values)):
        own = np.array([i for i, v in enumerate(values) if v == value])
        by_label = [own[y[own] == label] for label in np.unique(y[own])]
        share = -(-len(own) // len(by_label))
        drawn = np.stack([np.concatenate([rng.permutation(rows) for _ in range(-(-share // len(rows)))])[:share] for rows in by_label])
        order = drawn.T.ravel()[: len(own)]
        batches += [order[i : i + size] for i in range(0, len(order), size)]
    yield from (batches[i] for i in rng.permutation(len(batches)))
