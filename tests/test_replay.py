"""The whole pipeline against a real HTTP server that answers from recordings of a large model, on real labels."""

import json
import subprocess
import sys

import pytest

from clave import Clave, Response, Settings, Value, ValueSystem, read_labels

MODEL = "replay/recorded"


@pytest.fixture(scope="module")
def server(shared):
    folder = shared / "replay"
    command = [sys.executable, str(folder / "server.py"), "--port", "0", "--error", "0.05", "--truncate", "0.03"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(scope="module")
def rows(shared):
    return list(read_labels(shared / "replay" / "items.jsonl"))


@pytest.fixture(scope="module")
def fitted(shared, server, rows, tmp_path_factory):
    values = json.loads((shared / "replay" / "values.json").read_text())
    system = ValueSystem(
        id="moral",
        name="Moral",
        version="1",
        values=tuple(Value(id=i, name=values[i]["name"], definition=values[i]["definition"]) for i in ("care", "loyalty")),
    )
    training = [
        r.model_copy(update={"fold": str(r.metadata["fold"])}) for r in rows if r.value in system and r.metadata["split"] == "calibration"
    ]
    cache = tmp_path_factory.mktemp("cache") / "answers.sqlite"
    return Clave(system, settings=Settings(model=MODEL), base_url=server, cache=cache).fit(training, given_folds=True)


def test_a_calibrated_evaluator_agrees_with_people_on_new_responses(fitted, rows):
    dev = [r for r in rows if r.value in fitted.system and r.metadata["split"] == "dev"]
    asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in dev]
    said = {v.id: v for v in fitted.evaluate(asked)}
    assert len(said) == len(dev) == 49
    assert all(v.status == "ok" for v in said.values())
    assert sum(said[r.id].label == r.label for r in dev) >= 34  # .70; the recordings allow about .81


def test_the_guidelines_were_cross_fitted(fitted):
    assert set(fitted.fitted.guidelines) == {"care", "loyalty"}
    assert {s.fold for s in fitted.fitted.samples} == {0, 1}
    scores = fitted.fitted.provenance.scores["all"].accuracy
    assert scores.n == 120
    assert 0.6 < scores.value < 0.9


def test_fitting_again_pays_for_nothing(fitted):
    calls = fitted.ledger.calls
    fitted.fit([s.labelled for s in fitted.fitted.samples], given_folds=True)
    assert fitted.ledger.calls == calls


def test_a_model_that_did_not_move_passes_the_check(fitted):
    found = fitted.check()
    assert (found.moved, found.served_now) == (False, found.served_then)
    assert found.changed <= 3  # this server cuts answers short at random: once in a while twice in a row
    assert 50 <= found.n <= 60
