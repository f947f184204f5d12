"""What a saved evaluator names is used only where the user has named it, too; a key goes to no server that a folder chose."""

import hashlib
import json
import os
import pty
import stat
import subprocess
import sys
import threading

import pytest
import typer
from typer.testing import CliRunner

from clave import Clave, LabelledResponse, Response
from clave.cli.main import app
from clave.errors import UntrustedError
from clave.io import write_jsonl
from clave.llm import providers
from clave.saving import load, refit_folder
from clave.settings import Settings
from clave.testing import FakeChat
from clave.trust import Name, names_in, place, remember, remembered

WORDS = {"helped": "adhere", "lied": "oppose"}
LABELS = [
    LabelledResponse(id=f"r{i}", scenario=f"scene {i}", response=f"They {word} there {i}.", value="care", label=label)
    for i in range(18)
    for word, label in [(("helped", "adhere"), ("lied", "oppose"), ("walked", "unrelated"))[i % 3]]
]
MODEL = "openai/gpt-4o-mini"
ASKED = [Response(id="q", response="They helped.")]


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Be somebody who has named nothing yet; call it again to be another."""

    def become(name):
        monkeypatch.setenv("CLAVE_TRUSTED", str(tmp_path / name / "trusted.txt"))

    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    become("somebody")
    return become


@pytest.fixture
def foreign(tmp_path, user):
    """An evaluator that another user made, of a model with a key."""
    user("its maker")
    folder = Clave("mft", chat=FakeChat(WORDS, model=MODEL)).fit(LABELS).save(tmp_path / "foreign")
    user("me")
    return folder


@pytest.fixture
def provider(chat_server, monkeypatch):
    """The server of openai/…, with a key of the user's."""
    answer = {"concepts": ["Doing it"], "evidence": "", "stance": "adhere", "confidence": 0.9}
    chat_server.script = lambda body: chat_server.says(json.dumps(answer))
    monkeypatch.setitem(providers.PROVIDERS, "openai", (chat_server.url, "OPENAI_API_KEY"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine-and-secret")
    return chat_server


def changed(folder, **settings):
    """The settings of a saved evaluator changed as an attacker does it, hashes and all."""
    config = json.loads((folder / "config.json").read_text())
    config["settings"] |= settings
    (folder / "config.json").write_text(json.dumps(config))
    hashed(folder)


def hashed(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "manifest.json"]
    manifest["files"] = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_foreign_model_is_refused_before_anything_is_sent(foreign, provider):
    with pytest.raises(UntrustedError, match=r"names the large model 'openai/gpt-4o-mini', which you have not named .*say `trust=True`"):
        Clave.load(foreign)
    assert provider.requests == []
    assert [v.status for v in Clave.load(foreign, trust=True, cache="").evaluate(ASKED)] == ["ok"]
    assert len(provider.requests) == 1


def test_ones_own_evaluator_needs_no_word(tmp_path, user, provider):
    Clave("mft", chat=FakeChat(WORDS, model=MODEL)).fit(LABELS).save(tmp_path / "mine")
    assert remembered() == {Name("model", MODEL)}
    assert stat.S_IMODE(place().stat().st_mode) == 0o600
    assert [v.status for v in Clave.load(tmp_path / "mine", cache="").evaluate(ASKED)] == ["ok"]


def test_who_names_the_server_or_the_chat_names_the_model(foreign, provider, monkeypatch):
    Clave.load(foreign, base_url=provider.url)
    Clave.load(foreign, chat=FakeChat(WORDS, model=MODEL))
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    Clave.load(foreign)


def test_a_model_on_this_machine_takes_no_key(foreign):
    changed(foreign, model="ollama/qwen3")
    Clave.load(foreign)


def test_saving_what_was_loaded_names_nothing(foreign, tmp_path):
    Clave.load(foreign, chat=FakeChat(WORDS, model=MODEL)).save(tmp_path / "again")
    Clave.load(foreign, trust=True, base_url="http://127.0.0.1:9/v1").save(tmp_path / "again")
    assert remembered() == set()
    with pytest.raises(UntrustedError):
        Clave.load(tmp_path / "again")


@pytest.mark.parametrize("settings", [{"encoder": "evil/encoder"}, {"encoder": "/etc"}, {"training": {"base": "evil/base"}}])
def test_a_foreign_small_model_is_refused_before_it_is_loaded(foreign, settings, monkeypatch):
    changed(foreign, **settings)
    monkeypatch.setattr("clave.encoder.encoder._SentenceTransformersEncoder", None)
    monkeypatch.setattr("clave.fitting.fitted.load_encoder", None)
    for read in (
        load,
        refit_folder,
        lambda f: Clave.load(f, chat=FakeChat(WORDS, model=MODEL)),
        lambda f: Clave.load(f, base_url="http://x/v1"),
    ):
        with pytest.raises(UntrustedError, match="names .*the (encoder|base model) '"):
            read(foreign)
    load(foreign, trust=True)


def test_the_base_of_an_adapter_counts_as_well(foreign):
    (foreign / "recognizer" / "lora.json").write_text(json.dumps({"base": "evil/base"}))
    hashed(foreign)
    with pytest.raises(UntrustedError, match="the base model 'evil/base'"):
        load(foreign)


def test_encoders_of_the_package_are_no_question():
    assert names_in(Settings()) == []
    assert names_in(Settings(model=MODEL, encoder="intfloat/e5")) == [Name("model", MODEL), Name("encoder", "intfloat/e5")]


def test_a_name_cannot_smuggle_another_in(user):
    remember(
        [Name("model", "a/b\nmodel evil/x"), Name("model", "a/b\x85model evil/x"), Name("encoder", "x" * 10_000), Name("model", " a/b")]
    )
    assert remembered() == set()
    remember([Name("model", "a/b c")])
    remember([Name("model", "a/b c")])
    assert place().read_text() == "model a/b c\n"


def test_a_line_that_a_person_left_open_stays_a_line_of_its_own(user):
    place().parent.mkdir(parents=True)
    place().write_text("model a/b")
    remember([Name("model", "c/d")])
    assert remembered() == {Name("model", "a/b"), Name("model", "c/d")}


def test_a_file_that_cannot_be_written_or_read_means_being_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAVE_TRUSTED", str(tmp_path))
    remember([Name("model", "a/b")])
    assert remembered() == set()


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "{responses}", "--evaluator", "{folder}", "-o", "{out}"],
        ["batch", "write", "{responses}", "--evaluator", "{folder}", "-o", "{out}"],
        ["batch", "read", "{responses}", "--evaluator", "{folder}"],
        ["distill", "--responses", "{responses}", "-e", "{folder}", "--calls", "5", "-o", "{folder}-student"],
        ["serve", "{folder}", "--open"],
        ["check", "{folder}", "--yes"],
        ["assess", "--model", "vllm/x", "--evaluator", "{folder}", "--scenarios", "{responses}", "-o", "{folder}-assessment"],
    ],
    ids=lambda c: " ".join(c[:2]),
)
def test_every_command_that_asks_refuses_where_nobody_can_be_asked(command, foreign, provider, tmp_path):
    write_jsonl(tmp_path / "r.jsonl", [Response(id="q", response="They helped.", scenario="What now?")])
    places = {"responses": tmp_path / "r.jsonl", "folder": foreign, "out": tmp_path / "out.jsonl"}
    done = CliRunner().invoke(app, [part.format(**places) for part in command])
    assert isinstance(done.exception, UntrustedError), (done.output, done.exception)
    assert provider.requests == []


