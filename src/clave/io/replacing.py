"""A file that is there whole or not at all.

with replacing(Path("verdicts.parquet")) as file: file.write(b"PAR1")
keep_apart(Path("report.csv"), ["verdicts.csv"])      # raises where both are one file
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clave.errors import InputError


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once it is whole, and leaves nothing behind where it does not get so far.

    What a process that was killed has left behind goes when somebody writes there again.

    Args:
        path: The file.
        mode: Who may read it, under the user's umask; 0o600 for what holds labelled samples.

    Raises:
        InputError: Something that is no file has the name.
    """
    check_place(path)
    path = Path(os.path.realpath(path))  # a link stays one, and so does what it leads to; `resolve` ends at links in a circle
    begun = f".{path.name[:80]}-{_MACHINE}-"
    part = path.with_name(f"{begun}{os.getpid()}-{uuid.uuid4().hex[:8]}.part")  # of its own: two may write to one place at once
    _remove_dead(path.parent, begun)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_dead(folder: Path, begun: str) -> None:
    """Remove the parts of this machine's processes that are no more; what is another machine's nobody can tell here."""
    if os.name != "posix" or not folder.is_dir():
        return
    for name in os.listdir(folder):
        number, _, rest = name.removeprefix(begun).partition("-")
        if name.startswith(begun) and rest.endswith(".part") and number.isdecimal() and not _lives(int(number)):
            folder.joinpath(name).unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def check_place(path: Path) -> None:
    """Refuse to write where something else than a file is: a pipe waits for ever, a device would become a file.

    Raises:
        InputError: It is a folder, a pipe or a device.
    """
    if path.exists() and not path.is_file():
        what = "folder" if path.is_dir() else "pipe or a device"
        raise InputError(f"{path} cannot be written (it is a {what}, not a file): name another output file")


def keep_apart(output: Path, inputs: Iterable[str | Path]) -> None:
    """Refuse to write over what is read, under whatever name.

    Args:
        output: The file to be written.
        inputs: What is read: files, or sources that are none.

    Raises:
        InputError: One of them is the output.
    """
    for one in map(Path, inputs):
        if output.exists() and one.exists() and output.samefile(one):
            raise InputError(f"{output} is read by the same command and would be written over: name another output file")
