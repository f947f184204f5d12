"""Calls through real proxies (pproxy in a process of its own), to a server with a certificate of its own authority."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from clave.errors import MissingExtraError, ModelError
from clave.llm import ChatRequest, Completion, OpenAIChat, openai_chat, read_object
from clave.records import Failure
from clave.text.masking import masked

trustme = pytest.importorskip("trustme")
pytest.importorskip("pproxy")
pytest.importorskip("aiohttp_socks")

REQUEST = ChatRequest(system="", user="What is a?", schema={"type": "object", "properties": {}}, check=read_object)
GOOD = '{"a": 1}'
PASSWORD = "pass-Word77"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENAI_BASE_URL", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secure(chat_server, authority, tmp_path, monkeypatch):
    """The chat server behind TLS; the environment names the authority of its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    chat_server._server.socket = context.wrap_socket(chat_server._server.socket, server_side=True)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    chat_server.url = chat_server.url.replace("http:", "https:")
    return chat_server


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running(user=""):
    """A proxy that speaks HTTP and SOCKS 5; its address without a scheme."""
    port = free_port()
    listening = f"http+socks5://127.0.0.1:{port}" + (f"#{user}" if user else "")
    command = [sys.executable, "-m", "pproxy", "-l", listening, "--auth", "0"]  # every connection has to show its password
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def proxy():
    with running() as address:
        yield address


@pytest.fixture(scope="module")
def guarded():
    """One that asks for a user and a password."""
    with running(f"ana:{PASSWORD}") as address:
        yield address


def ask(server, url=None):
    server.script = [server.says(GOOD)]

    async def main():
        chat = OpenAIChat("test/m", base_url=url or server.url, max_retries=1, timeout=20.0)
        try:
            return await chat.complete(REQUEST)
        finally:
            await chat.close()

    return asyncio.run(main())


def why(server, url=None):
    """The sentence that a call ends with; it holds no password."""
    try:
        answer = ask(server, url)
    except ModelError as error:
        reason = str(error)
    else:
        assert isinstance(answer, Failure)
        reason = answer.reason
    assert PASSWORD not in reason
    assert "\n" not in reason
    return reason


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_secure_server_is_reached_through_a_proxy(secure, proxy, monkeypatch, kind, variable):
    monkeypatch.setenv(variable, f"{kind}://{proxy}")
    assert isinstance(ask(secure), Completion)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_plain_server_is_reached_through_a_proxy_with_a_password(chat_server, guarded, monkeypatch, kind):
    monkeypatch.setenv("HTTP_PROXY", f"{kind}://ana:{PASSWORD}@{guarded}")
    assert isinstance(ask(chat_server), Completion)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_secure_server_is_reached_through_a_proxy_with_a_password(secure, guarded, monkeypatch, kind):
    monkeypatch.setenv("HTTPS_PROXY", f"{kind}://ana:{PASSWORD}@{guarded}")
    assert isinstance(ask(secure), Completion)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_wrong_password_is_told_and_not_printed(secure, guarded, monkeypatch, kind):
    monkeypatch.setenv("HTTPS_PROXY", f"{kind}://bob:{PASSWORD}@{guarded}")
    reason = why(secure)
    assert f"{kind}://" in reason
    assert "the proxy" in reason
    assert masked(reason) == reason
    assert not secure.requests


@pytest.mark.parametrize("named", ["socks5://localhost", "socks5h://localhost:", "socks4://localhost", "socks5://[::1]"])
def test_a_socks_proxy_has_a_port_of_its_own(chat_server, monkeypatch, named):
    monkeypatch.setenv("ALL_PROXY", named)
    with pytest.raises(ModelError, match=r"the proxy socks.*:1080 lets nothing through"):
        ask(chat_server)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_proxy_that_is_not_there_is_told(secure, monkeypatch, kind):
    monkeypatch.setenv("HTTPS_PROXY", f"{kind}://ana:{PASSWORD}@127.0.0.1:{free_port()}")
    assert "the proxy" in why(secure)


@pytest.mark.parametrize("named", ["127.0.0.1", "localhost, 127.0.0.1", "*"])
def test_what_no_proxy_names_is_called_directly(secure, monkeypatch, named):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", named)
    assert isinstance(ask(secure), Completion)


def test_another_authority_is_no_authority(secure, proxy, monkeypatch, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "authority.pem")
    assert "no secure connection" in why(secure)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
    assert "no secure connection" in why(secure)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_server_that_a_proxy_cannot_reach_is_told(secure, proxy, monkeypatch, kind):
    monkeypatch.setenv("HTTPS_PROXY", f"{kind}://{proxy}")
    assert why(secure, f"https://127.0.0.1:{free_port()}/v1")


@pytest.mark.parametrize(("status", "said"), [(407, "Proxy Authentication Required"), (403, "Forbidden"), (502, "Bad Gateway"), (200, "")])
@pytest.mark.parametrize("address", ["https://127.0.0.1:9/v1", "http://127.0.0.1:9/v1"])
def test_a_proxy_that_refuses_is_told(chat_server, monkeypatch, status, said, address):
    """One that answers every request in one way: 407 wants a password, 502 found no server, 200 and nothing more is none."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(65536)
                        body = f"<html>{said} {PASSWORD}</html>".encode()
                        head = f"HTTP/1.1 {status} {said}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
                        connection.sendall(head.encode() + body)
                        connection.shutdown(socket.SHUT_WR)
                        connection.settimeout(1)
                        while connection.recv(65536):  # what is left unread as it closes would reset the connection
                            pass

        threading.Thread(target=serve, daemon=True).start()
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://ana:{PASSWORD}@127.0.0.1:{listening.getsockname()[1]}")
        reason = why(chat_server, address)
    assert reason
    if status != 200:
        assert str(status) in reason


def test_a_socks_proxy_without_its_package_is_told_with_the_pip_line(chat_server, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", f"socks5://ana:{PASSWORD}@127.0.0.1:1080")
    monkeypatch.setitem(sys.modules, "aiohttp_socks", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clave\[socks\]'"):
        OpenAIChat("test/m", base_url=chat_server.url)
