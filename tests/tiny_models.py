"""Base models of a few thousand random weights, and labelled words from which they can learn something."""

from __future__ import annotations

from pathlib import Path

WORDS = {"adhere": "helps gently kindly", "oppose": "hurts cruelly badly", "unrelated": "engine oil weather"}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 128}


def tokenizer(folder: Path, *, causal: bool) -> int:
    """Write a tokenizer that knows the words of these tests; the size of its vocabulary."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = " ".join(
        [*WORDS.values(), "Value : Care Honesty Definition Kindness Truth . Response Label What it does A first reading"]
    ).split()
    words += ["adhere", "oppose", "unrelated", *(f"case{i}" for i in range(48)), *(f"scene{i}" for i in range(48))]
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(words)])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if not causal:
        made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **special).save_pretrained(folder)
    return len(vocabulary)


def write_bases(root: Path) -> Path:
    """A causal model, an encoder classifier and a sentence encoder: folders `causal`, `encoder` and `sentence`."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer, models

    torch.manual_seed(0)
    size = tokenizer(root / "causal", causal=True)
    llama = transformers.LlamaConfig(vocab_size=size, num_key_value_heads=2, **SIZES)
    transformers.LlamaForCausalLM(llama).save_pretrained(root / "causal")
    tokenizer(root / "encoder", causal=False)
    bert = transformers.BertConfig(vocab_size=size, initializer_range=0.2, **SIZES)
    transformers.BertModel(bert).save_pretrained(root / "encoder")
    word = models.Transformer(str(root / "encoder"))
    SentenceTransformer(modules=[word, models.Pooling(32)], device="cpu").save(str(root / "sentence"), create_model_card=False)
    return root
