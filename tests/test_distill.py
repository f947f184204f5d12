"""Distillation: the student learns from the teacher's verdicts, stays within the calls, and is offered only where people's labels agree."""

import numpy as np
import pytest

from clave import Clave, LabelledResponse, Response
from clave.distill import distill
from clave.errors import EvaluatorError, InputError
from clave.records import Failure
from clave.settings import Training
from clave.testing import FakeChat

WORDS = {"adhere": "helped the old lady kindly", "oppose": "hurt and insulted the boy", "unrelated": "the engine needs new oil"}
NAMES = list(WORDS)


def labelled(n, prefix="l"):
    return [
        LabelledResponse(
            id=f"{prefix}{i}", scenario=f"scene {prefix} {i}", response=f"{WORDS[NAMES[i % 3]]}, {i}", value="care", label=NAMES[i % 3]
        )
        for i in range(n)
    ]


def unlabelled(n):
    return [Response(id=f"u{i}", scenario=f"place {i}", response=f"{WORDS[NAMES[i % 3]]} on day {i}") for i in range(n)]


@pytest.fixture
def teacher():
    chat = FakeChat({"helped": "adhere", "hurt": "oppose"})
    return Clave("mft", chat=chat).fit(labelled(18)), chat


def test_the_student_makes_no_call_and_knows_what_the_teacher_knew(teacher, tmp_path):
    clave, chat = teacher
    before = chat.calls
    found = distill(clave, unlabelled(60), calls=30, most_loss=0.2)
    assert 0 < chat.calls - before <= 30
    assert found.labelled == chat.calls - before
    assert found.offered, found.summary()
    rows = [Response(id=r.id, scenario=r.scenario, response=r.response) for r in labelled(9, "new")]
    spent = chat.calls
    verdicts = {v.id: v for v in found.student.evaluate(rows)}
    assert chat.calls == spent
    assert np.mean([verdicts[r.id].label == r.label for r in labelled(9, "new")]) > 0.8
    found.student.save(tmp_path / "student")
    loaded = Clave.load(tmp_path / "student")
    assert {v.id: v.probabilities for v in loaded.evaluate(rows)} == {i: v.probabilities for i, v in verdicts.items()}
    assert loaded.fitted.provenance.distilled.verdicts == found.labelled
    with pytest.raises(EvaluatorError, match="distil again"):
        loaded.refit()


def test_a_base_model_that_the_user_names_is_trusted_where_the_student_is_loaded(teacher, tmp_path):
    found = distill(teacher[0], unlabelled(20), calls=12, training=Training(base="me/small"))
    Clave.load(found.student.save(tmp_path / "student"))


def test_the_sample_is_diverse(teacher):
    clave, chat = teacher
    many = [Response(id=f"same{i}", response=f"He helped her {i} times.") for i in range(40)]
    odd = [
        Response(id="ship", response="A ship sank in the storm, and nobody hurt."),
        Response(id="cake", response="Bake the cake for an hour."),
    ]
    chat.requests.clear()
    distill(clave, many + odd, calls=4)
    asked = " ".join(r.user for r in chat.requests)
    assert "ship sank" in asked
    assert "Bake the cake" in asked


def test_people_who_disagree_with_it_keep_it_from_being_offered(teacher):
    clave, _ = teacher
    wrong = [r.model_copy(update={"label": "adhere"}) for r in labelled(12, "h")]
    right = labelled(12, "h")
    assert distill(clave, unlabelled(30), calls=30, held_out=right, most_loss=0.2).offered
    found = distill(clave, unlabelled(30), calls=30, held_out=wrong, most_loss=-0.5)
    assert not found.offered
    assert "not offered" in found.summary()


def test_a_loss_that_few_labels_cannot_rule_out_keeps_it_from_being_offered(teacher):
    """No loss is seen on twelve labels, and up to .16 of one would not be seen."""
    clave, _ = teacher
    found = distill(clave, unlabelled(30), calls=30, held_out=labelled(12, "h"), most_loss=0.1)
    assert found.loss.value == 0
    assert found.loss.high > 0.1
    assert not found.offered
    assert f"at the upper end of its interval {found.loss.high:.3f}" in found.summary()


def test_failures_are_counted_and_never_learnt_from():
    refusal = Failure(status="refused", kind="refused", reason="no")
    clave = Clave("mft", chat=FakeChat({"on day": refusal, "helped": "adhere"})).fit(labelled(18))
    with pytest.raises(InputError, match="none of 10 verdicts"):
        distill(clave, unlabelled(10), calls=10)


def test_what_cannot_be_distilled_is_refused(teacher):
    clave, chat = teacher
    with pytest.raises(InputError, match="calibrated evaluator with a large model"):
        distill(Clave("mft", chat=chat), unlabelled(3), calls=3)
    with pytest.raises(InputError, match="at least one call"):
        distill(clave, unlabelled(3), calls=0)
    with pytest.raises(InputError, match="no response"):
        distill(clave, [], calls=3)
    twice = [Response(id="a", response="one"), Response(id="a", response="two")]
    with pytest.raises(InputError, match="different texts"):
        distill(clave, twice, calls=3)


def test_held_out_labels_are_of_texts_that_neither_has_seen(teacher):
    clave, chat = teacher
    before = chat.calls
    with pytest.raises(InputError, match="'l0' .*learnt"):
        distill(clave, unlabelled(10), calls=10, held_out=labelled(6))
    assert chat.calls == before
    held_out = labelled(12, "h")
    twins = [Response(id=f"twin-{r.id}", scenario=r.scenario.upper(), response=f"{r.response}!") for r in held_out]
    found = distill(clave, twins + unlabelled(6), calls=100, held_out=held_out)
    assert found.labelled == 6


def test_the_loss_is_on_rows_where_both_gave_a_verdict(teacher):
    clave, _ = teacher
    refusal = Failure(status="refused", kind="refused", reason="no")
    hard = [
        LabelledResponse(id=f"x{i}", scenario=f"hard {i}", response=f"nobody knows, helped by {i}", value="care", label="oppose")
        for i in range(6)
    ]
    shy = clave.with_chat(FakeChat({"nobody knows": refusal, "helped": "adhere", "hurt": "oppose"}))
    found = distill(shy, unlabelled(60), calls=60, held_out=labelled(12, "h") + hard, most_loss=0.2)
    assert (found.teacher.n, found.teacher.failed) == (12, 6)
    assert found.loss.value == pytest.approx(0)
    assert found.offered


def test_a_budget_that_ends_before_the_calls_do_is_told(teacher):
    clave, _ = teacher
    spent = Failure(status="failed", kind="budget", reason="the budget of $1 is used up")
    poor = clave.with_chat(FakeChat(lambda request: spent if "day 20" in request.user.rpartition("<response")[2] else "adhere"))
    assert "the budget of $1 is used up" in distill(poor, unlabelled(30), calls=30).summary()
