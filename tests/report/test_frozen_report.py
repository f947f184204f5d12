"""Every table and every drawing of a benchmark report, from the frozen files: against frozen numbers, and counted again by hand."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from benchmark.frozen_run import DATA, compact, run_folder

from clave.benchmark.predictions import PredictionTable
from clave.report.benchmarking import run_page
from clave.report.forms.json import to_json

SECTIONS = [
    "summary", "leaderboard", "values", "balance", "skills", "drop", "reliability", "flips", "probes", "curve", "ablation", "diversity",
    "disagreements", "skipped", "manifest",
]  # fmt: skip
FROZEN = json.loads((DATA / "frozen_report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The page's numbers, the axes of every drawing by its name, and the chart at the head."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: reports have tables only")
    axes = {}

    def keep(figure, name, alt):
        axes[name] = figure.axes[0]
        return "<svg></svg>"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clave.report.benchmark_figures.to_svg", keep)
        page = run_page(run_folder(tmp_path_factory.mktemp("frozen") / "run"))
    return json.loads(to_json(page)), axes, page.sections[0].figures[0].chart


@pytest.fixture(scope="module")
def data(drawn):
    return drawn[0]


@pytest.fixture(scope="module")
def axes(drawn):
    return drawn[1]


def records(name="frozen_run"):
    path = DATA / f"{name}.parquet" if name == "frozen_run" else DATA / "frozen_studies" / f"{name}.parquet"
    return list(PredictionTable.read(Path(path)).records())


def section(data, identity):
    return next(s for s in data["sections"] if s["id"] == identity)


def rows_of(table):
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def shown(data, identity, place=0):
    """The rows of a section's first table, or of its figure's."""
    part = section(data, identity)
    return rows_of(part["figures"][place]["table"] if part["figures"] else part["tables"][place])


def right(rows):
    """Share of verdicts that are those of people, how many there are, how many are missing."""
    given = [r for r in rows if r.label]
    return {"value": sum(r.label == r.gold for r in given) / len(given), "n": len(given), "failed": len(rows) - len(given)}


def said(estimate):
    return {key: pytest.approx(estimate[key]) for key in ("value", "n", "failed")}


def by(rows, *fields):
    found = defaultdict(list)
    for row in rows:
        key = tuple(getattr(row, field) for field in fields)
        found[key[0] if len(key) == 1 else key].append(row)
    return found


def plain(split="original"):
    return [r for r in records() if r.split == split and not r.perturbation]


def dots(axes):
    """Per height on the page: a dot's place and the ends of its interval."""
    points, ends = {}, {}
    for line in axes.lines:
        x, y = line.get_data()
        if len(x) == 1:
            points[round(float(y[0]), 6)] = float(x[0])
        elif len(x) == 2 and y[0] == y[1] and line.get_marker() == "|":
            ends[round(float(y[0]), 6)] = tuple(map(float, x))
    return {y: (x, *ends[y]) for y, x in points.items()}


def numbers(estimate):
    return pytest.approx((estimate["value"], estimate["low"], estimate["high"]))


def ticks(labels):
    return [label.get_text() for label in labels]


def same(found, frozen):
    """Equal, numbers to a thousandth of themselves."""
    if isinstance(frozen, list):
        return isinstance(found, list) and len(found) == len(frozen) and all(map(same, found, frozen))
    if isinstance(frozen, dict):
        return set(found) == set(frozen) and all(same(found[key], frozen[key]) for key in frozen)
    return found == (pytest.approx(frozen, rel=1e-3, abs=1e-6) if isinstance(frozen, float) else frozen)


@pytest.mark.parametrize("identity", SECTIONS)
def test_tables_and_cards_of_a_section_are_the_frozen_ones(data, identity):
    pairs = zip(compact(section(data, identity)), FROZEN[identity], strict=True)
    assert [(new, old) for new, old in pairs if not same(new, old)] == []


def test_sections_stand_in_the_order_of_a_reader_who_must_choose(data):
    assert [s["id"] for s in data["sections"]] == SECTIONS


