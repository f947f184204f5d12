"""The prompts: Markdown files under prompts/, each a system part that many calls share and, after `=== user ===`, the part of one call.

    template("extract").system(value=value, guideline=None)
    template("extract").user(value=value, scenario="", response="I helped.", examples=[], token="5f3c")

To change a prompt, edit its file. What is sent is part of every cache key, and the files' hashes stand in a saved evaluator's manifest.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from clave.settings import Settings

if TYPE_CHECKING:
    import jinja2

_MARK = "=== user ===\n"
RENDERING = 1
"""Of the code that fills the templates: raise it when a change of that code changes what a model reads."""


class Template:
    """One prompt file."""

    def __init__(self, name: str, package: str) -> None:
        import jinja2

        self.source = (resources.files(package) / "prompts" / f"{name}.md").read_text(encoding="utf-8")
        system, _, user = self.source.partition(_MARK)
        # Prompts are text, not HTML: nothing is escaped, and a response cannot be a template because it only ever is a variable.
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=False)
        self._system: jinja2.Template = environment.from_string(system.strip())
        self._user: jinja2.Template = environment.from_string(user.strip())

    @property
    def hash(self) -> str:
        """Twelve hex digits of the file, and of how it is filled."""
        rendering = f"\0{RENDERING}" if RENDERING > 1 else ""
        return hashlib.sha256(f"{self.source}{rendering}".encode()).hexdigest()[:12]

    def system(self, **variables: Any) -> str:
        """The part that many calls share."""
        return _filled(self._system, variables)

    def user(self, **variables: Any) -> str:
        """The part of one call."""
        return _filled(self._user, variables)


def _filled(part: jinja2.Template, variables: dict[str, Any]) -> str:
    """What `render` gives, without the functions that jinja2 copies into every context: a prompt calls none."""
    return "".join(part.root_render_func(part.new_context(variables, shared=True)))


@functools.cache
def template(name: str, package: str = "clave.concepts") -> Template:
    """A prompt by the name of its file, and the package whose folder prompts/ it is in."""
    return Template(name, package)


def prompts_in_use(settings: Settings) -> dict[str, str]:
    """Name -> hash of the prompts that verdicts of such an evaluator rest on; a joint answer that lacks a value is asked for singly."""
    if not settings.calls:
        return {}
    names = ("extract",) if settings.ask == "single" else ("extract_joint", "extract")
    return {name: template(name).hash for name in names}


def token_for(*texts: str) -> str:
    """The token that marks where untrusted text begins and ends.

    It is a hash of those texts: the same each time, so that answers can be cached, and not to be guessed by whoever writes a text,
    because it would have to contain its own hash; 128 bits, so that nobody can search for such a text.
    """
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
