"""Appending to a file of lines that several processes may name: one of them writes at a time, and each line goes in whole.

path = Path("verdicts.jsonl")
fd = open_to_append(path)
kept = list(own_lines(path, json.loads, b'{"id":', "a verdict"))      # before the first byte is written: is the file one of ours?
write_whole(fd, b'{"id": "r1"}\\n')
os.close(fd)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from clave.errors import InputError
from clave.io.replacing import check_place

T = TypeVar("T")


def open_to_append(path: Path) -> int:
    """Open a file for appending, made with its folder where it is not there; until it is closed no other process can.

    Raises:
        InputError: It cannot be written, or another run is writing it.
    """
    check_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): name another output file with -o") from None
    if not free_to_write(fd):
        os.close(fd)
        raise InputError(f"{path} is being written by another run: wait for its end, or name another output with -o")
    return fd


def free_to_write(fd: int) -> bool:
    """Whether the file is ours alone now, until it is closed; where a system or a file system has no locks, it is taken to be."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def write_whole(fd: int, data: bytes) -> None:
    """Write all of it, where the system takes a part at a time; what a full disk cuts is an error."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def own_lines(path: Path, read: Callable[[bytes], T | None], beginning: bytes, kind: str) -> Iterator[T]:
    """What the lines of a file say; a last line that a kill cut is taken off once all others were read. No other file is touched.

    Args:
        path: The file, opened to append.
        read: What a line says; None where it is not of the kind. It may raise InputError with what is wrong.
        beginning: Of every line of the kind: how the rest of one that was cut is told from another file.
        kind: For the message, e.g. "a verdict".

    Raises:
        InputError: The file holds something else.
    """
    good = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            found = read(line)
            if found is None and (line.endswith(b"\n") or _is_json(line) or not line.startswith(beginning[: len(line)])):
                raise InputError(f"{path}, line {number}: not {kind}: name another output file with -o")
            if found is None or not line.endswith(b"\n"):
                break  # a kill cut it
            yield found
            good += len(line)
    os.truncate(path, good)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
