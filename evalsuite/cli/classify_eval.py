"""`evalsuite classify-eval`: how well models sort a user's own messages into the user's own categories, and how fast."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.common import IncludeOption, JsonOption, OfflineOption, console, names, print_json, told
from evalsuite.cli.device import write_report
from evalsuite.cli.request import Request, run_name, valid_sweep
from evalsuite.cli.run import leave, measure
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalsuite.catalog.profile_texts import ProfileTexts
    from evalsuite.messages import Asked, Messages
    from evalsuite.records import Language, ProfileSettings, PromptForm, Sweep
    from evalsuite.runner import Summary
    from evalsuite.store import RunWriter

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite classify-eval messages.csv --labels labels.yaml --model gemma3-270m --lang eu\n\n"
    "  evalsuite classify-eval examples/messages/messages.csv --labels examples/messages/labels.yaml --model gemma3-270m\n\n"
    "  evalsuite classify-eval inbox.csv --labels labels.yaml -m gemma3-270m -m my-model.gguf --lang Spanish "
    "--text-column Asunto --label-column Tema\n\n"
    "  evalsuite classify-eval messages.csv --labels labels.yaml -m gemma3-270m --label-wording native,described\n\n"
    "The CSV needs a header, a column of texts, one of labels, and one of languages where --lang is not given. A file of "
    "labels is a list of names, or keys with names and descriptions. The same command goes on after an interruption."
)

_MESSAGES = 12
"""Messages of each language that the device is asked one by one."""
_REQUESTS = 24
"""Requests of each language, at least: a 95th percentile needs 20."""
_SEED = 20260401
_NEEDS = {
    "described": ("descriptions", "a description of every label"),
    "english-names": ("english_names", "names.en of every label"),
    "english-described": ("english_descriptions", "names.en and descriptions.en of every label"),
}
"""Wording → what every label must have."""

CsvArgument = Annotated[Path, typer.Argument(metavar="MESSAGES.csv", help="Your messages with their categories.")]
LabelsOption = Annotated[Path, typer.Option("--labels", help="YAML file of your categories.")]
ModelOption = Annotated[
    list[str],
    typer.Option("--model", "-m", help="Catalog name or path of a .gguf file. May be repeated."),
]
LangOption = Annotated[str | None, typer.Option("--lang", help="Language of all messages, such as eu or Basque.")]
LangColumnOption = Annotated[str | None, typer.Option("--lang-column", help="Column of the language of each message.")]
TextOption = Annotated[str | None, typer.Option("--text-column", help="Column of the messages. Default: by its name.")]
LabelOption = Annotated[str | None, typer.Option("--label-column", help="Column of the labels. Default: by its name.")]
IdOption = Annotated[
    str | None, typer.Option("--id-column", help="Column of ids. Default: a column `id`, else the row's number.")
]
DelimiterOption = Annotated[str, typer.Option("--delimiter", help="One of , ; | tab auto.")]
EncodingOption = Annotated[str, typer.Option("--encoding", help="auto, or a name such as utf-8, cp1252, cp932.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Messages per language: a seeded sample.")]
WordingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label-wording",
        help="How categories are named, such as native,described: native (not listed), listed, described, "
        "english-names, english-described, english. Default: native.",
    ),
]
LatencyOption = Annotated[
    bool,
    typer.Option("--latency/--no-latency", help=f"Also time up to {_MESSAGES} messages a language, one at a time."),
]
BaselinesOption = Annotated[
    bool,
    typer.Option(
        "--baselines/--no-baselines",
        help="Also train a classifier on four fifths of the messages, five times over, and show it beside the models.",
    ),
]


@dataclass(frozen=True)
class _OwnRequest(Request):
    """A request whose sweep is made from messages, and not from options."""

    made: Sweep = field(kw_only=True)

    def sweep(self) -> Sweep:
        return self.made


@told
def command(
    path: CsvArgument,
    labels: LabelsOption,
    model: ModelOption,
    lang: LangOption = None,
    lang_column: LangColumnOption = None,
    text_column: TextOption = None,
    label_column: LabelOption = None,
    id_column: IdOption = None,
    delimiter: DelimiterOption = "auto",
    encoding: EncodingOption = "auto",
    limit: LimitOption = None,
    label_wording: WordingOption = None,
    latency: LatencyOption = True,
    baselines: BaselinesOption = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder. Default: out/<name of the CSV>.")] = None,
    report: Annotated[bool, typer.Option(help="Write <run folder>.html at the end.")] = True,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how well models sort your messages into your categories, and how long one message takes."""
    from evalsuite.messages import Asked
    from evalsuite.trained_plan import BASELINE_NAMES

    forms = _forms(label_wording)
    folder = out or Path("out") / run_name(path.stem)
    asked = Asked(text_column, label_column, id_column, lang_column, lang, delimiter, encoding)
    job = _Job.read(path, labels, asked, tuple(one.resolve() for one in include or ()))
    job.check(forms)
    for note in job.messages.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    sweep = _sweep(job, folder, model, forms, limit)
    trained = BASELINE_NAMES if baselines else ()
    sweep = sweep.model_copy(update={"baselines": trained, "profile": _profile(job.messages) if latency else None})
    request = _OwnRequest(
        None, names(model), None, None, limit, chat=False, include=None, data=None, offline=offline, made=sweep
    )
    plan, summary = job.run(folder, request)
    page = write_report(folder) if report and (summary.done or summary.already_done) else None
    _tell(folder, page, job.messages, summary, len(plan.skips), as_json)
    leave(plan, summary)


