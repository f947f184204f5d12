"""Errors of servers, read: where the words stand, which code they carry, and how long the server wants to be left alone.

    read_error(Reply(400, {}, b'[{"error": {"code": 400, "message": "API key not valid."}}]')).message     # "API key not valid."

They come as an object, a list, plain text or a web page; some with status 200. What cannot be read is told as it is.
"""

from __future__ import annotations

import html
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from clave.llm.completions import unwrapped
from clave.llm.transport import Reply
from clave.text.masking import masked

_MOST_WORDS = 4_000
_TOLD_IN = ("message", "msg", "Message", "error_message", "errorMessage", "error_msg", "status_msg")


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What a server says went wrong."""

    status: int
    """Of the reply, or the one in its body where that came with 200."""
    code: str
    """The fields `code`, `type` and `status`, in lower case."""
    message: str
    """In one long line; never empty."""
    wait: float | None
    """Seconds until it wants to be asked again; None where it says nothing."""


def read_error(reply: Reply) -> ErrorReply | None:
    """Read an error; None where a success tells of none."""
    error = _error_in(reply.data)
    status = reply.status
    if 200 <= status < 300:
        if error is None:
            return None
        status = _status_in(error) or 200
    message = _message(error, reply.body)
    if 300 <= status < 400 and reply.headers.get("Location"):
        message = f"it leads on to {one_line(reply.headers['Location'])}"
    return ErrorReply(status, _code(error), message, _wait(reply.headers, reply.body))


def _error_in(data: Any) -> Any:
    """The part of a body that tells of an error: `error`, `errors`, `detail`, `message` and others, also in a list of one."""
    data = unwrapped(data)
    if isinstance(data, list) and data and isinstance(data[0], dict):
        data = data[0]
    if not isinstance(data, dict):
        return None
    if data.get("choices"):
        return _error_beside(data)
    for name in ("error", "errors", "detail", "fault", "base_resp"):
        if data.get(name):
            found = data[name]
            if name == "errors" and isinstance(found, list):
                found = found[0]
            if isinstance(found, dict | list):
                return found
            return data | {"message": found} if isinstance(found, str) or not _is_told(data) else data
    return data if data.get("object") == "error" or _is_told(data) else None


def _is_told(data: dict[str, Any]) -> bool:
    return any(isinstance(data.get(name), str) for name in _TOLD_IN)


def _error_beside(data: dict[str, Any]) -> Any:
    """An error in place of a choice, or beside choices, as gateways tell of a provider that broke down; an empty one is none."""
    first = data["choices"][0] if isinstance(data["choices"], list) else None
    for error in (first.get("error") if isinstance(first, dict) else None, data.get("error")):
        if isinstance(error, str) and error.strip():
            return {"message": error}
        if isinstance(error, dict) and str(error.get("code")) not in ("0", "200") and (_status_in(error) or any(_texts(error))):
            return error
    return None


def _status_in(error: Any) -> int | None:
    """Some gateways answer 200 and put the real status into the body, or only the word for it."""
    if re.search(r"invalid_request|validation", _code(error)):
        return 400
    code = error.get("code", error.get("status")) if isinstance(error, dict) else None
    try:
        number = int(code)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 400 <= number < 600 else None


def _code(error: Any) -> str:
    if not isinstance(error, dict):
        return ""
    fields = [error.get(name) for name in ("code", "type", "error_type", "status")]
    if isinstance(inner := error.get("innererror"), dict):
        fields.append(inner.get("code"))
    return " ".join(str(field)[:100] for field in fields if field).lower()


def _message(error: Any, body: bytes) -> str:
    """The server's words in one line; those of the provider behind a gateway, too."""
    found = "; ".join(dict.fromkeys(filter(None, (one_line(text, _MOST_WORDS) for text in _texts(error)))))[:_MOST_WORDS]
    if found:
        return found
    text = body[:_MOST_WORDS].decode("utf-8", "replace")
    return one_line(text_of_page(body) if text.lstrip()[:1] == "<" else text) or "it says nothing more"


