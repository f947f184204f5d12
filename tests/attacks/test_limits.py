"""What a machine lacks, a disk refuses or an address gets wrong ends in a sentence and an exit code, and loses nothing."""

import json
import socket
from itertools import product
from pathlib import Path

import pytest
from attacks.drawing import drawn
from attacks.shell import answers, commands, place, run, serving

pytest.importorskip("krippendorff")
pytest.importorskip("pyarrow")
NAMES = list(commands(Path(), "", Path(), ""))
KB = 1024


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return place(tmp_path_factory.mktemp("limits") / "place")


def told(code, said):
    """An exit code that a command has, no traceback, and where something is wrong a sentence that says so."""
    assert "Traceback" not in said, said
    assert code in (0, 1, 2, 3), (code, said)
    assert code != 2 or "error" in said.lower(), said


LIMITS = {
    "64 files": {"RLIMIT_NOFILE": 64},
    "32 files": {"RLIMIT_NOFILE": 32},
    "1 GB of memory": {"RLIMIT_AS": 1_000_000 * KB},
    "800 MB of memory": {"RLIMIT_AS": 800_000 * KB},
    "400 MB of memory": {"RLIMIT_AS": 400_000 * KB},
    "150 MB of memory": {"RLIMIT_AS": 150_000 * KB},
    "files of 300 bytes": {"RLIMIT_FSIZE": 300},
    "files of 40 kB": {"RLIMIT_FSIZE": 40_000},
}


@pytest.mark.parametrize("case", drawn({f"{c}, {name}": (c, LIMITS[name]) for c, name in product(NAMES, LIMITS)}, 5, 40))
def test_a_command_that_lacks_room_says_so(case, there, chat_server, tmp_path):
    name, limits = case
    answers(chat_server)
    told(*run(commands(there, chat_server.url, tmp_path, tmp_path / "c.sqlite")[name], limits=limits))


def _full(folder, name):
    """Outputs that are links to a disk that is full."""
    for file in ("v.jsonl", "w.jsonl", "w.csv", "g.jsonl", "r.html", "g.xml", "audit.jsonl", "requests.jsonl"):
        (folder / file).symlink_to("/dev/full")
    return folder


PLACES = {
    "a full disk": _full,
    "under a file": lambda folder, name: (folder.joinpath("file").write_text("") and folder) or folder / "file" / "x",
    "where nothing can be made": lambda folder, name: Path("/proc/none"),
    "a name of 300 letters": lambda folder, name: folder / ("n" * 300),
    "a link in a circle": lambda folder, name: _circle(folder),
}


def _circle(folder):
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


@pytest.mark.parametrize("case", drawn({f"{c}, {p}": (c, PLACES[p]) for c, p in product(NAMES, PLACES)}, 4, 24))
def test_where_nothing_can_be_written_is_told(case, there, chat_server, tmp_path):
    name, make = case
    answers(chat_server)
    told(*run(commands(there, chat_server.url, make(tmp_path, name), tmp_path / "c.sqlite")[name]))


CACHES = {
    "a folder": lambda folder: folder,
    "no database": lambda folder: _file(folder, b"not a database at all, and long enough to be looked at" * 100),
    "under a file": lambda folder: _file(folder, b"") / "x",
    "a device": lambda folder: Path("/dev/full"),
    "where nothing can be made": lambda folder: Path("/proc/none/c.sqlite"),
    "a name with escapes": lambda folder: folder / "\x1b[31m[/x].sqlite",
}
ASKING = ("calibrate", "evaluate", "generate", "assess", "batch", "distill")


def _file(folder, data):
    (folder / "c.sqlite").write_bytes(data)
    return folder / "c.sqlite"


@pytest.mark.parametrize("case", drawn({f"{c}, {k}": (c, CACHES[k]) for c, k in product(ASKING, CACHES)}, 3, 12))
def test_a_cache_that_cannot_be_used_is_told_and_left_as_it_is(case, there, chat_server, tmp_path):
    name, make = case
    answers(chat_server)
    cache = make(tmp_path)
    before = cache.read_bytes() if cache.is_file() else None
    code, said = run(commands(there, chat_server.url, tmp_path / "out", cache)[name])
    told(code, said)
    assert "\x1b" not in said
    assert before is None or cache.read_bytes() == before


ADDRESSES = [
    "http://[::1",
    "http://[::1]:x/v1",
    "http://[zz]:1/v1",
    "http://[::ffff:1.2.3.4.5]/v1",
    "http://127.0.0.1:99999/v1",
    "http://127.0.0.1:-1/v1",
    "http://127.0.0.1:1 /v1",
    "http://a b/v1",
    "http://ü\u200d.example:1/v1",
    "http://" + "a" * 300 + "/v1",
    "http://..",
    "http://%zz/v1",
    "http://",
    "//127.0.0.1",
    "ftp://127.0.0.1/v1",
    "javascript:alert(1)",
    "http://user:sk-pw-0123456789@127.0.0.1:1/v1",
    "http://127.0.0.1:1/v1\x1b[31m",
    "http://127.0.0.1:1/\u202e",
    "http://\ud7ff:1",
]


@pytest.mark.parametrize("case", drawn({f"{c} {a}": (c, a) for c, a in product(ASKING, ADDRESSES)}, 5, 24))
def test_an_address_that_is_none_is_told(case, there, tmp_path):
    name, address = case
    code, said = run(commands(there, address, tmp_path, tmp_path / "c.sqlite")[name])
    told(code, said)
    assert code != 0 or name == "batch"  # which asks nobody
    assert "sk-pw" not in said
    assert "\x1b" not in said


HOSTS = ["a b", "[::1", "ü" * 80, "..", "256.1.1.1", "", "\x1b[31m", "a" * 300, "::1%none", "xn--"]
STORES = [
    "postgresql://u:sk-pw-0123456789@127.0.0.1:1/x",
    "postgresql://[",
    "sqlite:///",
    "mysql://x",
    "://",
    "/proc/none/l.db",
    "/dev/full",
]


@pytest.mark.parametrize(
    "case",
    drawn(
        {f"{c} --host {h!r}": (c, "--host", h) for c, h in product(("annotate", "serve"), HOSTS)}
        | {f"annotate --store {s}": ("annotate", "--store", s) for s in STORES},
        3,
        12,
    ),
)
def test_a_host_or_a_store_that_is_none_is_told(case, there, tmp_path):
    name, option, value = case
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, said = run([*serving(there, tmp_path, port)[name], option, value], timeout=60)
    told(code, said)
    assert "sk-pw" not in said
    assert "\x1b" not in said


def test_what_was_paid_for_before_the_disk_was_full_is_not_paid_again(there, chat_server, tmp_path):
    answers(chat_server)
    command = commands(there, chat_server.url, tmp_path, tmp_path / "c.sqlite")["evaluate"]
    code, said = run(command, limits={"RLIMIT_FSIZE": 60_000})
    told(code, said)
    asked = len(chat_server.requests)
    code, said = run(command)
    told(code, said)
    assert code == 0
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({(row["id"], row["value"]) for row in rows}) == len(rows) == 60
    contents = {json.dumps(body["messages"]) for body in chat_server.requests}
    assert asked <= len(contents)
    assert len(chat_server.requests) <= len(contents) + 32  # what was under way when the disk was full
