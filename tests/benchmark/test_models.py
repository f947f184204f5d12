"""Judges on several large models in one run: kept apart, priced before they start, gone on with model by model."""

import asyncio

import pytest
from benchmark.bench_rows import WORDS, session, write

from clave.benchmark.plan import Plan
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.pricing import quotes
from clave.benchmark.session import Session
from clave.benchmark.studies import ablation
from clave.benchmark.tables import leaderboard
from clave.errors import InputError
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.llm.ledger import Ledger
from clave.records import Failure
from clave.report.benchmarking import run_page
from clave.testing import FakeChat

ANSWERS = {words.split()[0]: label for label, words in WORDS.items()}
RIGHT, WRONG = "openai/right", "ollama/wrong"
PRICES = {RIGHT: 2e-6, WRONG: 1e-6}


def several(folder, judges, models, chats, cache=None):
    """A run on fake models."""
    plan = write(folder).model_copy(update={"judges": judges, "models": models})
    made = Session.create(folder / "run", plan, base_url="http://127.0.0.1:9", cache="")
    made.chats = {
        m: CachedChat(chats[m], cache, Ledger(lambda prompt, completion, cached=0, rate=PRICES[m]: rate * (prompt + completion)))
        for m in models
    }
    return made


@pytest.fixture
def chats():
    return {RIGHT: FakeChat(ANSWERS, model=RIGHT), WRONG: FakeChat(lambda request: "unrelated", model=WRONG)}


def test_judges_that_ask_a_model_run_on_each_and_others_once(tmp_path, chats):
    made = several(tmp_path, ("majority", "zero-shot", "many-shot"), (RIGHT, WRONG), chats)
    asyncio.run(made.run())
    board = {r.judge: r.accuracy.value for r in leaderboard(PredictionTable.read(made.folder)) if r.split == "test"}
    assert set(board) == {"majority", *(f"{j}@{m}" for j in ("zero-shot", "many-shot") for m in (RIGHT, WRONG))}
    assert (board[f"zero-shot@{RIGHT}"], board[f"zero-shot@{WRONG}"]) == (1.0, pytest.approx(1 / 3))
    page = run_page(made.folder)
    (matrix, _) = next(s for s in page.sections if s.id == "models").tables
    assert matrix.columns == ("Judge", RIGHT, WRONG)
    assert {row[0] for row in matrix.rows} == {"zero-shot", "many-shot"}


def test_a_run_goes_on_with_a_further_model_and_asks_the_first_nothing(tmp_path, chats):
    asyncio.run(several(tmp_path, ("zero-shot",), (RIGHT,), chats).run())
    asked = chats[RIGHT].calls
    made = several(tmp_path, ("zero-shot",), (RIGHT, WRONG), chats)
    asyncio.run(made.run())
    assert (chats[RIGHT].calls, chats[WRONG].calls) == (asked, asked)
    assert Plan.read(made.folder / "config.yaml").models == (RIGHT, WRONG)
    assert set(PredictionTable.read(made.folder).distinct("judge")) == {f"zero-shot@{RIGHT}", f"zero-shot@{WRONG}"}


def test_one_of_the_judges_can_be_named(tmp_path, chats):
    made = several(tmp_path, (f"zero-shot@{WRONG}",), (RIGHT, WRONG), chats)
    assert [j.name for j in made.judges(made.plan.judges)] == [f"zero-shot@{WRONG}"]
    with pytest.raises(InputError, match="no judge 'zero-shot@openai/other'"):
        made.judges(["zero-shot@openai/other"])


def test_a_jury_is_all_of_them_together(tmp_path, chats):
    made = several(tmp_path, ("jury",), (RIGHT, WRONG), chats)
    asyncio.run(made.run())
    assert chats[RIGHT].calls == chats[WRONG].calls == 30
    assert PredictionTable.read(made.folder).distinct("judge") == ["jury"]


def test_one_model_and_several_are_not_mixed(tmp_path, chats):
    several(tmp_path, ("zero-shot",), (RIGHT, WRONG), chats)
    with pytest.raises(InputError, match=f"holds a run with several models, {RIGHT}, {WRONG}"):
        Session.create(tmp_path / "run", write(tmp_path).model_copy(update={"model": RIGHT}), base_url="http://127.0.0.1:9", cache="")
    for bad in ({"model": RIGHT, "models": [WRONG]}, {"models": [RIGHT, RIGHT]}):
        with pytest.raises(InputError, match="and not both|named twice"):
            Plan.of(bad)


