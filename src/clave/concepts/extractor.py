"""Concept extraction: the large model says what a response does that bears on a value, and where it stands.

extractor = Extractor(chat)
found = await extractor.extract(response, value, guideline="Helping adheres.", examples=cases)
found.extraction.stance       # "unrelated"
"""

from __future__ import annotations

import asyncio
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from clave.concepts.prompts import template, token_for
from clave.llm.answers import Read, read
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.records import LABELS, Evidence, Extraction, Failure, Label, Response, Usage
from clave.text.content import cut_middle, folded, is_blank
from clave.values import Value

MAX_CHARACTERS = 24_000
"""Of a response or a scenario; what is longer is cut, a scenario in its middle, and the verdict says so. About 6,000 tokens."""

_FIELDS: dict[str, Any] = {
    "concepts": {"type": "array", "items": {"type": "string"}},
    "evidence": {"type": "string"},
    "stance": {"type": "string", "enum": list(LABELS)},
    "confidence": {"type": "number"},
}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCHEMA = _object(_FIELDS)


_NO_SUBSTITUTE = ("refused", "budget", "waiting", "cancelled")
"""Kinds of failure of a joint call after which its values are not asked for one by one."""


class Example(Protocol):
    """A labelled case as it stands in a prompt."""

    @property
    def scenario(self) -> str: ...
    @property
    def response(self) -> str: ...
    @property
    def label(self) -> Label: ...


@dataclass(frozen=True, slots=True)
class Extracted:
    """An extraction, and what it took."""

    extraction: Extraction
    usage: Usage
    cached: bool
    served_by: str
    request: ChatRequest
    """What this answers."""


