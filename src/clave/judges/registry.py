"""Judges by name, as `clave bench run --judges` takes them; packages offer theirs in the entry point group `clave.judges`.

    opened = open_judges(["tfidf", "nearest-15", "zero-shot", "clave", "kaleido"], Material(chat=chat))
    open_judges(["fulcra", "lora-text:HuggingFaceTB/SmolLM2-135M-Instruct"])

What a package offers is a function from a `Material` to a judge.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

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
from clave.registry import Registry
from clave.settings import NO_MODEL, Settings


@dataclass(frozen=True)
class Material:
    """What a judge may be made of."""

    chat: ChatModel | None = None
    """The large model; a judge that needs one and has none says so in `missing`."""
    jury: Sequence[ChatModel] = ()
    """Further large models."""
    systems: Mapping[str, str] = field(default_factory=dict)
    """Value -> system; judges that learn several values together fit the systems apart."""
    given_folds: bool = False
    """Clave keeps the folds that the calibration rows carry."""


Maker = Callable[[Material], Judge]


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


def _local(make: Callable[[], Judge]) -> Maker:
    return lambda material: make()


def _prompted(name: str, material: Material) -> Judge:
    if material.chat is None:
        return Unavailable(name, _NO_MODEL)
    if name == "jury" and not material.jury:
        return Unavailable(name, "a jury needs further large models: name them with `jury`")
    return prompted_judges(material.chat, material.jury)[name]()


def _variant(name: str, material: Material) -> Judge:
    if material.chat is None:
        return Unavailable(name, _NO_MODEL)
    return ClaveJudge.variant(name, material.chat, systems=material.systems, given_folds=material.given_folds)


def _text_only(material: Material) -> Judge:
    settings = Settings(model=NO_MODEL)
    return ClaveJudge("clave-text-only", None, settings, systems=material.systems, given_folds=material.given_folds)


_NO_MODEL = "it needs a large model and none was named: name one with `model`"

JUDGES: Registry[Maker] = Registry(
    "judge",
    "clave.judges",
    {
        "majority": _local(majority),
        "surface": _local(surface),
        "scenario-only": _local(scenario_only),
        "response-only": _local(response_only),
        "lexicon": _local(lexicon),
        "tfidf": _local(tfidf),
        "tfidf-chars": _local(tfidf_chars),
        "naive-bayes": _local(naive_bayes),
        "prototypes": _local(prototypes),
        "nearest-1": _local(partial(nearest, 1)),
        "nearest-5": _local(nearest),
        "encoder-head": _local(encoder_head),
        "setfit": _local(setfit),
        "fulcra": lambda material: fulcra(material.systems),
        LORA_TEXT: lambda material: lora_text("", material.systems),
        "clave-text-only": _text_only,
        **{name: partial(_prompted, name) for name in prompted_judges(OfflineChat(NO_MODEL))},
        **{name: partial(_variant, name) for name in VARIANTS},
        **{name: _local(partial(fine_tuned, name)) for name in FINE_TUNED},
    },
    check=lambda thing: "" if callable(thing) else "it is no function from a Material to a judge",
    listing="clave bench run --judges list prints all names",
)

WITH_CHOICE = ("nearest-<k>", "setfit-<steps>", f"{LORA_TEXT}:<base>")
"""Names in which a choice stands: of neighbours, of training steps, of a base model by Hub name or folder."""


def open_judges(names: Iterable[str], material: Material | None = None) -> list[Judge]:
    """Judges by name.

    Args:
        names: Of `JUDGES`, or as in `WITH_CHOICE`.
        material: What they are made of.

    Raises:
        InputError: There is no judge of a name.
    """
    material = material or Material()
    return [_open(name, material) for name in dict.fromkeys(names)]


def asks_model(name: str, material: Material) -> bool:
    """Whether a judge asks the large model of a material: with it the judge can run, and without it not."""
    alone = replace(material, chat=None, jury=())
    return material.chat is not None and _open(name, alone).missing() is not None and _open(name, material).missing() is None


def _open(name: str, material: Material) -> Judge:
    if name not in JUDGES:
        if name.startswith(f"{LORA_TEXT}:"):
            return lora_text(name.partition(":")[2], material.systems)
        numbered = re.fullmatch(r"(nearest|setfit)-([1-9]\d{0,3})", name)
        if numbered is not None:
            return nearest(int(numbered[2])) if numbered[1] == "nearest" else _setfit(int(numbered[2]))
    judge = JUDGES[name](material)
    if not hasattr(judge, "evaluate") or not hasattr(judge, "missing"):
        raise InputError(f"judge {name!r} is no judge: it has no `evaluate` or no `missing`")
    return judge


def _setfit(steps: int) -> Judge:
    judge = setfit(steps=steps)
    judge.name = f"setfit-{steps}"
    return judge
