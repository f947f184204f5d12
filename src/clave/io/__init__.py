"""Data in and out: sources.py reads formats, samples.py makes responses and labels of rows, verdicts.py writes and reads verdicts."""

from clave.io.rows import Skipped
from clave.io.samples import read_labels, read_responses
from clave.io.sources import read_rows
from clave.io.verdicts import VerdictWriter, read_records, read_verdicts, write_jsonl

__all__ = ["Skipped", "VerdictWriter", "read_labels", "read_records", "read_responses", "read_rows", "read_verdicts", "write_jsonl"]