class Extractor:
    """Finds concepts and a stance in a response, by asking a chat model."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat

    async def extract(
        self, response: Response, value: Value, *, guideline: str | None = None, examples: Sequence[Example] = ()
    ) -> Extracted | Failure:
        """Extract for one value; what goes wrong comes back as a Failure."""
        empty = _nothing_to_judge(response)
        if empty is not None:
            return empty
        request = extraction_request(response, value, guideline, examples)
        answer = await self._chat.complete(request)
        if isinstance(answer, Failure):
            return answer
        return read_alone(answer, response, request)

    async def extract_joint(
        self,
        response: Response,
        values: Sequence[Value],
        guidelines: Mapping[str, str | None],
        *,
        below: float = 0.0,
        wanted: Collection[str] | None = None,
        examples: Callable[[Value], Sequence[Example]] = lambda value: (),
    ) -> dict[str, Extracted | Failure]:
        """Extract for several values in one call, then for some by themselves: those that the answer misses or is unsure of.

        Args:
            response: The response.
            values: Those that the call asks for, whichever are wanted: one text is then one call in every run.
            guidelines: Value -> the guideline in force.
            below: Confidence below which a value is asked for by itself.
            wanted: Values to extract for; None: all.
            examples: Of a value, for the calls that ask for one.

        Returns:
            Value -> what was found. The joint call's usage stands with the first, so that a sum over verdicts is right.
        """
        chosen = [v for v in values if wanted is None or v.id in wanted]
        empty = _nothing_to_judge(response)
        if empty is not None:
            return dict.fromkeys((v.id for v in chosen), empty)
        request = joint_request(response, values, guidelines)
        answer = await self._chat.complete(request)
        if isinstance(answer, Failure) and answer.kind in _NO_SUBSTITUTE:
            return dict.fromkeys((v.id for v in chosen), answer)
        found = dict[str, Extracted | Failure]()
        if isinstance(answer, Completion):
            read = read_together(answer, values, response, request)
            found |= {v.id: read[v.id] for v in chosen if v.id in read and read[v.id].extraction.confidence >= below}
        alone = [v for v in chosen if v.id not in found]
        answers = await asyncio.gather(*(self.extract(response, v, guideline=guidelines.get(v.id), examples=examples(v)) for v in alone))
        found |= {v.id: one for v, one in zip(alone, answers, strict=True)}
        first = next((v.id for v in chosen if isinstance(found[v.id], Extracted)), None)
        if first is not None and isinstance(answer, Completion):
            paid = cast(Extracted, found[first])
            found[first] = replace(paid, usage=paid.usage + answer.usage, cached=paid.cached and answer.cached)
        return {v.id: found[v.id] for v in chosen}


def read_alone(answer: Completion, response: Response, request: ChatRequest) -> Extracted:
    """What an answer to `extraction_request` says."""
    return _extracted(*_read(answer.text), answer, response, request)


def read_together(answer: Completion, values: Sequence[Value], response: Response, request: ChatRequest) -> dict[str, Extracted]:
    """What an answer to `joint_request` says of each value; one whose part cannot be used is missing. It carries no usage."""
    read, found = _read_joint(answer.text, values), dict[str, Extracted]()
    for value in values:
        part = read.data.get(value.id)
        part, marks = _in_form(part) if isinstance(part, dict) else (part, ())
        if _problem(part) is None:
            whole = cast(dict[str, Any], part)
            found[value.id] = _extracted(whole, (*read.marks, *marks), replace(answer, usage=Usage()), response, request)
    return found


def extraction_request(response: Response, value: Value, guideline: str | None, examples: Sequence[Example]) -> ChatRequest:
    """The request for one value: also what `clave estimate` counts."""
    scenario, text = cut_middle(response.scenario, MAX_CHARACTERS), response.response[:MAX_CHARACTERS]
    shown = [(c.scenario, c.response) for c in examples]
    token = token_for(value.id, scenario, text, *(part for case in shown for part in case))
    user = template("extract").user(value=value, scenario=scenario, response=text, examples=examples, token=token)
    return ChatRequest(system=_system(value.name, value.definition, guideline), user=user, schema=SCHEMA, check=_check, token=token)


def joint_request(response: Response, values: Sequence[Value], guidelines: Mapping[str, str | None]) -> ChatRequest:
    """The request for several values at once."""
    scenario, text = cut_middle(response.scenario, MAX_CHARACTERS), response.response[:MAX_CHARACTERS]
    pairs = [(v, guidelines.get(v.id)) for v in sorted(values, key=lambda v: v.id)]
    prompt, token = template("extract_joint"), token_for(scenario, text)
    return ChatRequest(
        system=prompt.system(values=pairs),
        user=prompt.user(values=pairs, scenario=scenario, response=text, token=token),
        schema=_object({v.id: SCHEMA for v, _ in pairs}),
        check=functools.partial(_read_joint, values=values),
        max_tokens=min(16_384, 256 + 192 * len(pairs)),
        token=token,
    )


@functools.lru_cache(maxsize=512)
def _system(name: str, definition: str, guideline: str | None) -> str:
    return template("extract").system(value={"name": name, "definition": definition}, guideline=guideline)


def _nothing_to_judge(response: Response) -> Failure | None:
    if not is_blank(response.response):
        return None
    return Failure(status="failed", kind="empty", reason="the response is empty: there is nothing to judge")


def _check(text: str) -> None:
    _read(text)


@functools.lru_cache(maxsize=8)  # an answer is read where it is checked, and again where it is used
def _read(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The object of an answer for one value in the asked form, and how it was read.

    Raises:
        ValueError: There is no such object; says what is wrong with the one there is.
    """
    data, marks = read(text, lambda data: _problem(_in_form(data)[0]) is None)
    data, more = _in_form(data)
    problem = _problem(data)
    if problem is not None:
        raise ValueError(problem)
    return data, tuple(dict.fromkeys((*marks, *more)))


def _read_joint(text: str, values: Sequence[Value]) -> Read:
    return read(text, lambda data: any(isinstance(data.get(v.id), dict) for v in values))


_STANCES: dict[str, Label] = {
    **dict.fromkeys(("adhere", "adheres", "adhered", "adhering"), "adhere"),
    **dict.fromkeys(("oppose", "opposes", "opposed", "opposing"), "oppose"),
    "unrelated": "unrelated",
}


