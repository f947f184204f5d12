"""The JSON object of an answer, wherever a model puts it, and whatever the text it quotes holds."""

import pytest

from clave.llm.chat import read_object

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
