"""Whether a response is written in words that the labelled samples know: another language, or another kind of text, is not.

    wording = Wording.of(samples)
    wording.unlike("我们先听听他怎么说。")       # True, where the labels are on English responses

The sentence encoder cannot tell: to one that knows English alone, Chinese text is as near to English samples as English text is. So words
are counted: the share of a response's words that stand in no labelled sample of another scenario. The threshold is the share that the
labelled samples themselves, each against those of other scenarios, stay within but for `FALSE_ALARMS` (split conformal prediction, Vovk et
al. 2005): of responses like the labelled ones, at most that share is flagged, or 1 in n + 1 where there are too few samples for it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from clave.fitting.samples import Sample

FALSE_ALARMS = 0.02
"""Share of responses like the labelled ones that may be flagged."""
_PRIOR = 5.0
"""Words as usual that every response is taken to have besides its own: with two words, nobody can tell."""
_MOST = 20_000
"""Characters of a response that are looked at."""
_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Letters of scripts that leave no space between words: each counts as a word."""
_WORD = re.compile(rf"[{_ALONE}]|[^\W\d_{_ALONE}]+")


@dataclass(frozen=True)
class Wording:
    """See the module."""

    known: frozenset[str]
    """Words of the labelled samples."""
    usual: float
    """Mean share of unknown words among the labelled samples."""
    threshold: float
    """A greater share is unlike them."""

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Wording:
        """From the labelled samples and their scenarios."""
        texts: dict[str, set[str]] = defaultdict(set)
        by_scenario: dict[str, set[str]] = defaultdict(set)
        for sample in samples:
            row = sample.labelled
            texts[row.group].add(row.response)
            by_scenario[row.group].update(words_of(row.response), words_of(row.scenario))
        scenarios = Counter(word for words in by_scenario.values() for word in words)
        rows = [(words_of(text), by_scenario[group]) for group, own in texts.items() for text in sorted(own)]
        shares = [_share([scenarios[word] > (word in own) for word in words], 0.0, 0.0) for words, own in rows if words]
        usual = sum(shares) / len(shares) if shares else 0.0
        smoothed = sorted(_share([scenarios[word] > (word in own) for word in words], _PRIOR, usual) for words, own in rows if words)
        place = min(math.ceil((1 - FALSE_ALARMS) * (len(smoothed) + 1)), len(smoothed))
        return cls(frozenset(scenarios), usual, smoothed[place - 1] if smoothed else 1.0)

    def unlike(self, text: str) -> bool:
        """Whether a text is unlike the labelled samples."""
        words = words_of(text)
        return bool(words) and _share([word in self.known for word in words], _PRIOR, self.usual) > self.threshold


def words_of(text: str) -> list[str]:
    """Its words, in small letters and in one form."""
    return _WORD.findall(unicodedata.normalize("NFKC", text[:_MOST]).casefold())


def _share(known: Sequence[bool], prior: float, usual: float) -> float:
    """Of words that are not known."""
    return (sum(not it for it in known) + prior * usual) / (len(known) + prior)
