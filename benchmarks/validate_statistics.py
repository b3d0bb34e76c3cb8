"""Do the statistics do what they say: coverage of intervals, error rates of tests, power as planned.

Run by hand: `python benchmarks/validate_statistics.py`, about four minutes on one core (`--quick`: a tenth of the samples).
It prints Markdown tables; docs/statistics.md has the results. Where outcomes can be counted (shares), rates are exact sums;
else they are simulated from a fixed seed. Figures are per cent; an interval's outside 94 to 96 is in italics if it is too
wide, in bold if it is too narrow.
"""

from __future__ import annotations

import argparse
import math
import time
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from scipy import stats
from simulated import (
    Array,
    Bench,
    cluster_pair,
    cluster_sample,
    covered,
    family,
    holds,
    pair_cells,
    rate,
    real_scores,
    table,
)

from evalsuite.stats import (
    TaskScores,
    benjamini_hochberg,
    clopper_pearson,
    cluster_mean,
    geometric_ratio,
    holm,
    index_difference,
    items_for_difference,
    items_for_margin,
    items_for_real,
    items_for_width,
    kendall_tau_b,
    language_index,
    mcnemar_exact,
    mean_skewed,
    mean_t,
    newcombe_independent,
    newcombe_paired,
    non_inferiority_independent_p,
    non_inferiority_p,
    paired_difference,
    power_mcnemar,
    power_non_inferiority,
    ratio_of_means,
    ratio_of_medians,
    sign_flip_p,
    tango_interval,
    unpaired_difference,
    wilson,
)
from evalsuite.stats.agreement import agreement
from evalsuite.stats.bootstrap import bootstrap
from evalsuite.stats.calibration import auroc
from evalsuite.stats.clusters import cluster_sums, resampled_sums
from evalsuite.stats.tango import tango_statistics
from evalsuite.stats.unpaired import shares_p

SIZES = (50, 100, 200, 500, 2000)
SHARES = (0.1, 0.25, 0.5, 0.75, 0.95)
RESAMPLES = 1000


def shares_exactly() -> None:
    """One share: every number of right answers, weighted by its chance."""
    for name, method in (("Wilson", wilson), ("Clopper and Pearson", clopper_pearson)):
        rows = []
        for n in SIZES:
            found = [method(k, n) for k in range(n + 1)]
            ends = np.array([[f.low, f.high] for f in found], dtype=float)
            inside = [(ends[:, 0] <= p) & (p <= ends[:, 1]) for p in SHARES]
            rows.append(
                [
                    n,
                    *(
                        covered(stats.binom.pmf(np.arange(n + 1), n, p) @ i)
                        for p, i in zip(SHARES, inside, strict=True)
                    ),
                ]
            )
        table(f"A share, {name} (exact)", ["items", *(f"p = {p}" for p in SHARES)], rows)


def pairs_of_shares(bench: Bench) -> None:
    """Two paired shares: Newcombe's interval by simulation, Tango's exactly (its score test does not reject the truth)."""
    cases = [(0.5, 0.5), (0.75, 0.65), (0.95, 0.9), (0.25, 0.1)]
    rows = []
    for n, (first, second) in product(SIZES, cases):
        row: list[object] = [n, f"{first} and {second}"]
        for phi in (0.0, 0.3, 0.6):
            cells = pair_cells(first, second, phi)
            draws = bench.rng.multinomial(n, cells, size=bench.times(20_000))
            tables, counts = np.unique(draws, axis=0, return_counts=True)
            ends = np.array([newcombe_paired(*map(int, t)) for t in tables])
            inside = (ends[:, 0] <= first - second) & (first - second <= ends[:, 1])
            row += [f"{covered(float(counts @ inside) / counts.sum())} / {covered(tango_exactly(n, cells))}"]
        rows.append(row)
    table(
        "Paired shares, Newcombe (20 000 samples) / Tango (exact)",
        ["items", "shares", "phi 0", "phi 0.3", "phi 0.6"],
        rows,
    )


