"""Croissant metadata of a build: its files, fields and how it came about, for data-set search and loading (docs.mlcommons.org/croissant).

croissant_metadata(sources, manifest)["name"]      # validated with mlcroissant in the tests
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clave.valeval.edition import CANARY, CONTAMINATION
from clave.valeval.row import SPLITS, VIEWS, ValEvalRow
from clave.valeval.sources.spec import Source

CROISSANT = "croissant.json"
_TYPES = {"strength": "sc:Integer", "verified": "sc:Boolean", "corrected": "sc:Boolean"}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant_metadata(sources: Sequence[Source], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON-LD of a build whose other files are written: `manifest["outputs"]` has their hashes."""
    names = (*SPLITS, *VIEWS)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": "ValEval",
        "description": "Texts labelled for one human value each: does the response adhere to the value, oppose it, or is it unrelated? "
        f"Rebuilt from public data sets; the origin of each label stands in its row. {CANARY}",
        "version": manifest["version"],
        "license": sorted({s.license for s in sources}),
        "url": "https://arxiv.org/abs/2407.10725",
        "datePublished": "2026-11-28",
        "creator": [{"@type": "sc:Person", "name": s.attribution} for s in sources],
        "citeAs": "Yao, Yi, Xie (2024): CLAVE. arXiv:2407.10725, for the design; the sources for their texts and labels.",
        "keywords": ["human values", "alignment", "evaluation of evaluators", "safety"],
        "inLanguage": "en",
        "isLiveDataset": False,
        "rai:dataCollection": "; ".join(f"{s.title}: {s.text_type}" for s in sources),
        "rai:dataAnnotationProtocol": "; ".join(f"{s.title}: labels by {s.labels_by}. {s.reading}" for s in sources),
        "rai:dataLimitations": CONTAMINATION,
        "rai:dataBiases": "; ".join(f"{s.title}: {s.judgement or 'none known'} {s.gaps}" for s in sources),
        "rai:personalSensitiveInformation": "Texts of social media and of safety data may name real people.",
        "rai:dataUseCases": "Measuring how well an evaluator of values agrees with people. Not a training set for assistants.",
        "distribution": [_file(f"{name}.jsonl", manifest) for name in names],
        "recordSet": [_records(name) for name in names],
    }


def _file(name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": "application/jsonlines",
        "sha256": manifest["outputs"][name],
    }


def _records(name: str) -> dict[str, Any]:
    fields = []
    for field in ValEvalRow.model_fields:
        source = {"fileObject": {"@id": f"{name}.jsonl"}, "extract": {"column": field}}
        entry = {"@type": "cr:Field", "@id": f"{name}/{field}", "name": field, "dataType": _TYPES.get(field, "sc:Text"), "source": source}
        fields.append(entry | ({"repeated": True} if field == "annotations" else {}))
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "key": {"@id": f"{name}/id"}, "field": fields}
