"""One annotator against the others, from a label file with several of them, through a run to its page."""

import json

import pytest
from benchmark.bench_rows import SYSTEM, rows
from typer.testing import CliRunner

from clave.benchmark.annotators import Annotated, annotated, ceilings, write_annotations
from clave.cli.bench import app
from clave.errors import InputError
from clave.records import LabelledResponse


def labelled(identity, annotator, label, **metadata):
    return LabelledResponse(id=identity, response=identity, value="care", label=label, annotator=annotator, metadata=metadata)


def write(folder, several):
    """Calibration rows, and a test split that two or three people labelled."""
    (folder / "tiny.yaml").write_text(SYSTEM)
    said = rows("calibration", 8)
    for name, labels in several.items():
        base = {"id": name, "scenario": name, "response": f"Somebody did {name}.", "value": "care", "split": "test"}
        said += [base | {"label": label, "annotator": f"p{i}"} for i, label in enumerate(labels)]
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said))
    options = ["--labels", folder / "labels.jsonl", "--system", folder / "tiny.yaml", "--judges", "majority"]
    return ["run", "-o", str(folder / "run"), *map(str, options)]


def test_rows_without_a_majority_count_and_edited_or_single_ones_do_not():
    found = annotated(
        [
            labelled("a", "p1", "adhere"),
            labelled("b", "p1", "adhere", annotations=["adhere", "none"], source="s", group="g"),
            labelled("c", "p1", "adhere"),
            labelled("c", "p2", "oppose"),
            labelled("d", "p1", "adhere", annotations=["adhere", "adhere"], base_id="b"),
        ],
        "test",
    )
    assert {(a.id, a.source, a.annotations) for a in found} == {("b", "s", ("adhere", "none")), ("c", "", ("adhere", "oppose"))}
    assert found[0].group == "g"


def test_a_label_file_with_several_annotators_gives_the_line_of_its_split(tmp_path):
    """Of x each of three agrees with the two others; of y two agree with the one of two tied others that is theirs (half each), one with
    none; of z, which is not judged, neither of two agrees: 3 + .5 + .5 + 0 + 0 of 8."""
    several = {"x": ["adhere"] * 3, "y": ["adhere", "adhere", "oppose"], "z": ["adhere", "oppose"]}
    done = CliRunner().invoke(app, [*write(tmp_path, several), "--json"])
    told = json.loads(done.stdout)
    (line,) = told["annotators"]
    assert (line["split"], line["sources"], line["agreement"]["n"]) == ("test", [], 3)
    assert line["agreement"]["value"] == pytest.approx(4 / 8)
    assert [r["rows"] for r in told["leaderboard"]] == [2]
    assert [c.agreement.value for c in ceilings(tmp_path / "run")] == [pytest.approx(4 / 8)]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "one annotator against the others" in page
    assert "that several people labelled" in page
    (tmp_path / "run" / "annotations.jsonl").unlink()  # the figure is made from the folder each time
    CliRunner().invoke(app, ["balance", str(tmp_path / "run")])
    assert ceilings(tmp_path / "run") == []


def test_nothing_is_said_where_each_row_has_one_annotator(tmp_path):
    done = CliRunner().invoke(app, write(tmp_path, {"x": ["adhere"], "y": ["oppose"]}))
    assert done.exit_code == 0, done.output
    assert "one annotator" not in done.output
    assert "annotator against" not in (tmp_path / "run" / "report.html").read_text()
    assert json.loads(CliRunner().invoke(app, [*write(tmp_path, {"x": ["adhere"], "y": ["oppose"]}), "--json"]).stdout)["annotators"] == []


def test_a_damaged_file_is_named_with_its_line_and_an_empty_list_takes_it_away(tmp_path):
    row = Annotated(id="a", value="care", split="test", group="g", annotations=("adhere", "oppose"))
    write_annotations(tmp_path, [row])
    file = tmp_path / "annotations.jsonl"
    file.write_text(file.read_text() + "{}\n")
    with pytest.raises(InputError, match=r"annotations\.jsonl, line 2: not the annotations of a row"):
        ceilings(tmp_path)
    write_annotations(tmp_path, [])
    assert ceilings(tmp_path) == []