def tango_exactly(n: int, cells: tuple[float, float, float, float]) -> float:
    """Return the coverage of Tango's interval, a sum over the numbers of items that only one side gets right."""
    _, first, second, _ = cells
    spread = 7 * math.sqrt(n * max(first, second)) + 10
    wins, losses = (np.arange(max(0, int(n * p - spread)), min(n, int(n * p + spread)) + 1.0) for p in (first, second))
    b, c = (grid.ravel() for grid in np.meshgrid(wins, losses))
    b, c = b[b + c <= n], c[b + c <= n]
    chance = stats.binom.pmf(b + c, n, first + second) * stats.binom.pmf(b, b + c, first / (first + second))
    return float(chance @ (np.abs(tango_statistics(b, c, n, first - second)) <= stats.norm.ppf(0.975)))


def unlike_shares() -> None:
    """Two shares of unlike items: all pairs of counts."""
    rows = []
    for n, m in ((50, 50), (50, 100), (100, 100), (200, 200)):
        for p, q in ((0.5, 0.5), (0.75, 0.65), (0.95, 0.9), (0.25, 0.1)):
            x, y = np.arange(n + 1), np.arange(m + 1)
            chance = np.outer(stats.binom.pmf(x, n, p), stats.binom.pmf(y, m, q))
            likely = [(int(i), int(j)) for i, j in zip(*np.nonzero(chance > 1e-6), strict=True)]
            inside = sum(chance[i, j] for i, j in likely if holds(newcombe_independent((i, n), (j, m)), p - q))
            row: list[object] = [f"{n} and {m}", f"{p} and {q}", covered(inside)]
            if p == q:
                level = sum(chance[i, j] for i, j in likely if shares_p((i, n), (j, m))[0] <= 0.05)
                row.append(f"no difference: {rate(level)}")
            else:
                level = sum(chance[i, j] for i, j in likely if ni(j, m, i, n, p - q) <= 0.05)
                row.append(f"margin {p - q:.2f}: {rate(level)}")
            rows.append(row)
    header = ["items", "shares", "Newcombe: coverage", "false findings at 5 %"]
    table("Shares of unlike items: chi-square with N − 1, and the margin's score test (exact)", header, rows)


@cache
def ni(right: int, n: int, other: int, m: int, margin: float) -> float:
    """Return the p of non-inferiority of two counts."""
    return non_inferiority_independent_p((right, n), (other, m), margin) or 0.0


def means(bench: Bench) -> None:
    """Mean of other scores: t, t for skewness, and two bootstraps."""
    rows = []
    for name, (draw, truth) in real_scores(bench).items():
        for n in SIZES:
            samples = draw(bench.times(4000), n)
            row: list[object] = [name, n]
            row += [covered(np.mean([holds(f(s), truth) for s in samples])) for f in (mean_skewed, mean_t)]
            few = samples[: bench.times(1000)] if n <= 200 else []
            row += [bootstraps(few, truth, bench, method) for method in ("percentile", "bca")]
            rows.append(row)
    table(
        "A mean, 4000 samples (bootstraps 1000)", ["scores", "items", "t for skewness", "t", "percentile", "BCa"], rows
    )


def bootstraps(samples: Array | list[Array], truth: float, bench: Bench, method: Any) -> str:
    """Return the coverage of a bootstrap interval of the mean."""
    if not len(samples):
        return "—"
    found = (
        bootstrap(s, lambda x: x.mean(axis=1), bench.rng, method=method, resamples=RESAMPLES, vectorised=True)
        for s in samples
    )
    return covered(float(np.mean([holds(f, truth) for f in found])))


