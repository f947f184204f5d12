import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.text.content import cut_middle, is_blank


@pytest.mark.parametrize(
    "text", ["", " \t\n", "\u200b\u200d\ufeff", "\u3164\u2800\u115f", "\ufe0f", "\x00\x1b", "\U000e0020\U000e0101", "\u202e \u2028"]
)
def test_what_cannot_be_seen_is_blank(text):
    assert is_blank(text)


@pytest.mark.parametrize("text", [".", "\u200bno\u200b", "是", "🫨", "👍🏽", "ا", "\u0301e", "0"])
def test_what_can_be_seen_is_not(text):
    assert not is_blank(text)


@given(text=st.text(max_size=400), most=st.integers(100, 300))
def test_a_long_text_keeps_its_two_ends(text, most):
    cut = cut_middle(text, most)
    assert len(cut) <= most
    assert (cut == text) == (len(text) <= most)
    assert cut[:10] == text[:10]
    assert cut[-10:] == text[-10:]
