"""Why a language falls behind: which items it loses, with which answers, in which language, on which kinds of item."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.confusion import confusion_matrix
from evalsuite.analysis.gap_rows import (
    Explains,
    GapReasons,
    GrownConfusion,
    ItemChanges,
    KindGap,
    OptionBias,
    Part,
    SameMistakes,
    WrongLanguage,
)
from evalsuite.analysis.item_kinds import item_kinds
from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import right_choices
from evalsuite.analysis.paired_items import Pair, compared, group_tasks, pair_languages, usable_clusters
from evalsuite.analysis.replies import answer_language, language_verdicts
from evalsuite.analysis.rows import ALPHA, GapRow
from evalsuite.analysis.score_table import answer_spread
from evalsuite.errors import InputError
from evalsuite.records import Cell, PromptForm
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import ratio_of_means, wilson
from evalsuite.stats.paired import PairedDifference, paired_difference
from evalsuite.store import RunFolder

__all__ = ["gap_reasons", "reasons_of"]

_MOST_CONFUSIONS = 5


def gap_reasons(run: Run, *, reference: str | None = None) -> tuple[GapReasons, ...]:
    """Return what lies behind the gap of every model × parallel group × main prompt form × language.

    All of it is counted in the stored items; nothing here says that one thing caused another.

    Args:
        run: The run.
        reference: Language to compare with, in place of each language's own reference.

    Raises:
        InputError: The run has no such language.
        StoreError: Stored items are damaged.
    """
    if reference is not None and reference not in run.languages:
        raise InputError(
            f"this run has no language {reference!r}", fix=f"name one of its languages: {', '.join(run.languages)}"
        )
    return tuple(
        _reasons(run, model, group, form, (language, wanted), kinds=True)
        for group in run.groups
        for language in run.languages
        if language in (tasks := group_tasks(run, group))
        if (wanted := run.reference_of(language, reference)) is not None
        for model in run.models
        for form in run.forms
        if any(run.result(model, task.name, form) for same in tasks.values() for task in same)
    )


def reasons_of(run: Run, gap: GapRow, *, kinds: bool = True) -> GapReasons:
    """Return what lies behind one gap.

    Args:
        run: The run.
        gap: A row of its table of gaps.
        kinds: Whether to look at kinds of items, for which the stored items themselves are read.

    Raises:
        StoreError: Stored items are damaged.
    """
    return _reasons(run, gap.model, gap.group, gap.form, (gap.language, gap.reference), kinds=kinds)


def _reasons(
    run: Run, model: str, group: str, form: PromptForm, languages: tuple[str, str], *, kinds: bool
) -> GapReasons:
    pair = pair_languages(run, model, group, form, languages)
    language, reference = languages
    if isinstance(pair, str):
        return GapReasons(
            model=model,
            group=group,
            form=form,
            language=language,
            reference=reference,
            difference=paired_difference([], []),
            items=Part(None, pair),
            mistakes=Part(None, pair),
            tokens=Estimate(None, None, None, 0, "ratio", pair),
            wrong_language=Part(None, pair),
            options=Part(None, pair),
            confusions=Part(None, pair),
            kinds=Part(None, pair),
        )
    cell = _cell(run, model, pair, form)
    difference = _difference(run, pair, model, form)
    return GapReasons(
        model=model,
        group=group,
        form=form,
        language=language,
        reference=reference,
        difference=difference,
        items=_items(pair, raw=group in run.raw_groups),
        mistakes=_mistakes(pair),
        tokens=_tokens(pair),
        wrong_language=_wrong_language(run, pair, cell, difference),
        options=_options(pair),
        confusions=_confusions(pair),
        kinds=_kinds(run, pair, cell) if kinds else Part(None, "kinds of items were not asked for"),
    )


def _cell(run: Run, model: str, pair: Pair, form: PromptForm) -> Cell:
    result = run.result(model, pair.here.name, form)
    assert result is not None, "a pair has items, and so a result"
    return result.cell


def _difference(
    run: Run,
    pair: Pair,
    model: str,
    form: PromptForm,
    kept: NDArray[np.bool_] | None = None,
    part: tuple[str, ...] = (),
) -> PairedDifference:
    """Return the gap on some items, or on all; the random numbers are those of the table of gaps."""
    some = np.ones(len(pair.items), dtype=np.bool_) if kept is None else kept
    first, second = pair.values("score")
    key = ("paired", pair.here.name, pair.there.name, model, form.value, *part)
    clusters = usable_clusters(pair.items["cluster_here"][some])
    return compared(run, first[some], second[some], key, clusters)


def _items(pair: Pair, *, raw: bool) -> Part[ItemChanges]:
    here, there = pair.values("score")
    if raw or not np.isin(np.concatenate([here, there]), (0.0, 1.0)).all():
        return Part(None, f"{pair.here.primary_metric} gives part scores, so that an item is not simply right or wrong")
    ids = np.asarray(pair.items.index, dtype=object)
    return Part(
        ItemChanges(
            lost=tuple(str(i) for i in ids[(here == 0) & (there == 1)]),
            gained=tuple(str(i) for i in ids[(here == 1) & (there == 0)]),
            both_right=int(((here == 1) & (there == 1)).sum()),
            both_wrong=int(((here == 0) & (there == 0)).sum()),
        )
    )


def _mistakes(pair: Pair) -> Part[SameMistakes]:
    picked, picked_there = pair.values("prediction")
    if np.isnan(picked).all() or np.isnan(picked_there).all():
        return Part(None, "answers are not picked from options")
    here, there = pair.values("score")
    wrong = (here == 0) & (there == 0) & ~np.isnan(picked) & ~np.isnan(picked_there)
    if not wrong.any():
        return Part(None, "no item is wrong on both sides")
    # Places can be compared only where the options are the same content in the same order, of which this is the sign.
    wrong &= pair.same_place()
    if not wrong.any():
        return Part(None, "options stand in another order than in the reference")
    # Of one wrong option the same is always taken, which says nothing.
    if (pair.items["n_choices_here"].to_numpy(dtype=np.float64)[wrong] <= 2).all():
        return Part(None, "there is one wrong option to an item, which two wrong answers share")
    n, alike = int(wrong.sum()), picked[wrong] == picked_there[wrong]
    strata = np.asarray(pair.items["target_here"], dtype=object)[wrong]
    expected = _dealt_anew(strata, picked[wrong], picked_there[wrong])
    return Part(SameMistakes(wilson(int(alike.sum()), n, level=1 - ALPHA), expected))


def _dealt_anew(strata: NDArray[Any], first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the mean share of equal pairs over all ways of pairing the two anew within strata.

    In a stratum of m items, of which a_p have answer p on one side and b_p on the other, the mean number of equal pairs
    over the m! pairings is the sum of a_p·b_p / m.
    """
    total = 0.0
    for stratum in set(strata):
        one, other = Counter(first[strata == stratum]), Counter(second[strata == stratum])
        total += sum(count * other[place] for place, count in one.items()) / one.total()
    return total / len(strata)


