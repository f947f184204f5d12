"""Evaluators pushed to a Hub and pulled back by its real client, in processes of their own that share nothing but the server."""

import json
import os
import subprocess
import sys

import pytest
from hub_server import HubServer
from tiny_models import WORDS, write_bases

from clave import Clave, LabelledResponse, Response
from clave.io import write_jsonl
from clave.settings import Settings, Training

for _name in ("huggingface_hub", "torch", "transformers", "peft", "sentence_transformers"):
    pytest.importorskip(_name, reason="the extras 'hub' and 'train' are not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

KINDS = ("head", "encoder", "lora", "auto")
NAMES = list(WORDS)
RESPONSES = [Response(id=str(i), response=f"{WORDS[NAMES[i % 3]]} case{i}") for i in range(6)]
WEIGHTS = {"head": "recognizer/head.safetensors", "lora": "recognizer/adapter_model.safetensors"}

PUSH = """
import json, sys
from clave import Clave
from clave.errors import EvaluatorError

for folder, repo in json.loads(sys.argv[1]):
    try:
        print(json.dumps(Clave.load(folder).push_to_hub(repo)))
    except EvaluatorError as error:
        print(json.dumps({"refused": str(error)}))
"""
PULL = """
import json, sys
from clave import Clave, read_responses
from clave.errors import EvaluatorError

asked = list(read_responses(sys.argv[2]))
for repo in json.loads(sys.argv[1]):
    try:
        clave = Clave.from_pretrained(repo)
        found = {v.id: {"label": v.label, "p": v.probabilities, "by": v.evaluator} for v in clave.evaluate(asked)}
        print(json.dumps(found))
    except EvaluatorError as error:
        print(json.dumps({"refused": str(error)}))
"""


def process(code, *arguments, env):
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=os.environ | env, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", '"'))]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """An evaluator of each kind, saved."""
    place = tmp_path_factory.mktemp("fitted")
    bases = write_bases(place / "bases")
    labelled = [
        LabelledResponse(id=f"l{i}", scenario=f"scene{i}", response=f"{WORDS[NAMES[i % 3]]} case{i}", value="care", label=NAMES[i % 3])
        for i in range(18)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        for kind in KINDS:
            base = "" if kind == "encoder" else str(bases / "causal")
            if kind == "auto":  # its encoder starts from the default one, which the kind before has shown already
                patch.setattr("clave.recognizers.tuning.encoder_place", lambda name: str(bases / "sentence"))
            training = Training(base="" if kind == "head" else base, epochs=1, shows=None if kind == "head" else "name")
            Clave("mft", settings=Settings(recognizer=kind, training=training)).fit(labelled).save(place / kind)
    return place


@pytest.fixture(scope="module")
def pulled(fitted, tmp_path_factory):
    """(server, what push printed, what pull printed by repository): all kinds, damaged ones, and one pushed over another."""
    repos = {kind: f"team/{kind}" for kind in KINDS}
    pushed = [(fitted / kind, repo) for kind, repo in repos.items()]
    damaged = {f"{kind}-{how}": kind for kind in WEIGHTS for how in ("flipped", "cut")}
    pushed += [(fitted / kind, f"team/{name}") for name, kind in damaged.items()]
    pushed += [(fitted / "lora", "team/again"), (fitted / "head", "team/again")]
    asked = ["team/nothing", "team/again", *repos.values(), *(f"team/{name}" for name in damaged)]
    responses = tmp_path_factory.mktemp("asked") / "responses.jsonl"
    write_jsonl(responses, RESPONSES)
    with HubServer() as hub:
        said = process(PUSH, json.dumps([(str(folder), repo) for folder, repo in pushed]), env=hub.environment(fitted / "home-1"))
        for name, kind in damaged.items():
            data = bytearray(hub.files(f"team/{name}")[WEIGHTS[kind]])
            if name.endswith("cut"):
                del data[-8:]
            else:
                data[-3] ^= 1
            hub.commit(f"team/{name}", {WEIGHTS[kind]: bytes(data)})
        found = process(PULL, json.dumps(asked), str(responses), env=hub.environment(fitted / "home-2"))
        stranger = hub.environment(fitted / "home-3") | {"HF_TOKEN": "hf_wrong"}
        refused = process(PULL, json.dumps(["team/head"]), str(responses), env=stranger)
        refused += process(PUSH, json.dumps([(str(fitted / "head"), "team/mine")]), env=stranger)
        return hub, said, dict(zip(asked, found, strict=True)), refused


@pytest.mark.parametrize("kind", KINDS)
def test_pulled_in_another_process_it_gives_the_same_probabilities(kind, fitted, pulled):
    _, _, found, _ = pulled
    before = {v.id: v for v in Clave.load(fitted / kind).evaluate(RESPONSES)}
    after = found[f"team/{kind}"]
    assert set(after) == set(before) == {r.id for r in RESPONSES}
    for identity, verdict in before.items():
        assert after[identity]["label"] == verdict.label
        assert after[identity]["p"] == pytest.approx(verdict.probabilities, abs=1e-5)
        assert after[identity]["by"] == verdict.evaluator


def test_repositories_are_private_and_weights_went_as_large_files(pulled):
    hub, said, _, _ = pulled
    assert said[:4] == [f"{hub.url}/team/{kind}" for kind in KINDS]
    assert hub.private == set(hub.repos)
    assert hub.files("team/encoder")["recognizer/encoder/model.safetensors"] in hub.uploaded.values()
    assert not any(path.endswith((".bin", ".pkl", ".pt")) for repo in hub.repos for path in hub.files(repo))


def test_nothing_of_the_evaluator_that_was_there_before_is_left(pulled):
    hub, _, found, _ = pulled
    files = hub.files("team/again")
    assert set(files) == {".gitattributes", "manifest.json", *json.loads(files["manifest.json"])["files"]}
    assert found["team/again"] == found["team/head"]


@pytest.mark.parametrize("how", ["flipped", "cut"])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_were_changed_on_the_hub_are_refused(kind, how, pulled):
    _, _, found, _ = pulled
    assert WEIGHTS[kind] in found[f"team/{kind}-{how}"]["refused"]
    assert "is damaged" in found[f"team/{kind}-{how}"]["refused"]


def test_what_is_not_there_and_what_is_not_ours_are_sentences(pulled):
    _, _, found, refused = pulled
    assert "neither a folder nor an evaluator on the Hub" in found["team/nothing"]["refused"]
    pull, push = (answer["refused"] for answer in refused)
    assert "neither a folder nor an evaluator on the Hub" in pull
    assert push.startswith("the Hub did not take 'team/mine': ")
    assert "\n" not in pull + push
