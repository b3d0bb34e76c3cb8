"""A multiple-choice task whose prior is taken in its own domain; runs in stock lm-eval."""

from __future__ import annotations

from typing import Any

from lm_eval.api.task import ConfigurableTask
from lm_eval.utils import apply_template


class CalibratedTask(ConfigurableTask):
    """Takes the prior of `acc_mutual_info` after `metadata.prior_context`, not after an empty text.

    This is the domain-conditional pointwise mutual information of Holtzman et al. (2021), "Surface form competition":
    log P(answer | item, label) - log P(answer | label). lm-eval's own prior has nothing before the answer.
    """

    def __init__(self, config: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"}, **kwargs)

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> Any:
        requests = super().construct_requests(doc, ctx, **kwargs)
        if "acc_mutual_info" not in self._metric_fn_list:
            return requests  # no prior was asked for
        prior = apply_template(self.config.metadata["prior_context"], doc)
        if kwargs.get("apply_chat_template") and kwargs.get("chat_template"):
            prior = kwargs["chat_template"]([{"role": "user", "content": prior}])
        for request in requests[len(requests) // 2 :]:
            request.arguments = (prior, request.arguments[1])
        return requests
