"""`clave audit plan`: what it prints, what it writes, and its way back into a report."""

import json
import re

import numpy as np
import pytest
from tests.profile.drawn import draw
from typer.testing import CliRunner

from clave.annotate.store import Store
from clave.cli.main import app
from clave.errors import InputError
from clave.io import read_responses
from clave.profile.auditing import KEY
from clave.records import LABELS, Response, Verdict
from clave.values import ValueSystem


@pytest.fixture
def run(tmp_path):
    labels, rows = draw(np.random.default_rng(0), 300, [0.5, 0.2, 0.3], value="care")
    responses = [Response(id=f"r{i}", scenario=f"scenario {i // 2}", response=f"text {i}", metadata={"model": "m"}) for i in range(300)]
    verdicts = [
        Verdict(
            id=r.id,
            value="care",
            status="ok",
            label=LABELS[rows.codes[i]],
            probabilities=dict(zip(LABELS, rows.probabilities[i].tolist(), strict=True)),
            judged=r.digest,
        )
        for i, r in enumerate(responses)
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(r.model_dump_json() for r in responses))
    (tmp_path / "v.jsonl").write_text("\n".join(v.model_dump_json() for v in verdicts))
    return tmp_path, {r.id: LABELS[y] for r, y in zip(responses, labels, strict=True)}


def plan(folder, *options):
    arguments = ["audit", "plan", str(folder / "v.jsonl"), "-r", str(folder / "r.jsonl"), "-o", str(folder / "audit.jsonl"), *options]
    return CliRunner().invoke(app, arguments)


def test_what_is_drawn_opens_on_the_labelling_page(run):
    folder, _ = run
    result = plan(folder, "--labels", "40", "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)["drawn"] == 40
    store = Store(str(folder / "labels.db"), ValueSystem.load("mft"))
    try:
        assert store.add_responses(read_responses(folder / "audit.jsonl")) == 40
    finally:
        store.close()


def test_rounds_go_on_where_the_last_one_ended(run):
    folder, truth = run
    plan(folder, "--labels", "40")
    rows = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(r | {"label": truth[r["metadata"][KEY]["id"]]}) for r in rows))
    result = plan(folder, "--labels", "90", "--audit", str(folder / "labels.jsonl"), "--json")
    assert json.loads(result.output)["drawn"] == 50
    again = {json.loads(line)["id"] for line in (folder / "audit.jsonl").read_text().splitlines()}
    assert again.isdisjoint(r["id"] for r in rows)


def test_one_wish_at_a_time(run):
    folder, _ = run
    assert isinstance(plan(folder).exception, InputError)
    assert isinstance(plan(folder, "--labels", "9", "--half-width", "0.1").exception, InputError)


def test_a_study_that_is_too_small_hears_so_before_anything_is_labelled(run):
    folder, _ = run
    result = plan(folder, "--half-width", "0.03")
    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "± 0.03 cannot be reached" in said
    assert not (folder / "audit.jsonl").exists()
    best = re.search(r"the best for m on care is ± (\S+); ask for that, or evaluate about [\d,]+ scenarios", said)[1]
    assert plan(folder, "--half-width", best).exit_code == 0  # what it advises can be had
    assert (folder / "audit.jsonl").exists()


def test_too_few_labels_are_said_and_the_fewest_are_drawn_when_asked_for(run):
    folder, _ = run
    result = plan(folder, "--labels", "3")
    assert result.exit_code == 1
    assert not (folder / "audit.jsonl").exists()
    fewest = re.search(r"3 labels are too few .* are (\d+); ask for that", " ".join(result.output.split()))[1]
    told = json.loads(plan(folder, "--labels", fewest, "--json").output)
    assert (told["reached"], told["drawn"]) == (True, int(fewest))


def test_a_difference_needs_two_models(run):
    folder, _ = run
    error = plan(folder, "--difference", "0.1").exception
    assert isinstance(error, InputError)
    assert "another model" in str(error)


def test_a_wish_that_earlier_rounds_fulfil_draws_nothing_and_is_no_failure(run):
    folder, truth = run
    plan(folder, "--labels", "60")
    rows = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(r | {"label": truth[r["metadata"][KEY]["id"]]}) for r in rows))
    for labels in ("60", "20"):
        result = plan(folder, "--labels", labels, "--audit", str(folder / "labels.jsonl"))
        assert result.exit_code == 0
        assert "earlier rounds are enough" in " ".join(result.output.split())
