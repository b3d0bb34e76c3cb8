"""Every table of a run, and all of them at once: what a report is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalsuite.analysis.beside import gains, made_beside, one_thread
from evalsuite.analysis.categories import CategoryRow, category_answers
from evalsuite.analysis.flags import Flag, find_flags
from evalsuite.analysis.gap_table import comparisons, gaps
from evalsuite.analysis.label_sets import LabelSetRow, fewer_categories
from evalsuite.analysis.label_wordings import LabelWordingRow, category_names
from evalsuite.analysis.lengths import DepthRow, LengthRow, depths, lengths
from evalsuite.analysis.load import Run
from evalsuite.analysis.orders import OrderRow, option_orders
from evalsuite.analysis.parity import ParityRow, information_parity
from evalsuite.analysis.quantisation import (
    DeltaRow,
    DoubleDeltaRow,
    TierDeltaRow,
    delta_of_deltas,
    quantisation_deltas,
    tier_deltas,
)
from evalsuite.analysis.replies import ReplyRow, written_answers
from evalsuite.analysis.rows import ComparisonRow, FailureRow, GapRow, ScoreRow, TokenRow, split_fix
from evalsuite.analysis.score_table import scores
from evalsuite.analysis.sensitivity import WordingRow, wordings
from evalsuite.analysis.token_table import token_tax
from evalsuite.analysis.trained import trained_scores
from evalsuite.analysis.translations import TranslationRow, corpus_translations
from evalsuite.analysis.uncollected import uncollected
from evalsuite.profile_plan import PROFILE_TASK
from evalsuite.records import CellStatus, ProfileFacts

__all__ = [
    "Tables",
    "analyse",
    "category_answers",
    "category_names",
    "comparisons",
    "corpus_translations",
    "delta_of_deltas",
    "depths",
    "failures",
    "fewer_categories",
    "find_flags",
    "gaps",
    "information_parity",
    "lengths",
    "option_orders",
    "quantisation_deltas",
    "scores",
    "tier_deltas",
    "token_tax",
    "trained_scores",
    "wordings",
    "written_answers",
]


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of one run."""

    scores: tuple[ScoreRow, ...]
    gaps: tuple[GapRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    tokens: tuple[TokenRow, ...]
    failures: tuple[FailureRow, ...]
    flags: tuple[Flag, ...]
    wordings: tuple[WordingRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    replies: tuple[ReplyRow, ...] = ()
    translations: tuple[TranslationRow, ...] = ()
    lengths: tuple[LengthRow, ...] = ()
    depths: tuple[DepthRow, ...] = ()
    categories: tuple[CategoryRow, ...] = ()
    label_sets: tuple[LabelSetRow, ...] = ()
    label_wordings: tuple[LabelWordingRow, ...] = ()
    quantisation: tuple[DeltaRow, ...] = ()
    quantisation_languages: tuple[DoubleDeltaRow, ...] = ()
    quantisation_tiers: tuple[TierDeltaRow, ...] = ()
    trained: tuple[ScoreRow, ...] = ()
    """Baselines, apart from the models that `scores` is about."""
    parity: tuple[ParityRow, ...] = ()
    """Texts that are read and not answered, which are in no other table."""


@uncollected()
@one_thread()
def analyse(run: Run) -> Tables:
    """Return all tables of a run, of a large one in two processes. The tables are the same in one."""
    with made_beside(lambda: _heavy(run), copy=gains(len(run.items), len(run.results))) as heavy:
        rows = scores(run)
        light = Tables(
            scores=rows,
            gaps=gaps(run),
            comparisons=comparisons(run),
            tokens=token_tax(run),
            failures=failures(run),
            flags=find_flags(rows),
            wordings=wordings(run),
            orders=option_orders(run),
            replies=written_answers(run),
            lengths=lengths(run),
            depths=depths(run),
            label_wordings=category_names(run),
            quantisation=quantisation_deltas(run),
            quantisation_languages=delta_of_deltas(run),
            quantisation_tiers=tier_deltas(run),
            trained=trained_scores(run),
            parity=information_parity(run),
        )
        categories, label_sets, translations = heavy()
    return replace(light, categories=categories, label_sets=label_sets, translations=translations)


def _heavy(run: Run) -> tuple[tuple[CategoryRow, ...], tuple[LabelSetRow, ...], tuple[TranslationRow, ...]]:
    """Return the tables that take about half of the time: those with bootstrap samples of whole cells."""
    return category_answers(run), fewer_categories(run), corpus_translations(run)


def failures(run: Run) -> tuple[FailureRow, ...]:
    """Return every cell that is not whole: failed, then pending, then skipped, each with its reason."""
    rows = [
        _unfinished(run, index)
        for status in (CellStatus.FAILED, CellStatus.PENDING, CellStatus.SKIPPED)
        for index, result in enumerate(run.results)
        if result.status is status
    ]
    rows += [
        FailureRow(
            status=CellStatus.SKIPPED,
            model=skip.model,
            task=skip.task,
            language=skip.language,
            form=None,
            reason=skip.reason,
            fix=skip.fix,
            done=0,
            planned=None,
        )
        for skip in run.skips
    ]
    rows += [_unmeasured(facts) for facts in run.unmeasured]
    # One task may be skipped once for each prompt form, for the same reason.
    return tuple(dict.fromkeys(rows))


def _unfinished(run: Run, index: int) -> FailureRow:
    result = run.results[index]
    reason, fix = split_fix(result.reason)
    frame = run.frames.get(result.cell.id)
    return FailureRow(
        status=result.status,
        model=result.cell.model,
        task=result.cell.task,
        language=result.cell.language,
        form=result.cell.prompt_form,
        reason=reason,
        fix=fix,
        done=0 if frame is None else len(frame),
        planned=len(result.cell.item_indices),
    )


def _unmeasured(facts: ProfileFacts) -> FailureRow:
    """Return a profile that is not whole; its rounds stand for items."""
    reason, fix = split_fix(facts.reason)
    return FailureRow(
        status=facts.status,
        model=facts.cell.model,
        task=PROFILE_TASK,
        language=", ".join(facts.cell.languages),
        form=None,
        reason=reason,
        fix=fix,
        done=facts.rounds_done,
        planned=facts.cell.settings.rounds,
    )
