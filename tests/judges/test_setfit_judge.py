"""SetFit for real, on a tiny encoder made here: that training and the reading of probabilities work, not how good they are."""

import asyncio
import warnings

import numpy as np
import pytest

from clave.errors import InputError
from clave.judges.protocol import Task
from clave.judges.setfit_judge import chances, setfit, train
from clave.records import LABELS, LabelledResponse, Response
from clave.values import Value

CARE = Value(id="care", name="care", definition="Kindness towards those who suffer.")
WORDS = {"adhere": "soup comfort help gentle", "oppose": "kick punch mock starve", "unrelated": "train pasta hash map"}


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory):
    pytest.importorskip("setfit", reason="setfit is not installed")
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = " ".join(WORDS.values()).split()
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **special).save_pretrained(folder)
    encoder = tmp_path_factory.mktemp("encoder")
    SentenceTransformer(str(folder)).save(str(encoder))
    return str(encoder)


@pytest.mark.parametrize("labels", [LABELS, ("adhere", "unrelated")])
def test_setfit_learns_words_and_gives_probabilities_in_the_order_of_the_labels(tiny_encoder, labels):
    calibration = [
        LabelledResponse(id=f"{label}-{i}", response=f"{a} {b}", value="care", label=label)
        for label in labels
        for i, (a, b) in enumerate((a, b) for a in WORDS[label].split() for b in WORDS[label].split() if a < b)
    ]
    rows = [Response(id=label, response=WORDS[label], value="care") for label in labels]

    async def collect():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages that train, not of ours
            return [v async for v in setfit(tiny_encoder, steps=30).evaluate(Task({"care": CARE}, calibration, rows))]

    found = asyncio.run(collect())
    assert {v.id: v.label for v in found} == {label: label for label in labels}
    for verdict in found:
        assert sum(verdict.probabilities.values()) == pytest.approx(1)
        assert all(verdict.probabilities[label] == 0 for label in LABELS if label not in labels)


def test_one_label_is_given_to_every_response_and_no_response_is_no_row(tiny_encoder):
    rows = [LabelledResponse(id=word, response=word, value="care", label="oppose") for word in WORDS["oppose"].split()]
    model = train(rows, tiny_encoder, steps=2)
    found = chances(model, [Response(id="a", response="soup"), Response(id="b", response="")])
    assert found.tolist() == [list(np.eye(3)[LABELS.index("oppose")])] * 2
    assert chances(model, []).shape == (0, 3)


def test_no_labels_are_refused_by_name(tiny_encoder):
    with pytest.raises(InputError, match="SetFit needs labelled responses"):
        train([], tiny_encoder)
