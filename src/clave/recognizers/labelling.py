"""A transformer as a classifier into the three labels: what `lora` trains, runs and saves.

    model = LabelModel.open("HuggingFaceTB/SmolLM2-135M-Instruct", rank=16, max_tokens=256)
    model.logits([model.tokens("Value: Care", "I stayed with her.")])        # tensor of shape (1, 3)

A causal model answers with one of three words; only those words' logits are computed, at the last position: the backbone's last hidden
state times three rows of the output layer. An encoder gets a classification layer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clave.errors import InputError, require
from clave.records import LABELS

if TYPE_CHECKING:
    import torch

_WORD_SETS = ((" adhere", " oppose", " unrelated"), (" yes", " no", " neither"), (" A", " B", " C"), ("A", "B", "C"))
ANSWER = "\nLabel:"
"""Ends the input of a causal model."""


class LabelModel:
    """A base model with an adapter.

    Args:
        model: The peft model.
        tokenizer: Of the base.
        causal: Whether it answers with a word.
        max_tokens: Of an input.
    """

    def __init__(self, model: Any, tokenizer: Any, causal: bool, max_tokens: int) -> None:
        import torch

        self.model, self.tokenizer, self.causal = model, tokenizer, causal
        room = getattr(model.config, "max_position_embeddings", None) or max_tokens
        self.max_tokens = min(max_tokens, room)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device)
        if causal:
            self.words, self.word_ids = _words(tokenizer)
        self._tail = tokenizer(ANSWER, add_special_tokens=False)["input_ids"] if causal else []

    @classmethod
    def open(cls, base: str, *, rank: int, max_tokens: int) -> LabelModel:
        """A base model with a fresh adapter, which changes nothing yet.

        Raises:
            InputError: The base cannot be loaded.
            MissingExtraError: transformers, peft or torch is not installed.
        """
        peft = require("peft", "train")
        model, tokenizer, causal = _base(base)
        config = peft.LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.05,
            target_modules="all-linear",
            task_type=None if causal else "SEQ_CLS",
        )
        return cls(peft.get_peft_model(model, config), tokenizer, causal, max_tokens)

    @classmethod
    def load(cls, base: str, folder: Path, *, max_tokens: int) -> LabelModel:
        """A base model with a saved adapter."""
        peft = require("peft", "train")
        model, tokenizer, causal = _base(base)
        return cls(peft.PeftModel.from_pretrained(model, str(folder)), tokenizer, causal, max_tokens)

    def tokens(self, head: str, text: str) -> list[int]:
        """Token ids of an input; the text is cut to what room the rest leaves."""
        if not self.causal:
            ids: list[int] = self.tokenizer(head + text, truncation=True, max_length=self.max_tokens)["input_ids"]
            return ids
        first: list[int] = self.tokenizer(head)["input_ids"]
        if first[-1:] == [self.tokenizer.eos_token_id] or first[-1:] == [self.tokenizer.sep_token_id]:
            first = first[:-1]  # the answer comes next, not the end
        room = self.max_tokens - len(self._tail)
        body = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        return [*[*first, *body][:room], *self._tail]

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits of the labels, shape (n, 3)."""
        import torch

        longest = max(map(len, inputs))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in inputs], device=self.device)
        lengths = torch.tensor([len(row) for row in inputs], device=self.device)
        mask = (torch.arange(longest, device=self.device)[None] < lengths[:, None]).long()
        if not self.causal:
            out: torch.Tensor = self.model(input_ids=ids, attention_mask=mask).logits
            return out.float()
        whole = self.model.get_base_model()
        hidden = whole.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(ids), device=self.device), lengths - 1]
        rows = whole.get_output_embeddings().weight[self.word_ids]
        answers: torch.Tensor = last.float() @ rows.float().T
        return answers

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """What training changes, by name."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def adapter(self) -> dict[str, torch.Tensor]:
        """A copy of what training changes, by name."""
        return {name: p.detach().cpu().clone() for name, p in self.trainable().items()}

    def take(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set what training changes to what `adapter` gave."""
        import torch

        with torch.no_grad():
            for name, p in self.trainable().items():
                p.copy_(tensors[name])

    def merged(self, folder: str | Path) -> None:
        """Write the base model with the adapter merged in, and its tokenizer: a folder that vLLM serves."""
        import copy

        copy.deepcopy(self.model).merge_and_unload().save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))


def _words(tokenizer: Any) -> tuple[tuple[str, ...], list[int]]:
    """Three words that the tokenizer tells apart by their first token."""
    for words in _WORD_SETS:
        ids = [tokenizer(word, add_special_tokens=False)["input_ids"][:1] for word in words]
        if all(ids) and len({i[0] for i in ids}) == len(LABELS):
            return words, [i[0] for i in ids]
    raise InputError("the base model's tokenizer cannot tell three short answers apart: take another base model")


def _base(base: str) -> tuple[Any, Any, bool]:
    """Model, tokenizer, and whether it is causal. A .gguf file is read into full weights."""
    transformers = require("transformers", "train")
    torch = require("torch", "train")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    place, more = base, dict[str, Any]()
    if base.endswith(".gguf"):
        require("gguf", "train")
        place, more = str(Path(base).parent), {"gguf_file": Path(base).name}
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    try:
        config = transformers.AutoConfig.from_pretrained(place, **more)
        causal = bool(more) or any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in config.architectures or ())
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **more)
        if causal:
            model = transformers.AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **more)
        else:
            model = transformers.AutoModelForSequenceClassification.from_pretrained(place, num_labels=len(LABELS), dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"base model {base!r} cannot be loaded: {str(error).splitlines()[0]}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.eval()
    return model, tokenizer, causal
