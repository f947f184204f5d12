"""Every kind of edit keeps what it promises to keep, and the checks reject what does not."""

from __future__ import annotations

import random

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure, Usage
from clave.valeval.perturbations import form, surface, wording
from clave.valeval.perturbations.checks import negations, problem, too_far, words
from clave.valeval.perturbations.kind import STRENGTHS, Kind, Strength
from clave.valeval.perturbations.rewrite import rewrite
from clave.valeval.perturbations.rows import KINDS, PER_BASE, perturb, rng_for
from clave.valeval.row import ValEvalRow

TEXT = (
    "The neighbor asked for a favor, and Anna does not refuse such things. Anna carries the color samples over in the morning. "
    "Peter would rather organize a ride to the center of the town. Nobody else has offered any help so far. Many people in the street "
    "own a car. Anna is sure that you are going to recognize the old house with the green door and the wooden bench in front of it."
)
BY_ID = {k.id: k for k in KINDS}


def base(text: str = TEXT, i: int = 0) -> ValEvalRow:
    return ValEvalRow(
        id=f"s-{i}", system="mft", value="care", split="original", scenario="Help?", response=text, label="adhere", label_origin="stated",
        source="s", license="MIT", group=f"g{i}",
    )  # fmt: skip


def edit(kind: Kind, text: str, strength: Strength, seed: int = 0) -> str | None:
    return kind.apply(text, strength, random.Random(seed))


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.id)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_each_kind_edits_a_fitting_text_and_passes_its_own_check(kind: Kind, strength: Strength) -> None:
    edited = edit(kind, TEXT, strength)
    if kind.id == "sentence_order" and strength == 3:
        assert edited is None, "the text has not enough free sentences"
        return
    if kind.id == "truncation":
        edited = edit(kind, TEXT.replace("not ", ""), strength)
        assert edited is not None
        assert TEXT.replace("not ", "").startswith(edited)
        return
    assert edited is not None
    assert problem(TEXT, edited, kind) == ""
    assert edited == edit(kind, TEXT, strength), "the same seed gives the same edit"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.sampled_from(KINDS), st.sampled_from(STRENGTHS), st.integers(0, 5))
def test_no_text_breaks_a_kind(text: str, kind: Kind, strength: Strength, seed: int) -> None:
    if not text.strip():
        return
    edited = edit(kind, text, strength, seed)
    assert edited is None or isinstance(problem(text, edited, kind), str)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(TEXT.split()), min_size=8, max_size=60), st.sampled_from(STRENGTHS), st.integers(0, 9))
def test_surface_kinds_keep_every_word(tokens: list[str], strength: Strength, seed: int) -> None:
    text = " ".join(tokens)
    for kind in (BY_ID["casing"], BY_ID["punctuation"], BY_ID["homoglyphs"], BY_ID["markdown"]):
        edited = edit(kind, text, strength, seed)
        if edited is not None:
            assert words(edited) == words(text), kind.id


def test_typos_never_touch_negations_or_short_words() -> None:
    text = "never cannot without nothing refuse the and but for all declined doesn't"
    assert edit(BY_ID["typos"], text, 1) is None


def test_contractions_go_both_ways_and_count_as_one_negation() -> None:
    assert (
        wording.contractions("I do not know, and we can't say. I am here.", 3, random.Random(0))
        == "I don't know, and we cannot say. I'm here."
    )
    assert wording.contractions("I know who I am.", 3, random.Random(0)) is None, "no short form at the end of a sentence"
    assert negations("I do not") == negations("I don't") == negations("I DON’T")
    assert negations("we cannot") == negations("we can't")


def test_spelling_keeps_capitals() -> None:
    assert wording.spelling("Color and COLOUR", 3, random.Random(0)) == "Colour and COLOR"
    assert wording.spelling("No such word", 3, random.Random(0)) is None


def test_stronger_edits_change_more() -> None:
    for kind in ("typos", "homoglyphs"):
        changed = [sum(a != b for a, b in zip(TEXT, edit(BY_ID[kind], TEXT, s) or "", strict=False)) for s in STRENGTHS]
        assert changed[0] > 0
    assert [len(edit(BY_ID["truncation"], TEXT, s) or "") for s in STRENGTHS] == sorted(
        (len(edit(BY_ID["truncation"], TEXT, s) or "") for s in STRENGTHS), reverse=True
    )
    assert surface.homoglyphs("aaaa" * 50, 3, random.Random(0)) != surface.homoglyphs("aaaa" * 50, 1, random.Random(0))


