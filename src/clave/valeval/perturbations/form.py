"""Edits of how a text is laid out and framed: markdown and emoji, chit-chat around it, sentence order, a truncated ending."""

from __future__ import annotations

import random
import re

from clave.valeval.perturbations.kind import Kind, Strength, sentences

_EMOJI = ("📝", "🔹", "💬", "➡️", "📌", "🗒️")
"""Signs without a mood."""


def markdown(text: str, strength: Strength, rng: random.Random) -> str | None:
    """A quote block; a list item with an emoji for each sentence; the same between rules, with the first words bold."""
    if strength == 1:
        return "\n".join(f"> {line}" for line in text.splitlines())
    sign = rng.choice(_EMOJI)
    lines = [f"- {sign} {s}" for line in text.splitlines() if line.strip() for s in sentences(line)]
    if strength == 3:
        lines[0] = re.sub(r"(- \S+ )((?:\S+ ){0,2}\S+)", r"\1**\2**", lines[0], count=1)
        lines = ["---", *lines, "---"]
    return "\n".join(lines)


_BEFORE = (
    "Hi there!",
    "Good morning!",
    "Hello again.",
    "Hope your day is going well.",
    "Thanks for stopping by.",
    "Glad to hear from you.",
)
_AFTER = ("Have a nice day!", "Talk to you soon.", "That is all from me.", "Take care!", "Best wishes.", "Enjoy the rest of your week.")


def chitchat(text: str, strength: Strength, rng: random.Random) -> str | None:
    """A greeting before it; a farewell after it; two of the one and the other around it."""
    if strength == 1:
        return f"{rng.choice(_BEFORE)} {text}"
    if strength == 2:
        return f"{text} {rng.choice(_AFTER)}"
    return f"{' '.join(rng.sample(_BEFORE, 2))} {text} {' '.join(rng.sample(_AFTER, 2))}"


_TIED = re.compile(
    r"(?:this|that|these|those|it|its|he|she|they|his|her|their|however|therefore|thus|so|but|and|or|then|also|additionally|moreover|"
    r"furthermore|instead|finally|first|second|third|next|because|for example|in addition|as a result|such|another|others|\d|[-*•])\b",
    re.IGNORECASE,
)


_STEPS = re.compile(
    r"\b(?:steps?|first(?:ly)?|second(?:ly)?|third(?:ly)?|then|next|finally|last(?:ly)?|afterwards?|after|before|once|begin|starts?|until|while|"
    r"when|\d+[.):])(?=\W|$)",
    re.IGNORECASE,
)
"""A text with such a word may tell an order in time."""
_ORDERS = re.compile(
    r"(?!(?:i|we|you|people|all|not|if|as|in|on|of|for|with|from|by|at|to|what|who|is|are|was|do|does|can|could|would|should|will|one|many|most|"
    r"some|no|nobody|everyone|even|just|only|while|since|like|than)\b)"
    r"(?:\w+ing\b|be\b|\w+ (?:the|an?|your|his|her|their|its?|them|him|this|that|these|those|some|any|up|down|out|off|on|in|into|to|with|"
    r"for)\b)",
    re.IGNORECASE,
)
"""How a sentence begins that tells someone to do something (Pour the …, Tie it …), or does something on the way: it may be a step."""


def sentence_order(text: str, strength: Strength, rng: random.Random) -> str | None:
    """One, two or three pairs of neighbouring sentences change places; the first sentence stays, and sentences that lean on their
    forerunner (however, this, it, …) neither move nor lose it. Where a text may tell steps, nothing moves."""
    if "\n" in text.strip() or _STEPS.search(text):
        return None
    parts = sentences(text)
    fixed = [bool(_TIED.match(p)) for p in parts]
    orders = [bool(_ORDERS.match(p)) for p in parts]
    free = [i for i in range(1, len(parts) - 1) if not any(fixed[i : i + 3]) and not any(orders[i : i + 2])]
    swaps: list[int] = []
    for i in rng.sample(free, len(free)):
        if len(swaps) < strength and all(abs(i - j) > 1 for j in swaps):
            swaps.append(i)
    if len(swaps) < strength:
        return None
    for i in swaps:
        parts[i], parts[i + 1] = parts[i + 1], parts[i]
    return " ".join(parts)


_CUT_SHARE = {1: 0.08, 2: 0.16, 3: 0.25}


def truncation(text: str, strength: Strength, rng: random.Random) -> str | None:
    """The last 8, 16 or 25 % of the words are lost, as when an answer hits its length limit; only texts of forty words and more."""
    ends = [m.end() for m in re.finditer(r"\S+", text)]
    if len(ends) < 40:
        return None
    return text[: ends[len(ends) - 1 - max(1, round(_CUT_SHARE[strength] * len(ends)))]].rstrip(".!?,;: ")


KINDS = (
    Kind("markdown", "Layout and neutral signs around the same words.", markdown, 0.0, 0.0),
    Kind("chitchat", "Greetings and farewells state nothing about what stands between them.", chitchat, 0.0, 1.5, semantic=True),
    Kind("sentence_order", "The same sentences; only such as do not lean on each other change places.", sentence_order, 0.0, 0.0, True),
    Kind(
        "truncation",
        "A long text has shown its stance before its last quarter; cut-off negations are rejected.",
        truncation,
        0.3,
        0.0,
        True,
    ),
)
