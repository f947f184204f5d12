import json
from pathlib import Path

import pytest

from clave.benchmark.analyses import flips
from clave.benchmark.predictions import Prediction, PredictionTable
from clave.benchmark.tables import drops, leaderboard, reliability_bins, value_matrix
from clave.report.benchmark_sections import robustness
from clave.report.benchmarking import benchmark_page
from clave.report.writing import write_page

FROZEN = Path(__file__).parents[1] / "data" / "frozen_run.parquet"


@pytest.fixture(scope="module")
def table():
    return PredictionTable.read(FROZEN)


@pytest.fixture(scope="module")
def data(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    rows = [r for r in table.records() if r.split == "original" and r.judge != "large"]
    curves = PredictionTable.of(r.model_copy(update={"labels": n, "seed": 0}) for n in (5, 60) for r in rows)
    more = {"curves": curves, "ablations": table.where(perturbation=""), "full": "guided"}
    path = write_page(benchmark_page(table, **more, skipped={"kaleido": "weights"}, manifest={"seed": 0}), folder / "r.json")
    return json.loads(path.read_text())


def section(data, identity):
    return next(s for s in data["sections"] if s["id"] == identity)


def rows_of(table):
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_every_part_with_data_appears_once(data):
    assert [s["id"] for s in data["sections"]] == [
        "summary", "leaderboard", "values", "balance", "skills", "drop", "reliability", "flips", "probes", "curve", "ablation",
        "disagreements", "skipped", "manifest",
    ]  # fmt: skip


def test_a_part_without_data_does_not_appear(table, tmp_path):
    path = write_page(benchmark_page(table.where(split="original", perturbation="")), tmp_path / "r.json")
    assert [s["id"] for s in json.loads(path.read_text())["sections"]] == [
        "summary",
        "leaderboard",
        "values",
        "skills",
        "reliability",
        "disagreements",
    ]


def test_leaderboard_is_that_of_the_predictions(data, table):
    shown = rows_of(section(data, "leaderboard")["figures"][0]["table"])
    expected = [r for r in leaderboard(table) if (r.system, r.split) == ("all", "original")]
    assert [r["Judge"] for r in shown] == [r.judge for r in expected]
    assert [r["Accuracy"] for r in shown] == [r.accuracy.model_dump() for r in expected]
    assert [r["Tier"] for r in shown] == [1, 1, 2, 3]
    assert data["lead"].startswith(f"The best judge on the split “original” is {expected[0].judge}: 0.8")


def test_figures_are_those_of_the_predictions(data, table):
    heat = rows_of(section(data, "values")["figures"][0]["table"])
    cells = {(c.judge, c.value): c.accuracy.model_dump() for c in value_matrix(table, "original")}
    assert {(r["Judge"], v): r[v] for r in heat for v in ("care", "fairness", "privacy")} == cells
    bins = [b for b in reliability_bins(table, "original") if b.judge == "small"]
    small = next(f["table"] for f in section(data, "reliability")["figures"] if f["caption"].endswith("small"))
    assert [row[2] for row in small["rows"]] == [b.n for b in bins]
    lost = {
        (r["Judge"], r["System"]): r["Drop"]
        for r in rows_of(section(data, "drop")["tables"][0]) + rows_of(section(data, "drop")["more"][0])
    }
    assert lost == {(d.judge, d.system): d.drop.model_dump() for d in drops(table, "original", "generalization")}
    flipped = {r["Judge"]: r["Flipped"] for r in rows_of(section(data, "flips")["figures"][0]["table"])}
    assert flipped == {f.judge: f.flips.model_dump() for f in flips(table) if f.perturbation == "typo"}


def test_html_holds_a_drawing_for_each_figure_and_no_live_script(table, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: reports have tables only")
    text = write_page(benchmark_page(table), tmp_path / "r.html").read_text()
    assert text.count("<svg ") + text.count('class="forest') == text.count("<figure")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_without_matplotlib_the_tables_stand_open(table, tmp_path, monkeypatch):
    monkeypatch.setattr("clave.report.benchmark_figures.can_draw", lambda: False)
    text = write_page(benchmark_page(table), tmp_path / "r.html").read_text()
    assert "<svg" not in text
    assert text.count("<details open>") + 1 >= text.count("<figure") > 5  # the first is drawn by the page itself


@pytest.mark.parametrize("kinds", [("typos",), ("typos", "casing", "paraphrase", "emoji")], ids=["dots", "map"])
def test_edits_stand_by_kind_then_strength_whatever_the_order_of_the_rows(kinds, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: reports have tables only")
    drawn = {}
    keep = lambda figure, name, alt: drawn.update({name: figure.axes[0]}) or "<svg></svg>"  # noqa: E731
    monkeypatch.setattr("clave.report.benchmark_figures.to_svg", keep)
    common = {"value": "care", "gold": "adhere", "label": "adhere", "group": "g"}
    rows = []
    for judge, strengths in (("second", (3, 1)), ("first", (2, 3, 1))):
        rows.append(Prediction(judge=judge, id="r", **common))
        for strength in strengths:
            edits = [Prediction(judge=judge, id=f"r-{k}-{strength}", perturbation=k, strength=strength, base="r", **common) for k in kinds]
            rows += edits
    shown = robustness(PredictionTable.of(rows)).figures[0]
    in_order = [(kind, strength) for kind in sorted(kinds) for strength in (1, 2, 3)]
    of_first = [(row[1], row[2]) for row in shown.table.rows if row[0] == "first"]
    assert of_first == in_order
    assert [row[0] for row in shown.table.rows] == ["second"] * 2 * len(kinds) + ["first"] * 3 * len(kinds)
    axes = drawn["flips"]
    names = [t.get_text() for t in (axes.figure.legends[0].get_texts() if len(kinds) == 1 else axes.get_yticklabels())]
    assert names == [f"{kind} {strength}" for kind, strength in in_order]
