"""HTTP as chat needs it: JSON out, status and bytes back, within a time that bounds the whole attempt.

    from clave.llm.providers import resolve

    transport = Transport(resolve("openai/gpt-4o-mini"), timeout=120.0)
    reply = await transport.post(b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Is it kind?"}]}')

Each event loop has a session of its own, which ends with its loop: asyncio closes, when a loop ends, the asynchronous generators that were
begun in it. So one transport serves any number of loops and threads, needs no closing, and a child process opens connections of its own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import ssl
import weakref
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from clave.errors import InputError, ModelError, require
from clave.llm.providers import Endpoint
from clave.text.bounded import too_many_parts
from clave.text.masking import masked, masked_bytes

if TYPE_CHECKING:
    import aiohttp

MOST_BYTES = 32 * 2**20
"""Of an answer; what is longer is no answer of a chat model."""
_OF_THE_ANSWER = frozenset(
    ("choices", "error", "message", "content", "text", "refusal", "finish_reason", "tool_calls", "function_call", "function", "arguments")
)
"""Fields of a reply that say what was answered: two values of one are two answers."""
_TRANSFER = 3600.0
"""Seconds for a file on its way."""
_OTHER_FILES = 44
"""Those that a run opens beside connections: its own, the cache's, those of libraries while they are imported, of a second chat."""
_IDLE = 15.0
"""Seconds after which a connection that nobody uses is closed."""


@dataclass(frozen=True)
class Reply:
    """What came back, with whatever status."""

    status: int
    headers: Mapping[str, str]
    """Names are found in any case."""
    body: bytes

    @property
    def data(self) -> Any:
        """The body as JSON; None where it is none, made of more parts than an answer has, or `ambiguous`."""
        return self._read[0]

    @property
    def ambiguous(self) -> str:
        """A part of the answer that stands twice in one object, with two values; empty where there is none."""
        return self._read[1]

    @functools.cached_property
    def _read(self) -> tuple[Any, str]:
        twice: list[str] = []

        def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            data = dict(pairs)
            if len(data) < len(pairs):
                twice.extend(key for key, value in pairs if key in _OF_THE_ANSWER and data[key] != value)
            return data

        try:
            data = None if too_many_parts(self.body.decode("latin-1")) else json.loads(self.body, object_pairs_hook=noted)
        except (ValueError, RecursionError):
            return None, ""
        return (None, twice[0]) if twice else (data, "")


