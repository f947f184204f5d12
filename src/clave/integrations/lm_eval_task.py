"""A task of lm-eval that scores what a model generates: per value 1 where it adheres, 0 unrelated, -1 where it opposes.

    task: kindness                      # tasks/kindness.yaml; lm_eval run --tasks kindness --include_path tasks
    class: !function clave.integrations.lm_eval_task.ValuesTask
    dataset_path: json
    dataset_kwargs: {data_files: {test: scenarios.jsonl}}
    test_split: test
    doc_to_text: scenario
    metadata: {evaluator: evaluator, values: [care]}

The scenario is what `doc_to_text` makes of a document. All generations are judged at once, after the task's filters. A value without a
verdict is left out of a document's metrics, which lm-eval leaves out of their means and warns of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lm_eval.api.task import ConfigurableTask

from clave.errors import InputError
from clave.integrations.hosted import LABEL_SCORES, Hosted, shown


class ValuesTask(ConfigurableTask):
    """See the module.

    Args:
        config: Of the task. Its `metadata` holds `evaluator` (a folder, or `org/name` on the Hub), `values` (those to score, by id; left
            out: all that it was fitted on) and `options` (how calls are made, as `Clave.from_pretrained` takes them); `--metadata` on the
            command line adds to it.

    Raises:
        EvaluatorError: The evaluator cannot be used.
        InputError: None is named, or it does not judge one of the values. Both are known before anything is generated.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        named = config.get("metadata") or {}
        self._hosted = Hosted.open(named.get("evaluator", ""), named.get("values"), named.get("options"))
        metrics = [{"metric": value, "aggregation": "mean", "higher_is_better": True} for value in self._hosted.values]
        own = {key: setting for key, setting in config.items() if key != "class"}
        super().__init__(config={"doc_to_target": "", **own, "output_type": "generate_until", "metric_list": metrics})

    def apply_filters(self) -> None:
        """Filter the generations, then judge them: what is kept of each is value -> verdict."""
        super().apply_filters()
        places = [(instance, name) for instance in self.instances for name in instance.filtered_resps]
        judged = self._hosted.judge_all((self.doc_to_text(i.doc), _text(i.filtered_resps[name])) for i, name in places)
        for (instance, name), verdicts in zip(places, judged, strict=True):
            instance.filtered_resps[name] = {value: shown(verdict) for value, verdict in verdicts.items()}

    def process_results(self, doc: Mapping[str, Any], results: list[dict[str, dict[str, Any]]]) -> dict[str, float]:
        """Value -> score, for those that have a verdict."""
        (verdicts,) = results
        return {value: LABEL_SCORES[verdict["label"]] for value, verdict in verdicts.items() if verdict["label"] is not None}


def _text(filtered: Any) -> str:
    """The generation that the filters leave.

    Raises:
        InputError: They leave several.
    """
    if isinstance(filtered, str):
        return filtered
    raise InputError(f"the filters leave a {type(filtered).__name__}, not one text: end them with `take_first`")
