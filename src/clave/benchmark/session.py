"""A benchmark run and its folder: the plan, the data, the judges, the predictions and the manifest. Analyses work on an opened one.

session = Session.create("run", plan, budget=5.0)
outcome = asyncio.run(session.run())
session = Session.open("run")              # for an analysis: the same rows, the same model
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self, Unpack

from clave.benchmark import plan as plans
from clave.benchmark.annotators import write_annotations
from clave.benchmark.crossing import crossed, split_name
from clave.benchmark.data import BenchData, load
from clave.benchmark.plan import Plan
from clave.benchmark.predictions import PredictionWriter, compact, drop_failed
from clave.benchmark.running import Outcome, WithinBudget, run_judges
from clave.errors import InputError
from clave.evaluating.stream import interruptible
from clave.io.replacing import replacing
from clave.judges.protocol import Judge
from clave.judges.registry import Material, asks_model, open_judges
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatModel
from clave.llm.ledger import Budget
from clave.llm.opening import ChatOptions, open_chat
from clave.records import Progress
from clave.text.bounded import read_object

MANIFEST = "manifest.json"
_FREE = {"judges", "models", "jury", "base_url"}
"""What a later call on the same folder may change: rows that stand there stay right."""


def no_tick(judge: str, done: int, total: int) -> None:
    """Shows nothing."""


class Session:
    """See the module.

    Args:
        folder: Of the run.
        plan: What is compared on what.
        **options: How calls are made: budget, cache, concurrency …
    """

    def __init__(self, folder: str | Path, plan: Plan, **options: Unpack[ChatOptions]) -> None:
        self.folder, self.plan = Path(folder), plan
        self._options: ChatOptions = {**options, "base_url": options.get("base_url") or plan.base_url}
        self._options["budget"] = Budget.of(options.get("budget"))  # one for all models of the run
        self._under_way = set[asyncio.Future[None]]()
        self._began = time.perf_counter()

    @classmethod
    def create(cls, folder: str | Path, plan: Plan, **options: Unpack[ChatOptions]) -> Self:
        """A new run, or one that goes on: then the plan must be the same but for its judges.

        Raises:
            InputError: The folder holds a run on other rows or with another model.
        """
        folder, before = Path(folder), None
        if (folder / plans.FILE).is_file():
            before = Plan.read(folder / plans.FILE)
            known, now = before.model_dump(exclude=_FREE), plan.model_dump(exclude=_FREE)
            if (before.model and plan.models) or (before.models and plan.model):
                raise InputError(f"{folder} holds a run with {_named(before)}: go on with such, or name another folder with -o")
            if before.model is None:
                known["model"] = now["model"]
            changed = [key for key in now if now[key] != known[key]]
            if changed:
                raise InputError(f"{folder} holds a run with another {changed[0]!r}: name another folder with -o")
        session = cls(folder, plan, **options)
        _ = session.data  # nothing is written before the rows are known to be good
        session.judges(plan.judges)
        judges = tuple(dict.fromkeys((*(before.judges if before else ()), *plan.judges)))
        folder.mkdir(parents=True, exist_ok=True)
        models = tuple(dict.fromkeys((*(before.models if before else ()), *plan.models)))
        plan.model_copy(update={"judges": judges, "models": models}).write(folder / plans.FILE)
        return session

    @classmethod
    def open(cls, folder: str | Path, **options: Unpack[ChatOptions]) -> Self:
        """The run of a folder.

        Raises:
            InputError: There is none.
        """
        file = Path(folder) / plans.FILE
        if not file.is_file():
            raise InputError(f"{folder}: holds no benchmark run: make one with clave bench run … -o {folder}")
        return cls(folder, Plan.read(file), **options)

    @cached_property
    def data(self) -> BenchData:
        """The rows.

        Raises:
            InputError: They, or the values' definitions, are not those that the run in the folder was made on.
        """
        data, before = load(self.plan), self.manifest()
        for what, digest in _digests(data).items():
            if before.get(what, digest) != digest:
                raise InputError(
                    f"the {what.partition('_')[0]} were changed since {self.folder} was begun, and its predictions are of what they were: "
                    "restore them, or name another folder with -o"
                )
        return data

    @cached_property
    def original(self) -> str:
        """The split of the annotators' own kind of data: the first that is judged."""
        return self.data.splits[0]

    @cached_property
    def chats(self) -> dict[str, CachedChat]:
        """The large models that judges run on, by name."""
        return {model: self._opened(model) for model in self.plan.asked}

    @cached_property
    def _jury(self) -> list[CachedChat]:
        return [self._opened(model) for model in self.plan.jury]

    def _opened(self, model: str) -> CachedChat:
        chat = open_chat(model, **self._options)
        chat.tells_first_usage = True
        return chat

    @cached_property
    def asked(self) -> WithinBudget | None:
        """The large model as judges ask it, the first of several."""
        return next(map(self.within_budget, self.chats.values()), None)

    def within_budget(self, chat: ChatModel) -> WithinBudget:
        """A large model as judges ask it: the end of the budget ends the run."""
        return WithinBudget(chat, self._under_way)

    def judges(self, names: Iterable[str], wrapped: Callable[[CachedChat], ChatModel] | None = None) -> list[Judge]:
        """Judges by name; of several models each has its own, see `crossed`.

        Args:
            names: Of judges.
            wrapped: What judges are given in place of a large model; None: `within_budget`.
        """
        wrapped = wrapped or self.within_budget
        names = list(dict.fromkeys(names))
        chats = {model: wrapped(chat) for model, chat in self.chats.items()}
        material = self._material(names, chats, wrapped)
        if not self.plan.models:
            return open_judges(names, material)
        return [judge for name in names for judge in crossed(name, material, chats)]

    def asks(self, name: str) -> bool:
        """Whether a judge asks a large model."""
        return asks_model(split_name(name, self.plan.models)[0], self._material([name], dict(self.chats), lambda chat: chat))

    def _material(self, names: Iterable[str], chats: Mapping[str, ChatModel], wrapped: Callable[[CachedChat], ChatModel]) -> Material:
        """What judges are made of: the first large model, and with a jury the others."""
        first, *others = chats.values() or [None]
        jury = [*filter(None, others), *map(wrapped, self._jury)] if "jury" in names else []
        return Material(first, jury, self.data.system_of, self.plan.fold_column is not None)

    async def run(self, *, retry_failed: bool = False, tick: Progress = no_tick) -> Outcome:
        """Run the plan's judges over the rows that they have not judged yet; their predictions and the manifest are in the folder."""
        path = self.predictions()
        write_annotations(self.folder, self.data.annotated)
        if retry_failed and path.is_file():
            with PredictionWriter(path):
                pass  # refused where another run is writing the file: it would go on writing the one that is replaced
            drop_failed(path)
        self._write_manifest(_digests(self.data))  # before the first prediction: a killed run goes on, too
        judges = self.judges(self.plan.judges)
        outcome: Outcome = await self.closing(run_judges(judges, self.data.task, self.data.gold, path, tick=tick))
        self.finish("predictions")
        before = self.manifest().get("skipped", {})
        ran = {judge.name for judge in judges} - set(outcome.skipped)
        self.note(
            "run",
            original_split=self.original,
            splits={s: sum(g.split == s for g in self.data.gold.values()) for s in self.data.splits},
            values=list(self.data.values),
            value_names={identity: value.name for identity, value in self.data.values.items()},
            calibration_rows=len(self.data.calibration),
            rows_with_a_calibration_scenario=self.data.shared_scenarios,
            left_out=dict(self.data.left_out),
            skipped={name: why for name, why in (before | outcome.skipped).items() if name not in ran},
            stopped=outcome.stopped,
        )
        return outcome

    def predictions(self, name: str = "predictions") -> Path:
        """The JSONL file of the run's predictions, or of an analysis."""
        return self.folder / f"{name}.jsonl"

    def finish(self, name: str) -> None:
        """Write the Parquet file beside a JSONL file of predictions that holds any."""
        path = self.predictions(name)
        if path.is_file() and path.stat().st_size:
            compact(path)

    async def closing(self, work: Any) -> Any:
        """Await work, and close the models' connections after it, whatever comes of it.

        Ctrl-C has no more calls started and waits some seconds for those under way, so that their answers are kept.
        """
        paying = bool(self.plan.asked or self.plan.jury)
        try:
            with interruptible(self._stop) if paying else contextlib.nullcontext():
                return await work
        finally:
            self._stop("")
            for chat in self._open():
                await chat.close()

    def _stop(self, why: str) -> None:
        for chat in self._open():
            chat.ledger.stop(why)

    def _open(self) -> list[CachedChat]:
        """The models that were opened by now."""
        return [*self.__dict__.get("chats", {}).values(), *self.__dict__.get("_jury", ())]

    def manifest(self) -> dict[str, Any]:
        """What the manifest says by now; empty before the first run.

        Raises:
            InputError: It is damaged.
        """
        return read_manifest(self.folder)

    def note(self, command: str, **facts: Any) -> None:
        """Add to the manifest, with what this call of a command spent."""
        from clave.valeval.build import package_version

        manifest = self.manifest() | {"clave": package_version(), "plan": self.plan.model_dump(mode="json", exclude_defaults=True)} | facts
        manifest.setdefault("commands", []).append({"command": command, **self.spent()})
        self._write_manifest(manifest)

    def _write_manifest(self, changes: dict[str, Any]) -> None:
        manifest = self.manifest() | changes
        with replacing(self.folder / MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")

    def spent(self) -> dict[str, Any]:
        """Calls, tokens, money and seconds of this session."""
        found: dict[str, Any] = {"seconds": round(time.perf_counter() - self._began, 1)}
        ledgers = [chat.ledger for chat in self._open()]
        if ledgers:
            found |= {key: sum(getattr(x, key) for x in ledgers) for key in ("calls", "cache_hits", "prompt_tokens", "completion_tokens")}
            found["dollars"] = None if any(x.unpriced for x in ledgers) else round(sum(x.cost for x in ledgers), 6)
        return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run's folder; empty where there is none yet.

    Raises:
        InputError: It is damaged.
    """
    path = folder / MANIFEST
    try:
        return read_object(path) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"{path}: not the manifest of a benchmark run: {error}: run the benchmark into another folder") from None


def _named(plan: Plan) -> str:
    """How a plan names its models."""
    return f"one model, {plan.model}" if plan.model else f"several models, {', '.join(plan.models)}"


def _digests(data: BenchData) -> dict[str, str]:
    """Of all that judges learn from and are scored on, and of what they are told of the values."""
    rows = (
        row.model_dump_json(include={"id", "scenario", "response", "value", "label", "fold"}) for row in (*data.calibration, *data.rows)
    )
    values = (v.model_dump_json(include={"id", "name", "definition", "guideline"}) for v in data.values.values())
    return {"rows_sha256": _sha256(rows), "values_sha256": _sha256(values)}


def _sha256(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "replace"))
    return digest.hexdigest()
