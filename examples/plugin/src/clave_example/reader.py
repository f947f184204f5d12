"""A reader of `.dialog` files: a line of what was asked, one of what was answered, and an empty line after each pair.

Q: Where is the station?
A: Straight on, then left. Shall I show you?
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def read_dialog(path: Path) -> Iterator[dict[str, str]]:
    """The columns of each row, under the names that `--map` would otherwise give them. A ValueError is told with file and row."""
    with path.open(encoding="utf-8") as file:
        asked = ""
        number = 0
        for line in map(str.strip, file):
            if line.startswith("Q:"):
                asked = line[2:].strip()
            elif line.startswith("A:"):
                number += 1
                yield {"id": str(number), "scenario": asked, "response": line[2:].strip()}
            elif line:
                raise ValueError(f"a line must begin with 'Q:' or 'A:', not {line[:20]!r}")
