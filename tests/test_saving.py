"""A saved evaluator gives the same verdicts, can be edited, and refuses damage with a sentence."""

import hashlib
import json
import shutil

import pytest
from test_evaluator import RESPONSES, RULES, SYSTEM, labelled

from clave import Clave, EvaluatorError, InputError
from clave.cascade import Cascade
from clave.saving import load, refit_folder
from clave.testing import FakeChat


@pytest.fixture(scope="module")
def fitted() -> Clave:
    return Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled())


@pytest.fixture
def folder(fitted, tmp_path):
    return fitted.save(tmp_path / "evaluator")


def verdicts(clave: Clave) -> list[str]:
    return sorted(v.model_dump_json() for v in clave.evaluate(RESPONSES))


def test_save_then_load_changes_no_verdict(fitted, folder):
    assert verdicts(Clave.load(folder, chat=FakeChat(RULES))) == verdicts(fitted)


def test_text_only_round_trip(tmp_path):
    clave = Clave(SYSTEM).fit(labelled())
    assert verdicts(Clave.load(clave.save(tmp_path / "e"))) == verdicts(clave)


def test_the_folder_is_what_the_design_says_and_holds_no_pickle(folder):
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert names == {
        "config.json",
        "value_system.yaml",
        "guidelines/care.md",
        "guidelines/honesty.md",
        "concepts.jsonl",
        "samples.jsonl",
        "asked.json",
        "vectors.safetensors",
        "recognizer/head.json",
        "recognizer/head.safetensors",
        "calibration.json",
        "manifest.json",
        "README.md",
    }
    card = (folder / "README.md").read_text()
    assert "36 human labels" in card
    assert "| care | 18 |" in card


def test_saving_replaces_an_evaluator_and_nothing_else(fitted, folder, tmp_path):
    fitted.save(folder)
    other = tmp_path / "notes"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is there and is no evaluator"):
        fitted.save(other)
    assert (other / "thesis.txt").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"evaluator", "notes"}


def test_what_is_no_evaluator_is_named_without_asking_the_hub(tmp_path):
    (tmp_path / "labels.jsonl").write_text("{}\n")
    with pytest.raises(EvaluatorError, match="labels.jsonl is not a saved evaluator"):
        Clave.from_pretrained(tmp_path / "labels.jsonl")
    for name in ("evalautor", str(tmp_path / "evaluator" / "gone"), "../../evaluator"):
        with pytest.raises(EvaluatorError, match="there is no folder"):
            Clave.from_pretrained(name)


@pytest.mark.parametrize(
    "name", ["config.json", "samples.jsonl", "vectors.safetensors", "recognizer/head.safetensors", "calibration.json", "value_system.yaml"]
)
def test_a_damaged_file_is_named(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EvaluatorError, match=name):
        load(folder)
    path.unlink()
    with pytest.raises(EvaluatorError, match=name):
        load(folder)


@pytest.mark.parametrize("name", ["vectors.safetensors", "recognizer/head.safetensors", "samples.jsonl", "calibration.json", "config.json"])
def test_one_flipped_bit_is_found(folder, name):
    path = folder / name
    data = bytearray(path.read_bytes())
    at = len(data) - 10 if name.endswith(".safetensors") else data.index(b"0")  # in the last tensor's numbers; a digit that stays a digit
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(EvaluatorError, match=f"{name} is damaged"):
        load(folder)


def test_a_manifest_without_hashes_is_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EvaluatorError, match="states no hashes"):
        load(folder)


def test_loaded_evaluators_make_a_cascade(fitted, folder, tmp_path):
    small = Clave(SYSTEM).fit(labelled())
    before = Cascade(small, fitted, risk=0.3).guarantees_
    loaded = Cascade(Clave.load(small.save(tmp_path / "small")), Clave.load(folder, chat=FakeChat(RULES)), risk=0.3)
    assert loaded.guarantees_ == before


def test_out_of_fold_probabilities_that_an_older_folder_lacks_come_with_a_refit(fitted, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = Clave(SYSTEM).fit(labelled()).save(tmp_path / "small")
    vectors = load_file(folder / "vectors.safetensors")
    del vectors["out_of_fold"]
    save_file(vectors, folder / "vectors.safetensors")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["vectors.safetensors"] = hashlib.sha256((folder / "vectors.safetensors").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    older = Clave.load(folder)
    assert len(verdicts(older)) == 18
    with pytest.raises(EvaluatorError, match="run clave refit"):
        Cascade(older, fitted)
    assert Cascade(Clave.of(refit_folder(folder)), fitted).guarantees_


def test_other_versions_and_other_folders_are_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"schema_version": 99}))
    with pytest.raises(EvaluatorError, match="schema version 99"):
        load(folder)
    with pytest.raises(EvaluatorError, match="not a saved evaluator"):
        load(tmp_path)


def test_a_deleted_concept_is_gone_after_a_refit_that_makes_no_call(folder):
    path = folder / "concepts.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    gone = json.loads(lines[0])["text"]
    path.write_text("".join(line for line in lines if json.loads(line)["text"] != gone))
    with pytest.raises(EvaluatorError, match="clave refit"):
        load(folder)
    refit_folder(folder)
    found = list(Clave.load(folder, chat=FakeChat(RULES)).evaluate(RESPONSES))
    assert all(concept.pool != gone for verdict in found for concept in verdict.concepts)


def test_an_edited_guideline_stands_in_the_prompt_after_a_refit(folder):
    (folder / "guidelines" / "care.md").write_text("Kindness to plants counts, too.\n")
    refit_folder(folder)
    chat = FakeChat(RULES)
    list(Clave.load(folder, chat=chat).evaluate([RESPONSES[0].model_copy(update={"value": "care"})]))
    assert "Kindness to plants counts, too." in chat.requests[-1].system


def test_a_copied_folder_is_an_evaluator(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load(copy).name == load(folder).name


def test_an_unfitted_evaluator_cannot_be_saved(tmp_path):
    with pytest.raises(EvaluatorError, match="fit it first"):
        Clave(SYSTEM, chat=FakeChat()).save(tmp_path / "e")


def test_an_evaluator_that_cannot_be_replaced_is_still_there(fitted, folder, monkeypatch):
    def busy(source, target):
        raise OSError(16, "Device or resource busy")

    before = verdicts(Clave.load(folder, chat=FakeChat(RULES)))
    monkeypatch.setattr("os.replace", busy)
    monkeypatch.setattr("os.rename", busy)
    with pytest.raises(InputError, match="busy"):
        fitted.save(folder)
    monkeypatch.undo()
    assert verdicts(Clave.load(folder, chat=FakeChat(RULES))) == before
    assert {p.name for p in folder.parent.iterdir()} == {"evaluator"}
