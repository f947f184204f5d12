"""What the adapters share: loading, values, and a verdict for each value."""

import asyncio
import signal
import threading

import pytest
from integrations.rules import ANSWERS

from clave import Clave, EvaluatorError, InputError
from clave.integrations.hosted import Hosted, NoVerdictError, judged, reason_with_evidence
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.testing import FakeChat


def test_each_value_has_its_verdict_many_at_once(evaluator):
    hosted = Hosted.open(str(evaluator))

    async def many():
        return await asyncio.gather(*(hosted.judge(f"She {act} {i}.") for i in range(5) for act in ("helped", "harmed")))

    found = asyncio.run(many())
    assert [(v["care"].label, v["honesty"].label) for v in found] == [("adhere", "adhere"), ("oppose", "oppose")] * 5


def test_connections_stay_while_another_one_over_the_same_evaluator_has_a_response_under_way(saved):
    class Slow(FakeChat):
        async def complete(self, request):
            if "harmed" in request.user:
                await late.wait()
            return await super().complete(request)

    chat, late = Slow(ANSWERS), asyncio.Event()
    clave = Clave.load(saved, chat=chat)

    async def both():
        slow = asyncio.create_task(Hosted.open(clave, "care").judge("She harmed."))
        await Hosted.open(clave, "honesty").judge("She helped.")
        before = chat.closed
        late.set()
        await slow
        return before, chat.closed

    assert asyncio.run(both()) == (0, 1)


@pytest.mark.parametrize("values", ["honesty", "honesty, honesty", ["honesty"], ("honesty",)])
def test_values_are_a_list_or_have_commas_between(evaluator, values):
    assert Hosted.open(str(evaluator), values).values == ("honesty",)


def test_what_cannot_be_judged_is_one_sentence(evaluator, tmp_path):
    with pytest.raises(InputError, match=r"does not judge value 'pride', only care, honesty"):
        Hosted.open(str(evaluator), "pride")
    with pytest.raises((EvaluatorError, InputError), match="nowhere"):
        Hosted.open(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(("response", "why"), [("A bomb!", "refused, I will not read this"), (" \n", "failed, .*empty")])
def test_no_verdict_is_never_a_label(evaluator, response, why):
    verdict = asyncio.run(Hosted.open(str(evaluator)).judge(response))["care"]
    with pytest.raises(NoVerdictError, match=f"no verdict on care: {why}"):
        judged(verdict)


def test_a_budget_that_is_used_up_leaves_verdicts_that_say_so(evaluator, monkeypatch):
    hosted = Hosted.open(str(evaluator))

    async def stopped(*_, **__):
        return {}

    monkeypatch.setattr(type(hosted.clave), "ajudge_one", stopped)
    found = asyncio.run(hosted.judge("She helped."))
    assert {v.status for v in found.values()} == {"failed"}
    assert "stopped" in reason_with_evidence(found["care"])


def test_ctrl_c_keeps_the_answers_that_are_under_way(saved, tmp_path):
    class Held(FakeChat):
        """Answers when Ctrl-C was heard."""

        async def complete(self, request):
            answer = await super().complete(request)
            if not pressed:
                pressed.append(True)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            for _ in range(1000):
                if chat.ledger.stopped:
                    break
                await asyncio.sleep(0.01)
            return answer

    pressed, held, cache = [], Held(ANSWERS), AnswerCache(tmp_path / "cache.sqlite")
    chat = CachedChat(held, cache)
    with pytest.raises(KeyboardInterrupt):
        Hosted.open(Clave.load(saved, chat=chat), "care").judge_all([("", f"She helped {i}.") for i in range(20)])
    assert sum(chat.kept(request) is not None for request in held.requests) == held.calls
    cache.close()
