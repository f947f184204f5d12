"""Prices, the ledger and its budget, and where a model string leads."""

import pytest

from clave.errors import InputError, ModelError
from clave.llm.ledger import Budget, Ledger
from clave.llm.pricing import price_of
from clave.llm.providers import PROVIDERS, resolve


@pytest.fixture
def prices(tmp_path):
    def write(text):
        path = tmp_path / "prices.yaml"
        path.write_text(text)
        return path

    return write


def test_a_known_model_has_a_price_that_grows_with_its_tokens():
    price = price_of("openai/gpt-4o-mini")
    assert 0 < price(1000, 0) < price(1000, 1000) < price(1000, 2000)
    assert price(2000, 2000) == pytest.approx(2 * price(1000, 1000))


def test_an_unknown_model_has_none():
    assert price_of("vllm/our-own-model")(1000, 1000) is None


def test_a_price_file_goes_first(prices):
    path = prices("openai/gpt-4o-mini: {input: 2, output: 10}\nvllm/own: {input: 0, output: 0}")
    assert price_of("openai/gpt-4o-mini", path)(1_000_000, 100_000) == pytest.approx(3.0)
    assert price_of("vllm/own", path)(5, 5) == 0
    assert price_of("vllm/other", path)(5, 5) is None


@pytest.mark.parametrize(
    "text",
    ["", "- a", "a: 3", "a: {input: 1}", "a: {input: x, output: 1}", "a: {input: -1, output: 1}", "a: [", "a: {input: .nan, output: 1}"],
)
def test_a_bad_price_file_is_a_sentence(prices, text):
    with pytest.raises(InputError, match="prices.yaml: must map each model"):
        price_of("a", prices(text))


def test_a_missing_price_file_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="none.yaml cannot be read"):
        price_of("a", tmp_path / "none.yaml")


def test_cached_tokens_cost_what_they_cost(prices):
    path = prices("vllm/own: {input: 2, output: 10, cached: 0.5}\nvllm/other: {input: 2, output: 10}")
    assert price_of("vllm/own", path)(1_000_000, 0, 400_000) == pytest.approx(1.4)
    assert price_of("vllm/other", path)(1_000_000, 0, 400_000) == pytest.approx(2.0)
    known = price_of("openai/gpt-4o-mini")
    assert 0 < known(1000, 0, 1000) < known(1000, 0, 500) < known(1000, 0)


def test_the_ledger_counts():
    ledger = Ledger(lambda prompt, completion, cached=0: None if prompt > 50 else 0.01 * completion)
    assert ledger.add(10, 5).cost == pytest.approx(0.05)
    assert ledger.add(100, 5).cost is None
    assert (ledger.calls, ledger.prompt_tokens, ledger.completion_tokens, ledger.unpriced) == (2, 110, 10, 1)
    assert ledger.cost == pytest.approx(0.05)


def test_the_budget_counts_what_is_under_way():
    ledger = Ledger(lambda prompt, completion, cached=0: completion / 1000, budget=Budget(0.5))
    first, second = ledger.reserve(400), ledger.reserve(400)
    assert (first, second) == (0.2, 0.2)
    assert ledger.reserve(400) is None
    ledger.add(100, 50)
    ledger.free(first)
    assert ledger.reserve(400) == 0.2
    assert ledger.reserve(400) is None


def test_models_that_share_a_budget_stay_within_it_together():
    shared = Budget(0.5)
    cheap, dear = (Ledger(lambda prompt, completion, cached=0, rate=rate: rate * completion, budget=shared) for rate in (0.001, 0.002))
    held = dear.reserve(400)
    assert (held, cheap.reserve(400)) == (0.4, None)
    dear.add(100, 50)
    dear.free(held)
    assert cheap.reserve(400) == 0.2
    assert dear.reserve(400) is None


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for _, variable in PROVIDERS.values():
        monkeypatch.delenv(variable or "UNUSED", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_where_a_model_answers(monkeypatch):
    assert resolve("ollama/qwen3:8b").base_url == "http://localhost:11434/v1"
    assert resolve("org/model", "http://here/v1").model == "org/model"
    assert resolve("vllm/org/model").model == "org/model"
    assert resolve("smollm2", "http://here/v1").model == "smollm2"
    assert resolve("openai", "http://here/v1").model == "openai"
    assert resolve("/models/smollm2", "http://here/v1").model == "/models/smollm2"
    monkeypatch.setenv("OPENAI_API_KEY", " sk-1\n")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://there/v1")
    endpoint = resolve("openai/gpt-4o")
    assert (endpoint.model, endpoint.url) == ("gpt-4o", "http://there/v1/chat/completions")
    assert endpoint.headers["Authorization"] == "Bearer sk-1"
    assert "sk-1" not in repr(endpoint)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_missing_key_is_a_sentence(monkeypatch, key):
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="set OPENAI_API_KEY"):
        resolve("openai/gpt-4o")


def test_a_key_that_cannot_be_sent_is_a_sentence_without_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "ключ")
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as error:
        resolve("openai/gpt-4o")
    assert "ключ" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("gpt-4o", "provider/model"), ("/x", "not known"), ("openai/", "provider/model"), ("acme/x", "'acme'.*`base_url`")],
)
def test_a_bad_model_string_is_a_sentence(model, sentence):
    with pytest.raises(ModelError, match=sentence):
        resolve(model)
