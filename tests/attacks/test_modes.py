"""Who may read what commands write: the cache, evaluators and request files are their user's alone, and nothing is wider than the umask."""

import stat
from itertools import product
from pathlib import Path

import pytest
from attacks.drawing import drawn
from attacks.shell import answers, commands, place, run

pytest.importorskip("krippendorff")
pytest.importorskip("pyarrow")
OWN = {"e", "t", "d", "c.sqlite", "c.sqlite-wal", "c.sqlite-shm", "requests.jsonl"}
"""Evaluators and request files hold labelled samples, the cache what was answered."""
WRITING = (
    "calibrate",
    "calibrate without a model",
    "evaluate",
    "generate",
    "assess",
    "report",
    "bench",
    "batch",
    "distill",
    "audit",
    "values",
)


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return place(tmp_path_factory.mktemp("modes") / "place")


@pytest.mark.parametrize("case", drawn({f"{c}, {umask:03o}": (c, umask) for c, umask in product(WRITING, (0o022, 0o077))}, 3))
def test_what_is_written_is_no_wider_than_it_may_be(case, there, chat_server, tmp_path):
    name, umask = case
    answers(chat_server)
    _, said = run(commands(there, chat_server.url, tmp_path / "out", tmp_path / "c.sqlite")[name], limits={"umask": umask})
    assert "Traceback" not in said, said
    wide = {}
    for path in [*(tmp_path / "out").rglob("*"), *tmp_path.glob("c.sqlite*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        own = bool(OWN & set(path.relative_to(tmp_path).parts))
        if mode & umask or (own and mode & 0o077):
            wide[str(Path(*path.parts[-2:]))] = oct(mode)
    assert wide == {}
