"""A file that is there whole or not at all, also where its writer was killed."""

import subprocess
import sys

from clave.io.replacing import replacing

KILLED = """
import os, sys
from pathlib import Path
from clave.io.replacing import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_goes_with_the_next_write_and_what_others_write_stays(tmp_path):
    place = tmp_path / "v.parquet"
    subprocess.run([sys.executable, "-c", KILLED, str(place)], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    with replacing(place) as first:
        with replacing(place) as second:
            second.write(b"second")
        first.write(b"first")
    assert [path.name for path in tmp_path.iterdir()] == ["v.parquet"]
    assert place.read_bytes() == b"first"