def test_leaderboards_are_counted_from_the_rows(data, axes):
    tables = [f["table"] for f in section(data, "leaderboard")["figures"]] + section(data, "leaderboard")["more"]
    assert len(tables) == 9
    for table in tables:
        split, _, system = table["caption"].removeprefix("Leaderboard: ").partition(", ")
        rows = by([r for r in records() if r.split == split and system in ("all systems", r.system)], "judge")
        assert {r["Judge"]: right(rows[r["Judge"]]) for r in rows_of(table)} == {r["Judge"]: said(r["Accuracy"]) for r in rows_of(table)}
        assert all(r["To the best"] is None for r in rows_of(table)[:1])


def test_leaderboard_drawings_show_their_tables(data, axes):
    for figure in section(data, "leaderboard")["figures"]:
        own, rows = axes[figure["id"]], rows_of(figure["table"])
        assert ticks(own.get_yticklabels()) == [r["Judge"] for r in rows]
        assert dots(own) == {y: numbers(r["Accuracy"]) for y, r in enumerate(rows)}
        texts = [t.get_text() for t in own.texts]
        assert texts == ["tier", "accuracy", *(t for r in rows for t in (str(r["Tier"] or "–"), f"{r['Accuracy']['value']:.3f}"))]
        colours = {}
        for line in own.lines:
            if len(line.get_xdata()) == 1:
                colours.setdefault(rows[int(line.get_ydata()[0])]["Tier"], set()).add(line.get_color())
        assert all(len(of_tier) == 1 for of_tier in colours.values())
        assert len(set.union(*colours.values())) == len(colours)


def test_summary_is_that_of_the_rows(data):
    rows, values = by(plain(), "judge"), by(plain(), "judge", "value")
    others = by([r for r in records() if r.split != "original"], "judge")
    for row in shown(data, "summary"):
        judge = row["Judge"]
        assert said(row["Accuracy"]) == right(rows[judge])
        assert said(row["Elsewhere"]) == right(others[judge])
        worst = min((right(v)["value"], value) for (j, value), v in values.items() if j == judge)
        assert (row["Accuracy there"]["value"], row["Weakest value"]) == (pytest.approx(worst[0]), worst[1])
        assert row["$ / 1,000"] == pytest.approx(1000 * sum(r.cost or 0 for r in rows[judge]) / row["n"])
    assert data["lead"].endswith("It cannot be told apart from guided. The cheapest of these is guided, at $1.00 for 1,000 verdicts.")


def test_the_page_s_chart_shows_the_summary(drawn):
    chart, rows = drawn[2], shown(drawn[0], "summary")
    assert [(group.name, [dot.name for dot in group.dots]) for group in chart.groups] == [
        ("Tier 1", ["large", "guided"]), ("Tier 2", ["small"]), ("Tier 3", ["majority"]),
    ]  # fmt: skip
    for dot, row in zip((dot for group in chart.groups for dot in group.dots), rows, strict=True):
        assert dot.interval == tuple(row["Accuracy"][end] for end in ("low", "value", "high"))
        assert dot.ring == row["Elsewhere"]["value"]
        assert all(chart.low <= figure <= chart.high for figure in (*dot.interval, dot.ring))
        assert dot.aside == f"{row['$ / 1,000']:.2f}"


def test_heat_map_is_that_of_the_rows(data, axes):
    cells = {key: right(rows) for key, rows in by(plain(), "judge", "value").items()}
    assert {(r["Judge"], v): said(e) for r in shown(data, "values") for v, e in r.items() if v != "Judge"} == cells
    own = axes["heat"]
    down, across = ticks(own.get_yticklabels()), ticks(own.get_xticklabels())
    grid = own.collections[0].get_array().reshape(len(down), len(across))
    assert {(j, v): grid[y, x] for y, j in enumerate(down) for x, v in enumerate(across)} == {
        k: pytest.approx(c["value"]) for k, c in cells.items()
    }
    assert {"mft", "risk"} < {t.get_text() for t in own.texts}


def test_reliability_is_that_of_the_rows(data, axes):
    figures = section(data, "reliability")["figures"]
    assert len(figures) == 4
    for figure in figures:
        rows = [r for r in plain() if r.judge == figure["caption"].removeprefix("Reliability of ") and r.probabilities]
        bins = rows_of(figure["table"])
        assert sum(b["Rows"] for b in bins) == len(rows)
        assert sum(b["Rows"] * b["Share right"] for b in bins) == pytest.approx(sum(r.label == r.gold for r in rows))
        assert sum(b["Rows"] * b["Stated confidence"] for b in bins) == pytest.approx(sum(max(r.probabilities) for r in rows))
        offsets = axes[figure["id"]].collections[0].get_offsets()
        assert [tuple(map(float, o)) for o in offsets] == [pytest.approx((b["Stated confidence"], b["Share right"])) for b in bins]


