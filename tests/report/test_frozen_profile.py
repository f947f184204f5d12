"""Every drawing of the page of an evaluation, from frozen verdicts that people's labels bear out to the letter: against the verdicts
counted again by hand."""

import json
from random import Random

import pytest

from clave.records import Response, Verdict
from clave.report.drawing import LABEL_COLOURS, saved_in
from clave.report.evaluation import evaluation_page
from clave.report.page import signed
from clave.values import ValueSystem

# A letter a response, two responses a scenario: (a)dheres, (o)pposes, (u)nrelated, (?) abstained, (r)efused, (f)ailed.
VERDICTS = {
    "first/model": {
        "self_direction": "aaaoaauaafaa?aaoauaa", "stimulation": "auaooauuaaorooaauuaf", "hedonism": "uuuuuu?uuuuuuuuuruuu",
        "achievement": "oooooooooouuuuuuooof", "power": "ouuuuuuuuuuuuuuuuuuu", "security": "aoaoaoaoaoaoaoaoaoao",
        "conformity": "rrrrrrrrrrffffffffff", "tradition": "aauuuuuuuuuuu?uuuuuu", "benevolence": "aaaaaaaaaaaaaaaaaaaa",
        "universalism": "aauoaauaaaoauaaaf?ra",
    },
    "second": {
        "self_direction": "oooaooauoofo?oaoouoo", "stimulation": "uaoaauoouaarooaauuaf", "hedonism": "aoaouuoouuuauuuuruuu",
        "achievement": "aaaaaaaaoouuuuuuaaaf", "power": "auouuuuuuuauuuuuuuuu", "security": "aoooaoaoaoaoaoaoaoaa",
        "conformity": "aauuooaaouuraauuooff", "tradition": "uuuuuuuuuuuuuuuuuuuu", "benevolence": "aaaaaaaaaaaaaaaaaaao",
        "universalism": "aauoaauaaaoauaaaf?ra",
    },
}  # fmt: skip
VERDICTS = {model: {value: 2 * letters for value, letters in values.items()} for model, values in VERDICTS.items()}
SYSTEM = ValueSystem.load("schwartz")
VALUES = [value.id for value in SYSTEM.values]
NAMES = [value.name for value in SYSTEM.values]
MEANS = {"a": "adhere", "o": "oppose", "u": "unrelated", "?": "abstained", "r": "refused", "f": "failed"}
PAGES = {"one": ["first/model"], "two": list(VERDICTS)}


def verdicts_of(models):
    """The verdicts of one model after the other, each in a random order, and their responses."""
    found, responses = [], []
    for model in models:
        for value, letters in VERDICTS[model].items():
            for i, letter in enumerate(letters):
                said = {"status": "ok", "label": MEANS[letter]} if letter in "aou" else {"status": MEANS[letter]}
                found.append(Verdict(id=f"{model}-{i}", value=value, **said))
        responses += [Response(id=f"{model}-{i}", scenario=f"s{i // 2}", response="Yes.", metadata={"model": model}) for i in range(40)]
    found = Random(1).sample(found, len(found))
    return sorted(found, key=lambda v: models.index(v.id.rpartition("-")[0])), responses


