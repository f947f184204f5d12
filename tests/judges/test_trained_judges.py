"""The trained judges for real: fulcra on the default encoder, lora-text on a tiny random language model made here."""

import asyncio

import pytest

from clave.errors import InputError
from clave.judges.protocol import Task
from clave.judges.registry import open_judges
from clave.judges.trained import fulcra, lora_text
from clave.records import LABELS, LabelledResponse, Response
from clave.settings import Training
from clave.values import Value

pytest.importorskip("sentence_transformers", reason="the extra 'train' is not installed")
pytest.importorskip("peft", reason="the extra 'train' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

VALUES = {
    "care": Value(id="care", name="Care", definition="Kindness towards those who suffer."),
    "order": Value(id="order", name="Order", definition="Keeping things tidy and planned."),
}
WHO = ("neighbour", "sister", "stranger", "teacher", "friend", "cousin", "colleague", "guest")
DOES = {
    "care": {
        "adhere": "She comforted the {} kindly.",
        "oppose": "She beat and mocked the {}.",
        "unrelated": "The {} wrote a program.",
    },
    "order": {
        "adhere": "The {} sorted the shelves by plan.",
        "oppose": "The {} threw rubbish all over the room.",
        "unrelated": "The {} speaks French.",
    },
}
HELD_OUT = 6
"""Of WHO: those from here on are judged, the others are learnt from."""


def rows(values=("care", "order")):
    return [
        LabelledResponse(id=f"{value}-{label}-{who}", response=sentence.format(who), value=value, label=label)
        for value in values
        for label, sentence in DOES[value].items()
        for who in WHO
    ]


def task(values=("care", "order")):
    calibration = [row for row in rows(values) if row.id.rpartition("-")[2] in WHO[:HELD_OUT]]
    judged = [row for row in rows(values) if row.id.rpartition("-")[2] in WHO[HELD_OUT:]]
    return Task(VALUES, calibration, [Response(id=row.id, response=row.response, value=row.value) for row in judged])


def verdicts_of(judge, given):
    async def collect():
        return [v async for v in judge.evaluate(given)]

    return asyncio.run(collect())


def share_right(verdicts):
    return sum(v.label == v.id.split("-")[1] for v in verdicts) / len(verdicts)


def check_probabilities(verdicts, given):
    assert sorted((v.id, v.value) for v in verdicts) == sorted((r.id, r.value) for r in given.responses)
    for verdict in verdicts:
        assert list(verdict.probabilities) == list(LABELS)
        assert sum(verdict.probabilities.values()) == pytest.approx(1)
        assert verdict.label == max(verdict.probabilities, key=verdict.probabilities.get)


def test_fulcra_learns_two_values_in_one_model():
    judge, given = fulcra(epochs=1), task()
    assert judge.missing() is None
    found = verdicts_of(judge, given)
    check_probabilities(found, given)
    assert share_right(found) >= 0.75  # the majority label is right on a third


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny causal language model with random weights."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    spoken = [row.response for row in rows()] + [
        f"Value : {v.name} Definition : {v.definition} Response : Label :" for v in VALUES.values()
    ]
    words = dict.fromkeys(word for text in spoken for word in text.replace(".", " . ").split())
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[PAD]", "[UNK]", *words, *LABELS])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    folder = tmp_path_factory.mktemp("base")
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=made.get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=128,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def test_lora_text_learns_from_text_and_value_alone(base):
    judge, given = lora_text(base, training=Training(epochs=8, learning_rate=1e-2, batch=4, max_tokens=48)), task()
    assert (judge.missing(), judge.name) == (None, f"lora-text:{base}")
    found = verdicts_of(judge, given)
    check_probabilities(found, given)
    assert share_right(found) >= 0.6


def test_values_of_different_systems_are_trained_apart(base):
    """Alone or beside another system, a value gets the same verdicts."""
    quick = Training(epochs=1, batch=4, max_tokens=48)
    beside = verdicts_of(lora_text(base, {"care": "one", "order": "two"}, training=quick), task())
    alone = verdicts_of(lora_text(base, training=quick), task(("care",)))
    assert [v for v in beside if v.value == "care"] == alone


def test_one_label_is_learnt_and_one_scenario_is_refused(base):
    given = task(("care",))
    alike = [row.model_copy(update={"label": "oppose"}) for row in given.calibration]
    judge = lora_text(base, training=Training(epochs=4, learning_rate=1e-2, batch=4, max_tokens=48))
    found = verdicts_of(judge, Task(VALUES, alike, given.responses))
    check_probabilities(found, given)
    assert {v.label for v in found} == {"oppose"}
    one = [row.model_copy(update={"scenario": "At the door."}) for row in given.calibration]
    with pytest.raises(InputError, match="is one scenario"):
        verdicts_of(judge, Task(VALUES, one, given.responses))


def test_without_a_base_lora_text_says_what_to_name(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    without, absent, encoder = open_judges(["lora-text", "lora-text:nobody/not-at-hand", "fulcra"])
    assert "lora-text:<base>" in without.missing()
    assert "hf download nobody/not-at-hand" in absent.missing()
    assert (without.name, absent.name, encoder.name, encoder.missing()) == ("lora-text", "lora-text:nobody/not-at-hand", "fulcra", None)