def test_skills_are_those_of_the_rows(data):
    tables = [*section(data, "skills")["tables"], *section(data, "skills")["more"]]
    for split, table in zip(("original", "generalization"), tables, strict=True):
        rows = by(plain(split), "judge")
        control = right(rows["majority"])["value"]
        assert len(rows_of(table)) == len(rows)
        for row in rows_of(table):
            own = [r for r in rows[row["Judge"]] if r.label]
            sides = [r for r in own if "unrelated" not in (r.gold, r.label)]
            touched = sum((r.gold == "unrelated") == (r.label == "unrelated") for r in own)
            assert (row["Relevance right"]["value"], row["n"]) == (pytest.approx(touched / len(own)), len(own))
            assert (row["Side right"]["value"], row["n of a side"]) == (pytest.approx(right(sides)["value"]), len(sides))
            if row["Judge"] == "majority":
                assert row["To majority"] is None
            elif len(own) == len(rows["majority"]):
                assert row["To majority"]["value"] == pytest.approx(right(own)["value"] - control)


def test_balance_is_that_of_the_rows(data, axes):
    own, others = by(plain(), "judge"), by([r for r in records() if r.split != "original"], "judge")
    rows = shown(data, "balance")
    for row in rows:
        assert said(row["Original"]) == right(own[row["Judge"]])
        assert said(row["Elsewhere"]) == right(others[row["Judge"]])
    places = [tuple(map(float, c.get_offsets()[0])) for c in axes["balance"].collections]
    assert places == [pytest.approx((r["Original"]["value"], r["Elsewhere"]["value"])) for r in rows]
    sizes = [float(c.get_sizes()[0]) for c in axes["balance"].collections]
    assert sizes == [pytest.approx(22 + 260 * r["Tokens / 1,000"] / max(r["Tokens / 1,000"] for r in rows), rel=1e-4) for r in rows]
    assert [(t.get_text(), t.xy) for t in axes["balance"].texts] == [(r["Judge"], place) for r, place in zip(rows, places, strict=True)]


def test_drops_are_differences_of_the_rows(data):
    (together,), (apart,) = section(data, "drop")["tables"], section(data, "drop")["more"]
    assert {r["System"] for r in rows_of(together)} == {"all"}
    assert {r["System"] for r in rows_of(apart)} == {"mft", "risk"}
    for row in rows_of(together) + rows_of(apart):
        before, after = (right([r for r in plain(split) if r.judge == row["Judge"] and row["System"] in ("all", r.system)])["value"]
                         for split in ("original", "generalization"))  # fmt: skip
        assert row["Drop"]["value"] == pytest.approx(before - after)


def test_flip_rates_are_counted_from_pairs(data, axes):
    before = {(r.judge, r.id): r.label for r in plain()}
    rows = shown(data, "flips")
    for row in rows:
        pairs = [(before[r.judge, r.base], r.label) for r in records() if (r.judge, r.perturbation) == (row["Judge"], "typo")]
        assert row["Flipped"]["value"] == pytest.approx(sum(a != b for a, b in pairs) / len(pairs))
        assert row["Pairs"] == len(pairs)
    assert ticks(axes["flips"].get_yticklabels()) == [r["Judge"] for r in rows]
    assert dots(axes["flips"]) == {y: numbers(r["Flipped"]) for y, r in enumerate(rows)}


def test_probes_are_counted_from_pairs(data):
    found = records("probes")
    before = {(r.judge, r.id): r.label for r in found if not r.perturbation}
    (short,), (full,) = section(data, "probes")["tables"], section(data, "probes")["more"]
    grid = {r["Judge"]: r for r in rows_of(short)}
    for row in rows_of(full):
        edited = [r for r in found if (r.judge, r.perturbation) == (row["Judge"], f"probe:{row['Probe']}")]
        moved = [r.label == r.gold if row["Must"] == "turn" else r.label != before[r.judge, r.base] for r in edited]
        assert (row["Moved"]["value"], row["Pairs"]) == (pytest.approx(sum(moved) / len(moved)), len(moved))
        cell = grid[row["Judge"]][row["Probe"] + (" (must turn)" if row["Must"] == "turn" else "")]
        assert cell.lstrip("✓✗ ") == f"{row['Result']} {row['Moved']['value']:.2f}"
    assert {(r["Judge"], r["Probe"]): (r["Must"], r["Result"]) for r in rows_of(full)} == {
        ("guided", "length"): ("stay", "unclear"),
        ("guided", "negation"): ("turn", "pass"),
        ("small", "length"): ("stay", "fail"),
        ("small", "negation"): ("turn", "fail"),
    }


