"""An audit out as a file and back as labels: by the page's exports, in rounds, refused where it is no random sample."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.profile.drawn import draw

from clave.annotate.aggregate import aggregate
from clave.annotate.exchange import judgement_rows, label_rows, write_rows
from clave.annotate.judgement import Judgement
from clave.errors import InputError
from clave.profile.auditing import KEY, read_audits, to_label
from clave.profile.design import Design
from clave.profile.rectified import rectified
from clave.records import LABELS, Response


@pytest.fixture
def run():
    rng = np.random.default_rng(0)
    labels, rows = draw(rng, 300, [0.5, 0.2, 0.3], model="model-a", value="care")
    texts = {i: Response(id=i, response=f"text {i}", scenario=f"scenario {k // 2}") for k, i in enumerate(rows.ids)}
    return labels, rows, texts


def labelled(responses, labels, rows, annotators=("ana",)):
    place = {identity: i for i, identity in enumerate(rows.ids)}
    return [
        Judgement(
            id=r.id,
            value=r.value,
            annotator=name,
            label=LABELS[labels[place[r.metadata[KEY]["id"]]]],
            scenario=r.scenario,
            response=r.response,
            metadata=r.metadata,
        )
        for r in responses
        for name in annotators
    ]


@pytest.mark.parametrize("name", ["l.jsonl", "l.csv", "l.parquet", "l.json"])
@pytest.mark.parametrize("settled", [True, False])
def test_the_page_s_exports_come_back_as_the_sample(run, tmp_path, name, settled):
    labels, rows, texts = run
    said = labelled(to_label(texts, Design(rows), 60, seed=1), labels, rows)
    write_rows(tmp_path / name, label_rows(aggregate(said, []).labelled) if settled else judgement_rows(said))
    audit = read_audits(tmp_path / name, [rows]).samples["model-a", "care"]
    assert audit.n == 60
    assert np.array_equal(audit.labels.argmax(axis=1), labels[audit.rows])
    assert audit.weights.sum() == pytest.approx(rows.n)
    assert rectified(rows, audit).supported


def test_neither_model_nor_verdict_shows_where_labellers_look(run):
    _, rows, texts = run
    for response in to_label(texts, Design(rows), 30, seed=0):
        assert "model-a" not in response.id
        assert response.response in {t.response for t in texts.values()}
        assert set(response.metadata) == {KEY}
        assert "probabilities" not in json.dumps(response.metadata)


def test_rounds_add_up(run, tmp_path):
    labels, rows, texts = run
    first = labelled(to_label(texts, Design(rows), 40, seed=0), labels, rows)
    write_rows(tmp_path / "1.jsonl", judgement_rows(first))
    before = read_audits(tmp_path / "1.jsonl", [rows]).samples["model-a", "care"]
    design = Design(rows, before.rows, before.labels)
    second = labelled(to_label(texts, design, 90, seed=1, number=2), labels, rows)
    assert len(second) == 50
    write_rows(tmp_path / "2.jsonl", judgement_rows([*first, *second]))
    audits = read_audits(tmp_path / "2.jsonl", [rows])
    assert audits.samples["model-a", "care"].n == 90
    assert audits.rounds["model-a", "care"] == 2
    write_rows(tmp_path / "lost.jsonl", judgement_rows(second))
    assert read_audits(tmp_path / "lost.jsonl", [rows]).open == {("model-a", "care"): 40}


def test_half_labelled_is_no_random_sample(run, tmp_path):
    labels, rows, texts = run
    said = labelled(to_label(texts, Design(rows), 60, seed=1), labels, rows)
    write_rows(tmp_path / "l.jsonl", judgement_rows(said[:45]))
    audits = read_audits(tmp_path / "l.jsonl", [rows])
    assert audits.samples == {}
    assert audits.open == {("model-a", "care"): 15}


def test_annotators_share_a_label_and_what_cannot_be_told_is_left_out(run, tmp_path):
    labels, rows, texts = run
    said = labelled(to_label(texts, Design(rows), 40, seed=1), labels, rows, ("ana", "ben"))
    said[1] = said[1].model_copy(update={"label": "oppose" if said[0].label != "oppose" else "adhere"})
    said[2:4] = [j.model_copy(update={"label": "cannot_tell"}) for j in said[2:4]]
    write_rows(tmp_path / "l.jsonl", judgement_rows(said))
    audits = read_audits(tmp_path / "l.jsonl", [rows])
    sample = audits.samples["model-a", "care"]
    assert (sample.n, audits.untold) == (39, 1)
    assert sorted(sample.labels[0]) == [0, 0.5, 0.5]
    assert sample.weights.sum() == pytest.approx(rows.n)


def test_labels_that_the_page_chose_are_refused(run, tmp_path):
    _, rows, _ = run
    row = {"id": rows.ids[0], "response": "x", "value": "care", "label": "adhere"}
    (tmp_path / "l.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match="no known inclusion probability"):
        read_audits(tmp_path / "l.jsonl", [rows])


def test_a_sample_of_one_s_own_names_its_probabilities(run, tmp_path):
    labels, rows, _ = run
    rng = np.random.default_rng(1)
    chances = np.where(rows.codes == 1, 0.6, 0.2)
    chosen = np.flatnonzero(rng.random(rows.n) < chances)
    lines = [
        json.dumps({"id": rows.ids[i], "response": "x", "value": "care", "label": LABELS[labels[i]], "inclusion_probability": chances[i]})
        for i in chosen
    ]
    (tmp_path / "l.jsonl").write_text("\n".join(lines))
    sample = read_audits(tmp_path / "l.jsonl", [rows]).samples["model-a", "care"]
    truth = np.bincount(labels, minlength=3) / rows.n
    assert rectified(rows, sample).shares == pytest.approx(truth, abs=0.12)


def test_an_audit_of_other_verdicts_is_refused(run, tmp_path):
    labels, rows, texts = run
    write_rows(tmp_path / "l.jsonl", judgement_rows(labelled(to_label(texts, Design(rows), 40, seed=1), labels, rows)))
    fewer = replace(
        rows, codes=rows.codes[:-9], probabilities=rows.probabilities[:-9], scenarios=rows.scenarios[:-9], ids=rows.ids[:-9], novelty=None
    )
    with pytest.raises(InputError, match="drawn from other verdicts"):
        read_audits(tmp_path / "l.jsonl", [fewer])
    with pytest.raises(InputError, match="has no verdict here"):
        read_audits(tmp_path / "l.jsonl", [replace(rows, model="model-b")])
