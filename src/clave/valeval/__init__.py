"""ValEval, the benchmark data set: public human-labelled texts with one value and one label a row, rebuilt to the byte by one command.

sources/ reads each public data set, inputs.py finds or downloads the raw files and checks their hashes, neardup.py and splits.py
cut by scenario, perturbations/ edits original rows, build.py puts it together, check.py proves the result.
"""
