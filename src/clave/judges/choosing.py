"""A local transformers model that is asked for one of a few answers: what fine-tuned judges are read with.

    model = LocalModel("google/shieldgemma-2b")
    model.choose("… Does it violate the principle?\\n", ["Yes", "No"])       # array([0.8, 0.2])

Reading likelihoods instead of generated text gives probabilities, needs no parsing, and cannot be answered with anything else.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clave.errors import require

_LIMIT = 1024
"""Most tokens that are written."""


class Model(Protocol):
    """What a judge's form may ask of its model."""

    def choose(self, prompt: str, choices: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities of the choices as what follows a prompt; they sum to 1."""
        ...

    def write(self, prompt: str, until: str) -> str:
        """What the model itself would write after a prompt, up to a mark and without it."""
        ...

    def chat(self, system: str, user: str) -> str:
        """A system and a user message in the model's chat format, up to where its own turn begins."""
        ...

    def task(self, name: str) -> Mapping[str, Any]:
        """What the model's configuration says of one of its tasks; empty where it says nothing."""
        ...


class LocalModel:
    """A causal or sequence-to-sequence model by Hub name or folder; loaded at the first question, never downloaded.

    Args:
        model: Hub name of a model that is in the local cache, or a folder.
        begins: Whether a prompt begins with the token for the beginning of a text, where the model has one.
    """

    def __init__(self, model: str, *, begins: bool = True) -> None:
        self.model, self._begins = model, begins

    def missing(self) -> str | None:
        """Why it cannot be used here: a package or the weights are not at hand."""
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                return f"{package} is not installed: pip install 'clave[torch]'"
        return weights_missing(self.model)

    def plain(self, text: str) -> str:
        """A text without the model's special tokens: a response must not be able to end its turn and speak as somebody else."""
        tokenizer, _ = self._loaded
        special = {*tokenizer.all_special_tokens, *map(str, getattr(tokenizer, "added_tokens_encoder", {}))}
        for token in sorted(filter(None, special), key=len, reverse=True):
            text = text.replace(token, " ")
        return text

    def choose(self, prompt: str, choices: Sequence[str]) -> NDArray[np.float64]:
        """See `Model.choose`.

        A choice's likelihood is the product of those of its tokens; how prompt and choice are cut into tokens is left to the tokenizer.
        """
        tokenizer, model = self._loaded
        if model.config.is_encoder_decoder:
            whole = [tokenizer(text_target=choice, add_special_tokens=False).input_ids for choice in choices]
        else:
            whole = [self._ids(prompt + choice) for choice in choices]
        least = min(map(len, whole)) - 1
        shared = next((i for i in range(least) if len({ids[i] for ids in whole}) > 1), least)
        before, answers = whole[0][:shared], [ids[shared:] for ids in whole]
        once = self._logs(prompt, before, [])
        scores = []
        for answer in answers:
            logs = once if len(answer) == 1 else self._logs(prompt, before, answer[:-1])
            scores.append(sum(float(row[token]) for row, token in zip(logs, answer, strict=True)))
        chances = np.exp(np.array(scores) - max(scores))
        return np.asarray(chances / chances.sum())

    def write(self, prompt: str, until: str) -> str:
        """See `Model.write`. The likeliest token each time, at most 1024."""
        import torch
        from transformers import StoppingCriteriaList

        tokenizer, model = self._loaded
        ids = torch.tensor([self._ids(prompt)], device=model.device)

        def written(found: torch.Tensor) -> str:
            return str(tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True))

        def at_mark(found: torch.Tensor, scores: object, **more: object) -> torch.Tensor:
            return torch.tensor([until in written(found)], device=found.device)

        with torch.inference_mode():
            found = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=_LIMIT,
                do_sample=False,
                stopping_criteria=StoppingCriteriaList([at_mark]),
                pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
            )
        return written(found).partition(until)[0]

    def chat(self, system: str, user: str) -> str:
        """See `Model.chat`. A model without a format of its own gets the two messages one below the other."""
        tokenizer, _ = self._loaded
        if getattr(tokenizer, "chat_template", None) is None:
            return f"{system}\n{user}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def task(self, name: str) -> Mapping[str, Any]:
        """See `Model.task`."""
        _, model = self._loaded
        tasks = getattr(model.config, "task_specific_params", None) or {}
        return dict(tasks.get(name) or {})

    def _ids(self, text: str) -> list[int]:
        tokenizer, _ = self._loaded
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        begin = tokenizer.bos_token_id
        return [begin, *ids] if self._begins and begin is not None and ids[:1] != [begin] else ids

    def _logs(self, prompt: str, before: Sequence[int], answer: Sequence[int]) -> Any:
        """Log-likelihoods of the tokens of an answer and of the one after it, shape (tokens of the answer + 1, vocabulary)."""
        import torch

        tokenizer, model = self._loaded
        with torch.inference_mode():
            if model.config.is_encoder_decoder:
                inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
                begun = torch.tensor([[model.config.decoder_start_token_id, *before, *answer]], device=model.device)
                logits = model(input_ids=inputs.input_ids, attention_mask=inputs.attention_mask, decoder_input_ids=begun).logits
            else:
                logits = model(torch.tensor([[*before, *answer]], device=model.device)).logits
            return torch.log_softmax(logits[0, -len(answer) - 1 :].float(), dim=-1)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        transformers, torch = require("transformers", "torch"), require("torch", "torch")
        config = transformers.AutoConfig.from_pretrained(self.model, local_files_only=True)
        kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
        tokenizer = transformers.AutoTokenizer.from_pretrained(self.model, local_files_only=True)
        model = kind.from_pretrained(self.model, local_files_only=True, use_safetensors=True).eval()
        return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu")


def weights_missing(model: str) -> str | None:
    """Why a model by Hub name or folder cannot be loaded without a download."""
    if Path(model).exists():
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "config.json")
    return None if isinstance(found, str) else f"the weights of {model} are not at hand: hf download {model}"
