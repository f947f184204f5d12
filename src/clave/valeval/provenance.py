"""How a label came about, and what the licence of its source allows: by both a build may be narrowed."""

from __future__ import annotations

from typing import Literal

Origin = Literal["stated", "inferred", "model-assisted"]
ORIGINS: tuple[Origin, ...] = ("stated", "inferred", "model-assisted")
"""`stated`: the label renames what people said of this very text, or puts two such statements together. `inferred`: nobody was asked; it
follows by a rule of ours from what people said of something else, or from their silence. `model-assisted`: a model proposed it and people
corrected it."""

Terms = Literal["permissive", "share-alike", "non-commercial", "disputed"]
TERMS: tuple[Terms, ...] = ("permissive", "share-alike", "non-commercial", "disputed")
"""`permissive`: any use, with attribution. `share-alike`: and what is derived stays under the licence. `non-commercial`: none for gain.
`disputed`: another copy of the data states a narrower licence than its own."""
