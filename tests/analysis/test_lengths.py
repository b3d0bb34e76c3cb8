"""Scores by the length of the text: golden values from the records, statsmodels and SciPy."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.interpolate import interp1d
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.lengths import LengthRow, between, depths, lengths
from evalsuite.records import ReadingLabel
from tests.synthetic import MODELS
from tests.synthetic_lengths import CODES, CONTEXT, CURVE, DEPTHS, SIZES, TAX, Lengths, build_lengths, is_right

SMOL, GEMMA = MODELS


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(build_lengths(tmp_path_factory.mktemp("runs") / "long"))


def row(run: Run, model: str, code: str, size: int) -> LengthRow:
    (found,) = [r for r in lengths(run) if (r.model, r.language, r.size) == (model, code, size)]
    return found


def test_there_is_a_row_for_each_model_language_and_size(long: Run) -> None:
    assert [(r.model, r.language, r.size) for r in lengths(long)] == [
        (m, c, s) for m in MODELS for c in CODES for s in SIZES
    ]


@pytest.mark.parametrize("model", MODELS)
def test_scores_and_drops_are_those_of_the_records(long: Run, model: str) -> None:
    for code in CODES:
        right = {size: [is_right(8 * p + i, code, model) for i in range(8)] for p, size in enumerate(SIZES)}
        for size in SIZES:
            found = row(long, model, code, size)
            if size * TAX[code] > CONTEXT:
                assert found.estimate.reason == "8 items are longer than the model's context"
                assert (found.beyond, found.context, found.estimate.n) == (8, CONTEXT, 0)
                assert found.drop.value is None
                continue
            assert (found.beyond, found.context, found.estimate.n) == (0, None, 8)
            assert found.estimate.value == sum(right[size]) / 8
            ends = proportion_confint(sum(right[size]), 8, method="wilson")
            assert (found.estimate.low, found.estimate.high) == pytest.approx(ends)
            if size == SIZES[0]:
                assert found.drop.reason == "the shortest size"
            else:
                pair = (sum(right[size]), 8, sum(right[SIZES[0]]), 8)
                assert found.drop.value == pytest.approx((pair[0] - pair[2]) / 8)
                expected = confint_proportions_2indep(*pair, method="newcomb", compare="diff")
                assert (found.drop.low, found.drop.high) == pytest.approx(expected)


def test_tokens_are_told_beside_those_of_the_reference_also_of_items_that_were_not_asked(long: Run) -> None:
    for code in CODES:
        for size in SIZES:
            found = row(long, GEMMA, code, size)
            assert found.tokens == size * TAX[code]
            if code == "en":
                assert found.ratio.reason == "the reference language"
            else:
                assert found.ratio.value == pytest.approx(TAX[code])


def test_time_and_memory_lie_between_the_measured_lengths(long: Run) -> None:
    seconds = interp1d([p.tokens for p in CURVE], [p.prefill_s for p in CURVE])
    found = row(long, SMOL, "es", 512)
    assert found.prefill_s.value == pytest.approx(float(seconds(768)))
    assert found.prefill_s.label is ReadingLabel.DERIVED
    # 768 lies in the middle between 384 and 1152; of 256 and 1024 it is two thirds of the way.
    assert found.cache_bytes.value == pytest.approx((5 + 2 / 3 * 6) * 2**20)
    assert found.peak_rss_bytes.value == pytest.approx((200 + 2 / 3 * 10) * 2**20)
    missing = row(long, SMOL, "es", 8000)
    assert missing.prefill_s.value is None
    assert missing.prefill_s.label is ReadingLabel.UNAVAILABLE
    assert missing.prefill_s.reason == "longer than the longest measured context of 8192 tokens"
    assert row(long, GEMMA, "en", 512).prefill_s.reason == "the run has no profile of this model"


def test_nothing_is_told_outside_of_what_was_measured() -> None:
    points = [(128, 1.0), (512, 4.0)]
    assert between(points, 128).value == 1.0
    assert between(points, 512).value == 4.0
    assert between(points, 127.9).reason == "shorter than the shortest measured context of 128 tokens"
    assert between(points, 512.1).reason == "longer than the longest measured context of 512 tokens"
    assert between([], 512).reason == "the profile has no curve of contexts"


def test_depths_are_pooled_over_languages_by_thirds(long: Run) -> None:
    rows = depths(long)
    assert [(r.model, r.size) for r in rows] == [(m, s) for m in MODELS for s in SIZES]
    for found in rows:
        asked = [code for code in CODES if found.size * TAX[code] <= CONTEXT]
        assert found.languages == len(asked)
        start = 8 * SIZES.index(found.size)
        thirds: list[list[bool]] = [[], [], []]
        for index in range(start, start + 8):
            thirds[min(2, int(3 * DEPTHS[index % 4]))] += [is_right(index, code, found.model) for code in asked]
        assert [len(third) for third in thirds] == [2 * len(asked), 4 * len(asked), 2 * len(asked)]
        for third, estimate in zip(thirds, found.thirds, strict=True):
            assert estimate.value == pytest.approx(sum(third) / len(third))
            assert estimate.n == len(third)


def test_a_run_without_long_items_has_no_rows(run: Run) -> None:
    assert lengths(run) == ()
    assert depths(run) == ()


def test_a_run_where_nothing_fits_says_so(tmp_path: Path) -> None:
    found = load_run(build_lengths(tmp_path / "run", Lengths(codes=("en",), context=100, profile=False)))
    assert {(r.beyond, r.estimate.value, r.context) for r in lengths(found)} == {(8, None, 100)}
    assert {third.reason for r in depths(found) for third in r.thirds} == {"no items"}
