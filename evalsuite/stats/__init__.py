"""Pure statistics: intervals, tests, corrections, planning; a random generator is passed in, never global."""

from __future__ import annotations

from evalsuite.stats.bootstrap import bootstrap
from evalsuite.stats.clusters import cluster_mean
from evalsuite.stats.corrections import benjamini_hochberg, holm
from evalsuite.stats.equivalence import non_inferiority_p, tango_interval, tost_p
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import bootstrap_mean, clopper_pearson, geometric_ratio, ratio_of_means, wilson
from evalsuite.stats.paired import (
    PairedDifference,
    matched_odds,
    mcnemar_exact,
    newcombe_paired,
    paired_difference,
)
from evalsuite.stats.quantiles import mean_t, quantile, ratio_of_medians
from evalsuite.stats.scores import mean_skewed, score_interval
from evalsuite.stats.signflip import sign_flip_p
from evalsuite.stats.unpaired import UnpairedDifference, newcombe_independent, unpaired_difference

__all__ = [
    "Estimate",
    "PairedDifference",
    "UnpairedDifference",
    "benjamini_hochberg",
    "bootstrap",
    "bootstrap_mean",
    "clopper_pearson",
    "cluster_mean",
    "geometric_ratio",
    "holm",
    "matched_odds",
    "mcnemar_exact",
    "mean_skewed",
    "mean_t",
    "newcombe_independent",
    "newcombe_paired",
    "non_inferiority_p",
    "paired_difference",
    "quantile",
    "ratio_of_means",
    "ratio_of_medians",
    "score_interval",
    "sign_flip_p",
    "tango_interval",
    "tost_p",
    "unpaired_difference",
    "wilson",
]
