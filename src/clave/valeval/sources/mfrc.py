"""MFRC, the Moral Foundations Reddit Corpus: comments and the foundations that trained annotators saw in them.

Trager et al. 2022, arXiv 2208.05545.

Reading: three or more annotators -> adhere (the comment speaks from the foundation). Count 0, and two or more 'Non-Moral' -> unrelated.
There is no polarity, so no oppose. Equality and Proportionality are fairness (the higher count), Purity is sanctity.
"""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Annotated, Item, Source, SourceRow

VALUES = {
    "care": ("Care",),
    "fairness": ("Equality", "Proportionality"),
    "loyalty": ("Loyalty",),
    "authority": ("Authority",),
    "sanctity": ("Purity",),
}
VOTES = 3
"""Two of them agree on the topic more often than on the foundation."""
_AGGREGATED, _OFFICIAL = "mfrc/MFRC_nlpforsocialinteractions.csv", "mfrc/final_mfrc_data.csv"


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    rows = _counted(root / files[0]) if files[0] == _OFFICIAL else _aggregated(root / files[0])
    for raw, counts in rows:
        # The texts are escaped twice.
        text = html.unescape(html.unescape(raw)).strip()
        if not text:
            yield SourceRow(left_out="empty text")
            continue
        items = tuple(_items(text, counts))
        yield SourceRow(items, "" if items else "no foundation seen by three, and not two who saw none")


def annotated(root: Path, files: tuple[str, ...]) -> Iterator[Annotated]:
    """For each foundation, whether each of three annotators saw it.

    The aggregated file does not say how many annotators a comment had; its counts are those of three (none above three but in two comments,
    which are passed over). Of the official file, comments of three annotators are taken.
    """
    if files[0] == _OFFICIAL:
        said = defaultdict[str, list[str]](list)
        for row in csv_rows(root / files[0], columns=("text", "annotator", "annotation")):
            said[row["text"]].append(row["annotation"])
        counted = ((text, Counter(a.strip() for one in own for a in {*one.split(",")})) for text, own in said.items() if len(own) == VOTES)
    else:
        counted = ((text, c) for text, c in _aggregated(root / files[0]) if max(c.values()) <= VOTES)
    for text, counts in counted:
        for column in (c for columns in VALUES.values() for c in columns):
            yield Annotated(text, ("seen",) * counts[column] + ("not seen",) * (VOTES - counts[column]))


def _aggregated(path: Path) -> Iterator[tuple[str, Counter[str]]]:
    for row in csv_rows(path, delimiter="\t", columns=("text", "Non-Moral", "Purity")):
        yield row["text"], Counter({name: int(n) for name, n in row.items() if name not in {"ID", "text"}})


def _counted(path: Path) -> Iterator[tuple[str, Counter[str]]]:
    """The official file has a row for each annotator of a comment."""
    texts = defaultdict[str, Counter[str]](Counter)
    for row in csv_rows(path, columns=("text", "annotator", "annotation")):
        texts[row["text"]].update({a.strip() for a in row["annotation"].split(",")})
    yield from texts.items()


def _items(text: str, counts: Counter[str]) -> Iterator[Item]:
    for value, columns in VALUES.items():
        votes = max(counts[c] for c in columns)
        if votes >= VOTES:
            yield Item("", text, "mft", value, "adhere", "stated", f"{votes} votes")
        elif not votes and counts["Non-Moral"] >= 2:
            yield Item("", text, "mft", value, "unrelated", "stated", f"{counts['Non-Moral']} votes")


SOURCE = Source(
    id="mfrc",
    title="Moral Foundations Reddit Corpus",
    role="generalization",
    systems=("mft",),
    layouts=((_OFFICIAL,), (_AGGREGATED,)),
    license="CC-BY-4.0",
    labels_by="three or more trained annotators",
    text_type="Reddit comments",
    attribution="MFRC, Trager et al. 2022 (arXiv:2208.05545), USC MOLA Lab",
    home="https://huggingface.co/datasets/USC-MOLA-Lab/MFRC",
    reading="A foundation that three or more annotators saw is adhere; one that nobody saw in a comment that two call "
    "non-moral is unrelated.",
    judgement="Seeing a foundation is read as adhering: the source does not say whether the comment upholds or violates it. Equality and "
    "Proportionality are both fairness.",
    gaps="No oppose rows: it tells only whether a judge sees that a value is touched.",
    load=load,
    annotated=annotated,
    annotated_of="whether a comment shows a foundation, each of six asked by itself",
)
