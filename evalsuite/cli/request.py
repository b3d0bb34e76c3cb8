"""From the command line's arguments to a sweep and its plan, for `run` and `plan`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import FetchBar, console, names
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.catalog.data import DataFinder
    from evalsuite.catalog.load import Catalog
    from evalsuite.pack import Pack
    from evalsuite.plan import Plan
    from evalsuite.records import Model, ProfileSettings, Sweep

__all__ = [
    "BaselinesOption",
    "ChatOption",
    "CopyBar",
    "LangsOption",
    "LimitOption",
    "ModelOption",
    "QuantiseOption",
    "Request",
    "SweepArgument",
    "TasksOption",
    "run_name",
    "show_licences",
    "valid_sweep",
]

SweepArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[SWEEP.yaml]", help="Sweep file, or folder of a pack.", show_default=False),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="Catalog name or path of a .gguf file; +dequantised behind it computes in float32. May be repeated.",
    ),
]
LangsOption = Annotated[
    list[str] | None, typer.Option("--langs", "-l", help="Languages, such as es,eu. Default: all seven.")
]
TasksOption = Annotated[
    list[str] | None, typer.Option("--tasks", "-t", help="Tasks, groups, families or suites. Default: starter.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Items per task: a seeded sample, the same in every language.")
]
ChatOption = Annotated[bool, typer.Option("--chat", help="Ask in the model's chat template.")]
BaselinesOption = Annotated[
    bool,
    typer.Option("--baselines", help="Also train classifiers (majority, tfidf-svm) for the tasks that allow it."),
]
QuantiseOption = Annotated[
    list[str] | None,
    typer.Option("--quantise", help="Quantisations to make of every GGUF model, such as Q8_0,Q2_K, and run beside it."),
]
_WORTH_A_LINE = 100 * 2**20
"""Bytes that take long enough to read that someone may wonder."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    sweep_path: Path | None
    models: list[str] | None
    langs: list[str] | None
    tasks: list[str] | None
    limit: int | None
    chat: bool
    include: list[Path] | None
    data: Path | None
    offline: bool
    profile: ProfileSettings | None = None
    """Where only the device is to be measured: how."""
    pack: Pack | None = None
    """Where models, data and sweep come from a pack: which."""
    baselines: bool = False
    """Whether all baselines are trained beside the models."""
    quantise: list[str] | None = None
    """Quantisations to make of every model."""

    def unpacked(self) -> Request:
        """Return the request with sweep and data of a pack, where the folder of one was given in place of a sweep file.

        Every file of the pack is checked first, and from then on the network is not used.
        """
        from evalsuite.pack import open_pack

        if self.sweep_path is None or not self.sweep_path.is_dir():
            return self
        for option, given in (("--data", self.data), ("--include", self.include)):
            if given:
                raise InputError(
                    f"{option} cannot be given with a pack: {self.sweep_path} brings its own",
                    fix=f"leave {option} out, or make the pack again with it",
                )
        pack = open_pack(self.sweep_path, CopyBar("checking"))
        return replace(self, sweep_path=pack.sweep_path, data=pack.mirror, offline=True, pack=pack)

    def finder(self) -> DataFinder:
        """Return what finds the data."""
        from evalsuite.catalog.data import DataFinder, mirror_from

        if self.pack is not None:
            return self.pack.finder()
        return DataFinder(mirror_from(self.data), offline=self.offline)

    def sweep(self) -> Sweep:
        """Return the sweep: that of the file, with the options that were given in place of its own."""
        from evalsuite.records import ModelRef, PromptForm
        from evalsuite.sweep import load_sweep

        given = self._baselines()
        if self.models is not None:
            given["models"] = tuple(ModelRef.model_validate(name) for name in names(self.models))
        lists = {"languages": self.langs, "tasks": self.tasks, "quantise": self.quantise}
        given |= {field: tuple(names(values)) for field, values in lists.items() if values is not None}
        if self.limit:
            given["limit"] = self.limit
        if self.chat:
            given["prompt_forms"] = (PromptForm.CHAT,)
        if self.profile is not None:
            given["profile"], given["tasks"] = self.profile, ()
        if self.include:
            given["include"] = tuple(path.resolve() for path in self.include)
        if self.sweep_path is not None:
            return valid_sweep({**dict(load_sweep(self.sweep_path)), **given})
        if not self.models:
            raise InputError(
                "nothing to run: neither a sweep file nor a model was given",
                fix="`evalsuite run sweeps/quickstart.yaml`, or `evalsuite run --model smollm2-135m-instruct`",
            )
        defaults = {"languages": ("en", "es", "pt", "ca", "gl", "eu", "ja"), "tasks": ("starter",)}
        name = run_name("-".join(ModelRef.model_validate(m).name for m in names(self.models)))
        return valid_sweep({**defaults, "name": name, **given})

    def _baselines(self) -> dict[str, object]:
        """Return the field of a sweep that asks for all baselines, where they are asked for."""
        from evalsuite.trained_plan import BASELINE_NAMES

        return {"baselines": BASELINE_NAMES} if self.baselines else {}

    def catalog(self, sweep: Sweep) -> Catalog:
        """Return the catalog with the sweep's own folders."""
        from evalsuite.catalog.load import load_catalog

        return load_catalog(sweep.include)

    def plan(self, *, download: bool) -> Plan:
        """Return what will be run.

        Args:
            download: Whether models that are not at hand are fetched.
        """
        from evalsuite.backends import backend_target
        from evalsuite.catalog.languages import resolve_languages
        from evalsuite.catalog.models import resolve_model
        from evalsuite.catalog.tasks import resolve_tasks
        from evalsuite.machine import usable_cores
        from evalsuite.plan import make_plan, prepare_models
        from evalsuite.provenance import versions
        from evalsuite.quantise import Making, check_quantise, with_variants
        from evalsuite.trained_plan import check_baselines, with_baselines

        sweep = self.sweep()
        catalog = self.catalog(sweep)
        # Names are checked before anything is fetched: a typing mistake should not cost a download.
        resolve_tasks(sweep.tasks, resolve_languages(sweep.languages, catalog.languages), catalog.tasks)
        for ref in sweep.models:
            backend_target(resolve_model(ref, catalog.models).backend)
        check_baselines(sweep)
        check_quantise(sweep, catalog)
        finder = self.finder()
        # What a pack has is at hand, so its plan can be exact.
        download = download or self.pack is not None
        if download and not self.offline:
            show_licences([resolve_model(ref, catalog.models) for ref in sweep.models])
        models = prepare_models(sweep, catalog, offline=self.offline, download=download, progress=FetchBar())
        cores = sweep.threads or usable_cores().count
        making = Making(cores, sweep.limits.load_timeout_s, CopyBar("quantising", worth_a_line=0), _note)
        models = with_variants(models, sweep, making, make=download)
        plan = make_plan(sweep, catalog, finder, models, download=download, cores=cores)
        plan = with_baselines(plan, catalog, finder, download=download)
        if self.pack is not None:
            for difference in self.pack.differences(plan.tasks, versions()):
                console.print(f"note: {difference}; results may differ from there", markup=False, soft_wrap=True)
        return plan


