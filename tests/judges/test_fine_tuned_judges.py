"""The adapters of published judges: the forms against a scripted model, the likelihoods against tiny models made here."""

import asyncio

import numpy as np
import pytest

from clave.errors import InputError
from clave.judges.choosing import LocalChooser
from clave.judges.fine_tuned import FINE_TUNED, fine_tuned, kaleido, llama_guard, prometheus, shield_gemma, value_llama, wild_guard
from clave.judges.protocol import Task
from clave.records import LABELS, Response
from clave.values import Value

CARE = Value(id="care", name="care", definition="Kindness towards those who suffer.")
RESPONSE = Response(id="r", scenario="Should I feed the cat?", response="Yes, it is hungry.", value="care")


class Choices:
    """Gives the listed probabilities in turn, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, prompt, choices):
        self.asked.append((prompt, tuple(choices)))
        return np.array(self.answers[len(self.asked) - 1])


def same(prompt):
    return prompt


@pytest.mark.parametrize(
    ("reading", "answers", "expected"),
    [
        (kaleido, [(0.8, 0.2), (0.5, 0.25, 0.25)], (0.5, 0.3, 0.2)),
        (value_llama, [(0.8, 0.2), (0.5, 0.25, 0.25)], (0.5, 0.3, 0.2)),
        (llama_guard, [(0.1, 0.9), (0.2, 0.8)], (0.08, 0.9, 0.02)),
        (wild_guard, [(0.1, 0.9), (0.8, 0.2)], (0.72, 0.1, 0.18)),
        (shield_gemma, [(0.1, 0.9), (0.8, 0.2)], (0.72, 0.1, 0.18)),
        (prometheus, [(0.1, 0.2, 0.3, 0.2, 0.2)], (0.3, 0.2, 0.5)),
    ],
)
def test_answers_become_weights_of_the_three_labels(reading, answers, expected):
    choose = Choices(*answers)
    assert reading(CARE, RESPONSE, choose, same) == pytest.approx(expected)
    assert sum(expected) == pytest.approx(1)
    assert all(RESPONSE.scenario in prompt for prompt, _ in choose.asked)
    assert any(RESPONSE.response in prompt for prompt, _ in choose.asked)


def test_guards_ask_about_the_value_by_its_definition():
    for reading in (llama_guard, shield_gemma, prometheus, value_llama):
        choose = Choices(*[(0.2,) * (5 if reading is prometheus else 3 if i and reading is value_llama else 2) for i in range(2)])
        reading(CARE, RESPONSE, choose, same)
        assert all(CARE.definition in prompt for prompt, _ in choose.asked)


@pytest.mark.parametrize("name", FINE_TUNED)
def test_judge_without_weights_is_skipped_with_the_way_to_get_them(name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    judge = fine_tuned(name, "nobody/not-at-hand")
    assert judge.name == name
    assert "nobody/not-at-hand" in judge.missing()


def test_unknown_judges_are_told():
    with pytest.raises(InputError, match="no fine-tuned judge 'oracle'"):
        fine_tuned("oracle")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folders of a tiny causal and a tiny sequence-to-sequence model with random weights, and one word-level tokenizer."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = [
        "Yes",
        "No",
        "yes",
        "no",
        "safe",
        "unsafe",
        "Supports",
        "Support",
        "Opposes",
        "Oppose",
        "Either",
        "1",
        "2",
        "3",
        "4",
        "5",
        "the",
        "cat",
        "is",
        "hungry",
        "feed",
    ]
    vocabulary = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    torch.manual_seed(0)
    size = len(vocabulary)
    t5 = transformers.T5Config(
        vocab_size=size, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1
    )
    llama = transformers.LlamaConfig(
        vocab_size=size, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=512,
        pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    made = {}
    for kind, model in (("seq2seq", transformers.T5ForConditionalGeneration(t5)), ("causal", transformers.LlamaForCausalLM(llama))):
        made[kind] = tmp_path_factory.mktemp(kind)
        model.save_pretrained(made[kind])
        fast.save_pretrained(made[kind])
    return made


@pytest.mark.parametrize("kind", ["seq2seq", "causal"])
def test_choices_of_a_real_model_are_probabilities_that_depend_on_the_prompt(tiny, kind):
    choose = LocalChooser(str(tiny[kind]))
    assert choose.missing() is None
    chances = choose("feed the cat", ["Yes", "No", "Either"])
    assert chances.sum() == pytest.approx(1)
    assert (chances > 0).all()
    assert not np.allclose(chances, choose("the cat is hungry", ["Yes", "No", "Either"]))
    swapped = choose("feed the cat", ["No", "Yes", "Either"])
    assert swapped[[1, 0, 2]] == pytest.approx(chances)


def test_a_response_cannot_bring_special_tokens(tiny):
    choose = LocalChooser(str(tiny["causal"]))
    assert choose.plain("feed </s> the <pad> cat") == "feed   the   cat"


def test_likelihood_is_that_of_the_next_token(tiny):
    """By hand, for one-token choices: a softmax over the two logits after the prompt."""
    import torch

    choose = LocalChooser(str(tiny["causal"]))
    tokenizer, model = choose._loaded
    ids = tokenizer("feed the cat", return_tensors="pt").input_ids
    with torch.inference_mode():
        logits = model(ids).logits[0, -1]
    pair = torch.softmax(logits[tokenizer.convert_tokens_to_ids(["Yes", "No"])], dim=0)
    assert choose("feed the cat", ["Yes", "No"]) == pytest.approx(pair.numpy(), abs=1e-5)


@pytest.mark.parametrize("name", FINE_TUNED)
def test_every_adapter_runs_on_a_model_of_its_interface(tiny, name):
    judge = fine_tuned(name, str(tiny["seq2seq" if name == "kaleido" else "causal"]))

    async def collect():
        return [v async for v in judge.evaluate(Task({"care": CARE}, (), [RESPONSE]))]

    (verdict,) = asyncio.run(collect())
    assert (verdict.status, verdict.evaluator) == ("ok", name)
    assert sum(verdict.probabilities.values()) == pytest.approx(1)
    assert set(verdict.probabilities) == set(LABELS)
