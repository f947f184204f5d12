"""What a server's error means: whose fault it is, and what is to be done. This module is the table.

    fault_of(Reply(402, {}, b'{"error": {"message": "Insufficient Balance"}}'))     # Fault(kind="credit", reason="Insufficient Balance…)

No two servers say the same in the same way: a content filter comes as 400, 403 or 200, a dead account as 400, 401, 402, 403 or 429. So a
rule looks at the status, at what stands in the fields `code` and `type`, and at the words; the first that fits decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from clave.llm.completions import unwrapped
from clave.llm.error_reply import one_line, read_error, text_of_page, told_wait
from clave.llm.transport import Reply

Kind = Literal["refused", "rejected", "again", "busy", "key", "credit", "quota", "model", "address"]
"""This row is refused · this row fails · try again · try again, more slowly · stop the run: the key, the account's money, its quota of the
day, the model's name, the server's address."""

STOPS: frozenset[Kind] = frozenset({"key", "credit", "quota", "model", "address"})
"""No call can succeed before somebody mends it."""
LOADING = 10.0
"""Seconds between tries at a server that is still loading its model and does not say how long that takes."""
MOST_WAIT = 300.0
"""Seconds that a run waits because a server asks it to; beyond that it stops and says so."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of a server, understood."""

    kind: Kind
    reason: str
    """The server's own words, in one line."""
    status: int
    code: str = ""
    """What the server's fields `code` and `type` hold, in lower case."""
    wait: float | None = None
    """Seconds that it asks to be left alone."""
    explained: bool = True
    """Whether a rule knew its code or words, and not only its status."""


class _Rule(NamedTuple):
    kind: Kind
    statuses: range | tuple[int, ...]
    code: str = ""
    """Searched for in `code` and `type`."""
    words: str = ""
    """Searched for in the message."""


