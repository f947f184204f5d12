"""How far the annotators of a split agree with one another: beside it an evaluator's accuracy is read.

    write_annotations("run", data.annotated)     # run/annotations.jsonl: what each annotator said
    for found in ceilings("run"): print(found.split, found.agreement)      # original 0.871 [0.832, 0.905] (n = 240)

It is known where a label file has several annotators of a row, and for the sources of ValEval that tell what each annotator said. All such
rows of a split count, also those that no majority settled and that are therefore not judged: without them annotators would look more of
one mind than they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from clave.errors import InputError
from clave.io.replacing import replacing
from clave.records import LabelledResponse, Record
from clave.scoring.metrics import annotator_ceiling
from clave.scoring.statistics import Estimate

FILE = "annotations.jsonl"
"""Where the folder of a run keeps what each annotator said."""


class Annotated(Record):
    """What several annotators said of one text and one value."""

    id: str
    value: str
    split: str
    source: str = ""
    group: str
    """The scenario; rows of one group are resampled together."""
    annotations: tuple[str, ...]
    """Labels, or `none` where an annotator gave what is read as no label."""


class Ceiling(Record):
    """One annotator of a split against the others."""

    split: str
    sources: tuple[str, ...] = ()
    """Where the rows come from; the other sources of the split do not tell their annotators apart."""
    agreement: Estimate
    """See `annotator_ceiling`."""

    @property
    def name(self) -> str:
        """As it stands in a table of judges."""
        return "one annotator against the others" + (f" ({', '.join(self.sources)})" if self.sources else "")


def annotated(rows: Iterable[LabelledResponse], split: str) -> list[Annotated]:
    """The rows of a split that several annotators labelled, before they are joined; edited copies of a row were labelled by nobody."""
    by_key: defaultdict[tuple[str, str], list[LabelledResponse]] = defaultdict(list)
    for row in rows:
        if not row.metadata.get("base_id"):
            by_key[row.id, row.value].append(row)
    found = []
    for (identity, value), own in sorted(by_key.items()):
        more = own[0].metadata
        said = [str(row.label) for row in own] if len(own) > 1 else list(map(str, more.get("annotations") or ()))
        if len(said) > 1:
            group, source = str(more.get("group") or own[0].group), str(more.get("source") or "")
            found.append(Annotated(id=identity, value=value, split=split, source=source, group=group, annotations=tuple(said)))
    return found


def write_annotations(folder: str | Path, rows: Sequence[Annotated]) -> None:
    """Write the file of a run's folder, whole or not at all; none where no row has several annotators."""
    path = Path(folder) / FILE
    if not rows:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as file:
        file.writelines(row.model_dump_json().encode() + b"\n" for row in rows)


def ceilings(folder: str | Path) -> list[Ceiling]:
    """One annotator against the others, for each split of a run where it is known.

    Raises:
        InputError: The file of annotations is damaged.
    """
    path, by_split = Path(folder) / FILE, defaultdict[str, list[Annotated]](list)
    if not path.is_file():
        return []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = Annotated.model_validate_json(line)
        except ValidationError:
            raise InputError(f"{path}, line {number}: not the annotations of a row: run clave bench run again to write the file") from None
        by_split[row.split].append(row)
    return [
        Ceiling(
            split=split,
            sources=tuple(sorted({row.source for row in rows} - {""})),
            agreement=annotator_ceiling([row.annotations for row in rows], [row.group for row in rows]),
        )
        for split, rows in by_split.items()
    ]