def paired_real(bench: Bench) -> None:
    """Paired differences of other scores: most items equal, the rest moved."""
    rng, rows = bench.rng, []
    for same, n in product((0.0, 0.7), SIZES):
        r = bench.times(4000)
        moved = rng.random((r, n)) >= same
        a = rng.beta(2, 2, (r, n))
        d = np.where(moved, a - rng.beta(2, 3, (r, n)), 0.0)
        truth = (1 - same) * (0.5 - 0.4)
        row: list[object] = [f"{same:.0%}", n, covered(np.mean([holds(mean_t(x), truth) for x in d]))]
        few = d[: bench.times(1000)] if n <= 200 else []
        row += [bootstraps(few, truth, bench, method) for method in ("percentile", "bca")]
        centred = d[: bench.times(2000)] * rng.choice([-1, 1], size=(len(d[: bench.times(2000)]), n))
        level = np.mean([sign_flip_p(x, rng, resamples=999) <= 0.05 for x in centred]) if n <= 200 else None
        rows.append([*row, "—" if level is None else rate(float(level))])
    header = ["equal pairs", "items", "t (used)", "percentile", "BCa", "sign flips: false findings at 5 %"]
    table("Paired differences of other scores, 4000 samples (bootstraps 1000, sign flips 2000)", header, rows)


def clustered(bench: Bench) -> None:
    """A share of clustered items."""
    rows = []
    for m, size, p in product((10, 20, 50, 200), (4, 12), (0.5, 0.9)):
        row: list[object] = [m, size, p]
        for icc in (0.0, 0.2, 0.5):
            ours, theirs = [], []
            for _ in range(bench.times(2000)):
                values, names = cluster_sample(bench, m, size, p, icc)
                ours.append(holds(cluster_mean(values, names), p))
                sums = cluster_sums(np.column_stack([values, np.ones(values.size)]), names)
                drawn = np.concatenate([part[:, 0] / part[:, 1] for part in resampled_sums(sums, bench.rng, 500)])
                low, high = np.quantile(drawn, [0.025, 0.975])
                theirs.append(low <= p <= high)
            row.append(f"{covered(float(np.mean(ours)))} / {covered(float(np.mean(theirs)))}")
        rows.append(row)
    header = ["clusters", "mean size", "share", "ICC 0", "ICC 0.2", "ICC 0.5"]
    table(
        "A share of clustered items: Wilson by clusters (used) / percentile bootstrap of clusters, 2000 samples",
        header,
        rows,
    )


def clustered_pairs(bench: Bench) -> None:
    """Paired shares of clustered items: interval, test of no difference, test of a margin."""
    rows = []
    for m, (first, second) in product((10, 20, 50), ((0.6, 0.6), (0.7, 0.55), (0.95, 0.9))):
        for apart in (0.0, 0.3):
            held, plain, false, naive, worse = [], [], [], [], []
            truth = first - second
            for _ in range(bench.times(2000)):
                a, b, names = cluster_pair(bench, m, (first, second), apart)
                found = paired_difference(a, b, clusters=names)
                held.append(holds(found, truth))
                plain.append(holds(paired_difference(a, b), truth))
                if truth == 0:
                    false.append(found.p is not None and found.p <= 0.05)
                    naive.append(mcnemar_exact(int((a > b).sum()), int((a < b).sum())) <= 0.05)
                else:
                    p = non_inferiority_p(b, a, truth, clusters=names)
                    worse.append(p is not None and p <= 0.05)
            shown = [rate(float(np.mean(x))) if x else "—" for x in (false, naive, worse)]
            rows.append([m, f"{first} and {second}", apart, covered(np.mean(held)), covered(np.mean(plain)), *shown])
    header = ["clusters", "shares", "differences shared", "Tango by clusters (used)", "Newcombe without clusters"]
    header += ["sign flips of clusters: false at 5 %", "McNemar: false at 5 %", "margin: false at 5 %"]
    table("Paired shares of clustered items (8 a cluster), 2000 samples", header, rows)


