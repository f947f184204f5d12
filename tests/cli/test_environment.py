"""Whatever stands in the environment and the options: a sentence and an exit code, never a traceback, and never a key."""

import contextlib
import io
import os
import resource
import signal
import subprocess
import sys
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clave.cli.main import main
from clave.llm import openai_chat

ENTRY = [sys.executable, "-c", "from clave.cli.main import main; main()"]
SECRET = "sk-Z9y8X7w6"
ROW = '{"id": "a", "scenario": "Should I tell her?", "response": "Yes, be “honest” 价值观 🙂 with her."}\n'
SYSTEM = "id: t\nname: T\nversion: '1'\nvalues:\n  - {id: honesty, name: Honesty·, definition: Telling the truth.}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    (folder / "r.jsonl").write_text(ROW, encoding="utf-8")
    (folder / "t.yaml").write_text(SYSTEM, encoding="utf-8")
    return folder


def clave(arguments, environment):
    """Exit code and all that is printed, in this process."""
    printed = io.StringIO()
    bare = {k: v for k, v in os.environ.items() if "PROXY" not in k.upper() and not k.startswith(("OPENAI_", "SSL_", "CLAVE_"))}
    with (
        mock.patch.dict(os.environ, bare | environment, clear=True),
        mock.patch.object(sys, "argv", ["clave", *arguments]),
        mock.patch.object(openai_chat, "_backoff", return_value=0.0),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return ended.value.code, printed.getvalue()


def evaluate(place, *options, **environment):
    """Against a port where nobody listens: no call of any run succeeds."""
    arguments = ["evaluate", str(place / "r.jsonl"), "--system", str(place / "t.yaml"), "-o", str(place / "v.jsonl"), "--cache=", *options]
    return clave(arguments, environment)


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
port = st.sampled_from(["", ":1", ":0", ":70000", ":-1", ":x", ":"])
host = st.sampled_from(["127.0.0.1", "[::1]", "[::1", "", "a b", "-", "..", "xn--", "ü", "user:" + SECRET + "@127.0.0.1", "%zz"])
scheme = st.sampled_from(["http://", "https://", "socks5://", "socks5h://", "socks4://", "ftp://", "foo://", "//", "", "http:/"])
address = st.builds(lambda s, h, p, path: s + h + p + path, scheme, host, port, st.sampled_from(["", "/v1", "/v1/", "?a=b", "#x"])) | text
key = st.sampled_from(
    ["", SECRET, f" {SECRET}\n", f"{SECRET}\nX-Evil: 1", f"{SECRET}\r", f"{SECRET} x", f"{SECRET}\x7f", f"ключ{SECRET}", f"{SECRET}🙂"]
)
variables = st.fixed_dictionaries(
    {},
    optional={
        "OPENAI_API_KEY": key,
        "OPENAI_BASE_URL": address,
        "OPENAI_ORG_ID": key,
        "HTTP_PROXY": address,
        "https_proxy": address,
        "ALL_PROXY": address,
        "NO_PROXY": st.sampled_from(["*", "127.0.0.1", "", ",", "::1/99", "a b"]) | text,
        "SSL_CERT_FILE": st.sampled_from(["/nowhere", "/", "", __file__]),
        "SSL_CERT_DIR": st.sampled_from(["/nowhere", "", __file__]),
        "CLAVE_CACHE": st.sampled_from(["/dev/null/x", ""]),
    },
)
options = st.fixed_dictionaries(
    {"--model": st.sampled_from(["openai/m", "fake/m", "m", "/", "openai/", "ollama/a b"]) | text},
    optional={
        "--base-url": st.just("http://127.0.0.1:1/v1") | address,
        "--timeout": st.sampled_from(["0.1", "1", "0", "nan", "inf", "-1", "1e400", "x"]),
        "--max-tokens": st.sampled_from(["1", "0", "-5", "99999999999999999999"]),
        "--concurrency": st.sampled_from(["1", "64", "0", "x"]),
        "--max-retries": st.sampled_from(["0", "-1"]),
        "--budget": st.sampled_from(["0", "nan", "inf", "-1"]),
        "--prices": st.sampled_from(["/nowhere", "/", __file__]),
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(variables, options)
def test_no_environment_and_no_option_brings_a_traceback(place, environment, given_options):
    environment = {"NO_PROXY": "", **environment}
    flat = [f"{name}={value}" for name, value in given_options.items()]
    code, printed = evaluate(place, *flat, **environment)
    assert code in (1, 2, 3)
    assert "Traceback" not in printed
    assert SECRET not in printed
    assert printed.strip()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HTTP_PROXY": "foo://x:1"}, "the proxy in HTTP_PROXY is of the kind 'foo'"),
        ({"HTTP_PROXY": "http://x:99999"}, "the proxy in HTTP_PROXY is no address"),
        ({"HTTP_PROXY": f"http://u:{SECRET}@127.0.0.1:1"}, "the proxy http://127.0.0.1:1 cannot be reached"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, "the proxy socks5://127.0.0.1:1 lets nothing through"),
        ({"OPENAI_API_KEY": f"{SECRET}\nX: y"}, "the key in OPENAI_API_KEY holds a space, a line break"),
    ],
)
def test_what_is_wrong_is_named(place, environment, words):
    code, printed = evaluate(place, "--model=openai/m", "--base-url=http://127.0.0.1:1/v1", **environment)
    assert (code, SECRET in printed) == (2, False)
    assert words in printed


@pytest.mark.parametrize(("option", "words"), [("--timeout=inf", "timeout inf")])
def test_a_number_that_is_none_is_told(place, option, words):
    code, printed = evaluate(place, "--model=fake/m", "--base-url=http://127.0.0.1:1/v1", option)
    assert (code, words in printed) == (2, True)


def test_a_missing_package_for_socks_is_named(place):
    with mock.patch.dict(sys.modules, {"aiohttp_socks": None}):
        code, printed = evaluate(place, "--model=fake/m", "--base-url=http://127.0.0.1:1/v1", ALL_PROXY="socks5://127.0.0.1:1")
    assert (code, "pip install 'clave[socks]'" in printed) == (2, True)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/v1", "https://localhost/v1"])
def test_missing_certificates_are_named(place, url):
    code, printed = evaluate(place, "--model=fake/m", f"--base-url={url}", SSL_CERT_FILE="/nowhere.pem")
    assert (code, "SSL_CERT_FILE names /nowhere.pem" in printed) == (2, True)


def run(place, output, server, **more):
    server.script = [
        server.says('{"concepts": ["Telling the truth"], "evidence": "“honest” 价值观", "stance": "adhere", "confidence": 0.9}')
    ]
    zero_shot = ("--system", str(place / "t.yaml"), "--model", "fake/m", "--base-url", server.url, "--cache=")
    return subprocess.run(
        [*ENTRY, "evaluate", str(place / "r.jsonl"), *zero_shot, "-o", str(output)], capture_output=True, check=False, **more
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_terminal_that_knows_few_characters_shows_what_it_can(place, tmp_path, chat_server, encoding):
    environment = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"} | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = run(place, tmp_path / "价值.jsonl", chat_server, env=environment)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
    assert "价值观" in (tmp_path / "价值.jsonl").read_text(encoding="utf-8")


def test_a_full_disk_is_told(place, tmp_path, chat_server):
    """What is written before stays, and the run can go on when there is room."""

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    done = run(place, tmp_path / "v.jsonl", chat_server, preexec_fn=small)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (2, 0), done.stderr
    assert b"error: " in done.stderr
    again = run(place, tmp_path / "v.jsonl", chat_server)
    assert again.returncode == 0
    assert len((tmp_path / "v.jsonl").read_text(encoding="utf-8").splitlines()) == 1