@dataclass(frozen=True)
class _Job:
    """Messages with the languages that they are in."""

    messages: Messages
    languages: Mapping[str, Language]
    include: tuple[Path, ...]

    @classmethod
    def read(cls, path: Path, labels: Path, asked: Asked, include: tuple[Path, ...]) -> _Job:
        from evalsuite.catalog.load import load_catalog
        from evalsuite.messages import load_labels, read_messages

        languages = load_catalog(include).languages
        return cls(read_messages(path, load_labels(labels, languages), languages, asked), languages, include)

    def check(self, forms: tuple[PromptForm, ...]) -> None:
        """Refuse wordings that no language has."""
        labels = self.messages.labels
        english, told_english = labels.translated("en")
        has = {
            "descriptions": any(labels.descriptions_in(code) for code in self.messages.languages),
            "english_names": bool(english),
            "english_descriptions": bool(english and told_english),
        }
        for form in forms:
            column, needs = _NEEDS.get(form.wording, ("", ""))
            if column and not has[column]:
                raise InputError(
                    f"--label-wording: {form.wording!r} needs {needs}, and {labels.path} has not got it",
                    fix=f"add it there, or leave {form.wording} out",
                )

    def run(self, folder: Path, request: _OwnRequest) -> tuple[Any, Summary]:
        """Write the tasks and measure."""
        from evalsuite.store import RunWriter
        from evalsuite.usertask import GROUP, task_files, write_task_files

        files = task_files(self.messages, self.languages)
        tasks = folder / "tasks" / GROUP
        with RunWriter(folder) as writer, _cleared(writer, tasks):
            if writer.exists:
                _ = writer.manifest
            write_task_files(files, tasks, begun=writer.exists)
            return measure(writer, request, self._requests() if request.made.profile else None)

    def _requests(self) -> ProfileTexts:
        from evalsuite.usertask import device_requests

        return device_requests(self.messages, self.languages, most=_MESSAGES, seed=_SEED)


@contextmanager
def _cleared(writer: RunWriter, tasks: Path) -> Iterator[None]:
    """Take the tasks away again where no run was begun, such as with a model that there is not."""
    new = not tasks.exists()
    try:
        yield
    finally:
        if new and not writer.exists:
            shutil.rmtree(tasks, ignore_errors=True)
            if tasks.parent.is_dir() and not any(tasks.parent.iterdir()):
                tasks.parent.rmdir()


def _forms(wordings: list[str] | None) -> tuple[PromptForm, ...]:
    from evalsuite.records import PromptForm

    known = (PromptForm.NATIVE, *PromptForm.LABEL_WORDINGS, PromptForm.ENGLISH)
    asked = names(wordings) or [PromptForm.NATIVE]
    for name in asked:
        if name not in known:
            raise InputError(f"--label-wording: unknown wording {name!r}", fix=f"give some of {', '.join(known)}")
    return tuple(dict.fromkeys(map(PromptForm, asked)))


def _sweep(job: _Job, folder: Path, models: list[str], forms: tuple[PromptForm, ...], limit: int | None) -> Sweep:
    from evalsuite.records import ModelRef
    from evalsuite.usertask import task_name

    messages = job.messages
    fields: dict[str, object] = {
        "name": run_name(folder.resolve().name),
        "title": f"{messages.path.name}: {len(messages.messages)} messages, {len(messages.labels.keys)} categories",
        "models": tuple(ModelRef.model_validate(name) for name in names(models)),
        "tasks": tuple(task_name(code) for code in messages.languages),
        "languages": messages.languages,
        "prompt_forms": forms,
        "include": (*job.include, folder.resolve()),
        "limit": limit,
        "seed": _SEED,
    }
    return valid_sweep(fields)


def _profile(messages: Messages) -> ProfileSettings:
    """Return how the device is measured: single requests of the user's own messages, and nothing else."""
    from evalsuite.records import Kind, ProfileSettings

    count = min(_MESSAGES, max(len(messages.in_language(code)) for code in messages.languages))
    return ProfileSettings(
        kinds=(Kind.CLASSIFICATION,),
        own_messages=True,
        classifications=count,
        rounds=math.ceil(_REQUESTS / count),
        curve=(),
        meters=("none",),
        prove_memory=False,
    )


def _tell(folder: Path, page: Path | None, messages: Messages, summary: Summary, skipped: int, as_json: bool) -> None:
    from evalsuite.cli.classify_table import rows_of, show_rows

    rows = rows_of(folder)
    if as_json:
        print_json(
            {
                "run": str(folder),
                "report": str(page) if page else None,
                "done": summary.done,
                "already_done": summary.already_done,
                "failed": summary.failed,
                "skipped": skipped,
                "failures": summary.reasons,
                "notes": messages.notes,
                **rows,
            }
        )
        return
    show_rows(rows)
    console.print(f"run: {folder}" + (f"\nreport: {page}" if page else ""), soft_wrap=True, markup=False)
