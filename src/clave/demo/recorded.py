"""The demonstration's large model: it answers from answers.jsonl, which a large language model wrote once, prompt by prompt.

    chat = RecordedChat()
    clave = Clave(demo_system(), chat=chat, settings=demo_settings()).fit(demo_labels())

An answer is found by the whole text of its prompt. An edited prompt, example or response finds none, and is refused: answers to
other questions would be no demonstration. `clave.demo.recording` says which are missing and takes new ones in.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources

from clave.errors import ModelError
from clave.io import read_labels, read_responses
from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure, Label, LabelledResponse, Response, Usage
from clave.settings import Settings
from clave.values import ValueSystem

MODEL = "demo/recorded"
VALUES = ["care", "fairness", "authority"]
_TOKEN = re.compile(r"\b[0-9a-f]{16,64}\b")
"""What marks where a text begins and ends: a hash of the texts that stand in the prompt anyway, so it is no part of the question."""


class RecordedChat:
    """A `ChatModel` that knows the answers in answers.jsonl, and no others."""

    model = MODEL
    endpoint = "demo"

    def __init__(self) -> None:
        rows = map(json.loads, _lines("answers.jsonl"))
        self._answers: dict[str, str] = {row["prompt"]: json.dumps(row["answer"], ensure_ascii=False) for row in rows}

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return 16

    def kept(self, request: ChatRequest) -> str | None:
        """The answer to a request, if it was recorded."""
        return self._answers.get(prompt_id(request))

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        text = self.kept(request)
        if text is None:
            raise ModelError(
                "the demo's recorded answers are for other prompts than this clave has: python -m clave.demo.recording says more"
            )
        request.check(text)
        return Completion(text, MODEL, "json_schema", Usage(), cached=True)

    async def close(self) -> None:
        """Nothing to close."""


def prompt_id(request: ChatRequest) -> str:
    """What a prompt's answer is found by: 24 hex digits of its text without the token of its marks."""
    text = _TOKEN.sub("", f"{request.system}\0{request.user}")
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def demo_system() -> ValueSystem:
    """Three of the five moral foundations."""
    return ValueSystem.load("mft").subset(VALUES)


def demo_settings(model: str = MODEL) -> Settings:
    """All values in one call: a third of the calls, for those who run the demo with a model of their own."""
    return Settings(model=model, ask="joint")


def demo_labels() -> list[LabelledResponse]:
    """The labelled examples."""
    with resources.as_file(_FOLDER / "examples.jsonl") as path:
        return list(read_labels(path))


def demo_responses() -> list[Response]:
    """The responses of three imaginary assistants to 36 scenarios; `metadata["model"]` names the assistant."""
    with resources.as_file(_FOLDER / "responses.jsonl") as path:
        return list(read_responses(path))


def demo_key() -> dict[tuple[str, str], Label]:
    """The authors' labels of the responses: (id, value) -> label."""
    rows = map(json.loads, _lines("responses_key.jsonl"))
    return {(row["id"], value): row[value] for row in rows for value in VALUES}


_FOLDER = resources.files("clave.demo")


def _lines(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").splitlines()
