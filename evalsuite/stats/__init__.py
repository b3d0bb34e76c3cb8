"""Pure statistics: intervals, paired tests and corrections; a random generator is passed in, never global."""

from __future__ import annotations

from evalsuite.stats.corrections import holm
from evalsuite.stats.intervals import Estimate, bootstrap_mean, geometric_ratio, ratio_of_means, wilson
from evalsuite.stats.paired import (
    PairedDifference,
    mcnemar_exact,
    newcombe_paired,
    paired_difference,
    sign_flip_p,
)
from evalsuite.stats.quantiles import mean_t, quantile, ratio_of_medians

__all__ = [
    "Estimate",
    "PairedDifference",
    "bootstrap_mean",
    "geometric_ratio",
    "holm",
    "mcnemar_exact",
    "mean_t",
    "newcombe_paired",
    "paired_difference",
    "quantile",
    "ratio_of_means",
    "ratio_of_medians",
    "sign_flip_p",
    "wilson",
]
