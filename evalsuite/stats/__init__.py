"""Pure statistics: intervals, paired tests and corrections; a random generator is passed in, never global."""

from __future__ import annotations

from evalsuite.stats.corrections import holm
from evalsuite.stats.intervals import Estimate, bootstrap_mean, ratio_of_means, wilson
from evalsuite.stats.paired import (
    PairedDifference,
    mcnemar_exact,
    newcombe_paired,
    paired_difference,
    sign_flip_p,
)

__all__ = [
    "Estimate",
    "PairedDifference",
    "bootstrap_mean",
    "holm",
    "mcnemar_exact",
    "newcombe_paired",
    "paired_difference",
    "ratio_of_means",
    "sign_flip_p",
    "wilson",
]
