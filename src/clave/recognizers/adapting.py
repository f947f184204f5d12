"""Training of a `LabelModel`: balanced batches, early stopping on other scenarios, and a checkpoint after every epoch.

    adapt(model, inputs, values, y, groups, training, seed=0, checkpoints=None, stage="lora", progress=progress)

A checkpoint is safetensors and JSON. It carries a digest of all that the training depends on and is taken up only where that agrees.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError
from clave.recognizers.folds import splits
from clave.recognizers.labelling import LabelModel
from clave.records import LABELS, Progress
from clave.settings import Training

if TYPE_CHECKING:
    import torch

_RATE = 3e-4
_HOLD_OUT = 7
"""One in so many samples is held out to say when to stop."""
_PATIENCE = 2
_CLIP = 1.0
_TOKENS_AT_ONCE = 4096


def adapt(
    model: LabelModel,
    inputs: Sequence[Sequence[int]],
    values: Sequence[str],
    y: NDArray[np.int64],
    groups: Sequence[str],
    training: Training,
    *,
    seed: int,
    checkpoints: Path | None,
    stage: str,
    progress: Progress,
) -> tuple[list[dict[str, float]], Path | None]:
    """Train the adapter; it ends with the weights of the best epoch.

    Args:
        model: With a fresh adapter.
        inputs: Token ids of n inputs.
        values: The value of each.
        y: The label of each, as an index.
        groups: The scenario of each: none stands both in the hold-out and in training.
        training: How.
        seed: Of everything random.
        checkpoints: Where a folder for the state after every epoch is made; None keeps none.
        stage: Its name in the progress.
        progress: Called after every batch.

    Raises:
        InputError: The training diverged.

    Returns:
        For each epoch the mean loss in training and on the hold-out; and the folder of the state, to be removed when it is not needed.
    """
    import torch

    train, held = splits(values, y, groups, _HOLD_OUT, seed)[0]
    counts = {key: sum(1 for i in train if (values[i], y[i]) == key) for key in {(values[i], y[i]) for i in train}}
    weights = np.array([1 / counts[values[i], y[i]] for i in train])
    chances = weights / weights.sum()
    steps = math.ceil(len(train) / training.batch)
    rate = training.learning_rate or _RATE
    total = training.epochs * steps
    parameters = model.trainable()
    optimiser = torch.optim.AdamW(list(parameters.values()), lr=rate, weight_decay=0.01)
    digest = _digest(inputs, values, y, groups, training, seed)
    state = _State(optimiser, model, checkpoints / digest[:16] if checkpoints else None, digest)
    state.resume()
    cast = _autocast(model.device)
    shown = stage
    for epoch in range(len(state.epochs), training.epochs):
        if state.stale(_PATIENCE):
            break
        rng = np.random.default_rng([seed, epoch])  # an epoch depends on its number alone: resuming repeats nothing and skips nothing
        torch.manual_seed(seed * 1009 + epoch)
        model.model.train()
        order = train[rng.choice(len(train), size=steps * training.batch, p=chances)]
        losses = list[float]()
        for k in range(steps):
            at = epoch * steps + k
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, 10 * (at + 1) / total) * (1 - at / total)
            rows = order[k * training.batch : (k + 1) * training.batch]
            with cast():
                logits = model.logits([inputs[i] for i in rows])
            loss = torch.nn.functional.cross_entropy(logits.float(), torch.tensor(y[rows], device=model.device))
            torch.autograd.backward(loss / training.accumulate)
            losses.append(float(loss.detach()))
            if (k + 1) % training.accumulate == 0 or k + 1 == steps:
                torch.nn.utils.clip_grad_norm_(list(parameters.values()), _CLIP)
                optimiser.step()
                optimiser.zero_grad()
            progress(shown, at + 1, total)
        p = probabilities(model, [inputs[i] for i in held])
        loss_held = float(-np.log(np.clip(p[np.arange(len(held)), y[held]], 1e-9, None)).mean())
        state.after_epoch({"loss": round(float(np.mean(losses)), 4), "held_out": round(loss_held, 4)})
        progress(f"{stage}: epoch {epoch + 1}, loss {np.mean(losses):.3f}, held out {loss_held:.3f}", 1, 1)
    model.take(state.best)
    model.model.eval()
    return state.epochs, state.folder


def probabilities(model: LabelModel, inputs: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Shape (n, 3). Inputs of one length are run together, and never padded: the result does not hang on the company."""
    import torch

    model.model.eval()
    out = np.zeros((len(inputs), len(LABELS)))
    by_length: dict[int, list[int]] = {}
    for i, row in enumerate(inputs):
        by_length.setdefault(len(row), []).append(i)
    with torch.inference_mode():
        for length, places in sorted(by_length.items()):
            size = max(1, _TOKENS_AT_ONCE // length)
            for start in range(0, len(places), size):
                rows = places[start : start + size]
                logits = model.logits([inputs[i] for i in rows]).double()
                out[rows] = torch.softmax(logits, dim=-1).cpu().numpy()
    return out


class _State:
    """Adapter, optimiser and losses as they stand after an epoch."""

    def __init__(self, optimiser: torch.optim.Optimizer, model: LabelModel, folder: Path | None, digest: str) -> None:
        self.optimiser, self.model, self.digest = optimiser, model, digest
        self.folder = folder
        self.epochs = list[dict[str, float]]()
        self.best: dict[str, torch.Tensor] = {}

    def stale(self, patience: int) -> bool:
        """Whether the hold-out has not improved for so many epochs."""
        held = [e["held_out"] for e in self.epochs]
        return len(held) > patience and min(held[-patience:]) >= min(held[:-patience])

    def after_epoch(self, losses: dict[str, float]) -> None:
        if not math.isfinite(losses["held_out"]):
            raise InputError("the training diverged: its loss is no number any more; lower the learning rate")
        self.epochs.append(losses)
        if losses["held_out"] <= min(e["held_out"] for e in self.epochs):
            self.best = self.model.adapter()
        if self.folder is not None:
            self._write(self.folder)

    def resume(self) -> None:
        """Take a checkpoint up, where there is one of this very training."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if self.folder is None or not (self.folder / "state.json").is_file():
            return
        try:
            described = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            if described["digest"] != self.digest or described["weights"] != _hash(self.folder / "state.safetensors"):
                return
            tensors = load_file(self.folder / "state.safetensors")
        except (OSError, ValueError, KeyError, SafetensorError):
            return  # damaged: begin anew
        self.model.take({name: tensors[f"now.{name}"] for name in self.model.trainable()})
        for name, p in self.model.trainable().items():
            self.best[name] = tensors[f"best.{name}"]
            self.optimiser.state[p] = {
                "step": tensors[f"step.{name}"],
                "exp_avg": tensors[f"mean.{name}"].to(p.device),
                "exp_avg_sq": tensors[f"square.{name}"].to(p.device),
            }
        self.epochs = described["epochs"]

    def _write(self, folder: Path) -> None:
        from safetensors.torch import save_file

        tensors: dict[str, torch.Tensor] = {}
        for name, p in self.model.trainable().items():
            held = self.optimiser.state[p]
            tensors |= {f"now.{name}": p.detach(), f"best.{name}": self.best[name], f"step.{name}": held["step"]}
            tensors |= {f"mean.{name}": held["exp_avg"], f"square.{name}": held["exp_avg_sq"]}
        fresh = folder.with_name(folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        save_file({name: t.cpu().contiguous() for name, t in tensors.items()}, fresh / "state.safetensors")
        described = {"digest": self.digest, "weights": _hash(fresh / "state.safetensors"), "epochs": self.epochs}
        (fresh / "state.json").write_text(json.dumps(described) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(
    inputs: Sequence[Sequence[int]], values: Sequence[str], y: NDArray[np.int64], groups: Sequence[str], training: Training, seed: int
) -> str:
    content = json.dumps([[list(row) for row in inputs], list(values), y.tolist(), list(groups), training.model_dump(), seed])
    return hashlib.sha256(content.encode()).hexdigest()


def _autocast(device: torch.device) -> Any:
    """bf16 in training where the device multiplies it fast; inference stays in the weights' own precision."""
    import torch

    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else "bf16" in torch.backends.cpu.get_cpu_capability().lower()
    if device.type == "cpu":
        fast = fast or bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    return (lambda: torch.autocast(device.type, torch.bfloat16)) if fast else contextlib.nullcontext
