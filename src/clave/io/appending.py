"""Appending to a file of lines that several processes may name: one of them writes at a time, and each line goes in whole.

fd = open_to_append(path)
write_whole(fd, b'{"id": "r1"}\\n')
os.close(fd)
"""

from __future__ import annotations

import os
from pathlib import Path

from clave.errors import InputError


def open_to_append(path: Path) -> int:
    """Open a file for appending, made with its folder where it is not there; until it is closed no other process can.

    Raises:
        InputError: It cannot be written, or another run is writing it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): name another output file with -o") from None
    if not _locked(fd):
        os.close(fd)
        raise InputError(f"{path} is being written by another run: wait for its end, or name another output with -o")
    return fd


def _locked(fd: int) -> bool:
    """Whether the file is ours alone now; where a system or a file system has no locks, it is taken to be."""
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