def _tokens(pair: Pair) -> Estimate:
    here, there = pair.values("context_tokens")
    counted = ~np.isnan(here) & ~np.isnan(there)
    if not counted.any():
        return Estimate(None, None, None, 0, "ratio", "no token counts")
    return ratio_of_means(here[counted], there[counted], level=1 - ALPHA)


def _wrong_language(run: Run, pair: Pair, cell: Cell, whole: PairedDifference) -> Part[WrongLanguage]:
    if pair.here.output_type != "generate_until":
        return Part(None, "answers are not written")
    from evalsuite.texts.identify import Verdict

    stored = RunFolder(run.path).table(cell, columns=("item_id", "output")).to_pydict()
    texts = {str(i): str(text) for i, text in zip(stored["item_id"], stored["output"], strict=True) if text is not None}
    ids = [str(i) for i in pair.items.index]
    if any(i not in texts for i in ids):
        return Part(None, "the written answers are not in the records")
    try:
        verdicts = language_verdicts([texts[i] for i in ids], answer_language(pair.here), run.languages)
    except InputError as error:
        return Part(None, error.problem)
    right, wrong, untold = (
        np.array([v is wanted for v in verdicts]) for wanted in (Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN)
    )
    told = int((~untold).sum())
    if not told:
        return Part(None, "of no answer could the language be told")
    here, there = pair.values("score")
    shares = [float((here - there)[some].sum()) / len(ids) for some in (right, wrong, untold)]
    among = _difference(run, pair, cell.model, cell.prompt_form, right, ("right language",))
    return Part(
        WrongLanguage(
            wrong=wilson(int(wrong.sum()), told, level=1 - ALPHA),
            not_told=wilson(int(untold.sum()), len(ids), level=1 - ALPHA),
            among_right=among,
            from_right=shares[0],
            from_wrong=shares[1],
            from_not_told=shares[2],
            explains=_explains(whole, among),
        )
    )


