"""The public interface: `evalsuite.load_run(...)` reads a run folder and gives its tables as pandas frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from evalsuite.analysis.frames import to_frame
from evalsuite.analysis.load import Run
from evalsuite.analysis.load import load_run as _load

__all__ = ["Results", "load_run"]


def load_run(path: str | Path) -> Results:
    """Read a run folder; no model, no meter and no network is touched.

    Args:
        path: The folder that `evalsuite run`, `evalsuite profile` or `evalsuite classify-eval` wrote.

    Raises:
        StoreError: The folder is missing, damaged, or written by a newer version.
    """
    return Results(_load(Path(path)))


class Results:
    """What a run measured, as tidy frames: a row for each thing that has a number, missing numbers with a reason.

    Scores are 0 to 1, differences are in units of the score, times in seconds, energy in joules, memory in bytes.
    `NAME_low` and `NAME_high` are the ends of the 95 % interval of `NAME`, `NAME_n` is what it was made from, and
    `NAME_reason` says why a number or its interval is missing. docs/analysis.md explains every table.

    Args:
        run: A loaded run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        """The run itself: manifest, results of cells, and what the functions of `evalsuite.analysis` take."""

    def __repr__(self) -> str:
        counted = f"{len(self.run.models)} models, {len(self.run.languages)} languages, {len(self.run.items)} items"
        return f"<run {self.run.manifest.sweep.name!r}: {counted}>"

    def items(self) -> pd.DataFrame:
        """Return a row for every item that was asked, with its score under each scoring; `analysis.load.ITEM_COLUMNS`."""
        return self.run.items.copy()

    def scores(self) -> pd.DataFrame:
        """Return a row for every model × task × prompt form: score (`estimate`), interval, chance level, status."""
        from evalsuite.analysis.rows import ScoreRow
        from evalsuite.analysis.score_table import scores

        return to_frame(scores(self.run), ScoreRow)

    def gaps(self, *, reference: str | None = None, margin: float | None = None) -> pd.DataFrame:
        """Return the gap of every model × parallel group × language to its reference, on the same items.

        `difference` is the language minus the reference; `verdict` is behind, ahead, within margin, inconclusive, or
        missing with a `reason`; `p_holm` and `p_margin` are corrected over this frame; `needed` is the number of items
        that would settle what is inconclusive.

        Args:
            reference: Code of the language to hold all others against; by default the sweep's, or each language's own.
            margin: Gap that matters, as a share of items; by default the sweep's, or 0.05.
        """
        from evalsuite.analysis.gap_table import gaps
        from evalsuite.analysis.rows import GapRow

        return to_frame(gaps(self.run, reference=reference, margin=margin), GapRow)

    def reasons(self, *, reference: str | None = None) -> pd.DataFrame:
        """Return what lies behind each gap: items lost and won, mistakes, tokens, answers in a wrong language, habits.

        Args:
            reference: As in `gaps`.
        """
        from evalsuite.analysis.gap_reasons import gap_reasons
        from evalsuite.analysis.gap_rows import GapReasons

        return to_frame(gap_reasons(self.run, reference=reference), GapReasons)

    def languages(self) -> pd.DataFrame:
        """Return one number for each model × language: the mean of its chance-corrected scores over parallel groups.

        `index_estimate` is 0 for guessing and 1 for all right; `index_largest_change` says how much hangs on one group.
        """
        from evalsuite.analysis.language_index import LanguageIndexRow, language_indices

        return to_frame(language_indices(self.run), LanguageIndexRow)

    def resources(self) -> pd.DataFrame:
        """Return low-resource languages as a class against high-resource ones, per model and group and over them."""
        from evalsuite.analysis.resource_gap import ResourceGapRow, resource_gaps

        return to_frame(resource_gaps(self.run), ResourceGapRow)

    def sizes(self) -> pd.DataFrame:
        """Return whether the largest model narrows the distance of low-resource languages, per group and over them."""
        from evalsuite.analysis.resource_gap import SizeRow, larger_models

        return to_frame(larger_models(self.run), SizeRow)

    def kinds(self) -> pd.DataFrame:
        """Return the score of each kind of item (phenomenon, category) of every model × task that names kinds."""
        from evalsuite.analysis.item_kinds import KindRow, scores_by_kind

        return to_frame(scores_by_kind(self.run), KindRow)

    def comparisons(self) -> pd.DataFrame:
        """Return every pair of models on every task that both have scores of, on the same items."""
        from evalsuite.analysis.gap_table import comparisons
        from evalsuite.analysis.rows import ComparisonRow

        return to_frame(comparisons(self.run), ComparisonRow)

    def deltas(self) -> pd.DataFrame:
        """Return what each quantisation costs: a model's variant minus its base, per task, on the same items."""
        from evalsuite.analysis.quantisation import DeltaRow, quantisation_deltas

        return to_frame(quantisation_deltas(self.run), DeltaRow)

    def double_deltas(self) -> pd.DataFrame:
        """Return whether a quantisation costs a language more than its reference: differences of differences."""
        from evalsuite.analysis.quantisation import DoubleDeltaRow, delta_of_deltas

        return to_frame(delta_of_deltas(self.run), DoubleDeltaRow)

    def tokens(self) -> pd.DataFrame:
        """Return tokens per item and the token tax of every model × task, on the same items as the reference."""
        from evalsuite.analysis.rows import TokenRow
        from evalsuite.analysis.token_table import token_tax

        return to_frame(token_tax(self.run), TokenRow)

    def parity(self) -> pd.DataFrame:
        """Return bits and tokens of the same texts in each language, where texts were read (docs/parity.md)."""
        from evalsuite.analysis.parity import ParityRow, information_parity

        return to_frame(information_parity(self.run), ParityRow)

    def profile(self) -> pd.DataFrame:
        """Return times of every model × language × kind of request, as distributions, from the run's profiles."""
        from evalsuite.analysis.latency_table import latencies
        from evalsuite.analysis.profile_rows import LatencyRow

        return to_frame(latencies(self.run.profiles), LatencyRow)

    def memory(self) -> pd.DataFrame:
        """Return the memory that each model took while it served requests, by part, in bytes."""
        from evalsuite.analysis.memory_table import memory
        from evalsuite.analysis.profile_rows import MemoryRow

        return to_frame(memory(self.run.profiles), MemoryRow)

    def energy(self) -> pd.DataFrame:
        """Return joules per request of every model × language × kind, with their label, or why there are none."""
        from evalsuite.analysis.energy_table import energies
        from evalsuite.analysis.profile_rows import EnergyRow

        return to_frame(energies(self.run.profiles), EnergyRow)

    def costs(self) -> pd.DataFrame:
        """Return seconds, tokens and joules of a correct answer, per model × group × language."""
        from evalsuite.analysis.costs import CostRow, costs_per_correct

        return to_frame(costs_per_correct(self.run), CostRow)

    def agreement(self) -> pd.DataFrame:
        """Return how often each two models choose alike on the same items, and Cohen's kappa."""
        from evalsuite.analysis.agreements import AgreementRow, agreements

        return to_frame(agreements(self.run), AgreementRow)