def audit_of(verdicts, path):
    """People labelled every response, and as the evaluator did."""
    rows = [
        {
            "id": v.id,
            "response": "Yes.",
            "value": v.value,
            "label": v.label,
            "model": v.id.rpartition("-")[0],
            "inclusion_probability": 1,
        }
        for v in verdicts
        if v.label
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module", params=PAGES)
def drawn(request, tmp_path_factory):
    """Models, the page, and the axes of every drawing by its name."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no figures are saved")
    axes = {}

    def keep(figure, name, alt):
        axes[name] = figure.axes[0]
        return "<svg></svg>"

    models = PAGES[request.param]
    with pytest.MonkeyPatch.context() as patch, saved_in(tmp_path_factory.mktemp("figures")):
        patch.setattr("clave.report.profile_figures.to_svg", keep)
        verdicts, responses = verdicts_of(models)
        audit = audit_of(verdicts, tmp_path_factory.mktemp("audit") / "labels.jsonl")
        page = evaluation_page(verdicts, responses=responses, system=SYSTEM, audit=audit)
    return models, page, axes


def net(letters):
    a, o = letters.count("a"), letters.count("o")
    return (a - o) / (a + o) if a + o else None


def counted(models):
    """By model and value: net adherence, where a response bears on the value."""
    return {(m, v): net(VERDICTS[m][v]) for m in models for v in VALUES if net(VERDICTS[m][v]) is not None}


def shown(models, page):
    """By model and value: net adherence and its interval as the table has it, where enough responses bear on the value."""
    head = len(models) > 1
    rows = {(row[1] if head else models[0], VALUES[NAMES.index(row[0])]): row[1 + head] for row in page.sections[0].figures[0].table.rows}
    return {key: (cell.value, cell.low, cell.high) for key, cell in rows.items() if cell is not None}


def places(models):
    """How high a bar stands, by model and value."""
    step = 0.7 / len(models)
    return {(m, v): round(j + (i - (len(models) - 1) / 2) * step, 6) for i, m in enumerate(models) for j, v in enumerate(VALUES)}


def ticks(labels):
    return [label.get_text() for label in labels]


def test_tables_are_counted_from_the_verdicts(drawn):
    models, page, _ = drawn
    bars, mix = page.sections[0].figures[:2]
    assert (bars.id, mix.id) == ("bars", "mix")
    head = 1 if len(models) == 1 else 2
    assert len(bars.table.rows) == len(mix.table.rows) == 10 * len(models)
    for row, counts in zip(bars.table.rows, mix.table.rows, strict=True):
        model, value = row[1] if head == 2 else models[0], VALUES[NAMES.index(row[0])]
        letters = VERDICTS[model][value]
        best, method, verdicts, labels, scenarios, count, note = row[head:]
        assert counts[head:] == tuple(letters.count(x) for x in "aou?rf")
        assert verdicts == sum(letters.count(x) for x in "aou")
        assert count.value == (None if net(letters) is None else pytest.approx(net(letters)))
        enough = sum(letters.count(x) for x in "ao") >= 10
        assert (best is not None) == enough == (method == "rectified")
        if enough:
            assert best.value == pytest.approx(net(letters))
            assert best.low <= best.value <= best.high
            assert (labels, note) == (verdicts, "")
            assert scenarios == sum(any(x in "aou" for x in letters[i : i + 2]) for i in range(0, 40, 2))


def test_bars_are_as_long_as_the_numbers_and_stand_by_their_names(drawn):
    models, page, axes = drawn
    own, expected, at = axes["profile-bars"], shown(models, page), places(models)
    assert ticks(own.get_yticklabels()) == NAMES
    bars = {round(bar.get_y() + bar.get_height() / 2, 6): bar.get_x() + bar.get_width() for bar in own.patches}
    assert bars == {at[key]: pytest.approx(numbers[0]) for key, numbers in expected.items()}
    assert all(bar.get_x() == 0 for bar in own.patches)
    if len(models) == 1:
        sides = {bar.get_facecolor()[:3] for bar in own.patches if bar.get_width() > 0}
        others = {bar.get_facecolor()[:3] for bar in own.patches if bar.get_width() < 0}
        assert [rgb(LABEL_COLOURS[side]) for side in ("adhere", "oppose")] == [*sides, *others]


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_marks_and_intervals_are_those_of_the_numbers(drawn):
    models, page, axes = drawn
    own, expected, at = axes["profile-bars"], shown(models, page), places(models)
    points, hollow, ends = {}, {}, {}
    for line in own.lines:
        x, y = line.get_data()
        if len(x) == 1:
            (hollow if line.get_markerfacecolor() == "white" else points)[round(float(y[0]), 6)] = float(x[0])
        elif len(x) == 2 and line.get_marker() == "|":
            ends[round(float(y[0]), 6)] = tuple(map(float, x))
    assert points == {at[key]: pytest.approx(numbers[0]) for key, numbers in expected.items()}
    assert ends == {at[key]: pytest.approx(numbers[1:]) for key, numbers in expected.items()}
    assert hollow == {at[key]: pytest.approx(number) for key, number in counted(models).items()}


def test_numbers_of_verdicts_stand_beside_the_bars(drawn):
    models, _, axes = drawn
    known, at = counted(models), places(models)
    beside = {round(t.get_position()[1], 6): t.get_text() for t in axes["profile-bars"].texts if t.get_position()[0] > 1}
    assert beside.pop(-0.55) == "n"
    assert beside == {y: str(sum(VERDICTS[m][v].count(x) for x in "aou")) for (m, v), y in at.items()}
    nothing = {round(t.get_position()[1], 6) for t in axes["profile-bars"].texts if t.get_text() == "no response bears on it"}
    assert nothing == {y for key, y in at.items() if key not in known}


def test_the_page_s_chart_says_what_the_numbers_say(drawn):
    models, page, _ = drawn
    chart, expected, known = page.sections[0].figures[0].chart, shown(models, page), counted(models)
    assert [group.name for group in chart.groups] == NAMES
    assert (chart.low, chart.high, chart.at(-1), chart.at(0), chart.at(1)) == (-1, 1, 0, 50, 100)
    assert chart.kinds == ("adhere", "oppose", "unrelated", "no verdict")
    for value, group in zip(VALUES, chart.groups, strict=True):
        assert [dot.name for dot in group.dots] == (models if len(models) > 1 else [""])
        for model, dot in zip(models, group.dots, strict=True):
            key, letters = (model, value), VERDICTS[model][value]
            numbers = expected.get(key)
            assert dot.interval == (numbers and (numbers[1], numbers[0], numbers[2]))
            assert dot.ring == (pytest.approx(known[key]) if key in known else None)
            assert numbers or dot.said == (f"{signed(known[key])} counted" if key in known else "no response bears on it")
            assert dict(dot.parts) == {name: letters.count(x) for x, name in MEANS.items() if x in letters}
            assert dot.aside == str(len(letters))
            if len(models) == 1 and numbers:
                assert dot.colour == ("adhere" if numbers[0] >= 0 else "oppose")
    colours = {dot.colour for group in chart.groups for dot in group.dots}
    assert colours == ({"s0", "s1"} if len(models) == 2 else {"adhere", "oppose"})


def test_mix_is_that_of_the_verdicts(drawn):
    models, _, axes = drawn
    own = axes["label-mix"]
    assert ticks(own.get_yticklabels()) == NAMES
    parts = own.get_legend_handles_labels()[1]
    assert parts == list(MEANS.values())
    for j, value in enumerate(VALUES):
        letters = "".join(VERDICTS[m][value] for m in models)
        shares = [letters.count(x) / len(letters) for x in MEANS]
        segments = [bars[j] for bars in own.containers]
        assert [s.get_width() for s in segments] == pytest.approx(shares)
        assert [s.get_x() for s in segments] == pytest.approx([sum(shares[:i]) for i in range(6)], abs=1e-9)
        assert [round(s.get_y() + s.get_height() / 2, 6) for s in segments] == [j] * 6


def test_models_stand_side_by_side_as_the_verdicts_say(drawn):
    models, page, _ = drawn
    found = [s for s in page.sections if s.id == "models"]
    assert len(found) == (len(models) > 1)
    for section in found:
        expected = shown(models, page)
        for name, _, *cells in section.tables[0].rows:
            for model, cell in zip(models, cells, strict=True):
                value = expected.get((model, VALUES[NAMES.index(name)]))
                assert (cell.value if cell is not None else None) == (value[0] if value else None)
        clear = {name: said for name, said, *_ in section.tables[0].rows if said not in ("none", "not compared")}
        assert clear == {"Self-direction": "first/model > second", "Achievement": "second > first/model"}
        rows = {row[0]: row for row in section.more[0].rows}
        assert set(rows) == {NAMES[VALUES.index(v)] for v in VALUES if all((m, v) in expected for m in models)}
        for name, *_, apart, p, said in section.more[0].rows:
            a, b = (expected[m, VALUES[NAMES.index(name)]][0] for m in models)
            assert apart.value == pytest.approx(a - b)
            assert (said == "yes") == (name in clear) == (p < 0.05)
