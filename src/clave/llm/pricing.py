"""What a call costs, in US dollars: from genai-prices, or from your own file.

prices.yaml:
    vllm/qwen3-32b: {input: 0.0, output: 0.0}                # dollars per million tokens
    openai/gpt-4o-mini: {input: 0.15, cached: 0.075, output: 0.6}
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from clave.errors import InputError
from clave.text.bounded import load_yaml, read_text

BATCH_SHARE = 0.5
"""Of a call's price, for one in a batch: as OpenAI, Azure, Groq, Mistral and Together have it."""


class Price(Protocol):
    """What a call costs."""

    def __call__(self, prompt: int, completion: int, cached: int = 0, /) -> float | None:
        """Dollars for tokens of the prompt and of the answer; None where the price is not known.

        Args:
            prompt: All of the prompt's.
            completion: All of the answer's, reasoning included.
            cached: Those of the prompt that the server had at hand.
        """
        ...


class _Rates(NamedTuple):
    """Dollars for one token."""

    input: float
    cached: float
    output: float

    def __call__(self, prompt: int, completion: int, cached: int = 0, /) -> float:
        return (prompt - cached) * self.input + cached * self.cached + completion * self.output


def unknown(prompt: int, completion: int, cached: int = 0, /) -> None:
    """The price of a model whose price nobody knows."""
    return None


def free(prompt: int, completion: int, cached: int = 0, /) -> float:
    """The price where nobody is paid."""
    return 0.0


def price_of(model: str, prices: str | Path | None = None) -> Price:
    """The price function of a model.

    Args:
        model: `provider/model`.
        prices: A YAML file, model -> {input, output, cached} in dollars per million tokens, where a cached token of the prompt may be left
            out and costs as any other; it goes before genai-prices.

    Raises:
        InputError: The file is not of that form.
    """
    own = _read(Path(prices)) if prices is not None else {}
    return own[model] if model in own else _Looked(model)


class _Looked:
    """Looks the price up at the first call: importing the price list takes a quarter of a second."""

    def __init__(self, model: str) -> None:
        self.provider, _, self.name = model.partition("/")
        self._rates: _Rates | None = None
        self._looked = False

    def __call__(self, prompt: int, completion: int, cached: int = 0, /) -> float | None:
        if not self._looked:
            self._rates, self._looked = self._look(), True
        return None if self._rates is None else self._rates(prompt, completion, cached)

    def _look(self) -> _Rates | None:
        from genai_prices import Usage, calc_price

        per = 1000  # tokens: rates that depend on the length of the prompt are taken at this size
        try:
            found, from_cache = (
                calc_price(
                    Usage(input_tokens=per, output_tokens=per, cache_read_tokens=cached), model_ref=self.name, provider_id=self.provider
                )
                for cached in (0, per)
            )
        except (LookupError, ValueError):
            return None
        return _Rates(float(found.input_price) / per, float(from_cache.input_price) / per, float(found.output_price) / per)


def _read(path: Path) -> dict[str, _Rates]:
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"prices {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        data = load_yaml(text)
        prices = {
            str(model): _Rates(*(float(rates[name]) / 1e6 for name in ("input", "cached" if "cached" in rates else "input", "output")))
            for model, rates in data.items()
        }
        if not all(0 <= rate < float("inf") for rates in prices.values() for rate in rates):
            raise ValueError
        return prices
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"prices {path}: must map each model to {{input: …, output: …}} in dollars per million tokens") from None
