"""A benchmark run from its plan to its folder: resumed, ended by a budget, never mixed with another."""

import asyncio
import os
import signal

import pytest
from benchmark.bench_rows import WORDS, rows, session, write

from clave.benchmark.data import load
from clave.benchmark.plan import Plan
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.session import Session
from clave.benchmark.tables import leaderboard
from clave.errors import InputError
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.records import Failure
from clave.testing import FakeChat

ANSWERS = {words.split()[0]: label for label, words in WORDS.items()}


def test_a_plan_reads_back_and_says_what_is_wrong_with_it(tmp_path):
    plan = write(tmp_path).model_copy(update={"limit": 3, "judges": ("tfidf", "clave")})
    plan.write(tmp_path / "p.yaml")
    assert Plan.read(tmp_path / "p.yaml") == plan
    (tmp_path / "bad.yaml").write_text("judge: tfidf\n")
    with pytest.raises(InputError, match=r"bad\.yaml: judge: Extra inputs"):
        Plan.read(tmp_path / "bad.yaml")
    with pytest.raises(InputError, match="either with `valeval` or with `labels`"):
        load(Plan())


def test_rows_are_told_apart_and_judges_never_see_a_label(tmp_path):
    data = load(write(tmp_path))
    assert (len(data.calibration), len(data.rows), data.splits) == (48, 30, ["test", "elsewhere"])
    assert all(type(r).__name__ == "Response" for r in data.task.responses)
    assert {g.system for g in data.gold.values()} == {"tiny"}


def test_limit_draws_the_same_rows_of_each_value_again(tmp_path):
    plan = write(tmp_path).model_copy(update={"limit": 2})
    first, second = load(plan), load(plan)
    assert [r.id for r in first.rows] == [r.id for r in second.rows]
    assert len(first.rows) == 2 * 2 * 2
    assert [r.id for r in load(plan.model_copy(update={"seed": 1})).rows] != [r.id for r in first.rows]


def test_a_calibration_row_cannot_be_judged_too(tmp_path):
    twin = {**rows("calibration", 1)[0], "id": "twin", "split": "test"}
    with pytest.raises(InputError, match="'twin' is among the calibration rows"):
        load(write(tmp_path, [twin]))


def test_a_run_holds_predictions_manifest_and_what_was_skipped(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("majority", "clave", "kaleido")})
    made = session(tmp_path / "run", plan)
    outcome = asyncio.run(made.run())
    assert set(outcome.skipped) == {"clave", "kaleido"}
    assert "`model`" in outcome.skipped["clave"]
    manifest = made.manifest()
    assert manifest["skipped"] == outcome.skipped
    assert manifest["splits"] == {"test": 18, "elsewhere": 12}
    assert len(PredictionTable.read(tmp_path / "run" / "predictions.parquet")) == 30


def test_large_model_judges_run_and_a_second_run_asks_nothing(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("zero-shot", "clave-plain", "joint")})
    chat = FakeChat(ANSWERS)
    asyncio.run(session(tmp_path / "run", plan, chat).run())
    table = PredictionTable.read(tmp_path / "run")
    assert {r.judge: r.accuracy.value for r in leaderboard(table) if r.split == "test"} == {"zero-shot": 1, "clave-plain": 1, "joint": 1}
    again = FakeChat(ANSWERS)
    asyncio.run(session(tmp_path / "run", plan, again).run())
    assert again.calls == 0


def test_the_end_of_the_budget_leaves_rows_open_and_the_next_run_takes_them_up(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("majority", "zero-shot")})
    poor = FakeChat(
        lambda request: Failure(status="failed", kind="budget", reason="the budget of $1 is used up") if poor.calls > 7 else "adhere"
    )
    outcome = asyncio.run(session(tmp_path / "run", plan, poor).run())
    assert outcome.stopped == "the budget of $1 is used up"
    table = PredictionTable.read(tmp_path / "run")
    assert set(table["status"]) == {"ok"}
    assert len(table.where(judge="zero-shot")) < 30
    board = {r.judge: r for r in leaderboard(table) if r.split == "elsewhere"}
    assert board["majority"].tier == 1
    assert "zero-shot" not in board or board["zero-shot"].tier is None
    assert asyncio.run(session(tmp_path / "run", plan, FakeChat(ANSWERS)).run()).stopped == ""
    assert len(PredictionTable.read(tmp_path / "run").where(judge="zero-shot")) == 30


class Held(FakeChat):
    """Holds calls back until four are there, does something then, and answers a moment later."""

    width = 4

    def __init__(self, fourth):
        super().__init__(ANSWERS)
        self.fourth, self.free = fourth, asyncio.Event()

    async def complete(self, request):
        answer = await super().complete(request)
        fourth, self.fourth = (self.fourth, None) if self.calls >= 4 else (None, self.fourth)
        if fourth is not None:
            found = fourth()
            asyncio.get_running_loop().call_later(0.05, self.free.set)
            if found is not None:
                return found
        await self.free.wait()
        return answer