class NoReplyError(Exception):
    """Nothing came back; the message says why, in words that hold no secret."""

    def __init__(self, kind: Literal["timeout", "connection", "hopeless", "no http", "broken", "too long"], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        """`hopeless`: another try meets the same. `no http`: something is there, and says something else. `broken`, `too long`: the server
        is there, and this is what it sends."""


class Transport:
    """See the module.

    Args:
        endpoint: Where to post to.
        timeout: Seconds for one attempt, from the connection to the last byte.

    Raises:
        ModelError: The certificate file that the environment names is not there.
        MissingExtraError: The environment names a SOCKS proxy, and the package for those is not installed.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._endpoint, self._timeout = endpoint, timeout
        self._secure = _certificates() if endpoint.url.startswith("https:") or (endpoint.proxy or "").startswith("https:") else True
        if endpoint.through_socks:
            require("aiohttp_socks", "socks")
        self._process = os.getpid()
        self._open: dict[asyncio.AbstractEventLoop, tuple[AsyncGenerator[aiohttp.ClientSession, None], aiohttp.ClientSession]] = {}
        self._inherited: list[object] = []
        """Sessions of the process that this one was forked from: kept and never touched, for their sockets are shared with it."""

    async def ready(self) -> None:
        """Import and open what the first call needs, so that it does not pass for a slow answer."""
        await self._session()

    async def post(self, body: bytes) -> Reply:
        """Post JSON to the chat model.

        Raises:
            NoReplyError: No whole answer came within the time.
        """
        return await self.send("POST", self._endpoint.url, body, self._endpoint.headers)

    async def send(
        self, method: str, url: str, data: Any = None, headers: Mapping[str, str] | None = None, *, into: IO[bytes] | None = None
    ) -> Reply:
        """Send a request, to the same server.

        Args:
            method: GET or POST.
            url: See `Endpoint.beside`.
            data: The body: bytes or an `aiohttp.FormData`.
            headers: With the key.
            into: A file that takes the body of a good answer, of any length. Its transfer, and that of a form, may take an hour.

        Raises:
            NoReplyError: No whole answer came within the time.
            InputError: The file cannot be written.
        """
        import aiohttp

        session = await self._session()
        transfers = into is not None or isinstance(data, aiohttp.FormData)
        seconds = _TRANSFER if transfers else self._timeout
        more: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(total=seconds)} if transfers else {}
        try:
            # No redirects: a header with a key must not go where the user did not say.
            async with session.request(method, url, data=data, headers=headers, allow_redirects=False, **more) as answer:
                if into is None or not 200 <= answer.status < 300:
                    return Reply(answer.status, answer.headers, masked_bytes(await _all_of(answer)))
                await _copied(answer, into)
                return Reply(answer.status, answer.headers, b"")
        except TimeoutError:
            raise NoReplyError("timeout", f"no answer within {seconds:g} s") from None
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise NoReplyError("hopeless", f"there is no secure connection ({_words(error)})") from None
        except aiohttp.ClientHttpProxyError as error:
            raise NoReplyError("hopeless", f"the proxy {self._endpoint.proxy_shown} refuses the connection ({error.status})") from None
        except aiohttp.ClientProxyConnectionError as error:
            reason = f"the proxy {self._endpoint.proxy_shown} cannot be reached ({_words(error.os_error)})"
            raise NoReplyError("connection", reason) from None
        except aiohttp.ClientPayloadError as error:
            raise NoReplyError("broken", f"the answer is broken ({_words(_of_http(error))})") from None
        except aiohttp.ClientResponseError as error:
            raise NoReplyError("no http", f"what came back is not HTTP that could be read ({_words(_of_http(error))})") from None
        except UnicodeError as error:  # of the encoding of host names
            raise NoReplyError("hopeless", f"that is no host name ({_words(error)})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoReplyError("connection", f"the connection failed ({_words(error)})") from None
        except Exception as error:
            if session.closed:
                raise NoReplyError("connection", "the connection was closed") from None
            if not self._endpoint.through_socks:
                raise
            reason = f"the proxy {self._endpoint.proxy_shown} lets nothing through ({_words(error)})"  # the package has errors of its own
            raise NoReplyError("connection", reason) from None

    async def close(self) -> None:
        """Close the connections of the running loop; they are opened again when they are needed. Other loops close theirs as they end."""
        self._after_fork()
        found = self._open.get(asyncio.get_running_loop())
        if found is not None:
            await found[0].aclose()

    async def _session(self) -> aiohttp.ClientSession:
        """The session of the running loop."""
        self._after_fork()
        loop = asyncio.get_running_loop()
        if loop not in self._open:
            opened = _as_long_as_the_loop(self._new(), weakref.ref(self))
            self._open[loop] = opened, await anext(opened)
        return self._open[loop][1]

    def _new(self) -> aiohttp.ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=self._connector(),
            proxy=None if self._endpoint.through_socks else self._endpoint.proxy,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _connector(self) -> aiohttp.BaseConnector:
        """How many connections there are is for the pace of calls to say."""
        import aiohttp

        if not self._endpoint.through_socks:
            return aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE, ssl=self._secure)
        socks = require("aiohttp_socks", "socks")
        scheme, _, rest = str(self._endpoint.proxy).partition("://")
        kind = "socks4" if scheme.startswith("socks4") else "socks5"
        connector: aiohttp.BaseConnector = socks.ProxyConnector.from_url(
            f"{kind}://{rest}", rdns=True, limit=0, keepalive_timeout=_IDLE, ssl=self._secure
        )
        return connector

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._inherited.append(self._open)
            self._open = {}


async def _as_long_as_the_loop(
    session: aiohttp.ClientSession, owner: weakref.ref[Transport]
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Close a session when its loop ends or nobody has it any more, and forget it. It must not keep its owner alive."""
    loop = asyncio.get_running_loop()
    try:
        yield session
    finally:
        transport = owner()
        if transport is not None:
            transport._open.pop(loop, None)
        await session.close()


async def _all_of(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise NoReplyError("too long", f"the answer is longer than {MOST_BYTES // 2**20} MB")
    return b"".join(parts)


async def _copied(answer: aiohttp.ClientResponse, into: IO[bytes]) -> None:
    async for part in answer.content.iter_any():
        try:
            into.write(masked_bytes(part))
        except OSError as error:  # of the disk, not of the network
            raise InputError(f"{into.name} cannot be written ({error.strerror}): make room, and run the same command again") from None


def most_connections() -> int:
    """How many connections there can be beside the files that a run has open, by the limit of this process (`ulimit -n`)."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 10_000
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 10_000 if soft == resource.RLIM_INFINITY else max(1, soft - _OTHER_FILES)


def _certificates() -> ssl.SSLContext:
    """Trust what the environment names, else the authorities of the package certifi, so that it is the same on every machine.

    Raises:
        ModelError: What it names cannot be read.
    """
    named = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)}
    for name, path in named.items():
        if not (Path(path).is_file() if name == "SSL_CERT_FILE" else Path(path).is_dir()):
            raise ModelError(
                f"{name} names {path}, and there is no such {'file' if name == 'SSL_CERT_FILE' else 'folder'}: correct or unset it"
            )
    try:
        if named:
            return ssl.create_default_context(cafile=named.get("SSL_CERT_FILE"), capath=named.get("SSL_CERT_DIR"))
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the certificates in {' and '.join(named) or 'certifi'} cannot be read ({_words(error)}): correct or unset it"
        ) from None


def _of_http(error: Exception) -> str:
    """What is wrong with an answer as HTTP, without the bytes of it that aiohttp adds."""
    found = getattr(error.__cause__ or error, "message", "") or str(error)
    lines = [line for line in str(found).split("\n\n", 1)[0].splitlines() if line.strip()]
    return " ".join(lines)[:120] or type(error).__name__


def _words(error: object) -> str:
    """An error of the network in a few words; some have none of their own."""
    return " ".join(masked(str(error)).split())[:200] or type(error).__name__