class CopyBar(FetchBar):
    """Shows how far files are copied, checked or made, as `FetchBar` shows a download.

    Args:
        doing: What is done with them.
        worth_a_line: Bytes from which on it is told where there is no terminal.
    """

    def __init__(self, doing: str, *, worth_a_line: int = _WORTH_A_LINE) -> None:
        super().__init__()
        self._doing, self._worth_a_line = doing, worth_a_line

    def start(self, total_bytes: int | None, title: str) -> None:
        if console.is_terminal:
            super().start(total_bytes, f"{self._doing} {title}")
        elif total_bytes is not None and total_bytes >= self._worth_a_line:
            console.print(f"{self._doing} {title} ({total_bytes / 2**20:.0f} MiB)", markup=False, soft_wrap=True)


def _note(text: str) -> None:
    console.print(f"note: {text}", markup=False, soft_wrap=True)


def run_name(text: str) -> str:
    """Return a text as the name of a run, which is that of its folder."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:80].lstrip("._+-") or "run"


def valid_sweep(fields: dict[str, object]) -> Sweep:
    """Return a sweep of options.

    Raises:
        InputError: One is wrong; the message names it and its value.
    """
    from pydantic import ValidationError

    from evalsuite.records import Sweep

    try:
        return Sweep.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']} (given: {first['input']!r})",
            fix="mend the option of that name; `evalsuite run --help` shows examples",
        ) from error


def show_licences(models: Sequence[Model]) -> None:
    """Say under which terms the models come that are about to be downloaded."""
    from evalsuite.catalog.fetch import is_cached

    for model in models:
        if not is_cached(model):
            terms = f"{model.licence} {model.licence_url or ''}".rstrip()
            console.print(f"{model.name}: {model.source}, licence {terms}", markup=False, soft_wrap=True)