def other_intervals(bench: Bench) -> None:
    """Ratios, kappa, tau, the index."""
    rng, rows = bench.rng, []
    for n in (20, 50, 200):
        r = bench.times(3000)
        found: dict[str, list[bool]] = {}
        for _ in range(r):
            base = rng.integers(15, 60, n).astype(float)
            found.setdefault("ratio of means (token tax)", []).append(
                holds(ratio_of_means(base * rng.gamma(16, 0.1, n), base), 1.6)
            )
            times = rng.lognormal(0, 0.4, (2, n))
            found.setdefault("geometric ratio (times)", []).append(
                holds(geometric_ratio(times[0] * 1.3, times[1]), 1.3)
            )
            a, b = rng.random((2, n)) < [[0.6], [0.5]]
            c = (rng.random(n) < 0.7).astype(float)
            tasks = [TaskScores(a.astype(float), 0.25, name="a"), TaskScores(c, 0.5, name="c")]
            found.setdefault("language index", []).append(
                holds(language_index(tasks).estimate, (0.35 / 0.75 + 0.4) / 2)
            )
            others = [TaskScores(b.astype(float), 0.25, name="a"), TaskScores(1 - c, 0.5, name="c")]
            gap = index_difference(tasks, others, rng) if n <= 50 else None
            if gap:
                found.setdefault("index difference", []).append(holds(gap.estimate, (0.1 / 0.75 + 0.8) / 2))
        for _ in range(bench.times(1000)):
            one = rng.lognormal(0, 0.3, (2, n))
            medians = ratio_of_medians(one[0] * 1.3, one[1], rng, resamples=RESAMPLES)
            found.setdefault("ratio of medians (1000)", []).append(holds(medians, 1.3))
            right = rng.integers(0, 4, n)
            sides = [np.where(rng.random(n) < 0.6, right, rng.integers(0, 4, n)) for _ in range(2)]
            alike = agreement(list(sides[0]), list(sides[1]), rng, resamples=RESAMPLES)
            found.setdefault("kappa, BCa (1000)", []).append(holds(alike.kappa, 0.36))
            x = rng.normal(size=n)
            tau = kendall_tau_b(x, x + rng.normal(size=n), rng, resamples=RESAMPLES)
            found.setdefault("tau-b, BCa (1000)", []).append(holds(tau, 2 / math.pi * math.asin(math.sqrt(0.5))))
        rows += [[name, n, covered(float(np.mean(hits)))] for name, hits in found.items()]
    table("Other intervals, 3000 samples", ["estimate", "items", "coverage"], rows)


def margins_exactly() -> None:
    """Level of tests of paired shares: the truth is no difference, or just the margin."""
    rows = [
        [
            n,
            discordant,
            rate(power_mcnemar(n, discordant / 2, discordant / 2)),
            *(
                rate(power_non_inferiority(n, (discordant - m) / 2, (discordant + m) / 2, m))
                if m <= discordant
                else "—"
                for m in (0.02, 0.05, 0.1)
            ),
        ]
        for n, discordant in product(SIZES, (0.05, 0.2, 0.4))
    ]
    header = ["items", "items that differ", "McNemar", "margin 0.02", "margin 0.05", "margin 0.1"]
    table("False findings at 5 %: exact McNemar test (two-sided) and Tango's test at the margin (exact)", header, rows)


def families(bench: Bench) -> None:
    """Corrections, over gaps of six languages that share their reference, for four models on the same items."""
    rows = []
    for real in (0, 8):
        wrong, shares, found = 0, [], 0
        r = bench.times(1500)
        for _ in range(r):
            p, null = family(bench, real)
            adjusted = np.array(holm(p), dtype=float)
            wrong += bool((adjusted[null] < 0.05).any())
            listed = np.array(benjamini_hochberg(p), dtype=float) < 0.05
            shares.append(float(listed[null].sum() / max(1, listed.sum())))
            found += int(listed.sum())
        rows.append([real, rate(wrong / r), rate(float(np.mean(shares)))])
    header = ["real gaps of 24", "Holm: any false finding", "Benjamini and Hochberg: false share"]
    table("Families of 24 correlated gaps (exact McNemar, 200 items), 1500 samples, level 5 %", header, rows)


