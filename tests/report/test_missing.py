from typing import get_args

from clave.cascade import SMALL
from clave.llm.answers import Mark
from clave.records import Response, Verdict
from clave.report.missing import Missing, flag_in_words


def missing(*verdicts, models=("a",), texts=None):
    found = Missing()
    for i, (status, reason) in enumerate(verdicts):
        label = {"label": "adhere"} if status == "ok" else {}
        found.add(
            Verdict(id=f"r{i}", value="care", status=status, reason=reason, **label), models[i % len(models)], (texts or {}).get(f"r{i}")
        )
    return found


def test_a_run_without_a_gap_has_no_section():
    assert missing(("ok", "it adheres")).section({}) is None


def test_abstentions_are_one_reason_whatever_their_probabilities():
    rows = [("abstained", f"its probability 0.{i} is below 0.55; without that: …") for i in range(30, 50)]
    section = missing(*rows, ("failed", "cut off")).section({})
    assert [(row[0], row[2]) for row in section.tables[0].rows] == [("abstained", 20), ("failed", 1)]


def test_statuses_stand_apart_for_each_model():
    rows = [("ok", ""), ("failed", "x"), ("refused", "y"), ("abstained", "z"), ("refused", "y"), ("ok", "")]
    found = missing(*rows, models=("a", "b"))
    table = found.section({}).tables[0]
    assert table.columns == ("Model", "Asked for", "With a verdict", "Abstained", "Refused", "Failed")
    assert table.rows == (("a", 3, 1, 0, 2, 0), ("b", 3, 1, 1, 0, 1))
    assert [found.count(s) for s in ("ok", "abstained", "refused", "failed")] == [2, 1, 2, 1]


def test_one_example_of_each_reason_refusals_apart_from_failures():
    """Failures come late and behind many abstentions, and are shown all the same."""
    rows = [("abstained", "unsure")] * 20 + [("failed", "empty")] * 9 + [("failed", "cut off"), ("refused", "a filter")]
    texts = {"r20": Response(id="r20", scenario="Why?", response="x" * 400)}
    groups = missing(*rows, texts=texts).section({"care": "Care"}).groups
    assert [(g.title, len(g.cards)) for g in groups] == [("Refused: one of each reason", 1), ("Failed: one of each reason", 2)]
    first = groups[1].cards[0]
    assert (first.title, first.label, first.note) == ("r20 · Care", "failed", "empty · 9 times; this is the first")
    assert (first.scenario, first.body[0].text, first.cut) == ("Why?", "x" * 300, 100)


def test_more_reasons_than_are_shown_are_told():
    section = missing(*(("failed", f"reason {i}") for i in range(40))).section({})
    assert section.tables[0].caption == "Why there is no verdict: the 15 most frequent, 25 more"
    assert len(section.tables[0].rows) == 15
    assert len(section.groups[0].cards) == 5


def test_flags_are_said_in_words():
    found = Missing()
    found.add(Verdict(id="r", value="care", status="ok", label="adhere", flags=("cut", "own")), "a")
    assert found.section({}).tables[0].rows == (
        ("cut", "the response or its scenario was too long: a part of it was not read", 1),
        ("own", "–", 1),
    )


def test_every_flag_of_an_answer_is_put_into_words():
    for flag in (
        *get_args(Mark),
        "in_tool_call",
        "in_reasoning",
        "json_object",
        "text",
        "cut",
        "uncalibrated",
        "evidence_not_found",
        SMALL,
    ):
        assert flag_in_words(flag) != flag