_ANY, _CLIENT = range(1000), range(400, 500)
_RULES = tuple(
    (rule, re.compile(rule.code, re.I) if rule.code else None, re.compile(rule.words, re.I) if rule.words else None)
    for rule in (
        _Rule(
            "address",
            _ANY,
            "",
            r"unexpected endpoint|(unknown|invalid) (url|path|endpoint)|no route for|api version (is )?not supported"
            r"|http request .{0,20}to (an )?https (port|server)",
        ),
        _Rule("model", (404,), "", r"no endpoints .{0,60}(polic|guardrail|restriction)"),
        # The account, before the filters: both are told with 400 and 403, and a suspended account is "flagged", too.
        _Rule(
            "key",
            _CLIENT,
            r"account_(deactivated|suspended|disabled)|organi[sz]ation_(disabled|restricted)|unsupported_country|unsupported_user_location"
            r"|access_terminated",
            r"(account|organi[sz]ation|project|workspace|user|your access)\b.{0,60}\b(suspended|disabled|deactivated|terminated|banned)"
            r"|(country|region|location).{0,40}not supported|not (available|supported) in your (country|region)",
        ),
        _Rule("credit", (402,)),
        _Rule(
            "credit",
            (400, 403, 412, 429, 500),
            r"insufficient_(quota|balance|credit|funds|user_quota)|billing|payment|credit|arrear|budget_exceeded|\b1113\b",
            r"account is not active|(insufficient|not enough|no more|out of|low on) (account |token )?(balance|credits?|funds|quota)"
            r"|credit balance"
            r"|add (more )?(credits|funds)|balance (is )?(too low|insufficient|not enough)|payment required|overdue|in arrears"
            r"|good standing|余额不足|欠费|额度(不足|已用尽)|\bcredits?\b.{0,40}\b(depleted|exhausted|expired|used up)"
            r"|(any|used all( available)?) credits|free (tier|trial|plan|quota|credits?)\b.{0,60}\b(used|exhausted|ended|expired)\b"
            r"|trial\b.{0,20}\b(ended|expired)\b"
            r"|(spend(ing)?|budget|usage|monthly) (limit|cap)\b.{0,40}(exceeded|reached)"
            r"|budget has been exceeded|Exceeded ?Budget|over budget",
        ),
        # A quota of the day, whatever wait is told with it; what is spent in a minute comes back, also where it is called a quota.
        _Rule(
            "quota",
            (403, 429),
            r"daily|per_day|quota_exceeded_day",
            r"limit(:| of) 0\b|(per[- ]?|/ ?|\b(this|a|each|every) )(hour|day|week|month)\b|\b(hourly|daily|weekly|monthly)\b"
            r"|\b(rpd|tpd)\b|PerDay|ByDay|out of call volume|key limit exceeded|service has been paused|使用上限",
        ),
        _Rule("quota", (400, 403), "", r"usage limits?\b.{0,40}\b(reached|exceeded)|reached\b.{0,40}\busage limits?|will regain access"),
        _Rule(
            "rejected",
            (400, 413, 429),
            r"request_too_large|string_above_max_length",
            r"request (entity )?(is )?too large|payload too large",
        ),
        _Rule("busy", (429,), r"resource_?exhausted|rate_limit", r"per[- ]minute|PerMinute|retry in"),
        _Rule("busy", (400, 403, 449, 500), r"throttl|too_?many_?requests", r"throttl\w{0,9}exception|too many requests|rate limit"),
        _Rule("credit", (403, 429), "", r"exceeded your current quota|quota .{0,40}(used up|exhausted|exceeded)|billing"),
        _Rule(
            "refused",
            _ANY,
            r"content_?filter|content_?polic|responsibleai|data_?inspection_?failed|moderation|prohibited_content|invalid_prompt|guardrail"
            r"|safety|sensitive|\b1301\b|unsafe",
            r"content (management )?polic|content exists risk|content[ _-]?filter|safety (system|filter|polic|setting|reason|check)"
            r"|moderat(ion|es|ed)\b|(was|been|is|were) flagged|usage polic|inappropriate content|prohibited content"
            r"|considered (as )?high risk"
            r"|(sensitive|unsafe|harmful) (content|information|words?|input|text)|blocked .{0,40}(safety|polic|content|filter|guard)"
            r"|guardrail|violat\w{1,4} .{0,60}(polic|guideline|terms of)|敏感|违规",
        ),
        _Rule("key", (401,)),
        _Rule(
            "key",
            (*range(400, 408), *range(409, 413), *range(414, 429), *range(430, 500), 500),
            r"invalid_api_key|authentication|unauthorized|unauthenticated|permission|access_denied|key_invalid|forbidden",
            r"(api[ _-]?key|credentials?|bearer|(access|api) token|auth(entication|orization)?( header)?)\b.{0,40}"
            r"(invalid|incorrect|not valid|expired|missing|wrong|revoked|not found|required|denied|failed|leaked)"
            r"|\bnot authenticated\b|authentication required|login required"
            r"|(invalid|incorrect|missing|wrong|expired|no|unknown) (api[ _-]?key|credentials?|auth|bearer|access token)",
        ),
        _Rule("key", (407,)),
        _Rule(
            "model",
            (400, 403, 404, 410, 422, 503),
            r"model_?not_?(found|exist|available|supported|open)|(invalid|unknown|unavailable)_?(endpoint_?or_?)?model|no_?such_?model"
            r"|deployment_?not_?found|decommissioned|model_terms|operation_?not_?supported",
        ),
        _Rule(
            "again",
            _ANY,
            r"json_validate_failed|overloaded|capacity_exceeded",
            r"failed to (generate|validate) json|failed_generation|overloaded|temporar(y|ily)|try again|server is busy|timed? ?out"
            r"|at capacity",
        ),
        _Rule(
            "model",
            (400, 403, 404, 410, 422),
            "",
            r"\bmodels?\b.{0,100}\b(not found|not exist|not available|not served|is not loaded|decommissioned|no longer|unknown)"
            r"|\bmodels?\b.{0,100}\b(end of (its )?life|retired|marked .{0,20}legacy|more system memory)"
            r"|\bmodels?\b[^.]{0,60} is not supported (in|for|by any)|\bmodel( \S{1,100})? (is |has been )?disabled"
            r"|(requested|provided|specified|named) model( \S{1,100})? is (invalid|not valid)"
            r"|model (id|identifier|name|code) .{0,60}\binvalid"
            r"|(invalid|unknown|unsupported|unavailable|no such|unrecognized|cannot find|unable to access|does not know)( the)? model"
            r"|not a valid model|no models? (is |are )?loaded|multiple models are loaded|doesn.t exist|deployment .{0,60}does not exist"
            r"|((failed|unable) to|could not|cannot) load( the)? model|model not exist"
            r"|not work with the specified model"
            r"|does not support chat|not a chat model|on-demand throughput isn.t supported|requires terms acceptance"
            r"|\b(pinned to|only serves?)\b|model mismatch|\bonly\b.{0,200}\ballowed now\b|\breal ?model ?id\b|suitable inference handler"
            r"|no deployment found|no available channel|^body\.model: |模型.{0,40}(不存在|不可用|无可用渠道)",
        ),
        _Rule("model", (404, 410), "", r"no longer (available|supported)"),
        _Rule("model", (500, 503), "", r"\bmodel\b.{0,40}more system memory|no available channel|无可用渠道"),
        _Rule("busy", (408, 429, 503, 529)),
        _Rule("again", (409, 425, 498, 499, 500, *range(502, 503), *range(504, 511), *range(512, 529), *range(530, 600))),
        _Rule("model", (404,), "", r"model|deployment|endpoint"),
        _Rule("address", (*range(300, 400), 404, 405, 410, 426, 501, 511)),
        _Rule("key", (403,)),
        _Rule("rejected", range(400, 600)),
        _Rule("again", _ANY),
    )
)


