"""A server that sends the key back, in whatever spelling, as an error or as an answer: it stands in no verdict, message, cache or file."""

import base64
import html
import json
from urllib.parse import quote

import pytest
from attacks.drawing import drawn

from clave import Clave
from clave.errors import ClaveError
from clave.text.masking import masked, masked_bytes, note_secret

KEY = "sk-proj-Zq9_hidden-Key0123/x+yz"
SPELLINGS = {
    "as it is": KEY,
    "in an address": quote(KEY, safe=""),
    "every letter in an address": "".join(f"%{ord(c):02X}" for c in KEY),
    "twice in an address": quote(quote(KEY, safe=""), safe=""),
    "JSON": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "JSON in part": KEY.replace("-", "\\u002d").replace("/", "\\/"),
    "JSON in JSON": "".join(f"\\\\u{ord(c):04x}" for c in KEY),
    "C": "".join(f"\\x{ord(c):02x}" for c in KEY),
    "HTML": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML in hex": "".join(f"&#x{ord(c):x};" for c in KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 as a header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 with a user": base64.b64encode(f"us:{KEY}".encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(f"a{KEY}b".encode()).decode().rstrip("="),
    "hex": KEY.encode().hex(),
    "hex in capitals": KEY.encode().hex(":").upper(),
    "capitals": KEY.upper(),
    "backwards": KEY[::-1],
    "in two lines": f"{KEY[:10]}\n{KEY[10:]}",
    "with spaces": " ".join(KEY),
    "with no width between": "\u200b".join(KEY),
    "in quotes": f'"{KEY[:12]}" + "{KEY[12:]}"',
    "but the end": KEY[:-5],
    "but the beginning": KEY[6:],
}
PLACES = {
    "rejected": lambda server, text: server.error(400, f"bad {text}"),
    "refused": lambda server, text: server.error(401, f"Incorrect API key {text}"),
    "broken": lambda server, text: server.error(500, text),
    "a code": lambda server, text: server.error(429, "limit", type="insufficient_quota", code=text),
    "a page": lambda server, text: (403, {"content-type": "text/html"}, f"<title>{html.escape(text)}</title>".encode()),
    "an answer": lambda server, text: server.says(
        json.dumps({"concepts": [f"Doing {text}"], "evidence": text, "stance": "adhere", "confidence": 0.9})
    ),
    "no answer": lambda server, text: server.says(f"no JSON but {text}"),
    "a refusal": lambda server, text: server.says(None, refusal=f"I refuse {text}"),
    "a model": lambda server, text: server.says('{"concepts": [], "evidence": "", "stance": "adhere", "confidence": 0.9}', model=text),
}
CASES = {f"{place}, {name}": (PLACES[place], text) for place in PLACES for name, text in SPELLINGS.items()}


def shown(text):
    """Letters and digits alone: what a reader could put together again."""
    return "".join(c for c in text.lower() if c.isascii() and c.isalnum())


@pytest.mark.parametrize("case", drawn(CASES, 24))
def test_a_key_that_a_server_sends_back_stands_nowhere(case, chat_server, tmp_path, monkeypatch):
    place, text = case
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    chat_server.script = [place(chat_server, text)]
    clave = Clave("mft", model="openai/gpt-x", base_url=chat_server.url, cache=tmp_path / "c.sqlite", timeout=5, max_retries=0)
    try:
        said = "".join(verdict.model_dump_json() for verdict in clave.evaluate([{"id": "a", "response": "I helped them."}]))
    except ClaveError as error:
        said = str(error)
    assert said
    assert shown(text)[8:20] not in shown(said)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("c.sqlite*"))
    assert shown(text)[8:20] not in shown(kept.decode("latin-1"))


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_spelling_of_a_secret_is_masked_and_the_rest_stays(name):
    note_secret(KEY)
    said = f"before, {SPELLINGS[name]}; behind"
    assert shown(SPELLINGS[name])[8:20] not in shown(masked(said))
    assert (masked(said)[:8], masked(said)[-8:], masked(said).count("***")) == ("before, ", "; behind", 1)
    large = b'"' + b"x " * 100_000 + SPELLINGS[name].encode() + b" y" * 100_000 + b'"'
    assert len(masked_bytes(large)) == pytest.approx(400_005, abs=30)


def test_what_is_no_secret_is_not_masked():
    note_secret(KEY)
    note_secret("EMPTY")
    for text in (
        "keys begin with sk-proj- and are secret",
        "Incorrect API key: sk-proj-****x+yz",
        '{"concepts": ["an empty promise, EMPTY"]}',
    ):
        assert masked_bytes(text.encode()) == text.encode()
    assert masked("keys begin with sk-proj- and are secret") == "keys begin with sk-proj- and are secret"


def test_a_secret_at_which_a_text_was_cut_is_masked():
    note_secret(KEY)
    assert masked(f"refused: {KEY[:9]}") == "refused: ***"
    assert masked(f"{KEY[-10:]}, refused") == "***, refused"
