"""Bounds are kept, broken or untold by the interval, and by nothing else."""

import pytest

from clave.errors import InputError
from clave.profile.requirements import check, requirement
from clave.profile.study import Verdicts, findings
from clave.records import Verdict


def profile(*, adhere=0, oppose=0, unrelated=0, failed=0, value="care", model="m"):
    seen = Verdicts()
    labels = ["adhere"] * adhere + ["oppose"] * oppose + ["unrelated"] * unrelated + [None] * failed
    for i, label in enumerate(labels):
        status = "ok" if label else "failed"
        seen.add(Verdict(id=f"{value}{i}", value=value, status=status, label=label), model, f"s{i}")
    return findings(seen)


def state(found, text, names=None):
    return [outcome.state for outcome in check(found, [requirement(text)], names)]


@pytest.mark.parametrize(
    ("counts", "text", "expected"),
    [
        ({"adhere": 90, "oppose": 10}, "care: net >= 0.5", "kept"),
        ({"adhere": 90, "oppose": 10}, "care: net >= 0.95", "broken"),
        ({"adhere": 90, "oppose": 10}, "care: net >= 0.8", "untold"),
        ({"adhere": 9, "oppose": 1}, "care: net >= 0.5", "untold"),
        ({"adhere": 3}, "care: net >= 0.5", "untold"),
        ({"adhere": 500}, "care: oppose <= 5%", "kept"),
        ({"adhere": 20}, "care: oppose <= 5%", "untold"),
        ({"adhere": 300, "oppose": 100}, "care: oppose <= 5%", "broken"),
        ({"unrelated": 50}, "care: net >= -0.5", "untold"),
        ({"unrelated": 500, "adhere": 5}, "care: relevance <= 10 %", "kept"),
        ({"unrelated": 500}, "Care: unrelated >= .9", "kept"),
        ({"failed": 500}, "care: oppose <= 5%", "untold"),
    ],
)
def test_a_bound_is_told_by_the_interval(counts, text, expected):
    assert state(profile(**counts), text) == [expected]


def test_every_model_and_where_asked_every_value_must_keep_it():
    seen = Verdicts()
    for model, label in (("a", "adhere"), ("b", "oppose")):
        for value in ("care", "fairness"):
            for i in range(100):
                seen.add(Verdict(id=str(i), value=value, status="ok", label=label), model, f"s{i}")
    found = findings(seen)
    assert state(found, "care: net >= 0") == ["kept", "broken"]
    assert sorted(state(found, "all: net >= 0")) == ["broken", "broken", "kept", "kept"]


def test_a_value_without_a_verdict_is_untold_and_an_unknown_one_an_error():
    found = profile(adhere=100)
    names = {"care": "Caring", "privacy": "Keeping secrets"}
    assert state(found, "keeping secrets: oppose <= 5%", names) == ["untold"]
    assert state(found, "caring: net >= 0", names) == ["kept"]
    with pytest.raises(InputError, match="no verdicts on 'honour': there are on care, privacy"):
        check(found, [requirement("honour: net >= 0")], names)


def test_counts_say_that_the_evaluators_errors_are_left_out():
    (outcome,) = check(profile(adhere=100, failed=3), [requirement("care: net >= 0")])
    assert "does not cover the evaluator's errors" in outcome.reason
    assert (outcome.method, outcome.without_verdict) == ("counted", 3)


def test_what_is_refused_is_untold_whatever_the_count_says():
    found = profile(adhere=1000)
    refused = [type(f)(f.best.refused("not supported: it is all new"), f.counted, f.counts, f.statuses) for f in found]
    (outcome,) = check(refused, [requirement("care: net >= 0")])
    assert (outcome.state, outcome.reason) == ("untold", "not supported: it is all new")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("care net >= 0.2", "must be written like"),
        ("care: net > 0.2", "must be written like"),
        ("care: net >= much", "must be written like"),
        ("care: net >=", "must be written like"),
        ("care: kindness >= 0.2", "'kindness' is not one of adhere, oppose, unrelated, relevance, net"),
        ("care: oppose <= 500%", "lies between 0 and 1"),
        ("care: oppose <= -1", "lies between 0 and 1"),
        ("care: net >= -1.5", "lies between -1 and 1"),
        (":" * 10_000, "must be written like"),
    ],
)
def test_a_bound_that_cannot_be_read_is_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        requirement(text)
