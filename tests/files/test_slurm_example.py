"""The job array in docs/files.md: its tasks take every response, each once, into one folder."""

import re
import shlex
from collections import Counter
from pathlib import Path

from typer.main import get_command

from clave.cli import options as opt
from clave.cli.main import app
from clave.files.output import output_of
from clave.files.source import ResponseSource
from clave.io import write_jsonl
from clave.records import Response

DOC = Path(__file__).resolve().parents[2] / "docs" / "files.md"


def test_the_tasks_of_the_array_take_every_response_once(tmp_path):
    found = re.search(r"#SBATCH --array=(\d+)-(\d+)\n(clave [^\n]+)", DOC.read_text(encoding="utf-8"))
    first, last = int(found[1]), int(found[2])
    write_jsonl(tmp_path / "r.jsonl", [Response(id=f"r{i}", response="x") for i in range(200)])
    taken, parts = Counter(), set()
    for task in range(first, last + 1):
        _, command, *arguments = shlex.split(found[3].replace("$SLURM_ARRAY_TASK_ID", str(task)))
        given = get_command(app).commands[command].make_context(command, arguments).params
        shard = opt.shard(given["shard"])
        taken.update(response.id for response in ResponseSource(str(tmp_path / "r.jsonl"), shard=shard).responses())
        parts.add(output_of(given["output"], shard))
    assert set(taken.values()) == {1}
    assert len(taken) == 200
    assert len(parts) == last
    assert len({part.lines.parent for part in parts}) == 1
