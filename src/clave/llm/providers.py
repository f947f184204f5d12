"""Model strings `provider/model`: where the model is, with which key, through which proxy; all of it checked before the first call."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from clave.errors import ModelError, argument
from clave.text.masking import note_secret

PROVIDERS: dict[str, tuple[str, str]] = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com/v1/", "ANTHROPIC_API_KEY"),
    "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "ollama": ("http://localhost:11434/v1", ""),
    "vllm": ("http://localhost:8000/v1", ""),
}
"""provider -> (OpenAI-compatible address, environment variable of the key; "" = none is needed)."""

PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h", "socks")
_SOCKS_PORT = 1080
"""Of a SOCKS proxy that is named without one, as curl has it."""
_PATH = "/chat/completions"
_SENDABLE = re.compile(r"[!-~]+")
"""What a header can carry as one word."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers. What holds a secret is not part of its representation."""

    model: str
    """The name the server knows it by."""
    base_url: str
    """As it may be shown: without user name and password."""
    url: str
    """Where requests are posted to."""
    headers: dict[str, str] = field(repr=False)
    proxy: str | None = field(default=None, repr=False)

    @cached_property
    def address(self) -> str:
        """Where it is, written in one way: what tells it from another server or deployment. Without user name and password."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port and parts.port != {"http": 80, "https": 443}.get(parts.scheme) else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path.removesuffix(_PATH)}" + (f"?{parts.query}" if parts.query else "")

    def beside(self, path: str) -> str:
        """Another address of the same server, e.g. of `/files`."""
        parts = urlsplit(self.url)
        return parts._replace(path=parts.path.removesuffix(_PATH) + path).geturl()

    @property
    def through_socks(self) -> bool:
        """Whether the proxy is one of SOCKS, which needs a package of its own."""
        return self.proxy is not None and self.proxy.startswith("socks")

    @property
    def proxy_shown(self) -> str:
        """The proxy without user name and password."""
        return _without_user(urlsplit(self.proxy)).geturl() if self.proxy else ""


def is_named_server(model: str, base_url: str | None = None) -> bool:
    """Whether it is the user, and not the model string, who says which server is asked; or it is this machine, without a key."""
    provider = model.partition("/")[0]
    if base_url or (provider == "openai" and os.environ.get("OPENAI_BASE_URL", "").strip()):
        return True
    return provider in PROVIDERS and not PROVIDERS[provider][1]


def resolve(model: str, base_url: str | None = None) -> Endpoint:
    """Find the server and the key of a model string.

    Args:
        model: `provider/model`. With a `base_url`, one that does not begin with a known provider is the server's own name of the model.
        base_url: Any OpenAI-compatible server; OPENAI_BASE_URL stands in for it with the provider `openai`.

    Raises:
        ModelError: The provider is unknown and there is no address, its key is not set, or the key, the address or the proxy that the
            environment names cannot be used.
    """
    provider, slash, name = model.partition("/")
    if not model or (slash and not name) or not (slash or base_url):
        raise ModelError(
            f"model {model!r} must be written provider/model, e.g. openai/gpt-4o-mini; the server's own name of it is enough only where "
            f"{argument('base_url')} names the server"
        )
    known, where = PROVIDERS.get(provider) if slash else None, argument("base_url")
    if provider == "openai" and not base_url and os.environ.get("OPENAI_BASE_URL", "").strip():
        base_url, where = os.environ["OPENAI_BASE_URL"].strip(), "OPENAI_BASE_URL"
    if known is None and not base_url:
        raise ModelError(
            f"provider {provider!r} of model {model!r} is not known: use {', '.join(PROVIDERS)}, or name its server with `base_url`"
        )
    variable = known[1] if known else "OPENAI_API_KEY"
    key = _secret(variable) if variable else ""
    if not key and variable and not base_url:
        raise ModelError(f"model {model!r} needs a key: set {variable}, or name another server with `base_url`")
    parts = _address(base_url or (known or ("", ""))[0], where)
    bare = _without_user(parts)
    return Endpoint(
        model=name if known else model,
        base_url=bare.geturl(),
        url=bare._replace(path=bare.path.rstrip("/") + _PATH).geturl(),
        headers=_headers(provider, parts, key),
        proxy=_proxy(parts),
    )


def _secret(variable: str) -> str:
    """The value of a variable that goes into a header; "" where it is not set. It never stands in a message."""
    value = os.environ.get(variable, "").strip()
    if value and not _SENDABLE.fullmatch(value):
        raise ModelError(f"the key in {variable} holds a space, a line break or another character that no key has: set it anew")
    note_secret(value)
    return value


def _headers(provider: str, parts: SplitResult, key: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "clave"}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        for secret in (unquote(parts.password or ""), headers["Authorization"].partition(" ")[2]):
            note_secret(secret)
    else:
        headers["Authorization"] = f"Bearer {key or 'none'}"
    if (parts.hostname or "").endswith(".azure.com"):
        headers["api-key"] = key
    if provider == "openai":
        named = {"OpenAI-Organization": _secret("OPENAI_ORG_ID"), "OpenAI-Project": _secret("OPENAI_PROJECT_ID")}
        headers |= {name: value for name, value in named.items() if value}
    return headers


def _address(text: str, where: str) -> SplitResult:
    """The parts of a server's address; one that goes on to the endpoint itself is cut back to what stands before it.

    Raises:
        ModelError: It is no address of a server.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii").decode()
    except ValueError as error:  # UnicodeError is one
        why = "its port must be a number from 1 to 65535" if "ort" in str(error) else "it is no address"
        raise ModelError(f"{where} {_shown(text)!r} cannot be used: {why}") from None
    if parts.scheme not in ("http", "https"):
        raise ModelError(f"{where} {_shown(text)!r} must begin with http:// or https://, e.g. http://localhost:8000/v1")
    if not host or port == 0 or not re.fullmatch(r"[A-Za-z0-9._:%-]+", host) or not text.isprintable() or " " in text:
        raise ModelError(f"{where} {_shown(text)!r} cannot be used: it names no server, e.g. http://localhost:8000/v1")
    return parts._replace(path=parts.path.rstrip("/").removesuffix(_PATH), fragment="")


