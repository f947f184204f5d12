"""`clave check` against a real server on loopback: what it says, what it costs, and what is noted beside the evaluator."""

import json
import stat

import pytest
from typer.testing import CliRunner

from clave import Clave, LabelledResponse
from clave.cli.main import app
from clave.errors import EvaluatorError, InputError
from clave.report.evaluation import write_report
from clave.saving import load
from clave.testing import FakeChat

THREE = [("helped", "adhere"), ("lied", "oppose"), ("walked", "unrelated")]
LABELS = [
    LabelledResponse(id=f"r{i}", scenario=f"scene {i}", response=f"They {word} there {i}.", value="care", label=label)
    for i in range(18)
    for word, label in [THREE[i % 3]]
]


class Model:
    """What the server answers; `flipped` turns adhere and oppose round."""

    def __init__(self, server):
        self.server, self.flipped, self.name = server, False, "served-1"
        server.script = self.answer

    def answer(self, body):
        if "guideline" in body["response_format"]["json_schema"]["schema"]["properties"]:
            return self.server.says(json.dumps({"guideline": "Label by what it does."}), model=self.name)
        text = body["messages"][-1]["content"].rpartition("<response ")[2]
        stance = next(label for word, label in THREE if word in text)
        if self.flipped:
            stance = {"adhere": "oppose", "oppose": "adhere"}.get(stance, stance)
        answer = {"concepts": ["Doing it"], "evidence": "", "stance": stance, "confidence": 0.9}
        return self.server.says(json.dumps(answer), model=self.name)


@pytest.fixture
def model(chat_server, tmp_path):
    model = Model(chat_server)
    Clave("mft", model="vllm/x", base_url=chat_server.url, cache=tmp_path / "cache.sqlite").fit(LABELS).save(tmp_path / "e")
    return model


@pytest.fixture
def check(chat_server, tmp_path):
    def run(*more, folder=tmp_path / "e"):
        return CliRunner().invoke(app, ["check", str(folder), "--base-url", chat_server.url, *more])

    return run


def test_the_price_comes_first_and_nothing_is_asked_without_a_yes(model, check):
    before = len(model.server.requests)
    done = check()
    assert isinstance(done.exception, InputError)
    assert "Up to 36 calls, about" in str(done.exception)
    assert "say --yes" in str(done.exception)
    assert len(model.server.requests) == before


def test_a_model_that_did_not_move(model, check, tmp_path):
    before = len(model.server.requests)
    name, files = load(tmp_path / "e").name, (tmp_path / "e" / "manifest.json").read_bytes()
    done = check("--yes")
    assert done.exit_code == 0, done.output
    assert "The model behind vllm/x is as it was: 18 of 18 answers are the same." in done.stdout
    assert len(model.server.requests) - before == 18  # past the cache, and one reading is enough
    noted = load(tmp_path / "e")
    assert (noted.name, (tmp_path / "e" / "manifest.json").read_bytes()) == (name, files)
    assert [c.moved for c in noted.checks] == [False]
    assert stat.S_IMODE((tmp_path / "e" / "checks.jsonl").stat().st_mode) == 0o600


def test_a_model_that_moved(model, check, tmp_path):
    model.flipped = True
    done = check("--yes", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["moved"], found["changed"], found["unsteady"], found["calls"]) == (True, 12, 0, 36)
    model.flipped, model.name = False, "served-2"
    done = check("--yes")
    assert done.exit_code == 1
    assert "the server calls it served-2 now, and served-1 when the evaluator was calibrated" in done.stdout
    assert [c.moved for c in load(tmp_path / "e").checks] == [True, True]


def test_a_report_says_when_it_was_last_checked(model, check, tmp_path):
    clave = Clave.load(tmp_path / "e", chat=FakeChat({"helped": "adhere"}, model="vllm/x"))
    verdicts = list(clave.evaluate([LABELS[0]]))
    never = write_report(verdicts, tmp_path / "r.md", evaluator=clave.fitted).read_text()
    assert "never checked for drift" in never
    assert check("--yes").exit_code == 0
    checked = load(tmp_path / "e")
    text = write_report(verdicts, tmp_path / "r.md", evaluator=checked).read_text()
    assert f"last checked for drift on {checked.checks[-1].at:%Y-%m-%d}: its large model was as it had been" in text


def test_an_evaluator_without_a_model_has_nothing_to_check(check, tmp_path):
    Clave("mft").fit(LABELS).save(tmp_path / "e")
    done = check()
    assert done.exit_code == 0
    assert "has no large model: there is nothing that could move" in done.stdout
    assert json.loads(check("--json").stdout)["moved"] is False


def test_one_that_was_saved_without_its_questions_says_what_to_do(model, check, tmp_path):
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    del manifest["files"]["asked.json"]
    (tmp_path / "e" / "asked.json").unlink()
    (tmp_path / "e" / "manifest.json").write_text(json.dumps(manifest))
    done = check("--yes")
    assert isinstance(done.exception, EvaluatorError)
    assert "calibrate again, then it can be checked" in str(done.exception)


@pytest.mark.parametrize(
    "line",
    ["[1]", "{}", "x", '{"at": 1}', "[" * 10_000, '{"moved": "\\u001b[2J"}', "\x00", "1" * 1_100_000],
)
def test_checks_of_another_kind_are_refused_by_name(model, tmp_path, line):
    (tmp_path / "e" / "checks.jsonl").write_text(line + "\n")
    with pytest.raises(EvaluatorError, match=r"checks\.jsonl holds something else than checks .*take it away"):
        load(tmp_path / "e")


def test_a_link_in_place_of_the_checks_is_not_written_through(model, check, tmp_path):
    (tmp_path / "other.txt").write_text("mine\n")
    (tmp_path / "e" / "checks.jsonl").symlink_to(tmp_path / "other.txt")
    assert isinstance(check("--yes").exception, EvaluatorError)
    assert (tmp_path / "other.txt").read_text() == "mine\n"