def _in_form(data: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An answer with what can only be meant in one way put into the asked form: "Adheres", "0.9", one concept for a list of one."""
    names = {name: name.strip().lower() for name in data if name not in _FIELDS}
    if data.keys() >= _FIELDS.keys() and _FIELDS.keys().isdisjoint(names.values()) and _problem(data) is None:
        return data, ()
    meant = Counter(names.values())
    plain = {name: data[name] for name in _FIELDS if name in data}
    plain |= {to: data[name] for name, to in names.items() if to in _FIELDS and to not in plain and meant[to] == 1}
    plain |= {name: data[name] for name, to in names.items() if to in data and data[to] != data[name]}  # `_problem` tells of it
    for name in ("stance", "evidence", "confidence"):
        if isinstance(plain.get(name), list) and len(plain[name]) == 1:
            plain[name] = plain[name][0]
    if isinstance(plain.get("stance"), str):
        plain["stance"] = _STANCES.get(folded(plain["stance"][:40]).strip(" .'\"*"), plain["stance"])
    if isinstance(plain.get("confidence"), str):
        plain["confidence"] = _number(plain["confidence"])
    if isinstance(plain.get("concepts"), str):
        plain["concepts"] = [plain["concepts"]]
    elif "concepts" in plain and plain["concepts"] is None:
        plain["concepts"] = []
    mended = any(name not in data or plain[name] != data[name] for name in plain)
    return plain, ("mended_form",) if mended else ()


def _number(text: str) -> float | str:
    """A confidence that was written as a text: "0.9" or "90 %"."""
    written = text.strip()
    percent = written.endswith("%")
    try:
        number = float(written.rstrip("% ")) if len(written) < 20 else math.nan
    except ValueError:
        return text
    return text if math.isnan(number) else number / 100 if percent else number


def _problem(data: object) -> str | None:
    """What is wrong with an answer for one value; None where it can be used."""
    if not isinstance(data, dict):
        return "it is not an object"
    twice = next((name for name in data if name not in _FIELDS and name.strip().lower() in _FIELDS), None)
    if twice is not None:
        return f"{twice!r} and {twice.strip().lower()!r} say different things"
    concepts = data.get("concepts")
    if not isinstance(concepts, list) or not all(isinstance(c, str) for c in concepts):
        return "'concepts' is not a list of texts"
    if data.get("stance") not in LABELS:
        return f"'stance' is {str(data.get('stance'))[:40]!r}, not one of {', '.join(LABELS)}"
    confidence = data.get("confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        return f"'confidence' is {str(confidence)[:40]!r}, not a number from 0 to 1"
    if not isinstance(data.get("evidence") or "", str):
        return "'evidence' is not a text"
    if not any(c.strip() for c in concepts) and data["stance"] != "unrelated":
        return "there is a stance and no concept"
    return None


def _extracted(data: dict[str, Any], marks: Sequence[str], answer: Completion, response: Response, request: ChatRequest) -> Extracted:
    flags: list[str] = [] if answer.mode == "json_schema" else [answer.mode]
    flags += [] if answer.source == "content" else [f"in_{answer.source.replace(' ', '_')}"]
    flags += marks
    if len(response.response) > MAX_CHARACTERS or len(response.scenario) > MAX_CHARACTERS:
        flags.append("cut")
    quote = str(data.get("evidence") or "").strip()
    found = locate(quote, response.response) if quote else None
    if quote and found is None:
        flags.append("evidence_not_found")
    concepts = tuple(dict.fromkeys(" ".join(c.split())[:300] for c in data["concepts"] if c.strip()))[:3]
    extraction = Extraction(
        concepts=concepts,
        stance=data["stance"],
        confidence=float(data["confidence"]),
        evidence=(found,) if found else (),
        flags=tuple(flags),
    )
    return Extracted(extraction, answer.usage, answer.cached, answer.model, request)


def locate(quote: str, text: str) -> Evidence | None:
    """Find a quote in a text, word for word but for case, spacing and the kind of quotation mark; None where it is not there."""
    at = text.find(quote)
    if at >= 0:
        return Evidence(text=quote, start=at, end=at + len(quote))
    wanted = [_folded(word) for word in _WORD.findall(quote)[:200]]
    if not wanted:
        return None
    words = list(_WORD.finditer(text))
    joined = "\0".join(_folded(word.group()) for word in words)
    sought = "\0".join(wanted)
    at = joined.find(sought)
    if at < 0:
        return None
    first = joined.count("\0", 0, at)
    last = first + len(wanted) - 1
    start = words[first].start() + at - (joined.rfind("\0", 0, at) + 1)
    before_last = at + len(sought) - len(wanted[-1])
    end = words[last].start() + len(wanted[-1]) + before_last - (joined.rfind("\0", 0, before_last) + 1)
    return Evidence(text=text[start:end], start=start, end=end)


_WORD = re.compile(r"\w+")


def _folded(word: str) -> str:
    """In lower case, where that leaves the length as it is."""
    lower = word.lower()
    return lower if len(lower) == len(word) else word
