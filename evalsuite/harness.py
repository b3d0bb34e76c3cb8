"""lm-eval at work: builds a task from its YAML, scores a few items at a time, and turns its samples into records."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from evalsuite.backends.llamacpp.chat import strip_marks
from evalsuite.backends.options import GenerationOptions
from evalsuite.catalog.data import DataFinder, id_columns, item_id
from evalsuite.catalog.tasks import has_changed
from evalsuite.errors import BackendError
from evalsuite.records import BEYOND_CONTEXT, LONG_FAMILY, PromptForm, Record, Task

if TYPE_CHECKING:
    from datasets import DatasetDict
    from lm_eval.api.model import TemplateLM

__all__ = ["BuiltTask", "Item", "build_task", "prepared"]


@dataclass(frozen=True)
class Item:
    """What an item asks, without a model."""

    id: str
    context: str
    choices: tuple[str, ...]
    gold: int | None
    """Place of the right choice; none where there are no choices, or it cannot be told."""
    target: str
    """What is right: the place as text, or the reference texts, one a line."""


class BuiltTask:
    """A task whose items are loaded, ready to be scored. Made by `build_task`."""

    def __init__(self, task: Task, lm_task: Any, prompt_form: PromptForm) -> None:
        self.task = task
        self.prompt_form = prompt_form
        self._lm_task = lm_task
        self._docs = lm_task.dataset[task.data.split]
        self._needs: dict[int, int] = {}
        """Tokens that an item of long texts needs, by its index."""
        if prompt_form.rotation:
            self._docs = self._docs.map(partial(_turned, prompt_form.rotation), load_from_cache_file=False)

    def __len__(self) -> int:
        return len(self._docs)

    def announce(self, lm: TemplateLM, indices: Sequence[int]) -> None:
        """Tell a backend that plans ahead which items `score` will be asked for, so that they can share tokens."""
        if not hasattr(lm, "announce"):
            return
        beyond = self._beyond(lm, indices)
        lm.announce(self._requests(lm, [index for index in indices if index not in beyond]))

    def score(self, lm: TemplateLM, indices: Sequence[int]) -> list[Record]:
        """Return the records of the items at `indices`, in that order.

        lm-eval's own `evaluate` builds the requests, applies the filters and computes the metrics. Items of long texts
        that do not fit the model's context are not asked: they have a record without a score, and never a cut text.
        """
        beyond = self._beyond(lm, indices)
        asked = [index for index in indices if index not in beyond]
        found = {record.item_index: record for record in (self._scored(lm, asked) if asked else [])}
        return [beyond.get(index) or found[index] for index in indices]

    def _scored(self, lm: TemplateLM, indices: Sequence[int]) -> list[Record]:
        from lm_eval.evaluator import evaluate

        part = self._part(indices)
        with quiet():
            results = evaluate(
                lm=lm,
                task_dict={"tasks": {self.task.name: part}, "groups": {}, "group_map": {}},
                bootstrap_iters=0,
                log_samples=True,
                apply_chat_template=self.prompt_form.chat,
            )
        if results is None:
            raise BackendError("lm-eval returned no results")
        samples = results["samples"][self.task.name]
        # A task with several filters logs each item once a filter; the first is the one that it is scored by.
        first = samples[0]["filter"]
        return [self._record(lm, indices[s["doc_id"]], s) for s in samples if s["filter"] == first]

    def items(self, indices: Sequence[int]) -> list[Item]:
        """Return what is asked and what is right, item by item."""
        found = []
        for index in indices:
            doc = self._docs[index]
            several = self.task.output_type == "multiple_choice"
            choices = tuple(str(c) for c in self._lm_task.doc_to_choice(doc)) if several else ()
            target = self._lm_task.doc_to_target(doc)
            gold = choices.index(target) if isinstance(target, str) and target in choices else target
            text = self._lm_task.doc_to_text(doc)
            if isinstance(text, int):  # the choices are beginnings, one of which is right; the text after them is one
                gold, text = text, str(target)
            found.append(
                Item(
                    id=item_id(self.task, doc, index),
                    context=str(text),
                    choices=choices,
                    gold=gold if several and isinstance(gold, int) else None,
                    target="\n".join(map(str, target)) if isinstance(target, list) else str(target),
                )
            )
        return found

    def prompts(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return items as the model sees them: id, context, choices, the right choice or text."""
        shown = []
        for index in indices:
            doc = self._docs[index]
            choices = self._lm_task.doc_to_choice(doc) if self.task.output_type == "multiple_choice" else []
            target = self._lm_task.doc_to_target(doc)
            right = choices[target] if choices and isinstance(target, int) else target
            with quiet():
                context = self._lm_task.fewshot_context(doc, num_fewshot=0)
            shown.append(
                {"id": item_id(self.task, doc, index), "context": context, "choices": choices, "target": right}
            )
        return shown

    def _requests(self, lm: TemplateLM, indices: Sequence[int]) -> list[Any]:
        """Return lm-eval's requests for some items; the `doc_id` of each is its item's place among `indices`."""
        if not indices:
            return []
        part, chat = self._part(indices), self.prompt_form.chat
        with quiet():
            part.build_all_requests(
                apply_chat_template=chat,
                chat_template=lm.apply_chat_template if chat else None,
                tokenizer_name=lm.tokenizer_name if chat else "",
            )
        return list(part.instances)

    def _beyond(self, lm: TemplateLM, indices: Sequence[int]) -> dict[int, Record]:
        """Return records without a score of the items of long texts that the model has no room for.

        In other families such an item fails the cell: there, a mean over the shorter items would be another measure.
        """
        if self.task.family != LONG_FAMILY:
            return {}
        unknown = [index for index in indices if index not in self._needs]
        for request in self._requests(lm, unknown):
            index = unknown[request.doc_id]
            self._needs[index] = max(self._needs.get(index, 0), needed_tokens(lm, request))
        return {i: self._not_asked(lm, i, self._needs[i]) for i in indices if self._needs[i] > lm.max_length}

    def _not_asked(self, lm: TemplateLM, index: int, needs: int) -> Record:
        from lm_eval.utils import handle_non_serializable, hash_string

        doc, (item,) = self._docs[index], self.items([index])
        dumped = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
        return Record(
            item_id=item.id,
            item_index=index,
            context=item.context,
            target=item.target,
            metrics={BEYOND_CONTEXT: {"needs_tokens": needs, "context_tokens": lm.max_length}},
            score=None,
            context_tokens=len(lm.tok_encode(item.context)),
            context_chars=len(item.context),
            context_bytes=len(item.context.encode()),
            doc=_json(doc),
            arguments="[]",
            responses="[]",
            filtered="[]",
            filter="none",
            doc_hash=hash_string(dumped),
            prompt_hash=hash_string(item.context),
            target_hash=hash_string(item.target),
        )

    def _part(self, indices: Sequence[int]) -> Any:
        """Return a view of the task that holds these items only; lm-eval would walk through all for every part."""
        part = copy.copy(self._lm_task)
        part._config = copy.copy(self._lm_task._config)
        docs = self._docs.select(indices) if hasattr(self._docs, "select") else [self._docs[i] for i in indices]
        part.dataset = {split: docs for split in (part.config.test_split, part.config.validation_split) if split}
        part._instances = None
        # Only the items are wanted; means over a chunk would be thrown away, and some metrics fail on few items.
        part._aggregation_list = dict.fromkeys(self._lm_task._aggregation_list, len)
        return part

    def _record(self, lm: TemplateLM, index: int, sample: dict[str, Any]) -> Record:
        doc = sample["doc"]
        from lm_eval.utils import hash_string

        context, metrics = str(sample["arguments"][0][0]), {name: _plain(sample[name]) for name in sample["metrics"]}
        shown = strip_marks(context)
        raw = self._raw(lm, sample)
        score = metrics.get(self.task.primary_metric)
        if self.task.primary_metric not in metrics:
            raise BackendError(
                f"{self.task.name}: lm-eval gave no metric {self.task.primary_metric!r}, only {', '.join(metrics)}",
                fix="name one of these as metadata.primary_metric",
            )
        return Record(
            item_id=item_id(self.task, doc, index),
            item_index=index,
            context=shown,
            metrics=metrics,
            score=float(score) if isinstance(score, int | float | np.number) else None,
            context_tokens=len(lm.tok_encode(context)),
            context_chars=len(shown),
            context_bytes=len(shown.encode()),
            doc=_json(doc),
            arguments=strip_marks(_json(sample["arguments"])),
            responses=_json(sample["resps"]),
            filtered=_json(sample["filtered_resps"]),
            filter=sample["filter"],
            doc_hash=sample["doc_hash"],
            prompt_hash=hash_string(shown),
            target_hash=sample["target_hash"],
            target=str(sample["target"]),
            **raw,
        )

    def _raw(self, lm: TemplateLM, sample: dict[str, Any]) -> dict[str, Any]:
        """Return what the model itself said: log-likelihoods or text."""
        if self.task.output_type == "generate_until":
            output = sample["resps"][0][0]
            return {"output": output, "answer_tokens": (len(lm.tok_encode(output, add_special_tokens=False)),)}
        if self.task.only_read:
            text = str(sample["arguments"][0][0])
            # The tokens that were predicted: without the begin-of-text token that stands before them.
            return {
                "logprobs": (_logprob(sample["resps"][0][0]),),
                "answer_tokens": (len(lm.tok_encode(text, add_special_tokens=False)),),
            }
        if self.task.output_type != "multiple_choice":
            return {"logprobs": tuple(_logprob(r[0]) for r in sample["resps"])}
        choices = [str(c) for c in self._lm_task.doc_to_choice(sample["doc"])]
        replies = [r[0] for r in sample["resps"]]
        scored, priors = replies[: len(choices)], replies[len(choices) :]
        arguments = sample["arguments"][: len(choices)]
        return {
            "choices": tuple(choices),
            "logprobs": tuple(_logprob(r) for r in scored),
            "greedy": tuple(bool(r[1]) for r in scored),
            "prior_logprobs": tuple(_logprob(r) for r in priors),
            "prediction": predict(self.task.primary_metric, choices, scored, priors),
            "answer_tokens": tuple(len(lm._encode_pair(c, a)[1]) if c else 0 for c, a in arguments),
        }