def _explains(whole: PairedDifference, among: PairedDifference) -> Explains | None:
    """Return whether the gap is gone among answers in the right language; by intervals, so that few items tell nothing."""
    if whole.difference is None or whole.high is None or whole.high >= 0:
        return None
    if among.low is None or among.high is None:
        return Explains.OPEN
    if among.high < 0:
        return Explains.NO
    return Explains.YES if among.low > whole.difference / 2 else Explains.OPEN


def _options(pair: Pair) -> Part[OptionBias]:
    columns = ("choices", "target", "right", "prediction", "n_choices")
    here, there = (
        answer_spread(pair.items[[f"{c}_{side}" for c in columns]].set_axis(list(columns), axis=1))
        for side in ("here", "there")
    )
    if here is None or there is None:
        return Part(None, "answers are not picked from options")
    places = pair.values("prediction")[1]
    return Part(OptionBias(here, there, float((places[~np.isnan(places)] == here.place).mean())))


def _confusions(pair: Pair) -> Part[tuple[GrownConfusion, ...]]:
    offered = [set(pair.items[f"choices_{side}"]) for side in ("here", "there")]
    names, names_there = (next(iter(one)) for one in offered)
    if any(len(one) > 1 for one in offered) or len(names) < 2 or pair.here.listed_options:
        return Part(None, "items do not all offer the same categories")
    if len(names) != len(names_there) or not pair.same_place().all():
        return Part(None, "categories stand in another order than in the reference")
    found = [right_choices(target, names) for target in pair.items["target_here"]]
    picked, picked_there = pair.values("prediction")
    kept = np.array([len(r) == 1 for r in found]) & ~np.isnan(picked) & ~np.isnan(picked_there)
    if not kept.any():
        return Part(None, "no item has one right category and an answer on both sides")
    right = np.array([next(iter(r)) for r, keep in zip(found, kept, strict=True) if keep], dtype=np.intp)
    here, there = (
        confusion_matrix(len(names), right, places[kept].astype(np.intp)) for places in (picked, picked_there)
    )
    growth = Counter({(int(i), int(j)): int(here[i, j] - there[i, j]) for i, j in np.argwhere(here > there) if i != j})
    return Part(
        tuple(
            GrownConfusion(names[i], names[j], names_there[i], names_there[j], int(here[i, j]), int(there[i, j]))
            for (i, j), _ in growth.most_common(_MOST_CONFUSIONS)
        )
    )


def _kinds(run: Run, pair: Pair, cell: Cell) -> Part[tuple[KindGap, ...]]:
    kinds = item_kinds(run, pair.here, cell)
    if isinstance(kinds, str):
        return Part(None, kinds)
    of = [kinds.of.get(str(i)) for i in pair.items.index]
    found = [
        KindGap(
            kinds.column,
            kind,
            _difference(run, pair, cell.model, cell.prompt_form, np.array([k == kind for k in of]), ("kind", kind)),
        )
        for kind in dict.fromkeys(k for k in of if k is not None)
    ]
    return Part(tuple(sorted(found, key=lambda one: one.difference.difference or 0.0)))