def test_the_price_is_that_of_the_calls_that_the_run_then_makes(tmp_path, chats):
    judges = ("majority", "zero-shot", "zero-shot-reasons", "joint", "clave")
    made = several(tmp_path, judges, (RIGHT, WRONG), chats, AnswerCache(tmp_path / "answers"))
    priced = {(q.judge, q.model): q.estimate for q in asyncio.run(quotes(made))}
    assert chats[RIGHT].calls == chats[WRONG].calls == 0
    assert set(priced) == {(f"{j}@{m}", m) for j in judges[1:] for m in (RIGHT, WRONG)}
    assert priced[f"zero-shot@{RIGHT}", RIGHT].cost == pytest.approx(2 * priced[f"zero-shot@{WRONG}", WRONG].cost, rel=0.05)
    asyncio.run(made.run())
    for model, chat in chats.items():
        assert sum(e.calls for (_, m), e in priced.items() if m == model) == chat.calls
    assert asyncio.run(quotes(made)) == []


def test_several_samples_of_an_answer_are_priced_each(tmp_path, chats):
    made = several(tmp_path, ("g-eval", "zero-shot"), (RIGHT,), chats, AnswerCache(tmp_path / "answers"))
    assert [q.estimate.calls for q in asyncio.run(quotes(made))] == [5 * 30, 30]


def test_what_two_judges_ask_alike_is_priced_once_where_answers_are_kept(tmp_path, chats):
    judges = ("clave", "clave-stance-only")
    kept = several(tmp_path, judges, (RIGHT,), chats, AnswerCache(tmp_path / "answers"))
    first, second = (q.estimate.calls for q in asyncio.run(quotes(kept)))
    assert (first > 0, second) == (True, 0)
    for_each = asyncio.run(quotes(several(tmp_path, judges, (RIGHT,), chats)))
    assert [q.estimate.calls for q in for_each] == [first, first]


def test_the_price_of_many_rows_is_told_from_some(tmp_path, chats, monkeypatch):
    made = several(tmp_path, ("zero-shot", "clave"), (RIGHT,), chats)
    exact = [q.estimate for q in asyncio.run(quotes(made))]
    monkeypatch.setattr("clave.benchmark.pricing.LOOKED_AT", 10)
    sampled = [q.estimate for q in asyncio.run(quotes(made))]
    assert [e.calls for e in sampled] == [e.calls for e in exact]
    assert [e.looked_at for e in sampled] == [10, 10]
    assert [e.cost for e in sampled] == [pytest.approx(e.cost, rel=0.1) for e in exact]


def test_a_model_that_fails_is_tried_again_alone(tmp_path, chats):
    failing = {**chats, WRONG: FakeChat(lambda request: Failure(status="failed", kind="server", reason="down"), model=WRONG)}
    asyncio.run(several(tmp_path, ("zero-shot",), (RIGHT, WRONG), failing).run())
    asked = chats[RIGHT].calls
    made = several(tmp_path, ("zero-shot",), (RIGHT, WRONG), chats)
    assert [q.model for q in asyncio.run(quotes(made, retry_failed=True))] == [WRONG]
    asyncio.run(made.run(retry_failed=True))
    assert (chats[RIGHT].calls, chats[WRONG].calls) == (asked, 30)


def test_an_ablation_takes_one_of_the_models(tmp_path, chats):
    made = several(tmp_path, ("clave-plain",), (RIGHT, WRONG), chats)
    asyncio.run(made.run())
    asked = {m: c.calls for m, c in chats.items()}
    asyncio.run(ablation(made, f"clave-plain@{WRONG}", without=("concepts",)))
    assert chats[RIGHT].calls == asked[RIGHT]
    assert chats[WRONG].calls > asked[WRONG]
    table = PredictionTable.read(made.folder / "ablation.parquet")
    assert table.distinct("judge")[0] == f"clave-plain@{WRONG}"


def test_one_model_keeps_the_names_as_they_are(tmp_path):
    made = session(tmp_path / "run", write(tmp_path).model_copy(update={"judges": ("zero-shot",)}), FakeChat(ANSWERS))
    asyncio.run(made.run())
    assert PredictionTable.read(made.folder).distinct("judge") == ["zero-shot"]
