"""Choices of a local transformers model: how likely each of a few answers is after a prompt. What fine-tuned judges are read with.

    choose = LocalChooser("allenai/kaleido-large")
    choose("… Relevant:", ["Yes", "No"])       # array([0.8, 0.2])

Reading likelihoods instead of generated text gives probabilities, needs no parsing, and cannot be answered with anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clave.errors import require

Choose = Callable[[str, Sequence[str]], NDArray[np.float64]]
"""Probabilities of the choices after a prompt; they sum to 1."""


class LocalChooser:
    """A causal or sequence-to-sequence model by Hub name or folder; loaded at the first question, never downloaded.

    Args:
        model: Hub name of a model that is in the local cache, or a folder.
    """

    def __init__(self, model: str) -> None:
        self.model = model

    def missing(self) -> str | None:
        """Why it cannot be used here: a package or the weights are not at hand."""
        import importlib.util

        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                return f"{package} is not installed: pip install 'clave[torch]'"
        if Path(self.model).is_dir():
            return None
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.model, "config.json")
        return None if isinstance(found, str) else f"the weights of {self.model} are not at hand: hf download {self.model}"

    def chat_prompt(self, user: str) -> str:
        """A user message in the model's own chat format; as it is, where the model has none."""
        tokenizer, _ = self._loaded
        if getattr(tokenizer, "chat_template", None) is None:
            return user
        return str(tokenizer.apply_chat_template([{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True))

    def plain(self, text: str) -> str:
        """A text without the model's special tokens: a response must not be able to end its turn and speak as somebody else."""
        tokenizer, _ = self._loaded
        special = {*tokenizer.all_special_tokens, *map(str, getattr(tokenizer, "added_tokens_encoder", {}))}
        for token in sorted(filter(None, special), key=len, reverse=True):
            text = text.replace(token, " ")
        return text

    def __call__(self, prompt: str, choices: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities of the choices, by the mean log-likelihood of their tokens."""
        import torch

        tokenizer, model = self._loaded
        scores = []
        with torch.inference_mode():
            for choice in choices:
                score = self._seq2seq if model.config.is_encoder_decoder else self._causal
                scores.append(score(tokenizer, model, prompt, choice))
        chances = np.exp(np.array(scores) - max(scores))
        return np.asarray(chances / chances.sum())

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        transformers = require("transformers", "torch")
        config = transformers.AutoConfig.from_pretrained(self.model, local_files_only=True)
        kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
        tokenizer = transformers.AutoTokenizer.from_pretrained(self.model, local_files_only=True)
        return tokenizer, kind.from_pretrained(self.model, local_files_only=True, use_safetensors=True).eval()

    @staticmethod
    def _seq2seq(tokenizer: Any, model: Any, prompt: str, choice: str) -> float:
        inputs = tokenizer(prompt, return_tensors="pt", truncation=True, max_length=1024)
        labels = tokenizer(text_target=choice, return_tensors="pt").input_ids
        return -float(model(**inputs, labels=labels).loss)

    @staticmethod
    def _causal(tokenizer: Any, model: Any, prompt: str, choice: str) -> float:
        import torch

        before = tokenizer(prompt, return_tensors="pt", truncation=True, max_length=4096).input_ids
        answer = tokenizer(choice, return_tensors="pt", add_special_tokens=False).input_ids
        ids = torch.cat([before, answer], dim=1)
        logs = torch.log_softmax(model(ids).logits[0, before.shape[1] - 1 : -1].float(), dim=-1)
        return float(logs.gather(1, answer[0][:, None]).mean())