def test_ctrl_c_keeps_what_is_under_way_and_asks_nothing_more(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("zero-shot",)})
    before = signal.getsignal(signal.SIGINT)
    held, good = Held(lambda: os.kill(os.getpid(), signal.SIGINT)), FakeChat(ANSWERS)
    outcome = asyncio.run(session(tmp_path / "run", plan, held).run())
    assert (outcome.stopped, held.calls) == ("interrupted", 4)
    assert list(PredictionTable.read(tmp_path / "run")["status"]) == ["ok"] * 4
    assert signal.getsignal(signal.SIGINT) is before
    assert asyncio.run(session(tmp_path / "run", plan, good).run()).stopped == ""
    assert good.calls == 30 - 4


@pytest.mark.parametrize("judge", ["zero-shot", "clave"])
def test_the_end_of_the_budget_keeps_what_is_under_way(tmp_path, judge):
    plan = write(tmp_path).model_copy(update={"judges": (judge,)})
    held = Held(lambda: Failure(status="failed", kind="budget", reason="the budget of $1 is used up"))
    poor = session(tmp_path / "run", plan, held)
    cache = AnswerCache(tmp_path / "cache.sqlite")
    poor.chats = {held.model: CachedChat(held, cache)}
    assert asyncio.run(poor.run()).stopped == "the budget of $1 is used up"
    answered = [request for request in held.requests if poor.chats[held.model].kept(request) is not None]
    assert len(answered) == held.calls - 1
    cache.close()


def test_an_unfinished_judge_is_shown_and_not_ranked(tmp_path):
    plan = write(tmp_path)
    asyncio.run(session(tmp_path / "run", plan).run())
    whole = PredictionTable.read(tmp_path / "run")
    lucky = [p.model_copy(update={"judge": "lucky", "label": p.gold}) for p in list(whole.where(split="test").records())[:5]]
    board = leaderboard(PredictionTable.of([*whole.records(), *lucky]))
    found = {r.judge: r for r in board if r.split == "test"}
    assert (found["lucky"].accuracy.value, found["lucky"].missing, found["lucky"].tier) == (1.0, 13, None)
    assert (found["majority"].missing, found["majority"].tier) == (0, 1)
    assert [r.judge for r in board if r.split == "test"] == ["majority", "lucky"]


def test_failed_rows_are_tried_again_when_asked_for(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("zero-shot",)})
    broken = FakeChat(lambda request: Failure(status="failed", kind="server", reason="down"))
    asyncio.run(session(tmp_path / "run", plan, broken).run())
    good = FakeChat(ANSWERS)
    asyncio.run(session(tmp_path / "run", plan, good).run())
    assert good.calls == 0
    asyncio.run(session(tmp_path / "run", plan, good).run(retry_failed=True))
    assert set(PredictionTable.read(tmp_path / "run")["status"]) == {"ok"}


def test_a_folder_does_not_mix_two_runs(tmp_path):
    plan = write(tmp_path)
    session(tmp_path / "run", plan)
    session(tmp_path / "run", plan.model_copy(update={"judges": ("tfidf",)}))
    assert Plan.read(tmp_path / "run" / "config.yaml").judges == ("majority", "tfidf")
    with pytest.raises(InputError, match="another 'limit'"):
        session(tmp_path / "run", plan.model_copy(update={"limit": 1}))
    with pytest.raises(InputError, match="holds no benchmark run"):
        Session.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is no judge 'best'"):
        session(tmp_path / "other", plan.model_copy(update={"judges": ("best",)}))


@pytest.mark.parametrize("split", ["calibration", "test"])
def test_a_run_does_not_go_on_over_rows_that_were_changed(tmp_path, split):
    plan = write(tmp_path)
    asyncio.run(session(tmp_path / "run", plan).run())
    path = tmp_path / "labels.jsonl"
    path.write_text(path.read_text().replace(f"{split} day 1", f"{split} evening 1"))
    for again in (lambda: session(tmp_path / "run", plan), lambda: Session.open(tmp_path / "run").data):
        with pytest.raises(InputError, match="rows were changed .* -o"):
            again()


def test_a_run_does_not_go_on_with_other_definitions(tmp_path):
    plan = write(tmp_path)
    asyncio.run(session(tmp_path / "run", plan).run())
    path = tmp_path / "tiny.yaml"
    path.write_text(path.read_text().replace("Being kind to others.", "Being kind to oneself."))
    with pytest.raises(InputError, match="values were changed .* -o"):
        session(tmp_path / "run", plan)


def test_a_killed_run_does_not_go_on_over_rows_that_were_changed(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("zero-shot",)})

    def killed(request):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(session(tmp_path / "run", plan, FakeChat(killed)).run())
    path = tmp_path / "labels.jsonl"
    path.write_text(path.read_text().replace("test day 1", "test evening 1"))
    with pytest.raises(InputError, match="rows were changed .* -o"):
        session(tmp_path / "run", plan, FakeChat(ANSWERS))


def test_rows_whose_scenario_a_calibration_row_has_are_counted(tmp_path):
    twin = {**rows("calibration", 1)[0], "id": "twin", "split": "test", "response": "Somebody did something else altogether."}
    made = session(tmp_path / "run", write(tmp_path, [twin]))
    asyncio.run(made.run())
    assert made.manifest()["rows_with_a_calibration_scenario"] == 1