def _proxy(parts: SplitResult) -> str | None:
    """The proxy that the environment names for a server: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, unless NO_PROXY excepts the server."""
    proxies = getproxies_environment()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind, "").strip()
    host = parts.hostname or ""
    if not proxy or proxy_bypass_environment(host, proxies) or proxy_bypass_environment(f"{host}:{parts.port}", proxies):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    variable = f"{kind.upper()}_PROXY"
    try:
        found = urlsplit(proxy)
        note_secret(unquote(found.password or ""))
        usable = found.port != 0 and bool(found.hostname) and proxy.isprintable() and " " not in proxy
    except ValueError:
        usable = False
    if not usable:
        raise ModelError(f"the proxy in {variable} is no address, e.g. http://proxy:3128: correct it, or except the server with NO_PROXY")
    if found.scheme not in PROXY_SCHEMES:
        raise ModelError(
            f"the proxy in {variable} is of the kind {found.scheme[:20]!r}, which is not known: use http, https or socks5, "
            "or except the server with NO_PROXY"
        )
    if found.scheme.startswith("socks") and found.port is None:
        return found._replace(netloc=f"{found.netloc.rstrip(':')}:{_SOCKS_PORT}").geturl()
    return proxy


def _without_user(parts: SplitResult) -> SplitResult:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2])


def _shown(text: str) -> str:
    """An address as it may stand in a message."""
    head, at, rest = text.rpartition("@")
    return ("…@" if at else head) + rest if len(text) < 300 else text[:40] + "…" if not at else "…"
