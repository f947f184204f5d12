"""What the owner of a file calls the labels.

LabelNames({"1": "adhere", "0": "unrelated", "-1": "oppose"}).label(1.0, "l.csv, line 2")      # "adhere"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clave.errors import InputError, argument
from clave.io.rows import whole
from clave.records import LABELS
from clave.text.content import folded, is_blank


class LabelNames:
    """Names of labels; the labels' own are always among them. Case, spaces around, characters of no width, full-width letters and whether 1
    is written 1.0 make no difference.

    Args:
        given: Name -> label.

    Raises:
        InputError: A name is to stand for something else than a label.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        for name, label in given.items():
            if label not in LABELS:
                raise InputError(f"label {name!r} is to be {label!r}, which is not one of {', '.join(LABELS)}")
        self._names: dict[str, str] = dict(zip(LABELS, LABELS, strict=True))
        for name, label in given.items():
            if self._names.setdefault(_key(name), label) != label:
                raise InputError(f"label {name!r} is to be {label!r} and is {self._names[_key(name)]!r} already: give each name one label")

    def known(self, cell: Any) -> Any:
        """The label that a cell names; the cell where it names none."""
        return self._names.get(_key(cell), cell)

    def label(self, cell: Any, where: str) -> str:
        """The label that a cell names.

        Raises:
            InputError: It names none.
        """
        found = self._names.get(_key(cell))
        if cell is None or (found is None and is_blank(str(cell))):
            skip = argument("on_error", "skip")
            raise InputError(f"{where}: the row has no label: give it one, take the row out, or leave such rows out with {skip}")
        if found is None:
            meant = argument("label_names", {str(cell): "adhere"})
            hint = f": say what it means, e.g. {meant}" if isinstance(cell, str | int | float) else ""
            raise InputError(f"{where}: label {cell!r} is not one of {', '.join(self._names)}{hint}")
        return found


def _key(cell: Any) -> str:
    return whole(folded(str(cell)))
