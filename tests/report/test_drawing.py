"""Names beside axes."""

from clave.report.drawing import short


def test_a_name_is_cut_by_the_room_that_its_letters_take():
    assert short("a\u200bb\u200d\ufeff") == "ab"
    assert short("\ufdfa" * 50) == "\ufdfa…"
    assert short("价" * 30) == "价" * 10 + "…"
