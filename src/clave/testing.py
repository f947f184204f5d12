"""Fakes for tests, yours and clave's own: a chat model that needs no key, no network and no luck.

    chat = FakeChat({"helped": "adhere", "lied": "oppose", "bomb": Failure(status="refused", kind="refused", reason="no")})
    verdicts = list(Clave("mft", chat=chat).evaluate(responses))
    chat.calls                                        # one a verdict

    FakeChat(lambda request: "not JSON at all")       # or any function of the request

Rules map words to answers; the first word that stands in the response decides, and where none does the answer is `unrelated`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure, Label, Usage

__all__ = ["Answer", "FakeChat"]

Answer = str | Mapping[str, Any] | Failure
"""A label (made into a whole answer of the asked form), an object, any other text as it is, or a failure."""


class FakeChat:
    """A `ChatModel` that answers by rules or by a function, and keeps what it was asked.

    As a real one it never returns a completion that the request's `check` refuses: that is a failure `bad_answer`.

    Args:
        answers: Words to look for in the response -> answer, or a function of the request.
        model: Its name.
    """

    endpoint = ""

    def __init__(self, answers: Mapping[str, Answer] | Callable[[ChatRequest], Answer] | None = None, *, model: str = "fake/chat") -> None:
        self.model = model
        self.requests: list[ChatRequest] = []
        self.closed = 0
        """How often it was closed."""
        self._answers = answers if callable(answers) else _by_words(answers or {})

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return 16

    @property
    def calls(self) -> int:
        """How many requests there were."""
        return len(self.requests)

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        self.requests.append(request)
        await asyncio.sleep(0)  # as with a real one, others get their turn meanwhile
        answer = self._answers(request)
        if isinstance(answer, Failure):
            return answer
        if isinstance(answer, Mapping):
            text = json.dumps(answer)
        else:
            text = answer if request.schema is None or not _is_label(answer) else json.dumps(_of_form(request.schema, answer))
        try:
            request.check(text)
        except ValueError as error:
            return Failure(status="failed", kind="bad_answer", reason=f"the answer is not of the asked form: {error}")
        prompt, completion = (len(request.system) + len(request.user)) // 4, len(text) // 4
        usage = Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, cost=0.0)
        return Completion(text, self.model, "text" if request.schema is None else "json_schema", usage)

    async def close(self) -> None:
        """See `ChatModel.close`."""
        self.closed += 1


def _first(answers: Mapping[str, Any], text: str) -> Any:
    return next((answer for word, answer in answers.items() if word in text), "unrelated")


def _by_words(answers: Mapping[str, Answer]) -> Callable[[ChatRequest], Answer]:
    def answer(request: ChatRequest) -> Answer:
        _, _, rest = request.user.partition("<response ")
        token, _, text = rest.partition(">\n")
        found: Answer = _first(answers, text.partition(f"\n</response {token}>")[0])
        return found

    return answer


def _is_label(answer: str) -> bool:
    return answer in get_args(Label)


def _of_form(schema: Mapping[str, Any], label: str) -> dict[str, Any]:
    """An answer with this label for any request that clave makes: one value, several at once, or a guideline."""
    properties = schema["properties"]
    if "guideline" in properties:
        return {"guideline": "Label by what the response does."}
    if "label" in properties:
        return {name: label if name == "label" else "Because of what it does." for name in properties}
    if "stance" in properties:
        return {"concepts": [_concept(label)], "evidence": "", "stance": label, "confidence": 0.9}
    return {value: _of_form(part, label) for value, part in properties.items()}


def _concept(label: str) -> str:
    return {"adhere": "Acting on the value", "oppose": "Acting against the value"}.get(label, "Leaving the value aside")
