"""How far annotators agree, over all texts of a source that tells."""

import csv

import pytest

from clave.valeval.ceilings import ceilings
from clave.valeval.sources import mfrc, social_chem, xstest


def written(path, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def of(source, root, *files):
    return ceilings((source,), {source.id: files}, root)[source.id]


def test_counts_of_three_annotators_are_taken_apart_and_all_texts_count(tmp_path):
    none = dict.fromkeys(("Equality", "Proportionality", "Care", "Loyalty", "Authority", "Purity", "Thin Morality", "Non-Moral"), 0)
    rows = [
        {"ID": 0, "text": "all of one mind", **none, "Care": 3},
        {"ID": 1, "text": "two of three, and so no row", **none, "Care": 2, "Non-Moral": 1},
        {"ID": 2, "text": "none", **none, "Non-Moral": 3},
        {"ID": 3, "text": "not of three annotators", **none, "Care": 4},
    ]
    written(tmp_path / mfrc._AGGREGATED, rows, "\t")
    found = of(mfrc.SOURCE, tmp_path, mfrc._AGGREGATED)
    assert (found["texts"], found["judgements"], found["annotators"]) == (3, 3 * 6, {3: 18})
    # Of the comment that two see, each of these two is half right by the tie of the others, the third is wrong.
    assert found["agreement"] == pytest.approx((17 * 3 + 1) / (18 * 3), abs=1e-4)
    assert found["labels"]["seen"] == {"given": 5, "again": pytest.approx((6 + 2) / 10)}


def test_the_official_file_has_a_row_for_each_annotator(tmp_path):
    said = {"a": "Care", "b": "Care, Loyalty", "c": "Non-Moral"}
    rows = [{"text": "a comment", "annotator": who, "annotation": what} for who, what in said.items()]
    written(tmp_path / mfrc._OFFICIAL, [*rows, {"text": "of one alone", "annotator": "a", "annotation": "Care"}])
    found = of(mfrc.SOURCE, tmp_path, mfrc._OFFICIAL)
    assert (found["texts"], found["labels"]["seen"]["given"]) == (1, 3)


def test_rules_in_the_same_words_are_of_several_workers(tmp_path):
    base = {"situation": "s", "rot-agree": "4.0", "rot-bad": "0", "rot-categorization": "morality-ethics"}
    rows = [
        {**base, "rot": "You should help.", "rot-moral-foundations": "care-harm", "breakdown-worker-id": "1"},
        {**base, "rot": "you should help", "rot-moral-foundations": "care-harm|loyalty-betrayal", "breakdown-worker-id": "2"},
        {**base, "rot": "you should help", "rot-moral-foundations": "", "breakdown-worker-id": "2"},
        {**base, "rot": "Another rule.", "rot-moral-foundations": "care-harm", "breakdown-worker-id": "1"},
    ]
    written(tmp_path / "rules.csv", rows)
    found = of(social_chem.SOURCE, tmp_path, "rules.csv")
    assert (found["texts"], found["judgements"], found["annotators"]) == (1, 5, {2: 5})
    assert found["agreement"] == pytest.approx(4 / 5)
    assert found["labels"]["ticked"]["again"] == pytest.approx(2 / 3, abs=1e-4)


def test_agreement_by_chance_is_taken_out(tmp_path):
    said = [("1_full_compliance", "1_full_compliance"), ("2_full_refusal", "2_full_refusal"), ("1_full_compliance", "2_full_refusal")]
    rows = [{"prompt": f"p{i}", "annotation_1": a, "annotation_2": b} for i, (a, b) in enumerate(said)]
    written(tmp_path / "completions.csv", [*rows, {"prompt": "p9", "annotation_1": "1_full_compliance", "annotation_2": ""}])
    found = of(xstest.SOURCE, tmp_path, "prompts.csv", "completions.csv")
    assert found["judgements"] == 3
    assert found["kappa"] == pytest.approx((2 / 3 - 1 / 2) / (1 / 2), abs=1e-4)


def test_the_card_has_a_line_for_each_source_that_tells(built):
    assert set(built.manifest["annotators"]) == {"xstest"}
    card = (built.out / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "where one says it, another does" in card
    assert "not what that means for a value" in card
