"""Collecting labels: the store, the page, agreement between annotators, aggregation, import and export."""
