"""A small evaluator that learns from a large one: no calls any more, and the loss stated before it is offered.

    found = distill(Clave.load("large"), read_responses("unlabelled.jsonl"), calls=500)
    print(found.summary())
    if found.offered:
        found.student.save("small")

The large evaluator labels a diverse sample: responses are clustered by K-Means into as many clusters as calls allow and the one nearest
to each centre is taken (the paper picks the samples to label in the same way). The small model learns from those soft verdicts
and from the human labels. Whether it is offered, human labels decide that it did not see: a file of them, or else cross-validation by
scenario on the labels that the large evaluator was fitted on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clave.calibration import Calibration, cross_calibrated
from clave.concepts.cases import CaseIndex, encoded_text
from clave.encoder import load_encoder
from clave.encoder.precision import Precision
from clave.errors import InputError
from clave.evaluating.judging import Unit
from clave.evaluator import Clave
from clave.fitting.fitted import Cost, Distillation, Fitted
from clave.fitting.learn import Learnt, scores_of
from clave.fitting.samples import check_apart
from clave.recognizers.observation import Observation
from clave.recognizers.registry import recognizer_class
from clave.recognizers.training import Context
from clave.records import LABELS, Label, LabelledResponse, Progress, Response, Verdict
from clave.scoring.metrics import accuracy, accuracy_difference
from clave.scoring.statistics import Difference, Estimate
from clave.settings import NO_MODEL, Settings, Training
from clave.trust import names_in, remember

_LEAST = 0.02
"""Share of a soft label below which it is left out."""


@dataclass(frozen=True)
class Distilled:
    """A student, and what decides whether it is offered."""

    student: Clave
    offered: bool
    teacher: Estimate
    """Accuracy of the large evaluator on human labels it had not seen."""
    alone: Estimate
    """Of the same small model without the soft verdicts."""
    accuracy: Estimate
    """Of the student."""
    loss: Difference
    """How far the student falls behind the teacher where both gave a verdict."""
    most: float
    """The loss up to which it is offered, at the upper end of the interval."""
    human: int
    """Human labels it learnt from."""
    labelled: int
    """Soft verdicts it learnt from."""
    failed: int
    """Verdicts that the large evaluator could not give."""
    calls: int
    judged_on: str
    stopped: str
    """Why the teacher was asked about less than was chosen, e.g. that the budget is used up; empty where it was not."""

    def summary(self) -> str:
        """What it learnt from, how it compares, and whether it is offered."""
        early = f"It was to learn from more: {self.stopped}. " if self.stopped else ""
        verdict = "It is offered" if self.offered else "It is not offered"
        known = self.loss.value is not None and self.loss.high is not None
        loss = f"{self.loss.value:.3f}, at the upper end of its interval {self.loss.high:.3f}," if known else "not known,"
        return (
            f"The small model learnt from {self.labelled:,} soft verdicts ({self.calls:,} calls, {self.failed} failed) and "
            f"{self.human:,} human labels. {early}On {self.judged_on} it is {self.accuracy} accurate; without the "
            f"soft verdicts it would be {self.alone}, and the large evaluator is {self.teacher}. {verdict}: the loss is {loss} "
            f"and at most {self.most:g} was allowed."
        )


def distill(
    teacher: Clave,
    responses: Iterable[Response],
    *,
    calls: int,
    held_out: Sequence[LabelledResponse] = (),
    most_loss: float = 0.05,
    recognizer: str = "head",
    training: Training | None = None,
    seed: int = 0,
    progress: Progress = lambda stage, done, total: None,
) -> Distilled:
    """Distil a fitted evaluator with a large model into one that makes no calls.

    Args:
        teacher: Fitted, with a large model.
        responses: Unlabelled; all are encoded, those that are picked are sent to the large model. Those of held-out scenarios are left out.
        calls: Calls for labelling, at the most. Scoring on `held_out` takes one more for each of its rows.
        held_out: Human labels that neither has seen; empty: cross-validation by scenario on the teacher's own.
        most_loss: Accuracy that the student may lose against the teacher, at the upper end of the 95 % interval, and still be offered: a
            loss that a few labels do not show is not shown to be none.
        recognizer: The student's, see `Settings.recognizer`.
        training: How it is trained, where it is fine-tuned.
        seed: Of everything random.
        progress: Called with stage, done and total.

    Raises:
        InputError: The teacher is not fitted or makes no calls, it learnt from a held-out row, or there is nothing to learn from.
        ModelError: The large model cannot be used.
    """
    fitted = teacher.fitted
    if fitted is None or not teacher.settings.calls:
        raise InputError("only a calibrated evaluator with a large model can be distilled")
    if calls < 1:
        raise InputError("distilling takes at least one call: raise `calls`")
    if held_out:
        check_apart((s.labelled for s in fitted.samples), held_out)
        judged = {row.group for row in held_out}
        responses = (r for r in responses if r.group not in judged)  # the student must not learn the teacher's verdicts on them
    else:
        fitted.learnt.out_of_fold()  # what it will be judged on must be there before anything is spent
    settings = Settings(
        model=NO_MODEL,
        recognizer=recognizer,
        training=training or Training(),
        features=("text",),
        encoder=teacher.settings.encoder,
        int8=False,  # vectors must be those that the samples were encoded with
        folds=teacher.settings.folds,
        seed=seed,
    )
    units = _diverse(teacher, responses, calls, seed, progress)
    if not units:
        raise InputError("there is no response to learn from")
    soft, failed, stopped = teacher.judging.run(_ask(teacher, units, progress))
    spent = sum(verdict.usage.calls for _, verdict in soft)
    if not soft:
        raise InputError(f"the large model gave none of {failed} verdicts: there is nothing to learn from")
    remember(name for name in names_in(settings) if name.kind == "base")  # the user's own word; the encoder is the teacher's
    student, alone = (_learn(fitted, settings, rows, seed, progress) for rows in (soft, []))
    if held_out:
        judged_on = f"{len(held_out)} held-out labels"
        gold, groups = [r.label for r in held_out], [r.group for r in held_out]
        said = [_labels_of(clave, held_out) for clave in (teacher, Clave.of(alone), Clave.of(student))]
    else:
        judged_on = f"{len(fitted.samples)} labels, cross-validated by scenario,"
        gold, groups = [s.labelled.label for s in fitted.samples], [s.labelled.group for s in fitted.samples]
        said = [_out_of_fold(one) for one in (fitted, alone, student)]
    of_teacher, of_alone, of_student = (accuracy(gold, labels, groups) for labels in said)
    loss = accuracy_difference(gold, said[0], said[2], groups)
    learnt_from = Distillation(
        source=teacher.name,
        verdicts=len(soft),
        failed=failed,
        digest=_digest(soft),
        accuracy=of_student,
        teacher=of_teacher,
        loss=loss,
    )
    name = f"clave-{student.system.id}-{_digest(soft, student.name)}"
    return Distilled(
        student=Clave.of(student.renamed(name, learnt_from)),
        human=len(student.samples),
        offered=loss.high is not None and loss.high <= most_loss,
        teacher=of_teacher,
        alone=of_alone,
        accuracy=of_student,
        loss=loss,
        most=most_loss,
        labelled=len(soft),
        failed=failed,
        calls=spent,
        judged_on=judged_on,
        stopped=stopped,
    )


def _diverse(teacher: Clave, responses: Iterable[Response], calls: int, seed: int, progress: Progress) -> list[Unit]:
    """A diverse sample that takes at most `calls` calls: the responses nearest to the centres of K-Means."""
    from sklearn.cluster import MiniBatchKMeans

    distinct = {(r.scenario, r.response, r.value): r for r in responses if r.response.strip()}
    twice = [i for i, n in Counter(r.id for r in distinct.values() if r.value is None).items() if n > 1]
    if twice:
        raise InputError(f"id {twice[0]!r} stands for different texts: give each response an id of its own")
    judging = teacher.judging
    rows = [(r, judging.values_of(r)) for r in distinct.values()]
    cost = [len(list(judging.split([unit]))) for unit in rows]
    if sum(cost) <= calls:
        return rows
    progress("embeddings", 0, 1)
    vectors = judging.encoder.encode_now([encoded_text(r) for r, _ in rows])
    progress("embeddings", 1, 1)
    k = max(1, min(len(rows), int(calls / (sum(cost) / len(cost)))))
    found = MiniBatchKMeans(k, n_init=1, random_state=seed).fit(vectors)
    distance = ((vectors - found.cluster_centers_[found.labels_]) ** 2).sum(axis=1)
    rank = np.zeros(len(rows), int)  # 0 for the nearest of its cluster, 1 for the next …
    for cluster in range(k):
        own = np.flatnonzero(found.labels_ == cluster)
        rank[own[np.argsort(distance[own], kind="stable")]] = np.arange(len(own))
    chosen, left = list[Unit](), calls
    for i in np.lexsort((distance, rank)):
        if cost[i] <= left:
            chosen.append(rows[i])
            left -= cost[i]
    return chosen


async def _ask(teacher: Clave, units: Sequence[Unit], progress: Progress) -> tuple[list[tuple[Response, Verdict]], int, str]:
    """The teacher's verdicts with probabilities, how many it could not give, and why it was stopped early, if it was."""
    by_id = {(r.id, v.id): r for r, values in units for v in values}
    found, failed = list[tuple[Response, Verdict]](), 0
    async with teacher:
        verdicts = teacher.judging.verdicts(units)
        async for verdict in verdicts:
            if verdict.probabilities is None:
                failed += 1
            else:
                found.append((by_id[verdict.id, verdict.value], verdict))
            progress("verdicts", len(found) + failed, len(by_id))
    return sorted(found, key=lambda pair: (pair[1].id, pair[1].value)), failed, verdicts.stopped


