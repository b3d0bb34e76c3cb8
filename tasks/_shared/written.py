"""A task whose answer is written by the model and scored by a function that knows the task's language; runs in stock lm-eval."""

from __future__ import annotations

from typing import Any

from lm_eval.api.task import ConfigurableTask


class WrittenTask(ConfigurableTask):
    """Calls `process_results(doc, results, metadata)`: what is right depends on the language, which stands in the metadata."""

    def __init__(self, config: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"}, **kwargs)

    def process_results(self, doc: dict[str, Any], results: list[str]) -> dict[str, Any]:
        return self.config.process_results(doc, results, self.config.metadata)