def _texts(error: Any) -> Iterator[str]:
    if isinstance(error, str):
        yield error
    elif isinstance(error, list):  # as FastAPI refuses a field: where, and what is wrong with it; never `input`, which repeats the request
        for one in error[:3]:
            if isinstance(one, dict) and "loc" in one:
                yield f"{'.'.join(map(str, one['loc'])) if isinstance(one['loc'], list) else one['loc']}: {one.get('msg', '')}"
            else:
                yield from _texts(one)
    elif isinstance(error, dict):
        for name in (*_TOLD_IN, "detail", "error", "faultstring", "reason"):
            yield from _texts(error[name]) if error.get(name) else ()
        metadata = error.get("metadata")
        if isinstance(metadata, dict):  # OpenRouter: what the provider said, and why its filter bit
            yield from (f"{name}: {one_line(metadata[name])}" for name in ("raw", "reasons") if metadata.get(name))
        yield from _quota_ids(error.get("details"))


def _quota_ids(details: Any) -> Iterator[str]:
    """Google's names of what is used up, which tell a minute from a day."""
    for detail in details[:5] if isinstance(details, list) else ():
        violations = detail.get("violations") if isinstance(detail, dict) else None
        for violation in violations[:3] if isinstance(violations, list) else ():
            if isinstance(violation, dict) and violation.get("quotaId"):
                yield str(violation["quotaId"])


def text_of_page(page: bytes) -> str:
    """The title of a web page, or its beginning without the tags."""
    text = page[:_MOST_WORDS].decode("utf-8", "replace")
    title = re.search(r"<(title|h1)[^<>]{0,200}>([^<]{1,300})<", text, re.I)
    return one_line(html.unescape(title[2] if title else re.sub(r"<[^<>]{0,500}>", " ", text)))


def _wait(headers: Mapping[str, str], body: bytes) -> float | None:
    """Seconds until the server wants to be asked again: Retry-After as a number or a date, Google's RetryInfo, or Hugging Face's
    `estimated_time` until a model is loaded."""
    milliseconds, told = headers.get("retry-after-ms"), headers.get("Retry-After", "").strip()
    if milliseconds is not None and (seconds := _number(milliseconds)) is not None:
        return seconds / 1000
    if (seconds := _number(told)) is not None:
        return seconds
    if told:
        return _until(told, headers.get("Date", ""))
    found = re.search(rb'"(?:retryDelay|estimated_time)"\s{0,4}:\s{0,4}"?(\d{1,7}(?:\.\d{1,20})?)', body[:20_000])
    return float(found[1]) if found else None


_SPAN = r"(\d{1,9}(?:\.\d{1,12})?)\s?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
_ASKS_TO_WAIT = re.compile(
    rf"\b(?:wait|retry after|(?:retry|again|resets?|replenished|available) (?:in|after))\s{{1,3}}"
    rf"(?:(?P<spans>(?:{_SPAN}[\s,]{{0,2}}(?:and )?){{1,4}})|(?:(?P<days>\d{{1,4}})\.)?(?P<clock>\d{{1,3}}:\d\d:\d\d)\b)",
    re.I,
)


def told_wait(message: str, asked: str = "") -> float | None:
    """Seconds that a server's words ask to wait: "Please try again in 7m12.5s", "replenished in 02:13:54".

    Args:
        message: The words.
        asked: What was sent. Words that stand there, too, ask for nothing.
    """
    found = _ASKS_TO_WAIT.search(message)
    if found is None or found.group().lower() in asked.lower():
        return None
    if found["clock"]:
        hours, minutes, seconds = map(int, found["clock"].split(":"))
        return 86_400.0 * int(found["days"] or 0) + 3_600.0 * hours + 60.0 * minutes + seconds
    spans = ((float(number), unit.lower()) for number, unit in re.findall(_SPAN, found["spans"], re.I))
    return sum(number * (0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]) for number, unit in spans)


_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def _until(told: str, sent: str) -> float | None:
    """Seconds from when a reply was sent until a date, both by the server's clock; by this machine's where it does not tell its own."""
    try:
        then = parsedate_to_datetime(told).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    try:
        now = parsedate_to_datetime(sent).timestamp()
    except (ValueError, TypeError, OverflowError):
        now = time.time()
    return max(0.0, then - now)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def one_line(text: object, most: int = 300) -> str:
    """What a server says, short enough for a reason and writable as UTF-8."""
    return " ".join(masked(str(text)[:_MOST_WORDS]).encode("utf-8", "replace").decode().split())[:most]