def fault_of(reply: Reply, asked: str = "") -> Fault | None:
    """What went wrong; None where the reply is an object that does not say it is an error.

    Args:
        reply: Of a server.
        asked: What was sent. Words that stand there, too, tell nothing: many servers repeat what they were given.
    """
    error = read_error(reply)
    if error is None:
        return None if isinstance(unwrapped(reply.data), dict) else _no_object(reply)
    kind, explained = _decided(error.status, error.code, error.message, asked)
    message, wait = one_line(error.message), error.wait
    if kind in ("again", "busy", "quota") and wait is None:
        wait = told_wait(error.message, asked)
    if kind == "busy" and wait is None and re.search(r"\bloading\b", message, re.I):
        wait = LOADING
    if kind in ("again", "busy", "quota") and wait is not None and (kind == "quota" or wait > MOST_WAIT):
        kind, message = "quota", f"{message} (it asks to be left alone for {_duration(wait)})"
    return Fault(kind, message, error.status, error.code, wait, explained)


def stop_sentence(fault: Fault, model: str, sent: str, base_url: str) -> str:
    """What ends a run, in the server's own words and with the way out; `sent` is the model's name as the server was given it."""
    match fault.kind:
        case "key":
            return f"the server refuses the key for {model} ({fault.status}): {fault.reason}"
        case "credit":
            return f"the account behind {model} has no credit or quota left ({fault.status}): {fault.reason}"
        case "quota":
            return f"the server lets no more calls to {model} through for now ({fault.status}): {fault.reason}; what was answered is kept"
        case "model":
            return f"the server at {base_url} does not know the model {sent!r} ({fault.status}): {fault.reason}"
        case _:
            hint = "" if base_url.rstrip("/").endswith("/v1") else "; the address of most servers ends in /v1"
            return f"at {base_url} there is no chat model ({fault.status}): {fault.reason}: check the address{hint}"


def _decided(status: int, code: str, message: str, asked: str) -> tuple[Kind, bool]:
    asked = asked.lower()
    for rule, in_code, in_words in _RULES:
        # A success that tells of an error has no status to go by: its words are read as those of a 400.
        if status not in rule.statuses and not (status == 200 and 400 in rule.statuses and (in_code or in_words)):
            continue
        if in_code is None and in_words is None:
            return rule.kind, False
        if in_code is not None and in_code.search(code):
            return rule.kind, True
        found = in_words.search(message) if in_words is not None else None
        if found is not None and not (rule.kind in STOPS and found.group().lower() in asked):
            return rule.kind, True
    raise AssertionError("the last rule takes everything")


def _no_object(reply: Reply) -> Fault:
    """A success that is no JSON object: a page to sign in, a stream, half an answer."""
    kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if reply.ambiguous:
        return Fault(
            "again", f"in the JSON that came back {reply.ambiguous!r} stands twice, with two values", reply.status, explained=False
        )
    if not reply.body.strip():
        return Fault("again", "the answer is empty", reply.status, explained=False)
    if kind == "text/event-stream":
        return Fault("rejected", "a stream came back (text/event-stream), which was not asked for", 200)
    if reply.body[:200].lstrip()[:1] == b"<":
        return Fault("address", f"a web page came back, not JSON: {text_of_page(reply.body)}", 200)
    reason = f"what came back is no JSON object: {one_line(reply.body[:80].decode('utf-8', 'replace'))!r}"
    return Fault("again", reason, reply.status, explained=False)


def _duration(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.0f} seconds"
