"""The fine-tuned recognizers, on tiny random models made here: what they learn, save, refuse and resume."""

import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import WORDS, write_bases

from clave.errors import EvaluatorError, InputError
from clave.recognizers.auto import Auto
from clave.recognizers.finetuned import FineTuned
from clave.recognizers.lora import Lora
from clave.recognizers.observation import Observation
from clave.recognizers.registry import recognizer_class
from clave.recognizers.training import Context
from clave.records import LABELS, Extraction, Response
from clave.settings import Training
from clave.values import Value

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
transformers = pytest.importorskip("transformers", reason="the extra 'train' is not installed")
pytest.importorskip("peft", reason="the extra 'train' is not installed")
pytest.importorskip("sentence_transformers", reason="the extra 'train' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

VALUES = {
    v.id: v for v in (Value(id="care", name="Care", definition="Kindness."), Value(id="honesty", name="Honesty", definition="Truth."))
}


def rows(n=48):
    rng = np.random.default_rng(0)
    observations, labels = [], []
    for i in range(n):
        label = LABELS[i % 3]
        text = " ".join([*rng.permutation(WORDS[label].split()), f"case{i}"])
        found = Extraction(concepts=(text,), stance=label, confidence=0.8)
        vector = rng.normal(size=8).astype(np.float32)
        response = Response(id=str(i), scenario=f"scene{i}", response=text)
        observations.append(Observation(("care", "honesty")[i // 3 % 2], response, vector, found, vector[None], ()))
        labels.append(label)
    return observations, labels, [o.response.group for o in observations]


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """See `tiny_models.write_bases`."""
    return write_bases(tmp_path_factory.mktemp("bases"))


def training(bases, name, **changes):
    choices = {"base": str(bases / name), "epochs": 6, "learning_rate": 3e-3, "batch": 4, "max_tokens": 48, "rank": 4, **changes}
    return Context(VALUES, Training(**choices))


@pytest.fixture(scope="module", params=["lora-causal", "lora-encoder", "contrastive", "plain"])
def fitted(request, bases):
    kind, _, base = request.param.partition("-")
    if kind == "lora":
        changes = {"epochs": 12, "learning_rate": 1e-2, "rank": 16} if base == "encoder" else {}
        return Lora(("concepts", "text")).fit(*rows(), context=training(bases, base, **changes))
    return FineTuned(("concepts", "text")).fit(*rows(), context=training(bases, "sentence", method=request.param))


def test_learns_what_the_words_say_out_of_fold(fitted):
    observations, labels, _ = rows()
    y = np.array([LABELS.index(label) for label in labels])
    assert fitted.oof_.shape == (48, 3)
    np.testing.assert_allclose(fitted.oof_.sum(axis=1), 1)
    assert (fitted.oof_.argmax(axis=1) == y).mean() > 0.6  # chance is a third, and a fold trains on twenty samples
    assert (fitted.predict_proba(observations).argmax(axis=1) == y).mean() > 0.8


def test_order_and_company_change_nothing(fitted):
    observations, _, _ = rows()
    together = fitted.predict_proba(observations)
    np.testing.assert_allclose(fitted.predict_proba(observations[::-1])[::-1], together, atol=1e-6)
    alone = np.concatenate([fitted.predict_proba([o]) for o in observations[:5]])
    np.testing.assert_allclose(alone, together[:5], atol=1e-6)
    assert fitted.predict_proba([]).shape == (0, 3)


def test_saved_and_loaded_it_says_the_same(fitted, tmp_path):
    observations, _, _ = rows()
    fitted.save(tmp_path / "a")
    loaded = recognizer_class(fitted.kind).load(tmp_path / "a")
    np.testing.assert_array_equal(loaded.predict_proba(observations), fitted.predict_proba(observations))
    loaded.save(tmp_path / "b")
    again = recognizer_class(fitted.kind).load(tmp_path / "b")
    np.testing.assert_array_equal(again.predict_proba(observations), fitted.predict_proba(observations))
    assert not list(tmp_path.rglob("*.bin"))


def test_every_damaged_file_is_refused_with_a_sentence(fitted, tmp_path):
    fitted.save(tmp_path / "a")
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.suffix == ".safetensors" or path.name in ("lora.json", "encoder.json", "adapter_config.json", "head.json"):
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(EvaluatorError, match="damaged"):
                recognizer_class(fitted.kind).load(tmp_path / "a")
            path.write_bytes(whole)


def test_a_pickled_adapter_is_never_read(bases, tmp_path):
    model = Lora(("text",)).fit(*rows(24), context=training(bases, "causal", epochs=1))
    model.save(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    (tmp_path / "adapter_model.bin").write_bytes(b"cos\nsystem\n")
    with pytest.raises(EvaluatorError, match="pickle"):
        Lora.load(tmp_path)


def test_only_the_label_words_logits_are_computed_and_they_are_the_full_models(bases):
    from clave.recognizers.labelling import LabelModel

    model = LabelModel.open(str(bases / "causal"), rank=2, max_tokens=48)
    inputs = [model.tokens("Value: Care\nResponse: ", "helps gently"), model.tokens("Value: Care\nResponse: ", "hurts badly engine oil")]
    with torch.no_grad():
        ours = model.logits(inputs)
        for row, answer in zip(inputs, ours, strict=True):
            full = model.model(input_ids=torch.tensor([row])).logits[0, -1]
            ids = [model.tokenizer(w, add_special_tokens=False)["input_ids"][0] for w in model.words]
            np.testing.assert_allclose(answer.numpy(), full[ids].numpy(), atol=1e-5)


def test_the_response_is_cut_and_the_question_never(bases):
    from clave.recognizers.labelling import ANSWER, LabelModel

    model = LabelModel.open(str(bases / "causal"), rank=2, max_tokens=40)
    ids = model.tokens("Value: Care\nResponse: ", "helps " * 500)
    tail = model.tokenizer(ANSWER, add_special_tokens=False)["input_ids"]
    assert len(ids) == 40
    assert ids[-len(tail) :] == tail


def test_a_killed_training_goes_on_where_it_was_and_ends_alike(bases, tmp_path):
    whole = Lora(("text",)).fit(*rows(24), context=training(bases, "causal", epochs=3))

    class KilledError(Exception):
        pass

    def kill(stage, done, total):
        if "epoch 2" in stage:
            raise KilledError

    context = replace(training(bases, "causal", epochs=3), checkpoints=tmp_path)
    with pytest.raises(KilledError):
        Lora(("text",)).fit(*rows(24), context=replace(context, progress=kill))
    assert len(list(tmp_path.rglob("state.json"))) == 1
    stages = []
    resumed = Lora(("text",)).fit(*rows(24), context=replace(context, progress=lambda *a: stages.append(a[0])))
    assert [s for s in stages if "epoch" in s and s.startswith("lora 1/")] == [s for s in stages if "1/3: epoch 3" in s]
    np.testing.assert_allclose(resumed.oof_, whole.oof_, atol=1e-6)
    np.testing.assert_allclose(resumed.predict_proba(rows(24)[0]), whole.predict_proba(rows(24)[0]), atol=1e-6)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_checkpoint_is_not_taken_up(how, bases, tmp_path):
    whole = Lora(("text",)).fit(*rows(24), context=training(bases, "causal", epochs=2))

    class KilledError(Exception):
        pass

    def kill(stage, done, total):
        if "epoch 1" in stage:
            raise KilledError

    context = replace(training(bases, "causal", epochs=2), checkpoints=tmp_path)
    with pytest.raises(KilledError):
        Lora(("text",)).fit(*rows(24), context=replace(context, progress=kill))
    (state,) = tmp_path.rglob("state.safetensors")
    data = bytearray(state.read_bytes())
    data[-2] ^= 64
    state.write_bytes(bytes(data[:-9]) if how == "cut" else bytes(data))
    stages = []
    again = Lora(("text",)).fit(*rows(24), context=replace(context, progress=lambda *a: stages.append(a[0])))
    assert any("1/3: epoch 1," in s for s in stages)
    np.testing.assert_allclose(again.oof_, whole.oof_, atol=1e-6)


def test_a_merged_model_answers_like_the_adapter(bases, tmp_path):
    """What a server is given: a plain model with its tokenizer, and token ids as the prompt."""
    model = Lora(("text",)).fit(*rows(24), context=training(bases, "causal", epochs=2))
    model.merge(tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert not [n for n in names if "adapter" in n or n.endswith(".bin")]
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
    words = transformers.AutoTokenizer.from_pretrained(tmp_path).convert_ids_to_tokens(list(model.answers.values()))
    assert list(model.answers) == list(LABELS) == words
    observations = rows(24)[0][:6]
    ids = list(model.answers.values())

    def served(place):
        plain = transformers.AutoModelForCausalLM.from_pretrained(place)
        with torch.no_grad():
            logits = [plain(input_ids=torch.tensor([model.prompt(o)])).logits[0, -1] for o in observations]
        return torch.softmax(torch.stack(logits)[:, ids], 1).numpy()

    np.testing.assert_allclose(served(tmp_path), model.predict_proba(observations), atol=1e-5)
    assert np.abs(served(bases / "causal") - model.predict_proba(observations)).max() > 1e-3  # the adapter is in it


def test_lora_without_a_base_and_a_base_that_is_not_there_are_sentences(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="`base`"):
        Lora().fit(*rows(24), context=Context(VALUES))
    for kind in (Lora, FineTuned):
        with pytest.raises(InputError, match="cannot be loaded"):
            kind(("text",)).fit(*rows(24), context=Context(VALUES, Training(base=str(tmp_path / "nothing"))))


def test_auto_says_why_and_keeps_its_choice_through_saving(bases, tmp_path, monkeypatch):
    monkeypatch.setattr("clave.recognizers.tuning.encoder_place", lambda name: str(bases / "sentence"))
    auto = Auto(("concepts", "text")).fit(*rows(), context=training(bases, "causal", epochs=2))
    assert set(auto.report_["accuracy"]) == {"head", "encoder", "lora"}
    assert auto.report_["why"].startswith(f"{auto.report_['kind']} was kept")
    auto.save(tmp_path)
    loaded = Auto.load(tmp_path)
    assert loaded.report_ == json.loads((tmp_path / "auto.json").read_text()) == json.loads(json.dumps(auto.report_))
    np.testing.assert_array_equal(loaded.predict_proba(rows()[0]), auto.predict_proba(rows()[0]))
    shutil.rmtree(tmp_path / auto.report_["kind"])
    with pytest.raises(EvaluatorError, match="damaged"):
        Auto.load(tmp_path)


def test_auto_without_a_base_leaves_lora_out_and_says_so(bases, monkeypatch):
    monkeypatch.setattr("clave.recognizers.tuning.encoder_place", lambda name: str(bases / "sentence"))
    auto = Auto(("text",)).fit(*rows(24), context=Context(VALUES, Training(epochs=1)))
    assert auto.report_["skipped"] == {"lora": "no base model was named"}
    assert "lora did not take part" in auto.report_["why"]


@pytest.mark.parametrize(("kind", "base"), [("encoder", "sentence"), ("lora", "causal")])
def test_a_whole_evaluator_is_saved_loaded_and_refused_when_tampered_with(kind, base, bases, tmp_path, monkeypatch):
    from clave import Clave, LabelledResponse
    from clave.settings import Settings

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    observations, labels, _ = rows(24)
    labelled = [
        LabelledResponse(id=o.response.id, scenario=o.response.scenario, response=o.response.response, value="care", label=label)
        for o, label in zip(observations, labels, strict=True)
    ]
    settings = Settings(recognizer=kind, training=training(bases, base, epochs=2, shows="name").training)
    clave = Clave("mft", settings=settings).fit(labelled)
    asked = [Response(id=str(i), response=f"{words} case{i}") for i, words in enumerate(WORDS.values())]
    before = {v.id: v for v in clave.evaluate(asked)}
    clave.save(tmp_path / "e")
    assert {v.id: v for v in Clave.load(tmp_path / "e").evaluate(asked[::-1])} == before
    assert not list((tmp_path / "cache").rglob("state.json"))
    files = [p for p in sorted((tmp_path / "e" / "recognizer").rglob("*")) if p.is_file()]
    assert {p.suffix for p in files} >= {".json", ".safetensors"}
    for path in files:
        whole = path.read_bytes()
        for changed in (whole[:-1], whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:]):
            path.write_bytes(changed)
            with pytest.raises(EvaluatorError, match=f"{re.escape(path.name)} is damaged"):
                Clave.load(tmp_path / "e")
        path.write_bytes(whole)
    assert Clave.load(tmp_path / "e").name == clave.name
    described = tmp_path / "e" / "recognizer" / f"{kind}.json"
    described.write_text(described.read_text().replace('"care"', '"cure"'))
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    manifest["files"][f"recognizer/{kind}.json"] = hashlib.sha256(described.read_bytes()).hexdigest()
    (tmp_path / "e" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EvaluatorError, match="does not know all values"):
        Clave.load(tmp_path / "e")


@pytest.mark.parametrize(("kind", "base"), [(FineTuned, "sentence"), (Lora, "causal")])
def test_a_guideline_that_leaves_the_response_no_room_is_refused(kind, base, bases):
    context = training(bases, base, shows="guideline", epochs=1, max_tokens=48)
    long = {name: value.model_copy(update={"guideline": "Kindness helps . " * 40}) for name, value in VALUES.items()}
    with pytest.raises(InputError, match="reads 48 tokens .* no room"):
        kind(("text",)).fit(*rows(24), context=replace(context, values=long))


def test_a_guideline_has_more_room_unless_told_otherwise():
    assert [Training(shows=s).room for s in (None, "definition", "guideline")] == [256, 256, 768]
    assert Training(shows="guideline", max_tokens=100).room == 100
