"""Bombs: what would take hours, gigabytes or the stack is refused in a sentence before it is parsed."""

import pytest

from clave.errors import InputError
from clave.llm.pricing import price_of
from clave.values import ValueSystem

BOMBS = {
    "brackets": "[" * 100_000,
    "braces": "a: " + "{a: " * 100_000,
    "dashes": "- " * 100_000 + "x",
    "indents": "".join(" " * k + "a:\n" for k in range(2_000)),
    "long": "a: " + "x" * 5_000_000,
    "closed": "[" * 50_000 + "]" * 50_000,
    "number": "a: " + "9" * 6_000,
    "quoted": 'a: "' + "[" * 100_000 + '"',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_value_system_that_is_a_bomb_is_a_sentence(name):
    with pytest.raises(InputError, match="value system bomb"):
        ValueSystem.parse(BOMBS[name], "bomb")


@pytest.mark.parametrize("name", BOMBS)
def test_a_price_file_that_is_a_bomb_is_a_sentence(name, tmp_path):
    (tmp_path / "p.yaml").write_text(BOMBS[name])
    with pytest.raises(InputError, match="prices"):
        price_of("a/b", tmp_path / "p.yaml")


def test_twenty_thousand_values_are_read_once_each():
    values = "".join(f"  - {{id: v{k}, name: n, definition: d}}\n" for k in range(20_000))
    assert len(ValueSystem.parse(f"id: many\nname: n\nversion: '1'\nvalues:\n{values}").values) == 20_000