def predict(metric: str, choices: Sequence[str], scored: Sequence[Any], priors: Sequence[Any]) -> int:
    """Return the choice that `metric` takes, as lm-eval does: the first of the highest."""
    values = np.asarray([_logprob(r) for r in scored])
    if metric == "acc_norm":
        values = values / [max(1, len(c)) for c in choices]
    elif metric == "acc_bytes":
        values = values / [max(1, len(c.encode())) for c in choices]
    elif metric == "acc_mutual_info":
        values = values - [_logprob(r) for r in priors]
    return int(np.argmax(values))


def needed_tokens(lm: TemplateLM, request: Any) -> int:
    """Return how many tokens of context a request needs: those of the prompt, and of the answer or the room for it."""
    context, answer = request.args[0], request.args[1]
    if isinstance(answer, str):
        # The last token of an answer is predicted, and never read.
        return len(lm.tok_encode(context)) + max(0, len(lm.tok_encode(answer, add_special_tokens=False)) - 1)
    return len(lm.tok_encode(context)) + GenerationOptions.parse(answer).limit


def build_task(
    task: Task, finder: DataFinder, prompt_form: PromptForm, count_tokens: Callable[[str], int] | None = None
) -> BuiltTask:
    """Have lm-eval's `TaskManager` build a task, with its data from where `finder` finds it.

    Args:
        task: The task.
        finder: Reads the data.
        prompt_form: How items are put to the model.
        count_tokens: Returns how many tokens a text has for the model that will be asked, for tasks that fill a length.
            Without it they go by a nominal rate.
    """
    from lm_eval import utils
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    if has_changed(task):
        raise BackendError(
            f"{task.name}: its files have changed since it was planned ({task.path})",
            fix="give the command again: the plan is then made from the files as they are",
        )
    # lm-eval compiles a template anew for every item, which takes longer than to render it.
    if not hasattr(utils.env.from_string, "cache_info"):
        utils.env.from_string = lru_cache(maxsize=None)(utils.env.from_string)
    # Finders of others may know nothing of counting.
    raw = finder.load(task) if count_tokens is None else finder.load(task, count_tokens)
    data = prepared(task, raw, load_yaml(task.path).get("process_docs"))
    spec: dict[str, Any] = {
        "task": task.name,
        **_form_fields(task, prompt_form),
        "custom_dataset": lambda **_: data,
        "process_docs": None,  # applied already: lm-eval would apply it once more each time it looks at the items
        "fewshot_split": task.data.split,  # lm-eval looks for examples even where it shall show none
    }
    with quiet():
        # Its own folder is enough: what a task includes is found from its file, and to read all folders takes long.
        manager = TaskManager(include_path=str(task.path.parent), include_defaults=False)
        # A group is lm-eval's public way to load a registered task with a field replaced.
        loaded = manager.load({"group": "evalsuite_cell", "task": [spec]})
        lm_task: Any = loaded["tasks"][task.name]
    shots = lm_task.get_config("num_fewshot")
    if shots:
        raise BackendError(
            f"{task.name}: num_fewshot is {shots}; models are asked zero-shot here", fix="set num_fewshot to 0"
        )
    lm_task.set_config(key="num_fewshot", value=0)
    return BuiltTask(task, lm_task, prompt_form)


