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
from clave.profile.planning import planned
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


def as_drawn(run, labels=40, **more):
    truth, rows, texts = run
    return labelled(to_label(texts, Design(rows), labels, seed=1, **more), truth, rows)


def changed(judgement, identity=None, **draw):
    metadata = {KEY: judgement.metadata[KEY] | draw}
    return judgement.model_copy(update={"metadata": metadata} | ({"id": identity} if identity else {}))


def test_a_row_that_was_changed_by_hand_is_refused(run, tmp_path):
    rows, said = run[1], as_drawn(run)
    first, other = said[0], next(j for j in said if j.metadata[KEY]["stratum"] != said[0].metadata[KEY]["stratum"])
    cases = [
        ([changed(first, identity="another"), *said[1:]], "whose row has another name: take what stands under `audit`, and the ids"),
        ([changed(first, id=other.metadata[KEY]["id"]), *said[1:]], "whose row has another name"),
        ([first.model_copy(update={"id": other.id, "annotator": "eve"}), *said[1:]], "whose row has another name"),
        ([changed(first, inclusion_probability=0.9), *said[1:]], "has an inclusion probability that is not"),
        ([changed(first, stratum=other.metadata[KEY]["stratum"]), *said[1:]], "drawn from other verdicts"),
        ([changed(first, stratum=99), *said[1:]], "drawn from other verdicts"),
        ([changed(j, total=39) for j in said], "holds more labels than were drawn"),
        ([changed(first, total=39), *said[1:]], "holds rows of two plans, or some that were changed"),
        ([changed(first, value="fairness"), *said[1:]], "was drawn for 'fairness' and is labelled for 'care'"),
        ([*said, first], "labels id .* twice"),
        ([*said, changed(first.model_copy(update={"annotator": "ben"}), seed=2)], "say that it was drawn in two ways"),
    ]
    for judgements, sentence in cases:
        write_rows(tmp_path / "l.jsonl", judgement_rows(judgements))
        with pytest.raises(InputError, match=sentence):
            read_audits(tmp_path / "l.jsonl", [rows])
    write_rows(tmp_path / "l.jsonl", judgement_rows(said))
    assert read_audits(tmp_path / "l.jsonl", [rows]).samples["model-a", "care"].n == 40


def test_labels_of_two_plans_are_no_sample(run, tmp_path):
    truth, rows, texts = run
    one, two = (labelled(to_label(texts, Design(rows), 40, seed=seed), truth, rows, (f"ana {seed}",)) for seed in (1, 2))
    shared = {j.id for j in one}
    write_rows(tmp_path / "l.jsonl", judgement_rows([*one, *(j for j in two if j.id not in shared)]))
    with pytest.raises(InputError, match="holds rows of two plans"):
        read_audits(tmp_path / "l.jsonl", [rows])
    own = Judgement(id=rows.ids[0], value="care", annotator="ana", label="adhere", metadata={"inclusion_probability": 0.5})
    write_rows(tmp_path / "l.jsonl", judgement_rows([own, *(j for j in one if j.metadata[KEY]["id"] != rows.ids[0])]))
    with pytest.raises(InputError, match="mixes responses that `clave audit plan` drew with others"):
        read_audits(tmp_path / "l.jsonl", [rows])


def test_what_nobody_could_tell_is_not_drawn_again_in_a_later_round(run, tmp_path):
    truth, rows, texts = run
    said = [j.model_copy(update={"label": "cannot_tell"}) if k < 10 else j for k, j in enumerate(as_drawn(run))]
    write_rows(tmp_path / "1.jsonl", judgement_rows(said))
    plan = planned([rows], labels=90, audits=read_audits(tmp_path / "1.jsonl", [rows]))
    drawn = plan.draw({"model-a": texts}, seed=2)
    assert not {r.id for r in drawn} & {j.id for j in said}
    write_rows(tmp_path / "2.jsonl", judgement_rows([*said, *labelled(drawn, truth, rows)]))
    audits = read_audits(tmp_path / "2.jsonl", [rows])
    assert (audits.samples["model-a", "care"].n, audits.untold, audits.open) == (80, 10, {})


def test_a_round_that_is_not_labelled_is_not_followed_by_another(run, tmp_path):
    write_rows(tmp_path / "l.jsonl", judgement_rows(as_drawn(run)[:30]))
    audits = read_audits(tmp_path / "l.jsonl", [run[1]])
    with pytest.raises(InputError, match="10 responses that were drawn for 'care' .model-a. have no label yet: label all of them"):
        planned([run[1]], labels=90, audits=audits)
