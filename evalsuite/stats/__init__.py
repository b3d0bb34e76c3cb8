"""Pure statistics: intervals, tests, corrections, planning; a random generator is passed in, never global.

`agreement.agreement` and `bootstrap.bootstrap` are imported from their modules, whose names they would hide here.
"""

from __future__ import annotations

from evalsuite.stats.agreement import Agreement, RankRange, kendall_tau_b, rank_groups
from evalsuite.stats.clusters import cluster_mean
from evalsuite.stats.corrections import benjamini_hochberg, holm
from evalsuite.stats.equivalence import non_inferiority_p, tango_interval, tost_p
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.index import Index, IndexDifference, TaskScores, chance_corrected, index_difference, language_index
from evalsuite.stats.intervals import clopper_pearson, geometric_ratio, ratio_of_means, wilson
from evalsuite.stats.paired import (
    PairedDifference,
    matched_odds,
    mcnemar_exact,
    newcombe_paired,
    paired_difference,
)
from evalsuite.stats.planning import (
    items_for_difference,
    items_for_margin,
    items_for_real,
    items_for_width,
    minimum_detectable,
    power_mcnemar,
    power_non_inferiority,
)
from evalsuite.stats.quantiles import mean_t, quantile, ratio_of_medians
from evalsuite.stats.scores import mean_skewed, score_interval
from evalsuite.stats.signflip import sign_flip_p
from evalsuite.stats.unpaired import (
    UnpairedDifference,
    newcombe_independent,
    non_inferiority_independent_p,
    unpaired_difference,
)

__all__ = [
    "Agreement",
    "Estimate",
    "Index",
    "IndexDifference",
    "PairedDifference",
    "RankRange",
    "TaskScores",
    "UnpairedDifference",
    "benjamini_hochberg",
    "chance_corrected",
    "clopper_pearson",
    "cluster_mean",
    "geometric_ratio",
    "holm",
    "index_difference",
    "items_for_difference",
    "items_for_margin",
    "items_for_real",
    "items_for_width",
    "kendall_tau_b",
    "language_index",
    "matched_odds",
    "mcnemar_exact",
    "mean_skewed",
    "mean_t",
    "minimum_detectable",
    "newcombe_independent",
    "newcombe_paired",
    "non_inferiority_independent_p",
    "non_inferiority_p",
    "paired_difference",
    "power_mcnemar",
    "power_non_inferiority",
    "quantile",
    "rank_groups",
    "ratio_of_means",
    "ratio_of_medians",
    "score_interval",
    "sign_flip_p",
    "tango_interval",
    "tost_p",
    "unpaired_difference",
    "wilson",
]
