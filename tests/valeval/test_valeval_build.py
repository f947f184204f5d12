"""A whole build from raw files written for the tests: the same bytes twice, and whatever is tampered with is named."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from clave.cli.valeval import app
from clave.errors import InputError
from clave.io import read_labels
from clave.records import Verdict
from clave.valeval import inputs as inputs_module
from clave.valeval.build import BuildPlan, build
from clave.valeval.check import check, read_manifest
from clave.valeval.download import file_sha256
from clave.valeval.inputs import check_input
from clave.valeval.push import push
from clave.valeval.row import SPLITS, read_split, write_split
from clave.valeval.sources.registry import find_sources


@pytest.fixture
def copy(built: SimpleNamespace, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built.out, tmp_path / "copy"))


def rewrite_split(folder: Path, split: str, rows: list[Any]) -> None:
    """Write a split and put its new hashes into the manifest, as a careful forger would."""
    write_split(folder, split, rows)
    manifest = read_manifest(folder)
    manifest["outputs"] = {name: file_sha256(folder / name) for name in manifest["outputs"]}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_build_passes_its_check_and_a_second_one_gives_the_same_bytes(built: SimpleNamespace, tmp_path: Path) -> None:
    assert check(built.out, built.raw) == []
    again = build(BuildPlan(tmp_path / "again", built.raw, built.plan.sources, accept_nc=True, allow_changed=True))
    assert again["outputs"] == built.manifest["outputs"]
    assert (tmp_path / "again/manifest.json").read_bytes() == (built.out / "manifest.json").read_bytes()


def test_another_seed_gives_other_splits(built: SimpleNamespace, tmp_path: Path) -> None:
    other = build(BuildPlan(tmp_path / "o", built.raw, built.plan.sources, seed=1, accept_nc=True, allow_changed=True))
    assert other["outputs"]["original.jsonl"] != built.manifest["outputs"]["original.jsonl"]


def test_split_files_are_read_as_labels_as_they_are(built: SimpleNamespace) -> None:
    for split in SPLITS:
        labelled = list(read_labels(built.out / f"{split}.jsonl"))
        assert len(labelled) == built.manifest["rows"][split]
        if split == "related":  # none of these sources is
            continue
        assert labelled[0].metadata["split"] == split
        assert [x.id for x in read_labels(built.out / f"{split}.parquet")] == [x.id for x in labelled]


def test_counts_are_conserved(built: SimpleNamespace) -> None:
    kept = Counter(r.source for split in ("calibration", "original", "generalization") for r in read_split(built.out / f"{split}.jsonl"))
    for name, c in built.manifest["sources"].items():
        assert c["read"] == c["used"] + sum(c["left_out"].values())
        assert kept[name] + sum(c["dropped"].values()) == c["items"]


def test_the_card_names_licences_readings_gaps_and_left_out_rows(built: SimpleNamespace) -> None:
    card = (built.out / "DATA_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("---\npretty_name: ValEval\n")
    for text in (
        "license_name: per-row",
        "CC-BY-SA-4.0",
        "*Judgement call:*",
        "1 empty response",
        "financial_crime unrelated 0",
        "## How to cite",
    ):
        assert text in card


def test_the_systems_of_all_rows_are_written_beside_them(built: SimpleNamespace) -> None:
    assert {p.stem for p in (built.out / "value_systems").iterdir()} == {"schwartz", "social_risk", "assistant_conduct"}


def test_check_names_a_scenario_copied_across_splits(copy: Path) -> None:
    original, other = list(read_split(copy / "original.jsonl")), next(read_split(copy / "generalization.jsonl"))
    forged = original[0].model_copy(update={"id": "forged", "split": "generalization"})
    rewrite_split(copy, "generalization", [*read_split(copy / "generalization.jsonl"), forged])
    found = check(copy)
    assert any("forged" in p and "also stands in original" in p for p in found)
    assert other.id not in " ".join(found)


def test_check_finds_a_scenario_whose_group_was_renamed(copy: Path) -> None:
    forged = next(read_split(copy / "original.jsonl")).model_copy(update={"id": "forged", "split": "generalization", "group": "elsewhere"})
    rewrite_split(copy, "generalization", [*read_split(copy / "generalization.jsonl"), forged])
    assert any(p.startswith("the scenario of generalization row forged also stands in original") for p in check(copy))


def test_check_names_changed_files_rows_and_counts(copy: Path, built: SimpleNamespace, tmp_path: Path) -> None:
    lines = (copy / "original.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (copy / "original.jsonl").write_text("".join(lines[1:]), encoding="utf-8")
    found = check(copy)
    assert any("original.jsonl: its sha256 is not the one in the manifest" in p for p in found)
    assert any("rows, the manifest says" in p for p in found)
    assert any("do not hold the same rows" in p for p in found)
    raw = Path(shutil.copytree(built.raw, tmp_path / "raw"))
    with (raw / "safetext/SafeText.json").open("a") as file:
        file.write(" ")
    assert any("SafeText.json" in p and "raw file was changed" in p for p in check(built.out, raw))


def test_check_names_wrong_labels_values_and_bases(copy: Path) -> None:
    rows = list(read_split(copy / "original.jsonl"))
    rewrite_split(copy, "original", [rows[0].model_copy(update={"value": "wisdom"}), *rows[1:]])
    edited = list(read_split(copy / "perturbation.jsonl"))
    flipped = edited[0].model_copy(update={"label": "unrelated" if edited[0].label != "unrelated" else "adhere"})
    rewrite_split(copy, "perturbation", [flipped, edited[1].model_copy(update={"base_id": "gone"}), *edited[2:]])
    found = check(copy)
    assert any("value 'wisdom' is not in value system" in p for p in found)
    assert any(f"{flipped.id}: label, value, scenario or group differs from its base" in p for p in found)
    assert any("its base 'gone' is not in original" in p for p in found)
    bad = (copy / "original.jsonl").read_text(encoding="utf-8").replace('"label": "adhere"', '"label": "maybe"', 1)
    (copy / "original.jsonl").write_text(bad, encoding="utf-8")
    with pytest.raises(InputError, match=r"original\.jsonl, line \d+: label"):
        check(copy)


def test_a_licence_that_was_not_accepted_stops_the_build(built: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"beavertails \(CC-BY-NC-4\.0\): accept it with `accept_nc`"):
        build(BuildPlan(tmp_path / "o", built.raw, built.plan.sources, allow_changed=True))


def test_an_altered_raw_file_is_refused_by_name(built: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"30k_test\.jsonl: sha256 .* is not the recorded .*`allow_changed`"):
        build(BuildPlan(tmp_path / "o", built.raw, built.plan.sources, accept_nc=True))


def test_a_file_of_unknown_hash_is_recorded_by_the_first_build_and_checked_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text("a", encoding="utf-8")
    first = check_input("ours.csv", tmp_path, {}, allow_changed=False)
    assert first.bytes == "unknown"
    (tmp_path / "ours.csv").write_text("b", encoding="utf-8")
    with pytest.raises(InputError, match=r"ours\.csv: .* was changed"):
        check_input("ours.csv", tmp_path, {"ours.csv": first.sha256}, allow_changed=False)
    assert check_input("ours.csv", tmp_path, {"ours.csv": first.sha256}, allow_changed=True).bytes == "changed"


def test_a_missing_file_without_an_address_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_module, "download", lambda *a, **k: pytest.fail("no network in tests"))
    says = r"do_not_answer_en.csv is missing and has no fixed address \(and so 6 more: .*\): get it from https://huggingface"
    with pytest.raises(InputError, match=says):
        inputs_module.find_inputs(find_sources(["do_not_answer"])[0], tmp_path, recorded={})
    with pytest.raises(InputError, match=says):  # and before the others are downloaded
        build(BuildPlan(tmp_path / "o", tmp_path, find_sources(["mfrc", "do_not_answer"])))


def test_a_download_of_unknown_hash_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, target: Path, *, sha256: str | None, **_: object) -> str:
        assert sha256 is None, "an unofficial hash must not be asked of the official file"
        target.parent.mkdir(parents=True)
        target.write_text("text,annotator,annotation\n", encoding="utf-8")
        return file_sha256(target)

    monkeypatch.setattr(inputs_module, "download", fetch)
    source = find_sources(["mfrc"])[0]
    assert inputs_module.find_inputs(source, tmp_path, recorded={})[0].bytes == "unknown"
    (tmp_path / "mfrc/final_mfrc_data.csv").write_text("text\n", encoding="utf-8")
    with pytest.raises(InputError, match="was changed"):
        inputs_module.find_inputs(source, tmp_path, recorded={})


def test_corrections_are_applied_and_marked(built: SimpleNamespace, tmp_path: Path) -> None:
    row = next(r for r in read_split(built.out / "generalization.jsonl") if r.source == "safetext" and r.label == "oppose")
    gone = next(r for r in read_split(built.out / "generalization.jsonl") if r.source == "safetext" and r.label == "adhere")
    lines = [
        {"id": row.id, "value": row.value, "from": "oppose", "to": "unrelated", "note": "it says so"},
        {"id": gone.id, "value": gone.value, "from": "adhere", "to": "drop"},
    ]
    path = tmp_path / "corrections.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    plan = BuildPlan(tmp_path / "o", built.raw, built.plan.sources, accept_nc=True, allow_changed=True, corrections=path)
    kept = next(r for r in read_split(built.out / "original.jsonl"))
    lines.append({"id": kept.id, "value": kept.value, "from": kept.label, "to": kept.label})
    path.write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    assert build(plan)["corrections"] == 3
    verified = {r.id: r for r in read_split(tmp_path / "o/verified.jsonl")}
    assert {i: (r.label, r.corrected) for i, r in verified.items()} == {row.id: ("unrelated", True), kept.id: (kept.label, False)}
    assert verified[row.id].label_origin == "stated"
    assert check(tmp_path / "o") == []
    rows = {r.id: r for r in read_split(tmp_path / "o/generalization.jsonl")}
    assert gone.id not in rows
    assert (rows[row.id].label, rows[row.id].corrected) == ("unrelated", True)
    path.write_text(json.dumps({**lines[0], "from": "adhere"}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="the row says 'oppose'"):
        build(plan)
    path.write_text(json.dumps({**lines[0], "id": "safetext-000"}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="safetext-000: there is no such row"):
        build(plan)


def test_push_uploads_a_checked_data_set_and_nothing_else(copy: Path) -> None:
    calls: list[tuple[str, dict[str, Any]]] = []

    class Api:
        def create_repo(self, repo: str, **options: Any) -> str:
            calls.append(("create", options))
            return f"https://hub/{repo}"

        def upload_folder(self, **options: Any) -> None:
            calls.append(("folder", options))

        def upload_file(self, **options: Any) -> None:
            calls.append(("file", options))

    assert push(copy, "me/valeval", api=Api()) == "https://hub/me/valeval"
    assert [name for name, _ in calls] == ["create", "folder", "file"]
    assert calls[0][1]["private"] is True
    assert calls[2][1]["path_in_repo"] == "README.md"
    (copy / "DATA_CARD.md").write_text("other", encoding="utf-8")
    calls.clear()
    with pytest.raises(InputError, match="nothing was uploaded"):
        push(copy, "me/valeval", api=Api())
    assert calls == []


def test_commands(built: SimpleNamespace, copy: Path, tmp_path: Path, raw: ModuleType) -> None:
    run = CliRunner()
    options = ["--raw-dir", str(built.raw), "--sources", ",".join(raw.SOURCES), "--accept-nc", "--allow-changed"]
    result = run.invoke(app, ["build", "-o", str(tmp_path / "cli"), *options])
    assert result.exit_code == 0, result.output
    assert "SafeText: MIT, there" in result.output
    assert (tmp_path / "cli/manifest.json").read_bytes() == (built.out / "manifest.json").read_bytes()
    assert "all checks pass" in run.invoke(app, ["check", str(copy), "--raw-dir", str(built.raw)]).output
    (copy / "original.parquet").unlink()
    assert json.loads(run.invoke(app, ["check", str(built.out), "--json"]).output) == {"problems": []}
    rows = json.loads(run.invoke(app, ["stats", str(copy), "--json"]).output)["rows"]
    assert sum(cell["rows"] for cell in rows) == sum(cell["rows"] for cell in built.manifest["cells"]) > 0
    result = run.invoke(app, ["check", str(copy)])
    assert result.exit_code == 1
    assert "original.parquet is missing" in result.output
    result = run.invoke(app, ["stats", str(copy)])
    assert result.exit_code == 0, result.output
    assert "financial_crime" in result.output
    assert (copy / "stats.svg").stat().st_size > 1000


def test_audit_command_writes_a_page_and_a_list(copy: Path) -> None:
    rows = list(read_split(copy / "generalization.jsonl"))
    wrong = rows[0].id
    for name in ("v", "w"):
        with (copy / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for r in rows:
                label = r.label if r.id != wrong else next(x for x in ("adhere", "oppose") if x != r.label)
                other = dict.fromkeys(("adhere", "oppose", "unrelated"), 0.05)
                verdict = Verdict(id=r.id, value=r.value, status="ok", label=label, probabilities=other | {label: 0.9})
                file.write(verdict.model_dump_json() + "\n")
    one, two = (["--verdicts", str(copy / f"{name}.jsonl")] for name in ("v", "w"))
    result = CliRunner().invoke(app, ["audit", str(copy), *one, *two, "--split", "generalization", "--cleanlab"])
    assert result.exit_code == 0, result.output
    listed = [json.loads(line) for line in (copy / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(x["id"], round(x["cleanlab"], 2)) for x in listed] == [(wrong, 0.05)]
    assert "estimated label error" in result.output
    assert "cleanlab flags 1, 1 of them flagged here too" in result.output
    assert "<!doctype html>" in (copy / "audit.html").read_text(encoding="utf-8")
    for too_few in ([], one):
        with pytest.raises(InputError, match="name two evaluators, by --verdicts files or --evaluator folders, or --local"):
            CliRunner().invoke(app, ["audit", str(copy), *too_few], catch_exceptions=False)


def test_audit_without_evaluators_learns_from_the_other_scenarios(copy: Path) -> None:
    result = CliRunner().invoke(app, ["audit", str(copy), "--local"])
    assert result.exit_code == 0, result.output
    assert "beavertails: 0 of 48 flagged" in result.output
    assert (copy / "audit.html").is_file()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, in mlcroissant
def test_croissant_metadata_is_valid_and_loads_the_rows(built: SimpleNamespace) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=str(built.out / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert dataset.metadata.version == built.manifest["version"]
    records = list(dataset.records("original"))
    assert [r["original/id"].decode() for r in records] == [r.id for r in read_split(built.out / "original.jsonl")]
    assert {r["original/label_origin"].decode() for r in records} <= {"stated", "inferred", "model-assisted"}


def test_a_build_may_be_narrowed_to_permissive_licences_and_stated_labels(built: SimpleNamespace, tmp_path: Path) -> None:
    plan = BuildPlan(tmp_path / "o", built.raw, built.plan.sources, allow_changed=True, terms=("permissive",), origins=("stated",))
    manifest = build(plan)
    assert set(manifest["sources"]) == {"fulcra", "safetext", "xstest"}
    rows = [r for split in SPLITS for r in read_split(tmp_path / f"o/{split}.jsonl")]
    assert rows
    assert {r.label_origin for r in rows} == {"stated"}
    assert not any("NC" in r.license or "SA" in r.license for r in rows)
    assert check(tmp_path / "o") == []
    with pytest.raises(InputError, match="nothing is left to build from"):
        build(BuildPlan(tmp_path / "p", built.raw, find_sources(["safetext"]), allow_changed=True, origins=("inferred",)))
    with pytest.raises(InputError, match="there is no licence 'free': name one of permissive"):
        CliRunner().invoke(app, ["build", "-o", str(tmp_path / "q"), "--licence", "free"], catch_exceptions=False)


def test_the_card_is_a_datasheet(built: SimpleNamespace) -> None:
    card = (built.out / "DATA_CARD.md").read_text(encoding="utf-8")
    for part in (
        "VALEVAL CANARY",
        "## Why it was made",
        "## Where labels come from",
        "## The floor",
        "## How far people agree",
        "## Contam",
    ):
        assert part in card
    assert f"Version {built.manifest['version']}" in card
    assert (built.out / "CHANGES.md").read_text(encoding="utf-8").count(f"## {built.manifest['version']}") == 1


def test_check_names_a_response_that_stands_in_calibration_a_cell_of_one_label_and_a_strange_view(copy: Path) -> None:
    learnt, rows = next(read_split(copy / "calibration.jsonl")), list(read_split(copy / "original.jsonl"))
    first = next(r for r in rows if r.value == "financial_crime")
    leaked = first.model_copy(update={"response": learnt.response.upper()})
    rewrite_split(copy, "original", [leaked, *(r for r in rows if r.value != first.value)])
    found = check(copy)
    assert any(f"the response of original row {leaked.id} also stands in calibration (row {learnt.id})" in p for p in found)
    assert any(f"gives {leaked.value} the label {leaked.label} alone" in p for p in found)
    assert any(p.startswith("decides, row ") and p.endswith("it does not stand so in a test split") for p in found)


def test_a_second_reading_is_blind_and_can_be_repeated(copy: Path, tmp_path: Path) -> None:
    run = CliRunner()
    out = tmp_path / "rows.jsonl"
    assert run.invoke(app, ["blind", str(copy), "-o", str(out), "-n", "6"]).exit_code == 0
    given = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {frozenset(g) for g in given} == {frozenset(("id", "value", "scenario", "response"))}
    labels = {r.id: r.label for split in SPLITS for r in read_split(copy / f"{split}.jsonl")}
    assert Counter(g["id"].split("-")[0] for g in given) == dict.fromkeys(("beavertails", "fulcra", "touche23", "safetext", "xstest"), 6)
    again = tmp_path / "again.jsonl"
    run.invoke(app, ["blind", str(copy), "-o", str(again), "-n", "6"])
    assert again.read_bytes() == out.read_bytes()
    for name, wrong in (("a", 0), ("b", 3)):
        lines = [{"id": g["id"], "label": "unrelated" if i < wrong else labels[g["id"]]} for i, g in enumerate(given)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    said = run.invoke(app, ["readings", str(copy), str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")])
    assert "a, xstest: 6 of 6 (.61-1.00) labels borne out" in said.output
    assert f"first two readers, all: the same label in {sum(labels[g['id']] == 'unrelated' for g in given[:3]) + 27} of 30" in said.output
    assert "rows labelled" not in said.output  # reader a gives every label of the sources
    lines = [{"id": g["id"], "label": "oppose" if labels[g["id"]] == "unrelated" else labels[g["id"]]} for g in given]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines[:20]), encoding="utf-8")
    said = run.invoke(app, ["readings", str(copy), str(tmp_path / "c.jsonl"), str(tmp_path / "d.jsonl"), "--json"])
    apart = [kind for kind in json.loads(said.output)["against"] if kind["rows"]]
    assert {(kind["label"], kind["said"]) for kind in apart} == {("unrelated", "oppose")}
    assert sum(kind["rows"] for kind in apart) == sum(labels[g["id"]] == "unrelated" for g in given[:20])
