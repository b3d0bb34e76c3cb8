"""Where every number came from: files, versions, device, settings and the work that was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import TrainedBy
from evalsuite.analysis.tables import Tables
from evalsuite.records import CellResult, DataRef, Device, Model
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text

__all__ = [
    "GroupFact",
    "Provenance",
    "Work",
    "build_provenance",
    "data_text",
    "group_facts",
    "sample_text",
    "source_text",
    "task_items",
    "trained_text",
]


@dataclass(frozen=True, slots=True)
class Work:
    """Work done by one model."""

    model: str
    cells: int
    items: int
    wall: str
    tokens: str


@dataclass(frozen=True, slots=True)
class GroupFact:
    """What one group of tasks is, as text."""

    group: str
    parallel: bool
    families: str
    languages: str
    metrics: str
    chances: str
    items: str
    notes: tuple[str, ...]
    whys: tuple[str, ...]
    """Why its tasks are scored by their metrics."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Pairs of label and value, and the work by model."""

    run: tuple[tuple[str, str], ...]
    device: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    work: tuple[Work, ...]
    statistics: tuple[str, ...]


def build_provenance(run: Run, tables: Tables, names: Names, text: Text) -> Provenance:
    """Return what traces the numbers of a run."""
    return Provenance(
        run=_run(run, names, text),
        device=_device(run, text),
        versions=tuple(sorted(run.manifest.versions.items(), key=lambda pair: pair[0].casefold())),
        work=tuple(
            _work(name, [r for r in run.results if r.cell.model == name], text) for name in (*run.models, *run.trained)
        ),
        statistics=_statistics(tables, text),
    )


def source_text(model: Model) -> str:
    """Return where a model file comes from; of a local file only its name, for a report leaves the machine."""
    source = model.source
    return f"file:{source.path.name}" if source.kind == "file" and source.path else str(source)


def data_text(data: DataRef) -> str:
    """Return where a task's items come from."""
    if data.kind == "shipped":
        return f"shipped with the task, {data.split}"
    parts = [p for p in (data.path, data.config, data.split) if p]
    return " / ".join(parts) + (f" @ {data.revision[:12]}" if data.revision else "")


def trained_text(text: Text, by: TrainedBy) -> str:
    """Return what a baseline was trained on, as it is shown beside its name."""
    if by.items is None:
        return text("accuracy.trained_mark")
    low, high = by.items
    if by.folds is None:
        return text("accuracy.trained_on", n=high)
    ends = {end: text.integer(n) for end, n in (("low", low), ("high", high))}
    return text("accuracy.trained_folds", items=ends["high"] if low == high else text("word.range", **ends))


def group_facts(run: Run, names: Names, text: Text) -> tuple[GroupFact, ...]:
    """Return what each group is: one row for all of its languages."""
    shown = task_items(run, text)
    facts = []
    for group in run.groups:
        tasks = [t for t in run.manifest.tasks.values() if run.group_of(t.name) == group]
        codes = [code for code in run.languages if any(t.language == code for t in tasks)]
        facts.append(
            GroupFact(
                group=group,
                parallel=any(t.parallel_group for t in tasks),
                families=_unique(t.family for t in tasks),
                languages=", ".join(names.language(code).shown for code in codes),
                metrics=_unique(t.primary_metric for t in tasks),
                chances=_unique(text.percent(t.chance) for t in tasks),
                items=_unique(shown[t.name] for t in tasks if shown[t.name] != MISSING) or MISSING,
                notes=tuple(dict.fromkeys(t.note for t in tasks if t.note)),
                whys=tuple(dict.fromkeys(t.primary_why for t in tasks if t.primary_why)),
            )
        )
    return tuple(facts)


def sample_text(run: Run, text: Text) -> str | None:
    """Return "60 of 204", or none where the sweep takes every item of every task."""
    sweep, planned = run.manifest.sweep, _planned(run)
    if sweep.limit is None and not sweep.limits_of:
        return None
    tasks = run.manifest.tasks
    # A task that has fewer items than the limit is taken whole.
    sampled = {name: n for name, n in planned.items() if (total := tasks[name].items) is None or n < total}
    totals = {tasks[name].items for name in sampled}
    known = sorted(total for total in totals if total is not None)
    if not sampled:
        return None
    taken = _range([text.integer(n) for n in sorted(set(sampled.values()))], text)
    if None in totals:
        return taken
    return text("ran.items_of", n=taken, total=_range([text.integer(n) for n in known], text))


def _range(shown: Sequence[str], text: Text) -> str:
    return shown[0] if len(shown) == 1 else text("word.range", low=shown[0], high=shown[-1])


def task_items(run: Run, text: Text) -> dict[str, str]:
    """Return how many items of each task are planned, of how many."""
    planned = _planned(run)
    shown = {}
    for task in run.manifest.tasks.values():
        if task.name not in planned:
            shown[task.name] = MISSING
        elif task.items is None:
            shown[task.name] = text.integer(planned[task.name])
        else:
            shown[task.name] = text("ran.items_of", n=planned[task.name], total=task.items)
    return shown


def _planned(run: Run) -> dict[str, int]:
    planned: dict[str, int] = {}
    for cell in run.manifest.cells:
        planned[cell.task] = max(planned.get(cell.task, 0), len(cell.item_indices))
    return planned


