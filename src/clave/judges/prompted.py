"""Prompted judges: a large model asked in the ways of the literature, with or without labelled cases, once or by vote.

    judge = PromptedJudge("zero-shot", [chat])
    judge = PromptedJudge("self-consistency", [chat] * 5, form="reasons", temperature=0.7)

The prompts are ours (prompts/judge.md), written from the papers' descriptions: yes/no per value and all values at once are the 1-by-1 and
the all@once of MoVa (Chen et al. 2025, arXiv 2509.24216); form-filling with steps and averaged samples is G-Eval's (Liu et al. 2023, arXiv
2303.16634; as there, scores are weighed by the probabilities of their tokens where the server tells them, else by samples, 5 in place of
20; their steps are the model's, here ours); self-consistency after Wang et al. (2022, arXiv 2203.11171), the jury of several models after
Verga et al. (2024, arXiv 2404.18796).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from clave.concepts.cases import encoded_text
from clave.concepts.extractor import MAX_CHARACTERS
from clave.concepts.prompts import template, token_for
from clave.evaluating.stream import Stream
from clave.judges.classical import Encode, default_encode
from clave.judges.protocol import Probabilities, Task, scored, without_label
from clave.llm.answers import read_object
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.llm.likelihoods import Weighed
from clave.records import LABELS, Failure, Label, LabelledResponse, Response, Usage, Verdict
from clave.text.content import cut_middle, is_blank
from clave.values import Value

Form = Literal["label", "reasons", "yes_no", "score"]
Pick = Callable[[Sequence[LabelledResponse], Sequence[Response]], list[list[LabelledResponse]]]
"""Chooses the labelled cases that stand in the prompt of each response."""

_LABEL = {"type": "string", "enum": list(LABELS)}
_YES_NO = {"type": "string", "enum": ["yes", "no"]}
_FIELDS: dict[Form, dict[str, Any]] = {
    "label": {"label": _LABEL},
    "reasons": {"reason": {"type": "string"}, "label": _LABEL},
    "yes_no": {"supports": _YES_NO, "opposes": _YES_NO},
    "score": {"reason": {"type": "string"}, "score": {"type": "integer", "minimum": 1, "maximum": 5}},
}
_SCORE = Weighed("score", ("1", "2", "3", "4", "5"))
_SCORES = {1: (0.0, 1.0, 0.0), 2: (0.0, 0.5, 0.5), 3: (0.0, 0.0, 1.0), 4: (0.5, 0.0, 0.5), 5: (1.0, 0.0, 0.0)}


def no_cases(calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> list[list[LabelledResponse]]:
    """Zero-shot."""
    return [[] for _ in responses]


def all_cases(calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> list[list[LabelledResponse]]:
    """Many-shot: every label of the value, in one order, so that servers can cache the prompt."""
    return [list(calibration) for _ in responses]


def random_cases(k: int, seed: int = 0) -> Pick:
    """The same k labelled cases for every response, drawn at random."""

    def pick(calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> list[list[LabelledResponse]]:
        drawn = random.Random(seed).sample(list(calibration), min(k, len(calibration)))
        return [drawn for _ in responses]

    return pick


def nearest_cases(k: int, encode: Encode = default_encode) -> Pick:
    """The k labelled cases nearest to each response, the nearest last; none of the same scenario."""

    def pick(calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> list[list[LabelledResponse]]:
        if not calibration or not responses:
            return [[] for _ in responses]
        similar = encode([encoded_text(r) for r in responses]) @ encode([encoded_text(r) for r in calibration]).T
        rows = ([calibration[j] for j in np.argsort(-row, kind="stable")] for row in similar)
        return [[c for c in row if c.group != r.group][:k][::-1] for r, row in zip(responses, rows, strict=True)]

    return pick


class PromptedJudge:
    """Asks one or several chat models for each response and value; several answers vote.

    Args:
        name: Of the judge.
        chats: Who is asked, once each; one chat given several times is asked for as many samples.
        form: What the answer holds.
        pick: Which labelled cases stand in the prompt.
        temperature: Of the samples.
    """

    def __init__(
        self, name: str, chats: Sequence[ChatModel], *, form: Form = "label", pick: Pick = no_cases, temperature: float = 0.0
    ) -> None:
        self.name = name
        self._chats, self._form, self._pick, self._temperature = chats, form, pick, temperature

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        return None if self._chats else "no large model was named"

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`."""
        for value, calibration, responses in task.by_value():
            cases = await asyncio.to_thread(self._pick, calibration, responses)
            units = ((value, r, c) for r, c in zip(responses, cases, strict=True))
            async with aclosing(Stream(units, self._judge, min(chat.width for chat in self._chats))) as verdicts:
                async for verdict in verdicts:
                    yield verdict

    async def _judge(self, unit: tuple[Value, Response, Sequence[LabelledResponse]]) -> list[Verdict]:
        return [await self._verdict(*unit)]

    async def _verdict(self, value: Value, response: Response, cases: Sequence[LabelledResponse]) -> Verdict:
        if is_blank(response.response):
            return without_label(self.name, response, "failed", "the response is empty: there is nothing to judge")
        asked: dict[int, int] = {}
        requests = []
        for chat in self._chats:
            sample = asked[id(chat)] = asked.get(id(chat), -1) + 1
            seed = sample if len(self._chats) > 1 else None
            requests.append((chat, request_for([value], response, self._form, cases, temperature=self._temperature, seed=seed)))
        answers = await self._answers(requests)
        ballots = [_ballot(a, self._form) for a in answers if not isinstance(a, Failure)]
        usage = sum((a.usage for a in answers if not isinstance(a, Failure)), Usage())
        failures = [a for a in answers if isinstance(a, Failure)]
        if not ballots or len(ballots) * 2 <= len(answers):
            return without_label(self.name, response, failures[0].status, failures[0].reason, usage)
        verdict = scored(self.name, response, np.mean(ballots, axis=0), usage)
        if self._form == "score":
            told = isinstance(answers[0], Completion) and answers[0].likelihoods is not None
            return verdict.model_copy(update={"flags": ("score_by_likelihood" if told else "score_by_samples",)})
        return verdict.model_copy(update={"probabilities": None}) if len(answers) == 1 else verdict

    async def _answers(self, requests: Sequence[tuple[ChatModel, ChatRequest]]) -> list[Completion | Failure]:
        """Ask for all samples; of scores only for one where it tells how likely the model found each score."""
        if self._form != "score":
            return list(await asyncio.gather(*(chat.complete(request) for chat, request in requests)))
        (chat, request), *others = requests
        first = await chat.complete(replace(request, weighed=_SCORE))
        if isinstance(first, Completion) and first.likelihoods is not None:
            return [first]
        return [first, *await asyncio.gather(*(chat.complete(request) for chat, request in others))]


