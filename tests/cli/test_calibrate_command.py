"""`clave calibrate` with fine-tuned recognizers: what is asked for is what is trained, and what means nothing is refused."""

import json
from pathlib import Path

import pytest
from tiny_models import WORDS, write_bases
from typer.testing import CliRunner

from clave import Clave, LabelledResponse
from clave.cli.calibrate import show
from clave.cli.main import app
from clave.errors import InputError
from clave.io import write_jsonl

NAMES = list(WORDS)


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    rows = [
        LabelledResponse(id=f"l{i}", scenario=f"scene{i}", response=f"{WORDS[NAMES[i % 3]]} case{i}", value="care", label=NAMES[i % 3])
        for i in range(18)
    ]
    write_jsonl(path, rows)
    (path.parent / "tiny.yaml").write_text(
        "id: tiny\nname: Tiny\nversion: '1'\nvalues:\n  - {id: care, name: Care, definition: Kindness.}\n"
    )
    return path


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    for name in ("torch", "transformers", "peft", "sentence_transformers"):
        pytest.importorskip(name, reason="the extra 'train' is not installed")
    return write_bases(tmp_path_factory.mktemp("bases"))


def calibrate(labels, output, *more):
    arguments = ("calibrate", labels, "--system", labels.parent / "tiny.yaml", "-o", output, "--json", *more)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("asked", "trained"),
    [
        (("encoder", "sentence", "--method", "plain", "--epochs", "1"), {"method": "plain", "epochs": 1, "shows": None}),
        (("encoder", "sentence", "--shows", "definition", "--epochs", "2"), {"method": "contrastive", "epochs": 2, "shows": "definition"}),
        (("lora", "causal", "--epochs", "1", "--shows", "name"), {"method": "contrastive", "epochs": 1, "shows": "name"}),
    ],
)
def test_the_options_reach_the_training_and_are_saved(labels, bases, tmp_path, monkeypatch, asked, trained):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kind, base, *more = asked
    done = calibrate(labels, tmp_path / "e", "--recognizer", kind, "--base", bases / base, *more)
    assert done.exit_code == 0, done.output
    saved = json.loads((tmp_path / "e" / "config.json").read_text())["settings"]["training"]
    assert {name: saved[name] for name in trained} == trained
    described = json.loads(next((tmp_path / "e" / "recognizer").glob(f"{kind}.json")).read_text())
    assert described["shows"] == (trained["shows"] or "name")
    if kind == "encoder":
        assert described["report"]["chosen"].startswith(trained["method"])
    else:
        assert all(len(run) <= trained["epochs"] for run in described["report"]["epochs"])
    assert Clave.load(tmp_path / "e").settings.training.epochs == trained["epochs"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--method", "plain"), r"--method is for recognizers that are fine-tuned .*'head' is not"),
        (("--epochs", "2"), r"--epochs is for recognizers that are fine-tuned"),
        (("--shows", "name"), r"--shows is for recognizers that are fine-tuned"),
        (("--base", "some/model"), r"--base is for recognizers that are fine-tuned"),
        (("--recognizer", "lora", "--base", "some/model", "--method", "plain"), r"leave it out with --recognizer lora"),
        (("--recognizer", "encoder", "--method", "sideways"), r"--method 'sideways' is not one of contrastive, plain"),
        (("--recognizer", "encoder", "--shows", "all"), r"--shows 'all' is not one of name, definition, guideline"),
        (("--recognizer", "encoder", "--shows", "guideline"), r"there is none; name"),
        (("--recognizer", "oracle", "--method", "plain"), r"there is no recognizer 'oracle'"),
    ],
)
def test_combinations_that_mean_nothing_are_refused_with_a_sentence(labels, tmp_path, options, says):
    done = calibrate(labels, tmp_path / "e", *options)
    assert isinstance(done.exception, InputError)
    with pytest.raises(InputError, match=says):
        raise done.exception
    assert not (tmp_path / "e").exists()


def test_no_passes_at_all_is_refused(labels, tmp_path):
    assert calibrate(labels, tmp_path / "e", "--recognizer", "encoder", "--epochs", "0").exit_code == 2


def test_a_value_with_one_scenario_has_a_score_without_an_interval(capsys):
    rows = [
        LabelledResponse(
            id=f"{value}{i}",
            scenario=f"scene {i}" if value == "care" else "one scene",
            response=f"{WORDS[NAMES[i % 3]]} {i}",
            value=value,
            label=NAMES[i % 3],
        )
        for value in ("care", "fairness")
        for i in range(9)
    ]
    show(Clave("mft").fit(rows).fitted, None, Path("somewhere"), 0, False)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fairness")]
    assert line.count("[") == 0


def test_an_evaluator_that_is_no_better_than_the_most_frequent_label_is_told(labels, tmp_path):
    """Seven of ten samples are unrelated and the words say nothing: accuracy .7 is what saying unrelated every time gives."""
    rows = [
        LabelledResponse(
            id=f"n{i}", scenario=f"place{i}", response=f"word{i * 7919 % 97} thing{i * 104729 % 89}", value="care",
            label="unrelated" if i % 10 < 7 else "adhere" if i % 2 else "oppose",
        )
        for i in range(60)
    ]  # fmt: skip
    write_jsonl(labels.parent / "noise.jsonl", rows)

    def said(name):
        arguments = ("calibrate", labels.parent / name, "--system", labels.parent / "tiny.yaml", "-o", tmp_path / name)
        done = CliRunner().invoke(app, [str(a) for a in arguments])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split()), (tmp_path / name / "README.md").read_text()

    told, card = said("noise.jsonl")
    assert "WARNING: all, care: not shown to be right more often than saying the most frequent label every time" in told
    assert "On care it is not shown to be right more often" in card
    fine, card = said("labels.jsonl")
    assert "WARNING" not in fine
    assert "not shown" not in card
