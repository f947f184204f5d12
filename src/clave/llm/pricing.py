"""What a call costs, in US dollars: from genai-prices, or from your own file.

prices.yaml:
    vllm/qwen3-32b: {input: 0.0, output: 0.0}     # dollars per million tokens
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from clave.errors import InputError

Price = Callable[[int, int], float | None]
"""(prompt tokens, completion tokens) -> dollars; None where the price is not known."""


def price_of(model: str, prices: str | Path | None = None) -> Price:
    """The price function of a model.

    Args:
        model: `provider/model`.
        prices: A YAML file, model -> {input, output} in dollars per million tokens; it goes before genai-prices.

    Raises:
        InputError: The file is not of that form.
    """
    own = _read(Path(prices)) if prices is not None else {}
    if model in own:
        per_input, per_output = own[model]
        return lambda prompt, completion: (prompt * per_input + completion * per_output) / 1e6
    return _Looked(model)


class _Looked:
    """Looks the price up at the first call: importing the price list takes a quarter of a second."""

    def __init__(self, model: str) -> None:
        self.provider, _, self.name = model.partition("/")
        self._rates: tuple[float, float] | None = None
        self._looked = False

    def __call__(self, prompt: int, completion: int) -> float | None:
        if not self._looked:
            self._looked, self._rates = True, self._look()
        if self._rates is None:
            return None
        return prompt * self._rates[0] + completion * self._rates[1]

    def _look(self) -> tuple[float, float] | None:
        from genai_prices import Usage, calc_price

        per = 1000  # tokens: rates that depend on the length of the prompt are taken at this size
        try:
            found = calc_price(Usage(input_tokens=per, output_tokens=per), model_ref=self.name, provider_id=self.provider)
        except (LookupError, ValueError):
            return None
        return float(found.input_price) / per, float(found.output_price) / per


def _read(path: Path) -> dict[str, tuple[float, float]]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        prices = {str(model): (float(rates["input"]), float(rates["output"])) for model, rates in data.items()}
        if not all(0 <= rate < float("inf") for rates in prices.values() for rate in rates):
            raise ValueError
        return prices
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"prices {path} cannot be read: {error}") from None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"prices {path}: must map each model to {{input: …, output: …}} in dollars per million tokens") from None
