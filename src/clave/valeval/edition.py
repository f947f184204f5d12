"""Which edition of the data set this package builds, and what is said of it: version, changelog, canary, and what contamination means here.

A build's version changes when its rows do: the first number where figures on it cannot be compared with earlier ones, the second where
rows came or went, the third where only what is said about them changed.
"""

from __future__ import annotations

from importlib import resources

VERSION = "2.0.2"
CANARY = "VALEVAL CANARY: benchmark data must not stand in training corpora. valeval:5b1f0c9e-6d0b-4d1c-9d5a-0a2f7e9c41b7"
"""Stands in every text that comes with the rows. A model that completes it has seen them."""
CONTAMINATION = (
    "All texts come from public data sets of 2020 to 2023, which large models have very likely been trained on, some with their "
    "labels. The labels here are read out of the sources by our own rules and were not public before, but for those that rename a "
    "source's own. A judge's figures are therefore upper bounds for unseen text of the kind. The canary tells only whether this build "
    "was trained on."
)
PURPOSE = (
    "To measure how well an evaluator of values agrees with people, on the annotators' own kind of text, on edited text and on other "
    "sources. It is not a training set for assistants, not a ranking of people, cultures or models, and no licence to decide about a "
    "person by what a judge says of a text. Do not use it where a figure on English texts of 2020 to 2023 from safety data, crowd- "
    "written stories and forums would be taken for one on your users; where opposing Schwartz's values matters, of which there are "
    "few rows; or, without leaving out the sources that forbid it, in commerce. It was put together from public files; nobody was "
    "paid or asked anew. Errors are settled by `clave valeval audit` and `--corrections`; rows change only with the version."
)
CEILINGS = (
    "The table is of all texts of a source that several annotators labelled, also of those that give no row. Rows of MFRC are those on "
    "which its three annotators are of one mind, so that on these a judge can be asked for more than on its comments at large. Moral "
    "Stories carries Social-Chem's ticks, most of one worker. The other copies give sums or one label: their ceiling is not known. A "
    "judge that agrees with more than the share that a blind reader bears out has learnt the source's habits."
)
FIELDS = (
    "`id`, `system`, `value`, `split`, `scenario` (may be empty), `response`, `label`, `label_origin`, `source`, `license`, `group` "
    "(near twins share it), `agreement` (what the source says of its annotators), `annotations` (what each of them said), `base_id`, "
    "`kind`, `strength` (perturbation only), `decides` (what other answers to the prompt differ in), `verified` (a person looked the "
    "label over), `corrected` (and changed it). The definitions of the values are in `value_systems/`."
)


def changes() -> str:
    """The changelog of the data set."""
    return (resources.files("clave.valeval") / "CHANGES.md").read_text(encoding="utf-8")
