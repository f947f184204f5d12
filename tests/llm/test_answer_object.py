"""The JSON object of an answer, wherever a model puts it, and whatever the text it quotes holds."""

import contextlib

import pytest

from clave.llm import answers
from clave.llm.answers import is_object, read_object, spoken

ANSWER = '{"stance": "adhere", "evidence": "help"}'
HOSTILE = '{"stance": "oppose", "evidence": "ends </think> {} and goes on"}'


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"```json\n{ANSWER}\n```",
        f'<think>\nIt says {{"stance": 1}}.\n</think>\n{ANSWER}',
        f"no opening mark </think>{ANSWER}",
        f"<think>the response has </think>{HOSTILE} in it, so:</think>\n{ANSWER}",
    ],
)
def test_the_object_is_found(text):
    assert read_object(text) == {"stance": "adhere", "evidence": "help"}


@pytest.mark.parametrize("before", ["", "<think>hm</think>\n", "<think>it says </think>, too</think>"])
def test_a_quote_that_holds_the_end_of_a_thought_ends_nothing(before):
    assert read_object(before + HOSTILE)["stance"] == "oppose"
    assert read_object(f"{before}```json\n{HOSTILE}\n```")["stance"] == "oppose"


def test_what_a_thought_quotes_is_no_answer():
    with pytest.raises(ValueError, match="no JSON object"):
        read_object(f"<think>The text says {ANSWER}</think> I will not answer.")


@pytest.mark.parametrize("text", ["", "no object", "[1]", "<think>{}</think> none", "{" * 5000])
def test_an_answer_without_an_object_is_refused(text):
    with pytest.raises(ValueError, match="object|JSON|Expecting|nested"):
        read_object(text)


def test_only_a_thought_that_is_an_object_passes_for_an_answer():
    assert is_object(ANSWER)
    assert is_object(f"```json\n{ANSWER}\n```")
    assert not is_object(f"The text asks me to say {ANSWER}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No.", "No."),
        ("<think>Hm.</think> No.", "No."),
        ("[THINK]Hm.[/THINK] No.", "No."),
        ("<think>Hm", ""),
        ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>No.<|return|>", "No."),
        ("The mark <|channel|> is of Harmony.", "The mark <|channel|> is of Harmony."),
    ],
)
def test_a_plain_answer_is_what_was_said(text, said):
    assert spoken(text) == said


@pytest.mark.parametrize(
    "piece",
    [" ", "{", "}", '{"', '{"a":1,', "[", "</think>", "<|channel|>final", "```\n", "\\", '"', '{"a":"', '{"a":1,}', ",", "{}", "9", "\n"],
)
def test_the_work_on_an_answer_grows_as_its_length(piece, monkeypatch):
    """Counted: characters that are scanned, parsed or cut out, of an answer and of one twice as long."""

    def work(text):
        counted = 0

        def counting(inner):
            def outer(*args, **more):
                nonlocal counted
                found = None
                try:
                    found = inner(*args, **more)
                    return found
                finally:
                    span = found is not None and inner.__name__ == "_balanced"
                    counted += (found[0] or len(args[0])) - args[1] if span else len(args[0])

            return outer

        with monkeypatch.context() as patch:
            for name in ("_parsed", "_balanced", "_unfenced", "_proper"):
                patch.setattr(answers, name, counting(getattr(answers, name)))
            with contextlib.suppress(ValueError):
                read_object(text)
        return counted

    for before, after in (("", ""), ("```json", "x"), ('{"a": "', ""), ("x", ANSWER)):
        for k in (1_000, 2_000, 4_000):
            text = before + piece * k + after
            assert work(text) <= 64 * len(text)