def _learn(teacher: Fitted, settings: Settings, soft: Sequence[tuple[Response, Verdict]], seed: int, progress: Progress) -> Fitted:
    """A student from human labels and soft verdicts; calibrated on the human ones, out of fold."""
    encoder = load_encoder(settings.encoder)
    samples = tuple(s.model_copy(update={"extraction": None}) for s in teacher.samples)
    vectors = encoder.encode([encoded_text(s.labelled) for s in samples])
    observations = [Observation(s.labelled.value, s.labelled, v) for s, v in zip(samples, vectors, strict=True)]
    labels: list[Label] = [s.labelled.label for s in samples]
    groups, weights = [s.labelled.group for s in samples], [1.0] * len(samples)
    texts = encoder.encode([encoded_text(r) for r, _ in soft]) if soft else vectors[:0]
    for (response, verdict), vector in zip(soft, texts, strict=True):
        for label, share in (verdict.probabilities or {}).items():
            if share >= _LEAST:
                observations.append(Observation(verdict.value, response, vector))
                labels.append(label)
                groups.append(response.group)
                weights.append(min(share, 0.999))  # only a person's label weighs 1
    values = {v.id: v for v in teacher.system.values}
    context = Context(values, settings.training, progress, np.array(weights))
    recognizer = recognizer_class(settings.recognizer)(("text",)).fit(observations, labels, groups, seed=seed, context=context)
    oof = recognizer.oof_[: len(samples)]
    y = np.array([LABELS.index(s.labelled.label) for s in samples])
    calibration = Calibration.fit(oof, y)
    cases = CaseIndex([s.labelled for s in samples], vectors, [s.fold for s in samples])
    scores = scores_of(samples, cross_calibrated(oof, y, groups[: len(samples)], seed=seed))
    learnt = Learnt(cases, None, recognizer, calibration, scores, oof)
    provenance = teacher.provenance.model_copy(update={"served_by": (), "cost": Cost()})
    return Fitted.of(teacher.system, settings, samples, vectors, {}, Precision(), learnt, provenance)


def _out_of_fold(fitted: Fitted) -> list[Label | None]:
    return [LABELS[i] for i in fitted.learnt.out_of_fold().argmax(axis=1)]


def _labels_of(clave: Clave, rows: Sequence[LabelledResponse]) -> list[Label | None]:
    """Its labels of human-labelled rows, None where there is no verdict."""
    asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows]
    said = {(v.id, v.value): v.label for v in clave.evaluate(asked)}
    return [said.get((r.id, r.value)) for r in rows]


def _digest(soft: Sequence[tuple[Response, Verdict]], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for response, verdict in soft:
        digest.update(f"{response.model_dump_json()}{verdict.value}{verdict.probabilities}".encode())
    return digest.hexdigest()[:8]
