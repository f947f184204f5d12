"""Stores on SQLite and on a PostgreSQL cluster that the tests start for themselves."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clave.annotate.store import Store
from clave.records import Response
from clave.values import ValueSystem

sys.path.insert(0, str(Path(__file__).parent))  # for live.py, whatever import mode the suite runs in

SYSTEM = """
id: test_values
name: Test values
version: "1"
values:
  - {id: care, name: Care, definition: Caring for others and sparing them harm.}
  - {id: fairness, name: Fairness, definition: Treating people alike., guideline: A mere mention is unrelated.}
"""


@pytest.fixture
def system() -> ValueSystem:
    return ValueSystem.parse(SYSTEM)


@pytest.fixture
def responses() -> list[Response]:
    return [Response(id=f"r{i}", scenario=f"Question {i}?", response=f"Answer number {i}.") for i in range(30)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes fresh databases on a private cluster; skips where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or ([Path(found).resolve().parent] if found else [])
    if not folders or not (folders[-1] / "initdb").exists():
        pytest.skip("PostgreSQL's initdb is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root and runuser is not installed")
    folder = Path(tempfile.mkdtemp(prefix="clave-pg-"))
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        subprocess.run([*as_user, str(folders[-1] / program), *arguments], check=True, capture_output=True, cwd=folder, timeout=120)

    run("initdb", "-D", str(folder / "data"), "-U", "clave", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", str(folder / "data"), "-o", options, "-l", str(folder / "log"), "-w", "start")
    made = 0

    def fresh() -> str:
        nonlocal made
        made += 1
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "clave", f"test{made}")
        return f"postgresql+psycopg://clave@127.0.0.1:{port}/test{made}"

    try:
        yield fresh
    finally:
        run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "labels.db")
    fresh: Callable[[], str] = request.getfixturevalue("postgres")
    return fresh()


@pytest.fixture
def store(url: str, system: ValueSystem, responses: list[Response]) -> Iterator[Store]:
    found = Store(url, system)
    found.add_responses(responses)
    yield found
    found.close()