def test_a_cascade_is_refused_as_well(foreign, provider, tmp_path):
    write_jsonl(tmp_path / "r.jsonl", ASKED)
    command = [
        "evaluate",
        str(tmp_path / "r.jsonl"),
        "--evaluator",
        str(foreign),
        "--base-url",
        provider.url,
        "-o",
        str(tmp_path / "v.jsonl"),
    ]
    small = Clave("mft").fit(LABELS).save(tmp_path / "small")
    changed(small, encoder="evil/encoder")
    done = CliRunner().invoke(app, [*command, "--cascade", str(small)])
    assert isinstance(done.exception, UntrustedError)


def commands(group, before=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), {p.name for p in command.params}


def test_every_command_that_takes_an_evaluator_has_trust():
    taking = {name: params for name, params in commands(typer.main.get_command(app)) if params & {"evaluator", "evaluators", "cascade"}}
    assert ("evaluate",) in taking
    assert [name for name, params in taking.items() if "trust" not in params] == []


def test_a_real_process_says_it_in_one_sentence(foreign, provider, tmp_path):
    write_jsonl(tmp_path / "r.jsonl", ASKED)
    command = ["evaluate", str(tmp_path / "r.jsonl"), "--evaluator", str(foreign), "-o", str(tmp_path / "v.jsonl")]
    done = run(command, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "say --trust" in done.stderr


def test_a_person_is_asked_once(foreign, tmp_path):
    write_jsonl(tmp_path / "r.jsonl", ASKED)
    changed(foreign, encoder="no/such-encoder")
    for answer, told in ((b"n\n", "say --trust"), (b"y\n", "")):
        said = typed(["pool", "show", str(foreign)], answer)
        assert "names the large model 'openai/gpt-4o-mini' and the encoder 'no/such-encoder'" in said
        assert told in said
    assert remembered() == {Name("model", MODEL), Name("encoder", "no/such-encoder")}
    done = run(["pool", "show", str(foreign)], stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")


PROGRAM = [sys.executable, "-c", "from clave.cli.main import main; main()"]


def run(command, **more):
    return subprocess.run([*PROGRAM, *command], capture_output=True, text=True, check=False, timeout=120, **more)


def typed(command, answer):
    """What a command says at a terminal where a person types an answer."""
    here, there = pty.openpty()
    process = subprocess.Popen([*PROGRAM, *command], stdin=there, stdout=there, stderr=there, env={**os.environ, "COLUMNS": "500"})
    os.close(there)
    os.write(here, answer)
    said = []

    def read():
        while True:
            try:
                part = os.read(here, 4096)
            except OSError:
                return
            if not part:
                return
            said.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    process.wait(timeout=120)
    reader.join(timeout=10)
    os.close(here)
    return b"".join(said).decode()


def test_an_integration_takes_the_word(foreign):
    hosted = pytest.importorskip("clave.integrations.hosted")
    with pytest.raises(UntrustedError):
        hosted.Hosted.open(str(foreign))
    assert hosted.Hosted.open(str(foreign), options={"trust": True, "base_url": "http://127.0.0.1:9/v1"}).values == ("care",)
