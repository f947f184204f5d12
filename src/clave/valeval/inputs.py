"""The raw files of the sources: found in a folder or downloaded into it, and checked against the hashes we know.

    inputs = find_inputs(source, Path("raw"), recorded={}, allow_changed=True)
    inputs[0].path, inputs[0].bytes      # "safetext/SafeText.json", "changed": or "official", "copy"

`pins.json` holds, for each file, where it comes from and its sha256 where we know one: `official` bytes are the authors' own, `copy` the
same rows in another carrier. A file we know no hash of is recorded when it is first seen (in `hashes.json` beside it, and in the
manifest of the build) and checked from then on.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from clave.errors import InputError
from clave.text.bounded import read_object
from clave.valeval.download import Downloaded, download, file_sha256
from clave.valeval.sources.spec import Source

RECORD = "hashes.json"


@dataclass(frozen=True)
class Input:
    """A raw file that went into a build."""

    path: str
    sha256: str
    bytes: Literal["official", "copy", "unknown", "changed"]
    """Whose bytes they are: the authors', a known copy with the same rows, not known to us, or other than recorded and allowed."""
    url: str = ""


@functools.cache
def pins() -> dict[str, dict[str, Any]]:
    """What we know of each raw file: url, and sha256, size and bytes where we know them."""
    text = (resources.files("clave.valeval") / "pins.json").read_text(encoding="utf-8")
    result: dict[str, dict[str, Any]] = json.loads(text)
    return result


def layout_in(source: Source, raw_dir: Path) -> tuple[str, ...] | None:
    """The first layout of the source whose files are all there."""
    return next((files for files in source.layouts if all((raw_dir / f).is_file() for f in files)), None)


def by_hand(source: Source, raw_dir: Path) -> list[str]:
    """Files of the source that are missing and have no address: only a person can put them there."""
    if layout_in(source, raw_dir):
        return []
    return [name for name in source.layouts[0] if not (raw_dir / name).is_file() and not pins().get(name, {}).get("url")]


def refuse_missing(sources: Iterable[Source], raw_dir: Path) -> None:
    """Asked before anything is downloaded.

    Raises:
        InputError: A source needs files that cannot be downloaded; names them, and where they are found.
    """
    for source in sources:
        if names := by_hand(source, raw_dir):
            mend = f"get it from {source.home} and put it there, or leave {source.id} out of `sources`"
            more = f" (and so {len(names) - 1} more: {', '.join(Path(name).name for name in names[1:])})" if len(names) > 1 else ""
            raise InputError(f"{raw_dir / names[0]} is missing and has no fixed address{more}: {mend}")


def find_inputs(
    source: Source,
    raw_dir: Path,
    *,
    recorded: Mapping[str, str],
    allow_changed: bool = False,
    progress: Callable[[str], Downloaded] | None = None,
) -> tuple[Input, ...]:
    """The files of a source, downloaded where they are missing, each checked.

    Args:
        source: Whose files.
        raw_dir: The folder of raw files.
        recorded: Hashes of an earlier build, by path.
        allow_changed: Take files whose hash is not what it was.
        progress: Makes a progress callback for a file that is downloaded.

    Raises:
        InputError: A file is missing and cannot be downloaded, or its bytes changed; names it.
    """
    files = layout_in(source, raw_dir)
    if files is None:
        refuse_missing((source,), raw_dir)
        files = source.layouts[0]
        for name in files:
            if not (raw_dir / name).is_file():
                _fetch(name, raw_dir, allow_changed, progress)
    return tuple(check_input(name, raw_dir, recorded, allow_changed) for name in files)


def _fetch(name: str, raw_dir: Path, allow_changed: bool, progress: Callable[[str], Downloaded] | None) -> None:
    pin = pins()[name]
    official = pin.get("bytes") == "official" and not allow_changed
    found = download(
        pin["url"],
        raw_dir / name,
        sha256=pin["sha256"] if official else None,
        size=pin.get("size"),
        progress=progress(name) if progress else None,
    )
    if pin.get("bytes") != "official":
        record = _read_record(raw_dir)
        record.setdefault(name, found)
        (raw_dir / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def check_input(name: str, raw_dir: Path, recorded: Mapping[str, str], allow_changed: bool) -> Input:
    """A file's hash against the one that ships with the package, the one recorded at its download, and the one of an earlier build."""
    pin, found = pins().get(name, {}), file_sha256(raw_dir / name)
    url = str(pin.get("url", ""))
    if found == pin.get("sha256"):
        return Input(name, found, pin["bytes"], url)
    seen = _read_record(raw_dir).get(name)
    # A copy's hash binds only where no official file goes by the same name: TruthfulQA.csv may be either.
    known = recorded.get(name) or seen or (pin.get("sha256") if pin.get("bytes") == "official" or not url else None)
    if known is None or found == known:
        return Input(name, found, "unknown", url)
    if not allow_changed:
        differs = f"sha256 {found[:12]}… is not the recorded {known[:12]}…"
        raise InputError(f"{raw_dir / name}: {differs}: the file was changed; fetch it anew, or take it as it is with `allow_changed`")
    return Input(name, found, "changed", url)


def _read_record(raw_dir: Path) -> dict[str, str]:
    path = raw_dir / RECORD
    try:
        return read_object(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}: delete it to record the hashes anew") from None
