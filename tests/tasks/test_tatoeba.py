"""Tatoeba on the mirror: pairs with English, in both directions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tasks.building import needs, on_mirror, scored

mirror = needs("mteb/tatoeba-bitext-mining")
SIX = ("es", "pt", "ca", "gl", "eu", "ja")


@mirror
@pytest.mark.parametrize("code", SIX)
def test_directions_mirror_each_other(code: str) -> None:
    there, back = on_mirror(f"tatoeba_en_{code}"), on_mirror(f"tatoeba_{code}_en")
    assert len(there) == len(back) == there.task.items == 1000
    assert {there.task.parallel_group, back.task.parallel_group} == {None}
    rows = range(0, 1000, 50)
    for index, out, home in zip(rows, there.prompts(rows), back.prompts(rows), strict=True):
        assert home["target"] in out["context"]
        assert out["target"] in home["context"]
        assert scored(there, index, out["target"])["chrf_pp"] == pytest.approx(100.0)
        assert scored(there, index, home["target"])["chrf_pp"] < 70


@mirror
@pytest.mark.parametrize("code", SIX)
def test_the_token_limit_holds_98_percent_of_the_references(code: str) -> None:
    for name, rate in ((f"tatoeba_en_{code}", 0.55 if code == "ja" else 2.3), (f"tatoeba_{code}_en", 3.5)):
        config = on_mirror(name)._lm_task.config
        lengths = [len(text) for text in on_mirror(name)._docs[config.metadata["reference_column"]]]
        assert np.quantile(lengths, 0.98) / rate <= config.generation_kwargs["max_gen_toks"]