def test_curve_is_that_of_the_rows(data, axes):
    found = by(records("curve"), "judge", "labels")
    rows = shown(data, "curve")
    assert {(r["Judge"], r["Labels per value"]): (said(r["Accuracy"]), r["Draws"]) for r in rows} == {
        key: (right(own), len({r.seed for r in own})) for key, own in found.items()
    }
    for line, band in zip(axes["curve"].lines, axes["curve"].collections, strict=True):
        own = [r for r in rows if r["Judge"] == line.get_label()]
        assert list(line.get_xdata()) == [r["Labels per value"] for r in own] == [5, 20, 60]
        assert list(line.get_ydata()) == pytest.approx([r["Accuracy"]["value"] for r in own])
        corners = {tuple(map(float, corner)) for corner in band.get_paths()[0].vertices}
        assert {(r["Labels per value"], r["Accuracy"][end]) for r in own for end in ("low", "high")} <= corners


def test_ablation_is_that_of_the_rows(data, axes):
    found = by(records("ablation"), "judge", "split")
    figures = section(data, "ablation")["figures"]
    for figure, split in zip(figures, ("original", "generalization"), strict=True):
        rows = rows_of(figure["table"])
        assert rows[0]["Variant"] == "guided"
        for row in rows:
            assert said(row["Accuracy"]) == right(found[row["Variant"], split])
        without = rows[1:]
        full = right(found["guided", split])["value"]
        assert [r["To guided"]["value"] for r in without] == pytest.approx([r["Accuracy"]["value"] - full for r in without])
        assert [r["Variant"] for r in without] == ["without stance", "without concepts"]
        own = axes[figure["id"]]
        assert [bar.get_width() for bar in own.patches] == pytest.approx([r["To guided"]["value"] for r in without])
        assert dots(own) == {y: numbers(r["To guided"]) for y, r in enumerate(without)}
        assert ticks(own.get_yticklabels()) == ["without stance *", "without concepts"]


def test_diversity_is_that_of_the_rows(data, axes):
    found = by(records("diversity"), "judge")
    rows = shown(data, "diversity")
    assert [(r["Judge"], r["Labels chosen"]) for r in rows] == [
        (j, c) for j in ("guided", "small") for c in ("clustered", "random", "narrow")
    ]
    for row in rows:
        own = right(found[f"{row['Judge']} · {row['Labels chosen']}"])
        assert said(row["Accuracy"]) == own
        if row["Labels chosen"] != "random":
            assert row["To random"]["value"] == pytest.approx(own["value"] - right(found[f"{row['Judge']} · random"])["value"])
    heights = dots(axes["diversity-dots"])
    assert [heights[y] for y in sorted(heights)] == [numbers(r["Accuracy"]) for r in rows]


def test_disagreements_are_those_of_the_rows(data):
    (group,) = section(data, "disagreements")["groups"]
    rows = by(plain(), "id")
    assert len(group["cards"]) == 20
    for card in group["cards"]:
        own = rows[card["title"].partition(" · ")[0]]
        assert dict(card["verdicts"]) == {r.judge: r.label or "no verdict" for r in own}
        assert card["label"] == own[0].gold
        guided = next(r for r in own if r.judge == "guided")
        assert [c["text"] for c in card["concepts"]] == list(guided.concepts)
        assert [p["text"] for p in card["body"] if p["marked"]] == list(guided.evidence)


def test_what_was_skipped_and_the_manifest_are_told(data):
    assert shown(data, "skipped") == [
        {"What": "kaleido", "Why": "its weights are not at hand"},
        {"What": "curve: 100 labels", "Why": "some value has 60 labels only"},
    ]
    manifest = {r["What"]: r["Value"] for r in shown(data, "manifest")}
    assert manifest["plan · judges"] == "large, guided, small, majority"
    assert rows_of(section(data, "manifest")["tables"][1])[0] == {"command": "run", "seconds": 12.5, "dollars": None}
