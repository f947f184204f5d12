"""The cascade: its threshold keeps the stated risk, the large model gets the rest, and the summary says what was saved."""

import pytest
from typer.testing import CliRunner

from clave import Clave, LabelledResponse, Response
from clave.cascade import SMALL, Cascade, prevalence_in
from clave.cli.main import app
from clave.errors import InputError
from clave.io import read_verdicts, write_jsonl
from clave.testing import FakeChat

WORDS = {"adhere": "helped the old lady kindly", "oppose": "hurt and insulted the boy", "unrelated": "the engine needs new oil"}


def labelled(n=90, prefix="l"):
    names = list(WORDS)
    return [
        LabelledResponse(
            id=f"{prefix}{i}",
            scenario=f"scene number {i}",
            response=f"{WORDS[names[i % 3]]} at {i} o'clock",
            value="care",
            label=names[i % 3],
        )
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def pair():
    small = Clave("mft").fit(labelled())
    chat = FakeChat({"helped": "adhere", "hurt": "oppose"})
    return small, Clave("mft", chat=chat), chat


def test_the_sure_ones_cost_no_call_and_the_others_are_asked(pair):
    small, large, chat = pair
    cascade = Cascade(small, large, risk=0.2)
    assert cascade.guarantees_["care"].threshold is not None
    before = chat.calls
    rows = [Response(id=r.id, scenario=r.scenario, response=r.response, value="care") for r in labelled(12, "n")]
    rows += [Response(id="odd", response="zxqv", value="care"), Response(id="other", response="He hurt him.", value="loyalty")]
    verdicts = {(v.id, v.value): v for v in cascade.evaluate(rows)}
    assert len(verdicts) == 14
    by_small = {key for key, v in verdicts.items() if SMALL in v.flags}
    assert len(by_small) >= 10
    assert ("other", "loyalty") not in by_small
    assert chat.calls - before == 14 - len(by_small) == cascade.counts_["large"]
    assert all(max(verdicts[key].probabilities.values()) >= cascade.guarantees_["care"].threshold for key in by_small)
    assert {v.evaluator for v in verdicts.values()} == {cascade.name}
    assert f"{len(by_small)} of 14 verdicts" in cascade.summary()
    assert "at most 20%" in cascade.summary()
    assert "on 1 of 1 values" in cascade.summary()


def test_a_value_that_the_small_model_cannot_tell_is_left_to_the_large_one():
    """On average over both values its errors would stay within the risk."""
    noise = [
        r.model_copy(update={"id": f"n{r.id}", "value": "loyalty", "label": list(WORDS)[(i // 3) % 3]}) for i, r in enumerate(labelled())
    ]
    small, chat = Clave("mft").fit([*labelled(), *noise]), FakeChat({"helped": "adhere", "hurt": "oppose"})
    cascade = Cascade(small, Clave("mft", chat=chat), risk=0.4)
    assert cascade.guarantees_["care"].threshold is not None
    assert cascade.guarantees_["loyalty"].threshold is None
    rows = [
        Response(id=f"{v}{i}", scenario=f"new {i}", response=f"{WORDS['adhere']} at {i}", value=v)
        for i in range(6)
        for v in ("care", "loyalty")
    ]
    by_small = {v.value for v in cascade.evaluate(rows) if SMALL in v.flags}
    assert by_small == {"care"}
    assert "on 1 of 2 values" in cascade.summary()


def test_a_risk_out_of_range_is_refused(pair):
    small, large, _ = pair
    with pytest.raises(InputError, match="between 0 and 1"):
        Cascade(small, large, risk=1.0)


def test_without_a_threshold_everything_is_asked_and_said(pair):
    small, large, _ = pair
    cascade = Cascade(small, large, risk=0.001)
    assert cascade.guarantees_["care"].threshold is None
    verdicts = list(cascade.evaluate([Response(id="a", response="He helped her.", value="care")]))
    assert [v.label for v in verdicts] == ["adhere"]
    assert "gave none of 1 verdicts" in cascade.summary()


def test_what_cannot_be_a_cascade_is_refused(pair):
    small, large, chat = pair
    with pytest.raises(InputError, match="must be calibrated"):
        Cascade(Clave("mft"), large)
    with pytest.raises(InputError, match="without a large model"):
        Cascade(large, small)
    with pytest.raises(InputError, match="share a value system"):
        Cascade(small, Clave("schwartz", chat=chat))


def test_what_the_small_model_is_not_sure_enough_of_for_the_user_is_asked_of_the_large_one(pair):
    small, large, chat = pair
    cascade = Cascade(small, large, risk=0.2)
    rows = [Response(id=r.id, scenario=r.scenario, response=r.response, value="care") for r in labelled(12, "n")]
    before = chat.calls
    sure = sorted(max(v.probabilities.values()) for v in small.evaluate(rows))
    assert sure[0] >= cascade.guarantees_["care"].threshold
    verdicts = list(cascade.evaluate(rows, min_confidence=sure[6]))
    by_small = [v for v in verdicts if SMALL in v.flags]
    assert 0 < len(by_small) <= 6
    assert {v.status for v in by_small} == {"ok"}
    assert chat.calls - before == 12 - len(by_small)


def test_at_another_prevalence_the_threshold_is_another_and_so_is_the_name(pair):
    """What the small model says of a rare label is wrong more often: there its threshold rises."""
    small, large, _ = pair
    noise = [
        r.model_copy(update={"id": f"n{r.id}", "scenario": f"n{r.scenario}", "label": list(WORDS)[(i + 1) % 3]})
        for i, r in enumerate(labelled(18))
    ]
    small = Clave("mft").fit([*labelled(), *noise])
    at_home, same = Cascade(small, large, risk=0.3), Cascade(small, large, risk=0.3, prevalence={"care": (1 / 3, 1 / 3, 1 / 3)})
    rare = Cascade(small, large, risk=0.3, prevalence={"care": (0.01, 0.01, 0.98)})
    plain, shifted = at_home.guarantees_["care"], rare.guarantees_["care"]
    assert plain.threshold == same.guarantees_["care"].threshold
    assert (plain.threshold, plain.wrong) != (shifted.threshold, shifted.wrong)
    assert len({at_home.name, same.name, rare.name}) == 3
    rows = [Response(id=r.id, scenario=r.scenario, response=r.response, value="care") for r in labelled(12, "n")]
    estimated = prevalence_in(small, rows)["care"]
    assert sum(estimated) == pytest.approx(1, abs=1e-3)
    assert max(estimated) < 0.6


def test_a_cascade_of_calibrated_evaluators_runs_at_a_prevalence(pair, tmp_path):
    small, _, _ = pair
    small.save(tmp_path / "small")
    Clave("mft").fit(labelled(60, "o")).save(tmp_path / "large")
    write_jsonl(tmp_path / "r.jsonl", [Response(id=r.id, scenario=r.scenario, response=r.response) for r in labelled(12, "n")])
    command = ["evaluate", str(tmp_path / "r.jsonl"), "-e", str(tmp_path / "large"), "--cascade", str(tmp_path / "small"), "--risk", "0.3"]
    for prevalence in ("auto", "0.1/0.1/0.8"):
        output = tmp_path / f"{prevalence[:1]}.jsonl"
        result = CliRunner().invoke(app, [*command, "-o", str(output), "--prevalence", prevalence, "--coverage", "0.5"])
        assert result.exit_code == 0, result.output
        assert "these responses" in result.output
        assert sum(v.status == "abstained" for v in read_verdicts(output)) == 6
    result = CliRunner().invoke(app, [*command, "-o", str(output), "--prevalence", "auto", "--coverage", "0.5"])
    assert "this run has prevalence auto" in str(result.exception)
    result = CliRunner().invoke(app, ["report", str(output), "--markdown"])
    assert "0.10 / 0.10 / 0.80" in result.output