class JointJudge:
    """Asks for all values of the task in one call per response, after MoVa; a value that the answer misses is a failed verdict."""

    def __init__(self, name: str, chat: ChatModel) -> None:
        self.name, self._chat = name, chat

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        return None

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`."""
        texts: dict[tuple[str, str], list[Response]] = {}
        for response in task.responses:
            texts.setdefault((response.scenario, response.response), []).append(response)
        values = list(task.values.values())
        units = ((values, rows) for rows in texts.values())
        async with aclosing(Stream(units, self._judge, self._chat.width)) as verdicts:
            async for verdict in verdicts:
                yield verdict

    async def _judge(self, unit: tuple[Sequence[Value], Sequence[Response]]) -> list[Verdict]:
        values, rows = unit
        answer = await self._chat.complete(request_for(values, rows[0], "joint", ()))
        if isinstance(answer, Failure):
            return [without_label(self.name, r, answer.status, answer.reason) for r in rows]
        data, usage, found = read_object(answer.text), answer.usage, []
        for response in rows:
            part = data.get(response.value or "")
            label = part.get("label") if isinstance(part, dict) else None
            if label in LABELS:
                found.append(
                    Verdict(id=response.id, value=response.value or "", status="ok", label=label, evaluator=self.name, usage=usage)
                )
            else:
                found.append(without_label(self.name, response, "failed", "the joint answer has no label for this value", usage))
            usage = Usage()  # the call is paid for once
        return found


def request_for(
    values: Sequence[Value],
    response: Response,
    form: Form | Literal["joint"],
    cases: Sequence[LabelledResponse],
    *,
    temperature: float = 0.0,
    seed: int | None = None,
) -> ChatRequest:
    """The request of one judgement."""
    fields = {v.id: _object(_FIELDS["label"]) for v in values} if form == "joint" else _FIELDS[form]
    scenario, text = cut_middle(response.scenario, MAX_CHARACTERS), response.response[:MAX_CHARACTERS]
    token = token_for(scenario, text, *(part for c in cases for part in (c.scenario, c.response)))
    prompt = template("judge", "clave.judges")

    def check(answer: str) -> None:
        data = read_object(answer)
        if form != "joint":
            read_ballot(data, form)

    return ChatRequest(
        system=prompt.system(values=values, form=form),
        user=prompt.user(cases=cases, scenario=scenario, response=text, token=token),
        schema=_object(fields),
        check=check,
        max_tokens=min(8192, 512 + 32 * len(values)),
        temperature=temperature,
        seed=seed,
        token=token,
    )


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def read_ballot(data: dict[str, Any], form: Form) -> Probabilities:
    """What one answer says, as probabilities.

    Raises:
        ValueError: It is not an answer of this form.
    """
    if form == "score":
        score = data.get("score")
        if isinstance(score, bool) or not isinstance(score, int | float) or score not in _SCORES:
            raise ValueError(f"'score' is {str(score)[:40]!r}, not a whole number from 1 to 5")
        return np.array(_SCORES[int(score)])
    if form == "yes_no":
        supports, opposes = (data.get(field) for field in ("supports", "opposes"))
        if supports not in ("yes", "no") or opposes not in ("yes", "no"):
            raise ValueError("'supports' and 'opposes' must be yes or no")
        return _one_hot("unrelated" if supports == opposes else "adhere" if supports == "yes" else "oppose")
    if data.get("label") not in LABELS:
        raise ValueError(f"'label' is {str(data.get('label'))[:40]!r}, not one of {', '.join(LABELS)}")
    return _one_hot(data["label"])


def _ballot(answer: Completion, form: Form) -> Probabilities:
    if answer.likelihoods is None:
        return read_ballot(read_object(answer.text), form)
    weighed: Probabilities = np.array([_SCORES[int(score)] for score in answer.likelihoods]).T @ list(answer.likelihoods.values())
    return weighed


def _one_hot(label: Label) -> Probabilities:
    return np.array([float(label == other) for other in LABELS])


def prompted_judges(chat: ChatModel, jury: Sequence[ChatModel] = ()) -> dict[str, Callable[[], PromptedJudge | JointJudge]]:
    """The prompted judges by name, on one large model; the jury needs further ones."""

    def judge(name: str, **more: Any) -> Callable[[], PromptedJudge]:
        return lambda: PromptedJudge(name, [chat], **more)

    return {
        "zero-shot": judge("zero-shot"),
        "zero-shot-reasons": judge("zero-shot-reasons", form="reasons"),
        "few-shot-nearest": judge("few-shot-nearest", pick=nearest_cases(4)),
        "few-shot-random": judge("few-shot-random", pick=random_cases(4)),
        "many-shot": judge("many-shot", pick=all_cases),
        "yes-no": judge("yes-no", form="yes_no"),
        "joint": lambda: JointJudge("joint", chat),
        "g-eval": lambda: PromptedJudge("g-eval", [chat] * 5, form="score", temperature=1.0),
        "self-consistency": lambda: PromptedJudge("self-consistency", [chat] * 5, form="reasons", temperature=0.7),
        "jury": lambda: PromptedJudge("jury", [chat, *jury] if jury else []),
    }