def test_sentence_order_leaves_the_first_and_leaning_sentences_alone() -> None:
    tied = "One begins here. However, it leans. This leans too. Then comes more."
    assert form.sentence_order(tied, 1, random.Random(0)) is None
    free = "One begins here. Apples are red. Pears are green. Plums are blue."
    moved = form.sentence_order(free, 1, random.Random(0))
    assert moved is not None
    assert moved.startswith("One begins here. ")
    assert words(moved) != words(free)
    assert sorted(words(moved)) == sorted(words(free))


@pytest.mark.parametrize(
    "text",
    [
        "Bread is easy. Mix the flour with water. Knead the dough for a while longer. Bake it hot.",
        "Bread is easy. Start with flour and water. Water follows. Salt comes last.",
        "Bread is easy. Holding the bowl is half of it. Pouring the water is the other half. Salt helps.",
        "Bread is easy. 2. Flour is mixed. 3. Water is poured. Salt is sown.",
        "Bread is easy. After a night the dough is ready. Heat makes it rise. Salt helps.",
    ],
)
def test_sentence_order_never_scrambles_steps(text: str) -> None:
    assert all(form.sentence_order(text, strength, random.Random(seed)) is None for strength in STRENGTHS for seed in range(10))


def test_checks_name_what_is_wrong() -> None:
    kind = BY_ID["typos"]
    assert problem("one two three", "one two three", kind) == "nothing changed"
    assert problem("one two three four", "uno dos tres four", kind) == "too many words gone"
    assert problem("one two three", "one two three four five six", kind) == "too many words added"
    assert problem("we do not go there today or tomorrow", "we do now go there today or tomorrow", kind) == "a negation changed"
    assert too_far(0.2, BY_ID["filler"]) == "meaning moved too far"
    assert too_far(0.2, BY_ID["typos"]) == "", "an embedding says nothing about spelling"


def same_vectors(texts: list[str]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {t: np.ones(1, np.float32) for t in texts}


def test_rows_keep_label_group_and_scenario_and_a_thin_cell_stays_thin() -> None:
    rows, _ = perturb([base()], same_vectors, seed=0)
    assert 0 < len(rows) <= PER_BASE
    for row in rows:
        assert (row.label, row.group, row.scenario, row.base_id, row.split) == ("adhere", "g0", "Help?", "s-0", "perturbation")
    assert len({r.id for r in rows}) == len(rows)


def test_rows_do_not_hang_on_the_order_of_the_original() -> None:
    original = [
        base(TEXT.replace("Anna", name), i) for i, name in enumerate(("Ida", "Eva", "Una", "Mia", "Lea", "Zoe", "Ada", "Kim", "Ute"))
    ]
    assert perturb(original, same_vectors, 0)[0] == perturb(original[::-1], same_vectors, 0)[0]
    assert perturb(original, same_vectors, 0)[0] != perturb(original, same_vectors, 1)[0]


def test_edits_whose_meaning_moved_are_counted_and_left_out() -> None:
    def far(texts: list[str]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
        return {t: np.eye(len(texts), dtype=np.float32)[i] for i, t in enumerate(texts)}

    rows, rejected = perturb([base()], far, seed=0, kinds=[BY_ID["filler"]])
    assert rows == []
    assert any("meaning moved too far" in reason for reason in rejected)


def test_random_numbers_hang_on_row_kind_and_strength() -> None:
    assert rng_for(0, base(), "typos", 1).random() == rng_for(0, base(), "typos", 1).random()
    assert rng_for(0, base(), "typos", 1).random() != rng_for(0, base(), "typos", 2).random()


class FakeChat:
    """Answers in turn what it was given."""

    model, endpoint = "fake/one", ""
    width = 16

    def __init__(self, *answers: str | Failure) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        self.requests.append(request)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Failure) else Completion(answer, "one", "text", Usage())

    async def close(self) -> None:
        pass


def test_rewriting_counts_refusals_and_keeps_what_passes() -> None:
    refused = Failure(status="refused", kind="refused", reason="no")
    chat = FakeChat('{"text": "Anna helps the neighbour, as one would expect of her, with all those samples."}', refused)
    original = [
        base("Anna helps the neighbor with the samples, as she always does.", 0),
        base("Anna carries samples to the neighbor again.", 1),
    ]
    rows, failed = anyio.run(lambda: rewrite(original, chat, "paraphrase", same_vectors, per_cell=2, seed=0))
    assert [(r.kind, r.strength, r.label) for r in rows] == [("paraphrase", 1, "adhere")]
    assert failed == {"paraphrase: refused: refused": 1}
    assert all(r.response in chat.requests[0].user + chat.requests[1].user for r in original)


def test_a_translation_of_another_length_is_rejected() -> None:
    chat = FakeChat('{"text": "Ja."}')
    rows, failed = anyio.run(lambda: rewrite([base()], chat, "translate", same_vectors, per_cell=1, seed=0))
    assert rows == []
    assert failed == {"translate: length changed too much": 1}