def prepared(task: Task, data: DatasetDict, process_docs: Callable[[Any], Any] | None) -> DatasetDict:
    """Return the items as the task's own `process_docs` makes them.

    Items are named by their place in the data, so that function must leave each in its place.
    """
    if process_docs is None:
        return data
    from datasets import DatasetDict

    raw, columns = data[task.data.split], id_columns(task)
    with quiet():
        docs = process_docs(raw)
    before, after = ([[row[c] for c in columns] for row in rows.select_columns(list(columns))] for rows in (raw, docs))
    if before != after or len(raw) != len(docs):
        raise BackendError(
            f"{task.name}: process_docs drops, adds or reorders items ({len(raw)} before, {len(docs)} after)",
            fix="change the fields of items only; prepare the selection in the data, or in custom_dataset",
        )
    return DatasetDict({task.data.split: docs})


def _form_fields(task: Task, form: PromptForm) -> dict[str, Any]:
    """Return the fields of a task that its wording replaces."""
    if form.wording == PromptForm.NATIVE:
        return {}
    from lm_eval.tasks._yaml_loader import load_yaml

    metadata = load_yaml(task.path)["metadata"]
    fields = dict(metadata["forms"][form.wording])
    if "prior_context" in fields:
        fields["metadata"] = {**metadata, "prior_context": fields.pop("prior_context")}
    return fields


def _turned(rotation: int, doc: dict[str, Any]) -> dict[str, Any]:
    """Return an item whose options are listed from another one on, in a circle."""
    options, gold = list(doc["options"]), int(doc["gold"])
    turn = rotation % len(options)
    return {**doc, "options": options[turn:] + options[:turn], "gold": (gold - turn) % len(options)}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep lm-eval's progress bars and warnings off the terminal."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def _plain(value: Any) -> Any:
    """Return a metric without NumPy's types."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _logprob(reply: Any) -> float:
    return float(reply[0] if isinstance(reply, tuple | list) else reply)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
