"""Model strings `provider/model`, and where each provider is."""

from __future__ import annotations

import os
from dataclasses import dataclass

from clave.errors import ModelError

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


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers."""

    model: str
    """The name the server knows it by."""
    base_url: str
    api_key: str


def resolve(model: str, base_url: str | None = None) -> Endpoint:
    """Find the server and the key of a model string.

    Args:
        model: `provider/model`. With a `base_url`, a string whose first part is no known provider is the server's own name of the model.
        base_url: Any OpenAI-compatible server; OPENAI_BASE_URL stands in for it with the provider `openai`.

    Raises:
        ModelError: The provider is unknown and there is no address, or its key is not set.
    """
    provider, slash, name = model.partition("/")
    if not slash or not name:
        raise ModelError(f"model {model!r} must be written provider/model, e.g. openai/gpt-4o-mini")
    known = PROVIDERS.get(provider)
    if provider == "openai":
        base_url = base_url or os.environ.get("OPENAI_BASE_URL")
    if known is None and base_url is None:
        raise ModelError(
            f"provider {provider!r} of model {model!r} is not known: use {', '.join(PROVIDERS)}, or name its server with --base-url"
        )
    variable = known[1] if known else "OPENAI_API_KEY"
    key = os.environ.get(variable, "").strip() if variable else ""
    if not key.isascii():
        raise ModelError(f"the key in {variable} holds characters that no key has: set it anew")
    if not key and variable and base_url is None:
        raise ModelError(f"model {model!r} needs a key: set {variable}, or name another server with --base-url")
    return Endpoint(name if known else model, base_url or (known or ("", ""))[0], key or "none")
