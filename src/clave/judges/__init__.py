"""Judges: the other evaluators of the benchmark, one file each, all behind the protocol in protocol.py."""
