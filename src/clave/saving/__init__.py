"""A fitted evaluator as a folder that people can read, compare and edit: JSON, YAML, Markdown and safetensors, no pickle.

    config.json          schema version, settings, library versions       value_system.yaml
    guidelines/*.md      one a value                                       concepts.jsonl    one pool concept a line
    samples.jsonl        labelled samples, folds, extractions              vectors.safetensors
    recognizer/          the small model                                   calibration.json
    manifest.json        hashes of all files, prompts, labels, scores      README.md         model card
    asked.json           what the large model was asked at the fit         checks.jsonl      later checks for drift, one a line

Guidelines and concepts.jsonl may be edited; `clave refit` then takes them up. `clave check` adds to checks.jsonl, which is no part of what
the evaluator is: the manifest leaves it out. Any other change is damage and is refused.
"""

from clave.saving.hub import fetch, push
from clave.saving.reading import load
from clave.saving.refitting import refit_folder
from clave.saving.writing import add_check, refuse_occupied, save

__all__ = ["add_check", "fetch", "load", "push", "refit_folder", "refuse_occupied", "save"]
