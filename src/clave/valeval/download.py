"""Fetch one file over https: resumed where it was cut, checked by hash, refused when the disk is too small.

    download("https://…/test.jsonl.gz", folder / "test.jsonl.gz", sha256="0ce6…", size=545222)

The bytes grow in `<name>.part`; a later call goes on from there, if the server can (`Range`), and else begins anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx

from clave.errors import InputError

Downloaded = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, as far as the server says."""

_ATTEMPTS = 4
_MARGIN = 64 << 20
"""Bytes that stay free on the disk."""


def download(url: str, target: Path, *, sha256: str | None = None, size: int | None = None, progress: Downloaded | None = None) -> str:
    """Fetch a file whole or not at all; its sha256.

    Args:
        url: http or https.
        target: Where the file is put once it is complete and its hash is right.
        sha256: What the hash must be; None accepts any.
        size: Bytes, if known: the disk is checked before anything is fetched.
        progress: Told how far it is, chunk by chunk.

    Raises:
        InputError: The server does not have it, cuts the connection again and again, sends other bytes, or the disk is too small.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if size is not None:
        _check_space(target, size - (part.stat().st_size if part.exists() else 0))
    trouble = ""
    with httpx.Client(follow_redirects=True, timeout=httpx.Timeout(30.0)) as client:
        for _ in range(_ATTEMPTS):
            try:
                _fetch(client, url, part, progress)
                break
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
        else:
            kept = part.stat().st_size if part.exists() else 0
            raise InputError(f"{url}: the connection broke {_ATTEMPTS} times ({trouble}); {kept:,} bytes are kept, run it again to go on")
    found = file_sha256(part)
    if sha256 is not None and found != sha256:
        part.unlink()
        raise InputError(f"{url}: the file has sha256 {found}, not {sha256}: it was changed; `allow_changed` takes it as it is")
    os.replace(part, target)
    return found


def _fetch(client: httpx.Client, url: str, part: Path, progress: Downloaded | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # there is nothing after what we have: the hash says whether it is whole
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise InputError(f"{url}: not found (404): the authors may have moved it; put the file into the raw folder by hand")
        if answer.is_error:
            raise InputError(f"{url}: the server answers {answer.status_code} {answer.reason_phrase}")
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            have = 0  # the server does not resume: begin anew
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if total is not None:
            _check_space(part, total - have)
        with part.open("ab" if have else "wb") as file:
            for chunk in answer.iter_raw():
                try:
                    file.write(chunk)
                except OSError as error:
                    raise InputError(f"{part} cannot be written: {error.strerror or error}") from None
                have += len(chunk)
                if progress is not None:
                    progress(have, total)


def _check_space(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed + _MARGIN > free:
        raise InputError(
            f"{target.parent}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free: make room or name another folder"
        )


def file_sha256(path: Path) -> str:
    """The sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
