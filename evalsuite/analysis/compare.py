"""Compares one run, or two, by language, model, quantisation, device or prompt: only things that are otherwise alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from evalsuite.analysis.alike import Doubts, check_sides
from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_rows import Comparison, Family, Missing, PairRow, RunFacts, TimeRow
from evalsuite.analysis.compare_sides import bases_of, labels_of, side_pairs, timed_pairs
from evalsuite.analysis.compare_times import Timed, compare_times, unlike_times
from evalsuite.analysis.gap_changes import gap_changes
from evalsuite.analysis.gap_table import gaps
from evalsuite.analysis.load import Run
from evalsuite.analysis.narrow import Part, choose, narrow
from evalsuite.analysis.pairs import Pairing, Side, effect_of, pair_sides, settle
from evalsuite.analysis.rows import ALPHA, GapRow
from evalsuite.errors import InputError
from evalsuite.records import Manifest

__all__ = ["compare"]

_OVER = {
    Axis.LANGUAGE: "model × parallel group × prompt form × language",
    Axis.QUANTISATION: "quantisation × task × prompt form",
    Axis.MODEL: "pair of models × task × prompt form",
    Axis.DEVICE: "model × task × prompt form",
    Axis.PROMPT: "model × task × prompt form but the first",
}
_FIXES = {
    Axis.LANGUAGE: "run a parallel group in a language and its reference",
    Axis.QUANTISATION: "run a model and a quantisation of it (`quantise:` in a sweep), or give a second run",
    Axis.MODEL: "run two models, or give a second run",
    Axis.DEVICE: "give the runs of two devices, or a run that `evalsuite merge` made of them",
    Axis.PROMPT: "ask a task in two prompt forms (`all_wordings:` or `prompt_forms:` in a sweep), or give a second run",
}


def compare(
    runs: Sequence[Run],
    by: Axis,
    *,
    part: Part | None = None,
    reference: str | None = None,
    margin: float | None = None,
    force: bool = False,
) -> Comparison:
    """Compare within one run, or between two.

    Args:
        runs: One run, or two.
        by: What differs between the two sides of each row.
        part: Names of tasks, languages and models; all where it names none.
        reference: What all others are held against: a language, a model or a prompt form.
        margin: Difference that matters, as a share of items; by default the sweep's, or `rows.MARGIN`.
        force: Whether unlike things are compared all the same; `Comparison.warnings` then says what is unlike.

    Raises:
        InputError: Things are unlike, there is nothing to compare, or a name is unknown.
    """
    manifests = [run.manifest for run in runs]
    asked = choose(manifests, part or Part())
    reference = _reference(runs, by, reference)
    bases = bases_of(runs) if by is Axis.QUANTISATION else {}
    runs = [narrow(run, _with_references(run, asked, by, reference, bases)) for run in runs]
    labels = labels_of(runs)
    # A language or a quantisation that does better than what it is held against is no worry; else both ways matter.
    sides: Literal[1, 2] = 1 if by is Axis.QUANTISATION or (by is Axis.LANGUAGE and len(runs) == 1) else 2
    doubts = Doubts((str(runs[0].path), str(runs[-1].path)))
    if by is Axis.LANGUAGE and len(runs) == 1:
        rows = tuple(
            _of_gap(runs[0], gap)
            for gap in gaps(runs[0], reference=reference, margin=margin, languages=asked.languages)
        )
    elif by is Axis.LANGUAGE:
        rows = settle(gap_changes(runs[0], runs[1], reference, margin, doubts, asked.languages), sides=sides)
    else:
        pairs = side_pairs(runs, by, reference)
        rows = settle([_pairing(first, second, by, margin, doubts) for first, second in pairs], sides=sides)
    timed = _alike_times(list(timed_pairs(runs, by, reference)), by, doubts, force=force, scores=bool(rows))
    if not force:
        doubts.refuse()
    times = compare_times(timed, asked.languages)
    if not rows and not times:
        raise _nothing(runs, by)
    return Comparison(
        by=by,
        runs=tuple(_facts(run, label) for run, label in zip(runs, labels, strict=True)),
        pairs=rows,
        times=times,
        pairs_family=_family(rows, _OVER[by]),
        times_family=_family(times, "pair of profiles × language × kind of request"),
        notes=(*doubts.notes, *_notes(runs, by, rows)),
        missing=_missing(runs, by) if len(runs) > 1 else (),
        warnings=tuple(doubts.told),
        level=1 - ALPHA,
        sides=sides,
    )


def _pairing(first: Side, second: Side, by: Axis, margin: float | None, doubts: Doubts) -> Pairing:
    # What is compared with the base comes first, whatever run it is in; doubts are told in the order of the runs.
    in_order = (first, second) if first.label <= second.label else (second, first)
    check_sides(*in_order, by, doubts)
    form = None if first.form != second.form else first.form
    if by is Axis.PROMPT:
        names = tuple(
            f"{side.form.value} ({side.label})" if side.label else side.form.value for side in (first, second)
        )
    else:
        names = first.name, second.name
    found = pair_sides(
        first, second, (names[0], names[1]), margin=margin, model=_same(first.model, second.model), form=form
    )
    if by is Axis.DEVICE:
        found = replace(found, first=first.label, second=second.label)
    if found.paired is not None and first.run is not second.run:
        _note_sample(*in_order, len(found.paired.ids), doubts)
    return found


def _same(first: str, second: str) -> str | None:
    return first if first == second else None


def _note_sample(first: Side, second: Side, shared: int, doubts: Doubts) -> None:
    counts = [result.items for side in (first, second) if (result := side.run.result(side.model, side.task, side.form))]
    if len(counts) == 2 and not counts[0] == counts[1] == shared:
        group = first.run.group_of(first.task)
        doubts.note(
            f"{group}: {counts[0]} items in A, {counts[1]} in B; only the {shared} that both have are compared."
        )


def _of_gap(run: Run, gap: GapRow) -> PairRow:
    tasks = [t for t in run.manifest.tasks.values() if (t.parallel_group, t.language) == (gap.group, gap.language)]
    return PairRow(
        group=gap.group,
        task=None,
        language=gap.language,
        model=gap.model,
        form=gap.form,
        metric=tasks[0].primary_metric if tasks else "",
        first=gap.language,
        second=gap.reference,
        first_run="",
        second_run="",
        difference=gap.difference,
        scale=gap.scale,
        effect=effect_of(gap.difference),
        agreement=None,
        p_holm=gap.p_holm,
        margin=gap.margin,
        p_margin=gap.p_margin,
        verdict=gap.verdict,
        reason=gap.reason,
        needed=gap.needed,
        detectable=gap.detectable,
    )


def _alike_times(
    pairs: Sequence[tuple[Timed, Timed]], by: Axis, doubts: Doubts, *, force: bool, scores: bool
) -> list[tuple[Timed, Timed]]:
    """Return the profiles that may be compared. Where scores are compared too, unlike times are left out with a note."""
    kept = []
    for first, second in pairs:
        unlike = unlike_times(*((first, second) if first.label <= second.label else (second, first)), by)
        if unlike and scores and not force and by is not Axis.DEVICE:
            told = "; ".join(one.told(*doubts.labels) for one in unlike[:3])
            doubts.note(f"Times of {first.name} and {second.name} are not compared: {told} (fix: {unlike[0].fix}).")
            continue
        doubts.add(unlike)
        kept.append((first, second))
    return kept


def _reference(runs: Sequence[Run], by: Axis, reference: str | None) -> str | None:
    """Return the reference as the runs have it."""
    if reference is None:
        return None
    manifests = [run.manifest for run in runs]
    if by is Axis.DEVICE:
        raise InputError(
            "--reference says nothing with --by device: the second run is what the first is held against",
            fix="leave it out, or give the runs in the other order",
        )
    if by is Axis.LANGUAGE:
        found = choose(manifests, Part(languages=(reference,))).languages
        assert found
        return found[0]
    if by is Axis.PROMPT:
        forms = {cell.prompt_form.value for one in manifests for cell in one.cells}
        if reference not in forms:
            raise InputError(
                f"no prompt form {reference!r} in what is compared", fix=f"there are {', '.join(sorted(forms))}"
            )
        return reference
    found = choose(manifests, Part(models=(reference,))).models
    assert found
    return found[0]


def _with_references(run: Run, part: Part, by: Axis, reference: str | None, bases: Mapping[str, str]) -> Part:
    """Return the part with the languages or models that those asked for are held against."""
    if part.models is not None and by in {Axis.MODEL, Axis.QUANTISATION}:
        held = [reference] if by is Axis.MODEL else [bases.get(name) for name in part.models]
        return replace(part, models=tuple(dict.fromkeys([*part.models, *(name for name in held if name)])))
    if by is not Axis.LANGUAGE or part.languages is None:
        return part
    against = [
        reference or (run.reference_of(code) if code in run.manifest.languages else None) for code in part.languages
    ]
    return replace(part, languages=tuple(dict.fromkeys([*part.languages, *(code for code in against if code)])))


def _nothing(runs: Sequence[Run], by: Axis) -> InputError:
    what = "; ".join(f"{run.path}: {_contents(run)}" for run in runs)
    between = " that neither run alone could answer" if len(runs) > 1 and by in {Axis.MODEL, Axis.PROMPT} else ""
    apart = not runs[0].manifest.tasks.keys() & runs[-1].manifest.tasks.keys()
    fix = "run the same tasks in both: they have none in common" if apart else _FIXES[by]
    return InputError(f"there is nothing to compare by {by.value}{between} ({what})", fix=fix)


def _contents(run: Run) -> str:
    forms = dict.fromkeys(cell.prompt_form.value for cell in run.manifest.cells)
    languages = dict.fromkeys(cell.language for cell in run.manifest.cells)
    parts = {
        "models": run.models,
        "languages": tuple(languages),
        "prompt forms": tuple(forms),
        "devices": tuple(dict.fromkeys(profile.device.cpu for profile in run.profiles)),
    }
    return f"{len(run.manifest.tasks)} tasks" + "".join(f", {kind} {', '.join(n)}" for kind, n in parts.items() if n)


def _facts(run: Run, label: str) -> RunFacts:
    manifest, device = run.manifest, run.manifest.device
    return RunFacts(
        label=label,
        path=run.path,
        created=manifest.created,
        evalsuite=manifest.evalsuite,
        device=f"{device.cpu}, {device.ram_bytes / 2**30:.0f} GiB, {device.os}",
        fingerprint=device.fingerprint,
        versions=tuple(sorted(manifest.versions.items())),
    )


def _family(rows: Sequence[PairRow] | Sequence[TimeRow], over: str) -> Family:
    tests = [row.difference.p if isinstance(row, PairRow) else row.p for row in rows]
    size = sum(p is not None for p in tests)
    return Family(size, f"Holm over the {size} tests of this table ({over})")


def _notes(runs: Sequence[Run], by: Axis, rows: Sequence[PairRow]) -> list[str]:
    notes = ["Both runs are the same folder."] if len({run.path.resolve() for run in runs}) < len(runs) else []
    notes += [f"{run.path}: {note}" if len(runs) > 1 else note for run in runs for note in run.manifest.notes]
    if by is Axis.DEVICE and not rows:
        notes.append(
            "Scores stand in the run once, and not by device; `evalsuite spot-check` scores a part of the items again on a device."
        )
    if by is Axis.QUANTISATION:
        notes += [
            f"{model.name} was made from a file that was quantised already ({model.made_from.quantisation}): it cannot be "
            "better than its source."
            for model in {name: one for run in runs for name, one in run.manifest.models.items()}.values()
            if model.made_from and model.made_from.requantised
        ]
    return notes


def _missing(runs: Sequence[Run], by: Axis) -> tuple[Missing, ...]:
    """Return what each run lacks that the other one has."""
    kinds: dict[str, Callable[[Manifest], Sequence[str]]] = {
        "tasks": lambda m: tuple(dict.fromkeys(cell.task for cell in m.cells)),
        "models": lambda m: tuple(dict.fromkeys(cell.model for cell in m.cells)),
        "prompt forms": lambda m: tuple(dict.fromkeys(cell.prompt_form.value for cell in m.cells)),
        "profiled models": lambda m: tuple(dict.fromkeys(profile.model for profile in m.profiles)),
    }
    compared = {Axis.MODEL: "models", Axis.QUANTISATION: "models", Axis.PROMPT: "prompt forms"}.get(by)
    found = []
    for kind, names in kinds.items():
        held = [names(run.manifest) for run in runs]
        for place, label in enumerate(labels_of(runs)):
            lacks = tuple(name for name in held[1 - place] if name not in held[place])
            if lacks and kind != compared:
                found.append(Missing(label, kind, lacks))
    return tuple(found)
