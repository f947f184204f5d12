"""Where the program `clave` begins: a Ctrl-C while its modules are imported ends it as quietly as one after that."""

from __future__ import annotations

import sys


def main() -> None:
    """Import the commands and run the one that is asked for."""
    try:
        from clave.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