def _unique(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _run(run: Run, names: Names, text: Text) -> tuple[tuple[str, str], ...]:
    manifest, sweep = run.manifest, run.manifest.sweep
    reference = names.language(sweep.reference).shown if sweep.reference else text("provenance.reference_default")
    limit = text("provenance.limit_none") if sweep.limit is None else text.integer(sweep.limit)
    more = {"all_wordings": sweep.all_wordings, "option_orders": sweep.option_orders, "baselines": sweep.baselines}
    pairs = {
        "command": manifest.command,
        "created": manifest.created,
        "made_by": manifest.evalsuite,
        "sweep_tasks": ", ".join(sweep.tasks),
        "forms": ", ".join(names.form(form) for form in run.forms),
        **{key: ", ".join(asked) for key, asked in more.items() if asked},
        "reference": reference,
        "limit": ", ".join([limit, *(f"{name}: {text.integer(n)}" for name, n in sweep.limits_of.items())]),
        "seed": str(sweep.seed),
        "threads": text("provenance.threads_default") if sweep.threads is None else str(sweep.threads),
        "wall": _total((r.wall_s for r in run.results), text.duration, text),
        "tokens": _total((r.tokens for r in run.results), lambda n: text.integer(int(n)), text),
    }
    return tuple((text(f"provenance.{key}"), value) for key, value in pairs.items())


def _device(run: Run, text: Text) -> tuple[tuple[str, str], ...]:
    device = run.manifest.device
    physical = MISSING if device.cores_physical is None else str(device.cores_physical)
    pairs = {
        "cpu": f"{device.cpu} ({device.architecture})",
        "cores": f"{physical} / {device.cores_logical}",
        "memory": f"{text.number(device.ram_bytes / 2**30)} GiB",
        "os": device.os,
        "kernel": device.kernel,
        "governor": device.governor or text("word.unknown"),
        "accelerators": ", ".join(device.accelerators) or text("word.none"),
        "features": ", ".join(device.features) or text("word.unknown"),
        "caches": _caches(device, text),
        "place": ", ".join(filter(None, (device.virtual_machine, device.container))) or text("word.none"),
        "mode": ", ".join(filter(None, (device.power_mode, device.platform_profile, device.energy_preference)))
        or text("word.unknown"),
        "supply": text(f"supply.{device.supply}") if device.supply else text("word.unknown"),
        "throttle_bits": device.throttle_bits or text("word.unknown"),
        "fingerprint": device.fingerprint,
        **({"build": "; ".join(builds)} if (builds := _builds(run)) else {}),
    }
    return tuple((text(f"provenance.{key}"), value) for key, value in pairs.items())


def _builds(run: Run) -> list[str]:
    """Return what the engine's library was built with, where a profile was measured."""
    told = (f"{one.facts.engine}: {one.facts.engine_flags}" for one in run.profiles if one.facts.engine_flags)
    return list(dict.fromkeys(told))


def _caches(device: Device, text: Text) -> str:
    sizes = (("L2", device.cache_l2_bytes), ("L3", device.cache_l3_bytes))
    told = [f"{name} {text.number(size / 2**20)} MiB" for name, size in sizes if size]
    return ", ".join(told) or text("word.unknown")


def _work(model: str, results: list[CellResult], text: Text) -> Work:
    return Work(
        model=model,
        cells=len(results),
        items=sum(r.items for r in results),
        wall=_total((r.wall_s for r in results), text.duration, text),
        tokens=_total((r.tokens for r in results), lambda n: text.integer(int(n)), text),
    )


def _total(values: Iterable[float | None], show: Callable[[float], str], text: Text) -> str:
    every = list(values)
    known = [v for v in every if v is not None]
    if not known:
        return MISSING
    if len(known) == len(every):
        return show(sum(known))
    # A sum that leaves cells out says so; it is not the total.
    return text("provenance.partly", value=show(sum(known)), n=len(known), total=len(every))


def _statistics(tables: Tables, text: Text) -> tuple[str, ...]:
    used = {r.estimate.method for r in tables.scores}
    differences = [*(r.difference for r in tables.gaps), *(r.difference for r in tables.comparisons)]
    used |= {d.interval_method for d in differences} | {d.test_method for d in differences}
    used |= {r.ratio.method for r in tables.tokens if r.ratio.value is not None}
    keys = {"wilson": "wilson", "skew-t": "skewt", "newcombe": "newcombe", "mcnemar": "mcnemar", "t": "t"}
    keys |= {"sign-flip": "signflip", "ratio": "ratio"}
    said = [text(f"method.{key}") for method, key in keys.items() if method in used]
    if any(method.endswith(", clusters") for method in used):
        said.append(text("method.clusters"))
    if any(r.p_margin is not None for r in tables.gaps):
        said.append(text("method.margin"))
    rows = {"wordings": tables.wordings, "orders": tables.orders, "corpus": tables.translations}
    said += [text(f"method.{key}") for key, found in rows.items() if found]
    if any(r.chance is not None for r in tables.scores):
        said.append(text("method.binomial"))
    gaps = sum(1 for r in tables.gaps if r.difference.p is not None)
    pairs = sum(1 for r in tables.comparisons if r.difference.p is not None)
    return (*said, text("method.holm", gaps=gaps, pairs=pairs)) if gaps or pairs else tuple(said)
