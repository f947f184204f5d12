"""Judges by name, as `clave bench run --judges` takes them.

opened = open_judges(["tfidf", "zero-shot", "clave", "kaleido"], chat=chat)
local_judge("nearest-15")
open_judges(["fulcra", "lora-text:HuggingFaceTB/SmolLM2-135M-Instruct"])
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches

from clave.errors import InputError
from clave.judges.classical import encoder_head, majority, naive_bayes, nearest, prototypes, tfidf, tfidf_chars
from clave.judges.clave_judge import VARIANTS, ClaveJudge
from clave.judges.controls import response_only, scenario_only, surface
from clave.judges.fine_tuned import FINE_TUNED, fine_tuned
from clave.judges.lexicon import lexicon
from clave.judges.prompted import prompted_judges
from clave.judges.protocol import Judge, Task
from clave.judges.setfit_judge import setfit
from clave.judges.trained import LORA_TEXT, fulcra, lora_text
from clave.llm.chat import ChatModel, OfflineChat
from clave.records import Verdict
from clave.settings import NO_MODEL, Settings

LOCAL: dict[str, Callable[[], Judge]] = {
    "majority": majority,
    "surface": surface,
    "scenario-only": scenario_only,
    "response-only": response_only,
    "lexicon": lexicon,
    "tfidf": tfidf,
    "tfidf-chars": tfidf_chars,
    "naive-bayes": naive_bayes,
    "prototypes": prototypes,
    "nearest-1": lambda: nearest(1),
    "nearest-5": nearest,
    "encoder-head": encoder_head,
    "setfit": setfit,
}
"""Judges that run on this machine without a call. Any other `nearest-<k>` is one too, and so is `setfit-<steps>`."""

FULCRA = "fulcra"
TEXT_ONLY = "clave-text-only"
"""Clave without a large model: its head on the text's own vector."""

_NO_CHAT = OfflineChat(NO_MODEL)
"""Stands in where only names are wanted."""

_NUMBERED: dict[str, Callable[[int], Judge]] = {"nearest": nearest, "setfit": lambda steps: _setfit(steps)}


def _setfit(steps: int) -> Judge:
    judge = setfit(steps=steps)
    judge.name = f"setfit-{steps}"
    return judge


class Unavailable:
    """A judge that cannot run here, e.g. because it needs a large model and none was named."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self._reason = name, reason

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        return self._reason

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`."""
        raise InputError(f"{self.name} cannot run: {self._reason}")
        yield  # makes it an iterator


def local_judge(name: str) -> Judge:
    """A judge that needs no large model.

    Raises:
        InputError: There is none of this name.
    """
    if name in LOCAL:
        return LOCAL[name]()
    numbered = re.fullmatch(r"(nearest|setfit)-([1-9]\d{0,3})", name)
    if numbered is None:
        raise InputError(f"there is no judge {name!r}: there are {', '.join(LOCAL)}")
    return _NUMBERED[numbered[1]](int(numbered[2]))


WITH_CHOICE = ("nearest-<k>", "setfit-<steps>", f"{LORA_TEXT}:<base>")
"""Names in which a choice stands: of neighbours, of training steps, of a base model by Hub name or folder."""


def judge_names() -> list[str]:
    """Every name that `open_judges` knows, but for those of `WITH_CHOICE`."""
    return [*LOCAL, FULCRA, LORA_TEXT, TEXT_ONLY, *prompted_judges(_NO_CHAT), *VARIANTS, *FINE_TUNED]


def open_judges(
    names: Iterable[str],
    chat: ChatModel | None = None,
    *,
    jury: Sequence[ChatModel] = (),
    systems: Mapping[str, str] | None = None,
    given_folds: bool = False,
) -> list[Judge]:
    """Judges by name.

    Args:
        names: Of `judge_names`, or as in `WITH_CHOICE`.
        chat: The large model; without one, judges that need it say so in `missing`.
        jury: Further large models, for the judge `jury`.
        systems: Which system each value belongs to; judges that learn several values together fit the systems apart.
        given_folds: Clave keeps the folds that the calibration rows carry.

    Raises:
        InputError: There is no judge of a name.
    """
    return [_open(name, chat, jury, systems, given_folds) for name in dict.fromkeys(names)]


def _open(name: str, chat: ChatModel | None, jury: Sequence[ChatModel], systems: Mapping[str, str] | None, given_folds: bool) -> Judge:
    if name in FINE_TUNED:
        return fine_tuned(name)
    if name == FULCRA:
        return fulcra(systems)
    if name.partition(":")[0] == LORA_TEXT:
        return lora_text(name.partition(":")[2], systems)
    if name == TEXT_ONLY:
        return ClaveJudge(name, None, Settings(model=NO_MODEL), systems=systems, given_folds=given_folds)
    if name in VARIANTS or name in prompted_judges(_NO_CHAT):
        if chat is None:
            return Unavailable(name, "it needs a large model and none was named: give one with --model")
        if name in VARIANTS:
            return ClaveJudge.variant(name, chat, systems=systems, given_folds=given_folds)
        if name == "jury" and not jury:
            return Unavailable(name, "a jury needs further large models: name them with --jury")
        return prompted_judges(chat, jury)[name]()
    try:
        return local_judge(name)
    except InputError:
        near = get_close_matches(name, judge_names(), 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"there is no judge {name!r}{meant}: clave bench run --judges list prints all names") from None
