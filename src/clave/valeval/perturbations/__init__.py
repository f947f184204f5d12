"""Edits of a text that keep its label. kind.py says what a kind is; surface.py, wording.py and form.py hold the offline kinds,
rewrite.py those that need a chat model; checks.py rejects an edit that changes too much; rows.py makes the split."""
