"""NTREX on the mirror: the same items in every language, in both directions, with clean prompts."""

from __future__ import annotations

import re

import numpy as np
import pytest
from datasets import Dataset

from tests.tasks.building import MIRROR, catalog, group, needs, on_mirror, scored

SIX = ("es", "pt", "ca", "gl", "eu", "ja")
FROM_EN = [f"ntrex_en_{code}" for code in SIX]
FROM_ES = [f"ntrex_es_{code}" for code in SIX if code != "es"]
TO_EN = [f"ntrex_{code}_en" for code in SIX]
TO_ES = [f"ntrex_{code}_es" for code in SIX if code != "es"]
VARIETIES = ["ntrex_en_pt_br", "ntrex_en_es_mx"]
ALL = [*FROM_EN, *FROM_ES, *TO_EN, *TO_ES, *VARIETIES]
QUOTE = "680"
"""A French quote that stands in French on every side but the Japanese; at most four items of a language are so."""
INVISIBLE = re.compile("[\u00a0\u202f\u2007\u200b-\u200f\u2060\ufeff\u00ad\u0080-\u009f\u3000]")
CHARACTERS_A_TOKEN = {"ja": 0.55}
"""What SmolLM2's tokenizer, a poor one for these languages, makes of them; others 2.3, English 3.5."""
mirror = needs("MicrosoftTranslator/NTREX/all")


def test_groups_hold_the_languages_that_are_not_the_pivot() -> None:
    assert set(group("ntrex_from_en")) == set(group("ntrex_to_en")) == set(SIX)
    assert set(group("ntrex_from_es")) == set(group("ntrex_to_es")) == set(SIX) - {"es"}
    assert {catalog()[name].parallel_group for name in VARIETIES} == {None}


@mirror
@pytest.mark.parametrize("name", ALL)
def test_items_and_prompts(name: str) -> None:
    built = on_mirror(name)
    assert len(built) == built.task.items == 1997
    shown = built.prompts(range(0, 1997, 40))
    assert [item["id"] for item in shown] == [str(i) for i in range(0, 1997, 40)]
    for item in shown:
        assert not INVISIBLE.search(item["context"] + item["target"])
        source, label = item["context"].split("\n")
        assert re.fullmatch(r".{2,25}[:：]", label)
        assert item["target"]
        assert (item["target"] in source) == (item["id"] == QUOTE and not name.endswith("ja"))


@mirror
def test_no_break_spaces_of_the_spanish_side_are_made_spaces() -> None:
    raw = Dataset.from_parquet(str(MIRROR / "MicrosoftTranslator/NTREX/all/test.parquet"))["spa"]
    touched = [i for i, text in enumerate(raw) if "\u00a0" in text]
    assert len(touched) > 100
    shown = on_mirror("ntrex_en_es").prompts(touched)
    assert [item["target"] for item in shown] == [
        re.sub(" +", " ", raw[i].replace("\u00a0", " ")).strip() for i in touched
    ]


@mirror
@pytest.mark.parametrize("name", [*FROM_EN, *TO_EN])
def test_the_reference_is_right_and_in_the_right_language(name: str) -> None:
    built = on_mirror(name)
    shown = built.prompts(range(0, 1997, 20))
    found = [scored(built, i, item["target"]) for i, item in zip(range(0, 1997, 20), shown, strict=True)]
    assert all(f["chrf_pp"] == pytest.approx(100.0) for f in found)
    assert sum(f["wrong_language"] for f in found) <= 0.03 * len(found)
    assert not any(f["looping"] or f["empty"] for f in found)


@mirror
def test_the_source_copied_is_told_as_the_wrong_language() -> None:
    built = on_mirror("ntrex_en_eu")
    found = [scored(built, i, built._docs[i]["eng"]) for i in range(0, 400, 10)]
    assert sum(f["wrong_language"] for f in found) >= 0.8 * len(found)


@mirror
@pytest.mark.parametrize("name", ALL)
def test_the_token_limit_holds_99_percent_of_the_references(name: str) -> None:
    built = on_mirror(name)
    config, target = built._lm_task.config, built._lm_task.config.metadata["target_language"]
    limit = config.generation_kwargs["max_gen_toks"]
    lengths = [len(text) for text in built._docs[config.metadata["reference_column"]]]
    rate = 3.5 if target == "en" else CHARACTERS_A_TOKEN.get(target, 2.3)
    assert np.quantile(lengths, 0.99) / rate <= limit


@mirror
def test_documents_are_told() -> None:
    built = on_mirror("ntrex_en_eu")
    assert built.task.cluster_column == "doc_id"
    assert len(set(built._docs["doc_id"])) == 123


@mirror
@pytest.mark.parametrize("form", ["native-2", "native-3", "english"])
def test_other_wordings_hold_the_same_text(form: str) -> None:
    plain, other = (on_mirror("ntrex_en_eu", f).prompts([3])[0] for f in ("native", form))
    assert other["context"] != plain["context"]
    assert on_mirror("ntrex_en_eu")._docs[3]["eng"] in other["context"]
    assert other["target"] == plain["target"]
