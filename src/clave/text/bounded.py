"""Foreign YAML, with limits before it is parsed: its loader in C overflows the stack on deep nesting, which no exception tells.

load_yaml("values: [1]")     # {"values": [1]}
"""

from __future__ import annotations

from typing import Any

import yaml

MOST_CHARACTERS = 4_000_000
MOST_DEPTH = 100


def load_yaml(text: str) -> Any:
    """Parse YAML of a file that a person may have written.

    Raises:
        ValueError: It is too long, nested too deep, or no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, and at most {MOST_CHARACTERS:,} are read")
    depth = 0
    for character in text if text.count("[") + text.count("{") > MOST_DEPTH else "":
        depth += (character in "[{") - (character in "]}" and depth > 0)
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    if any(line.count("- ", 0, 4 * MOST_DEPTH) > MOST_DEPTH for line in text.splitlines() if line.lstrip().startswith("- - ")):
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    if any(len(line) - len(line.lstrip(" ")) > 4 * MOST_DEPTH for line in text.splitlines()):
        raise ValueError(f"a line is indented by more than {4 * MOST_DEPTH} spaces")
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
