"""The downloader against a server on loopback that cuts, lies, or has nothing."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clave.errors import InputError
from clave.valeval.download import download

BODY = bytes(range(256)) * 2000
SHA = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers `BODY`; `cuts` says after how many bytes the next answers break off."""

    cuts: list[int]
    ranges: list[str | None]
    resumes: bool
    status: int


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.resumes else 0
        if start >= len(BODY):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        end = start + self.server.cuts.pop(0) if self.server.cuts else len(BODY)
        self.wfile.write(BODY[start:end])
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.cuts, server.ranges, server.resumes, server.status = [], [], True, 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/file"


def test_fetches_a_whole_file_and_tells_how_far_it_is(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert download(url(server), tmp_path / "deep" / "f", sha256=SHA, size=len(BODY), progress=lambda a, b: told.append((a, b))) == SHA
    assert (tmp_path / "deep" / "f").read_bytes() == BODY
    assert told[-1] == (len(BODY), len(BODY))
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["f"]


def test_resumes_where_the_connection_was_cut(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    assert download(url(server), tmp_path / "f", sha256=SHA) == SHA
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_begins_anew_when_the_server_cannot_resume(server: Server, tmp_path: Path) -> None:
    server.cuts, server.resumes = [100_000], False
    assert download(url(server), tmp_path / "f", sha256=SHA) == SHA
    assert server.ranges == [None, "bytes=100000-"]


def test_keeps_what_came_when_the_connection_breaks_again_and_again(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 1000, 1000, 1000]
    with pytest.raises(InputError, match=r"broke 4 times .*4,000 bytes are kept"):
        download(url(server), tmp_path / "f", sha256=SHA)
    assert not (tmp_path / "f").exists()
    assert download(url(server), tmp_path / "f", sha256=SHA) == SHA
    assert server.ranges[-1] == "bytes=4000-"


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(BODY)
    assert download(url(server), tmp_path / "f", sha256=SHA) == SHA


def test_refuses_other_bytes_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has sha256 {SHA}, not 00ff: it was changed"):
        download(url(server), tmp_path / "f", sha256="00ff")
    assert list(tmp_path.iterdir()) == []


def test_says_when_the_file_is_not_there(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(InputError, match=r"not found \(404\)"):
        download(url(server), tmp_path / "f")
    server.status = 503
    with pytest.raises(InputError, match="the server answers 503"):
        download(url(server), tmp_path / "f")


def test_checks_the_disk_before_it_fetches(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="1 MB are needed and 1 MB are free"):
        download(url(server), tmp_path / "f", size=len(BODY))
    assert server.ranges == []
    with pytest.raises(InputError, match="make room"):
        download(url(server), tmp_path / "f")
    assert server.ranges == [None]


def test_says_when_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the connection broke 4 times"):
        download("http://127.0.0.1:9/f", tmp_path / "f")
