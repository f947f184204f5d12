"""A file as bytes, whatever it is compressed with.

plain_suffix(Path("responses.jsonl.gz"))     # ".jsonl"
with open_bytes(Path("responses.jsonl.gz")) as file:
    file.readline()
"""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from clave.errors import InputError, require

MAX_ROW = 64 * 2**20
"""Bytes of one row, read before it is parsed: what is longer is no row, but a file of another kind, or one made to fill the memory."""

MOST_COLUMNS = 10_000
"""Of a table."""

COMPRESSED = (".gz", ".zst")


def plain_suffix(path: Path) -> str:
    """The ending that names the format, in lower case, without that of the compression."""
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return inner.suffix.lower()


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to be read from its beginning to its end.

    Raises:
        InputError: It cannot be read, or is not compressed as its ending says.
        MissingExtraError: `.zst` needs a package before Python 3.14.
    """
    zstd = _zstd() if path.suffix.lower() == ".zst" else None
    broken: tuple[type[Exception], ...] = (gzip.BadGzipFile, EOFError, zlib.error) + ((zstd.ZstdError,) if zstd is not None else ())
    try:
        opened: Any = {".gz": gzip.open, ".zst": getattr(zstd, "open", None)}.get(path.suffix.lower(), open)
        with opened(path, "rb") as file:
            yield cast(IO[bytes], file)
    except broken as error:
        raise InputError(f"{path}: not a whole {path.suffix} file: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _zstd() -> Any:
    """The standard library's since Python 3.14, before that its backport."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return require("backports.zstd", "zstd")
