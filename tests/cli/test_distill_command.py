"""`clave distill`: saves a student where people's labels bear it out, and nothing where they do not."""

import json

import pytest
import typer
from typer.testing import CliRunner

from clave import Clave, LabelledResponse, Response
from clave.cli.distill import NOT_OFFERED, distill
from clave.errors import InputError
from clave.io import write_jsonl
from clave.testing import FakeChat

WORDS = {"adhere": "helped the old lady kindly", "oppose": "hurt and insulted the boy", "unrelated": "the engine needs new oil"}


def command(*arguments):
    app = typer.Typer()
    app.command()(distill)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def files(tmp_path, monkeypatch):
    names = list(WORDS)
    labels = [
        LabelledResponse(id=f"l{i}", scenario=f"scene {i}", response=f"{WORDS[names[i % 3]]}, {i}", value="care", label=names[i % 3])
        for i in range(18)
    ]
    rules = {"helped": "adhere", "hurt": "oppose"}
    saved = Clave("mft", chat=FakeChat(rules)).fit(labels).save(tmp_path / "teacher")
    monkeypatch.setattr(Clave, "from_pretrained", lambda name, **options: Clave.load(saved, chat=FakeChat(rules)))
    write_jsonl(tmp_path / "u.jsonl", [Response(id=f"u{i}", response=f"{WORDS[names[i % 3]]} on day {i}") for i in range(12)])
    return tmp_path


def test_a_student_is_saved_and_its_loss_stated(files):
    arguments = ["--responses", files / "u.jsonl", "-e", "teacher", "--calls", 12, "-o", files / "student", "--max-loss", 0.3]
    done = command(*arguments, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["offered"] is True
    assert said["loss"]["high"] <= 0.3
    assert Clave.load(said["folder"]).name == said["evaluator"]


def test_what_loses_too_much_is_not_saved(files):
    done = command("--responses", files / "u.jsonl", "-e", "t", "--calls", 5, "-o", files / "student", "--max-loss", -1)
    assert done.exit_code == NOT_OFFERED
    assert "not offered" in " ".join(done.stdout.split())
    assert not (files / "student").exists()


def test_an_evaluator_without_a_model_cannot_teach(files, monkeypatch):
    monkeypatch.setattr(Clave, "from_pretrained", lambda name, **options: Clave("mft"))
    done = command("--responses", files / "u.jsonl", "-e", "t", "--calls", 5, "-o", files / "student")
    assert isinstance(done.exception, InputError)