def planned(bench: Bench) -> None:
    """Items as planned for a power of 80 %, and what they then find."""
    rng, rows = bench.rng, []
    for difference, discordant in ((0.05, 0.2), (0.1, 0.3), (0.2, 0.25)):
        n = items_for_difference(difference, discordant) or 0
        b, c = (discordant + difference) / 2, (discordant - difference) / 2
        draws = rng.multinomial(n, (b, c, 1 - b - c), size=bench.times(5000))
        hits = np.mean([mcnemar_exact(int(x), int(y)) <= 0.05 for x, y, _ in draws])
        rows.append([f"difference {difference}, {discordant} differ", n, rate(float(hits))])
    for margin, discordant, truth in ((0.05, 0.1, 0.0), (0.1, 0.2, 0.0), (0.05, 0.1, -0.01)):
        n = items_for_margin(margin, discordant, true_difference=truth) or 0
        b, c = (discordant + truth) / 2, (discordant - truth) / 2
        draws = rng.multinomial(n, (b, c, 1 - b - c), size=bench.times(5000))
        hits = np.mean([tango_interval(int(x), int(y), n, 0.9)[0] > -margin for x, y, _ in draws[: bench.times(2000)]])
        rows.append([f"margin {margin}, {discordant} differ, truth {truth}", n, rate(float(hits))])
    for deviation, difference in ((0.3, 0.05), (0.2, 0.1)):
        n = items_for_real(deviation, difference) or 0
        d = rng.normal(difference, deviation, (bench.times(5000), n))
        rows.append(
            [
                f"real scores, {difference} of {deviation}",
                n,
                rate(float((stats.ttest_1samp(d, 0, axis=1).pvalue <= 0.05).mean())),
            ]
        )
    table("Planned for a power of 80 %, and the power found in 5000 samples", ["plan", "items", "power"], rows)
    n = items_for_width(0.7, 0.05) or 0
    right = rng.binomial(n, 0.7, bench.times(2000))
    widths = [wilson(int(k), n) for k in right]
    half = float(np.mean([(w.high - w.low) / 2 for w in widths if w.high is not None and w.low is not None]))
    print(f"\nFor a share of 0.7 to ±5 points {n} items are planned; the mean half width was {100 * half:.2f} points.")


def unlike_real(bench: Bench) -> None:
    """Welch's interval and test, unlike sizes and spreads."""
    rng, rows = bench.rng, []
    for (n, m), (s, t) in product(((20, 60), (50, 50), (200, 100)), ((0.1, 0.1), (0.3, 0.1))):
        found = [unpaired_difference(rng.normal(0.5, s, n), rng.normal(0.5, t, m)) for _ in range(bench.times(4000))]
        false = float(np.mean([f.p is not None and f.p <= 0.05 for f in found]))
        rows.append(
            [f"{n} and {m}", f"{s} and {t}", covered(float(np.mean([holds(f, 0.0) for f in found]))), rate(false)]
        )
    table(
        "Other scores of unlike items: Welch, 4000 samples", ["items", "deviations", "coverage", "false at 5 %"], rows
    )


def areas(bench: Bench) -> None:
    """DeLong's interval of the area under the ROC curve, normal scores."""
    rng, rows, times = np.random.default_rng(29), [], bench.times(4000)
    for right, wrong in ((10, 40), (25, 25), (40, 160), (200, 200)):
        cells = []
        for area in (0.5, 0.65, 0.8, 0.95):
            shift = math.sqrt(2) * stats.norm.ppf(area)
            hits = np.repeat([1.0, 0.0], [right, wrong])
            drawn = rng.normal(shift * hits, 1.0, (times, right + wrong))
            cells.append(covered(float(np.mean([holds(auroc(scores, hits), area) for scores in drawn]))))
        rows.append([f"{right} and {wrong}", *cells])
    table(
        f"Area under the ROC curve: DeLong on the logit scale, {times} samples",
        ["right and wrong", *["0.5", "0.65", "0.8", "0.95"]],
        rows,
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples: to see that it runs")
    bench = Bench(quick=parser.parse_args().quick)
    start = time.process_time()
    for part in (shares_exactly, margins_exactly, unlike_shares):
        part()
    for simulated in (
        pairs_of_shares, means, paired_real, unlike_real, clustered, clustered_pairs, other_intervals, families, planned, areas
    ):  # fmt: skip
        simulated(bench)
    print(f"\nProcessor time: {time.process_time() - start:.0f} s.")


if __name__ == "__main__":
    main()
