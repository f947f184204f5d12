"""Room to work in, asked for before a command begins: libraries in C do not say what they lack, they crash.

room()      # raises InputError under `ulimit -v 100000`; has as many files as the system lets it
"""

from __future__ import annotations

from contextlib import suppress

from clave.errors import InputError

LEAST_MEMORY = 768 * 2**20
"""Bytes of address space. With less, loading the numerical libraries ends in their own crash, or in a sentence, by chance."""
_FILES = 65_536


def room() -> None:
    """Take as many files as this user may have, and see whether there is memory enough.

    Raises:
        InputError: The limit of memory is too low.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # where the system has a mind of its own, what there is must do
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    memory, _ = resource.getrlimit(resource.RLIMIT_AS)
    if memory != resource.RLIM_INFINITY and memory < LEAST_MEMORY:
        raise InputError(
            f"the limit of memory is {memory // 2**20:,} MiB, and clave needs {LEAST_MEMORY // 2**20} to begin with: raise it (ulimit -v)"
        )
