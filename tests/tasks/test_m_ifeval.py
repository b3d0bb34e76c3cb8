"""M-IFEval: every check passes one text and fails another, and every instruction of the data has its check."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
from datasets import Dataset

from tests.tasks.building import MIRROR, catalog, module, needs, on_mirror, scored

checks = module("m_ifeval/checks")
mirror = needs("lightblue-tech/M-IFEval")
ROWS = {"en": 541, "es": 115, "ja": 172}
EN_LINE = "The old bridge was closed on Monday because the river had risen too far."
ES_LINE = "El puente viejo se cerró el lunes porque el río había crecido demasiado."
TWO = "Uno.\n******\nDos."

# Instruction, arguments, a text that keeps it, a text that does not.
SPACED: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["ADN", "célula"]}, "El adn de la Célula", "El ADN"),
    ("keywords:frequency", {"keyword": "pan", "frequency": 2, "relation": "at least"}, "Pan y pan", "Pan"),
    ("keywords:frequency", {"keyword": "pan", "frequency": 2, "relation": "less than"}, "Pan", "Pan y pan"),
    ("keywords:frequency", {"keyword": "pan", "frequency": 1, "relation": "como máximo"}, "Pan", "Pan y pan"),
    ("keywords:forbidden_words", {"forbidden_words": ["sol"]}, "La solapa", "El Sol sale"),
    ("keywords:letter_frequency", {"letter": "a", "let_frequency": 3, "let_relation": "at least"}, "Ananas", "Ana"),
    ("keywords:letter_frequency", {"letter": "!", "let_frequency": 2, "let_relation": "less than"}, "Ay!", "Ay! Ay!"),
    (
        "language:response_language",
        {"language": "it"},
        "La biblioteca resterà chiusa fino alla fine di luglio.",
        EN_LINE,
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "Uno\n***\nDos", "Uno\n***\nDos\n***\nTres"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Diría que"},
        "Uno.\n\nDiría que sí.",
        "Uno.\n\nCreo que sí.",
    ),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "Sí. No.", "Dr. Smith."),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "1. Sí.", "Sí. No?"),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] y [b]", "[a] y (b)"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Adiós.\nP. S. Hola", "Ps. hola"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Adiós. P.P.S. Hola", "P.S. Hola"),
    ("detectable_content:postscript", {"postscript_marker": "Nota"}, "Adiós.\n**Nota**: hola", "Es notable."),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "{a: 1}"),
    (
        "detectable_format:multiple_sections",
        {"num_sections": 2, "section_spliter": "Sección"},
        "Sección 1\nUno\nSección 2\nDos",
        "Sección 1\nUno\nsección dos",
    ),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*uno* y *dos*", "*uno* y ** **"),
    ("detectable_format:title", {}, "<<Alegría>>\nUno", "<< >>\nUno"),
    ("combination:two_responses", {}, TWO, TWO + "\n******\nTres."),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Di algo."}, "di algo. Algo.", "Claro: Di algo."),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "La ONU y la OMS",
        "La ONU y la Unión",
    ),
    ("punctuation:no_comma", {}, "Uno y dos", "Uno, dos"),
    ("startend:end_checker", {"end_phrase": "Un saludo"}, '"Gracias. un saludo"', "Un saludo y gracias"),
    ("startend:quotation", {}, '"Uno y dos"', "«Uno y dos»"),
]
ENGLISH: list[tuple[str, dict[str, Any], str, str]] = [
    ("change_case:english_capital", {}, EN_LINE.upper(), EN_LINE),
    ("change_case:english_capital", {}, "YES", ES_LINE.upper()),
    ("change_case:english_lowercase", {}, EN_LINE.lower(), ES_LINE.lower()),
    ("length_constraints:number_words", {"num_words": 4, "relation": "at least"}, "It's far off", "It is far"),
    ("detectable_format:constrained_response", {}, "Hm. My answer is no.", "My answer is no"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n- two", "* one\n** two"),
]
SPANISH: list[tuple[str, dict[str, Any], str, str]] = [
    ("change_case:spanish_capital", {}, ES_LINE.upper(), EN_LINE.upper()),
    ("change_case:spanish_lowercase", {}, ES_LINE.lower(), ES_LINE),
    (
        "length_constraints:number_words",
        {"num_words": 3, "relation": "como máximo"},
        "1. Un físico-químico",
        "Uno y dos más",
    ),
    ("detectable_format:constrained_response", {}, "Quizás.", "Tal vez."),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* uno\n- dos", "* uno\n* dos"),
    ("punctuation:question_marks", {}, "¿Y tú?", "Y tú?"),
    ("punctuation:exclamation_marks", {}, "¡Hola!", "¡ !"),
    ("special_character:enie", {"let_frequency": 2}, "Ñoño y niño", "Niño y ni\u006e\u0303a y caña"),
    ("special_character:dieresis", {"let_frequency": 1}, "El pingüino", "El pinguino"),
    ("special_character:tildes", {"num_words": 2, "relation": "al menos"}, "Él comió", "El comió"),
    ("startend:end_checker", {"end_phrase": "Un saludo"}, "Gracias. Un saludo.", "Un saludo. Gracias."),
]
JAPANESE: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["夢", "現実"]}, "夢と現実です。", "夢です。"),
    ("keywords:frequency", {"keyword": "音", "frequency": 2, "relation": "未満"}, "音だ。", "音と音だ。"),
    ("keywords:forbidden_words", {"forbidden_words": ["健康"]}, "元気です。", "不健康です。"),
    ("keywords:letter_frequency", {"letter": "し", "let_frequency": 2, "let_relation": "以上"}, "しし", "しシ"),
    (
        "language:response_language",
        {"language": "th"},
        "ห้องสมุดจะปิดจนถึงสิ้นเดือนกรกฎาคม",
        "図書館は七月の終わりまで休館します。",
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "一\n***\n二", "一\n\n二"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "愛"},
        "一です。\n\n愛とは。",
        "一です。\n\n恋とは。",
    ),
    ("length_constraints:number_letters", {"num_letters": 5, "relation": "以上"}, "五文字です", "四文字だ"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "以上"}, "はい。そう？", "はい。"),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "[名前]様", "【名前】様"),
    ("detectable_content:postscript", {"postscript_marker": "追伸"}, "では。\n追伸：元気で。", "では。"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S."}, "では。\nP. P. S. 元気で。", "P.S. 元気で。"),
    ("detectable_format:constrained_response", {}, "はい、そうです。", "はい。"),
    ("detectable_format:json_format", {}, '{"湯": 1}', "湯: 1"),
    (
        "detectable_format:multiple_sections",
        {"num_sections": 2, "section_spliter": "節"},
        "第１節 第二節",
        "第1章 第2章",
    ),
    ("detectable_format:nominal_ending", {"count": 2}, "美しい京都。静かな庭。", "京都は美しい。静かな庭。"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "・一\n・二", "・一"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "《塔》です", "《 》です"),
    ("detectable_format:number_numbered_lists", {"num_items": 2}, "1. 一\n2. 二", "1. 一\n2. 二\n3. 三"),
    ("detectable_format:title", {}, "『昭和』\n昔の話。", "「昭和」\n昔の話。"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "話して。"}, "話して。\n昔々。", "昔々。話して。"),
    ("combination:two_responses", {}, "一\n******\n二", "一\n******\n一"),
    ("letters:furigana", {}, "京都（きょうと）です", "京都（きょうと）は古い"),
    ("letters:hiragana_only", {}, "みずは、たいせつ！\nらーめん", "みずは大切"),
    ("letters:katakana_only", {}, "ミズハ、タイセツ", "ミズは、タイセツ"),
    ("letters:kanji", {"kanji_limit": 2, "relation": "未満"}, "水はみず", "水道はみず"),
    ("letters:kansuuji", {}, "二十日", "２０日"),
    ("letters:no_hiragana", {}, "京都、寺院。", "京都の寺院。"),
    ("letters:no_katakana", {}, "京都の寺院。", "京都のホテル。"),
    ("punctuation:no_comma", {}, "春が来た。", "春が、来た。"),
    ("punctuation:no_period", {}, "春が来た！", "春が来た。"),
    ("startend:end_checker", {"end_phrase": "終わり。"}, "昔々。終わり。", "終わり。昔々。"),
    ("startend:quotation", {}, "「はい。」", "「はい」です。"),
    ("startend:sentence_unified_end", {"ending": "です"}, "春です。「来た。」です。\n夏です。", "春です。夏だ。"),
]
CASES = [
    *((f"{code}:{name}", *rest) for code in ("en", "es") for name, *rest in SPACED if (code, name) != ("es", "startend:end_checker")),
    *((f"en:{name}", *rest) for name, *rest in ENGLISH),
    *((f"es:{name}", *rest) for name, *rest in SPANISH),
    *((f"ja:{name}", *rest) for name, *rest in JAPANESE),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "arguments", "good", "bad"), CASES)
def test_a_check_passes_and_fails(instruction: str, arguments: dict[str, Any], good: str, bad: str) -> None:
    if "nominal" in instruction:
        pytest.importorskip("MeCab")
        pytest.importorskip("ipadic")
    assert checks.follows(instruction, f"\n{good} ", {**arguments, "unused": None}) is True
    assert checks.follows(instruction, bad, arguments) is False


def test_every_check_is_tested_here() -> None:
    assert {f"{code}:{name}" for code, found in checks.CHECKS.items() for name in found} == {case[0] for case in CASES}


def test_a_language_that_cannot_be_told_is_unjudged_and_not_kept() -> None:
    assert checks.follows("en:language:response_language", "Ja.", {"language": "de"}) is None
    doc = {"instruction_id_list": ["en:language:response_language"], "kwargs": [{"language": "de"}]}
    assert checks.score(doc, ["Ja."], {}) == {
        "all_followed": 0.0, "share_followed": 0.0, "unjudged": 1.0, "empty": 0.0, "looping": 0.0,
    }  # fmt: skip


def test_an_empty_reply_keeps_nothing() -> None:
    doc = {"instruction_id_list": ["es:punctuation:no_comma"], "kwargs": [{}]}
    found = checks.score(doc, [" \n"], {})
    assert (found["all_followed"], found["share_followed"], found["empty"]) == (0.0, 0.0, 1.0)


def test_all_instructions_of_a_prompt_count() -> None:
    ids = ["es:punctuation:no_comma", "es:punctuation:question_marks"]
    doc = {"instruction_id_list": ids, "kwargs": [{}, {}]}
    assert checks.score(doc, ["Sin coma."], {})["share_followed"] == 0.5
    assert checks.score(doc, ["Sin coma."], {})["all_followed"] == 0.0
    assert checks.score(doc, ["¿Sin coma?"], {})["all_followed"] == 1.0


@pytest.mark.parametrize("instruction", ["en:no:such", "fr:punctuation:no_comma", "no_comma"])
def test_an_instruction_without_a_check_is_an_error(instruction: str) -> None:
    with pytest.raises(ValueError, match="no check for the instruction"):
        checks.follows(instruction, "x", {})


def test_an_unknown_relation_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown relation 'around'"):
        checks.follows("en:length_constraints:number_words", "x", {"num_words": 1, "relation": "around"})


@mirror
@pytest.mark.parametrize("code", ROWS)
def test_every_instruction_of_the_data_can_be_checked(code: str) -> None:
    built = on_mirror(f"m_ifeval_{code}")
    assert len(built) == built.task.items == ROWS[code]
    assert len({item["id"] for item in built.prompts(range(ROWS[code]))}) == ROWS[code]
    texts = [EN_LINE, ES_LINE, "図書館は、七月の終わりまで休館します。", '{"a": 1}']
    for index, row in enumerate(built._docs):
        assert {instruction.split(":")[0] for instruction in row["instruction_id_list"]} == {code}
        found = scored(built, index, texts[index % 4])
        assert 0 <= found["share_followed"] <= 1
        assert found["all_followed"] == float(found["share_followed"] == 1)


@mirror
@pytest.mark.parametrize("code", ROWS)
def test_no_text_keeps_everything(code: str) -> None:
    built = on_mirror(f"m_ifeval_{code}")
    for text in (EN_LINE, ES_LINE, "図書館は、七月の終わりまで休館します。"):
        assert 0 < sum(scored(built, i, text)["all_followed"] for i in range(len(built))) < 0.5 * len(built)


@mirror
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("langdetect", "immutabledict", "nltk")),
    reason="lm-eval's own IFEval needs langdetect, immutabledict and nltk: pip install 'lm-eval[ifeval]'",
)
def test_english_agrees_with_lm_evals_ifeval() -> None:
    """Golden: lm-eval 0.4.13's own checks (lm_eval/tasks/ifeval), on mixed texts.

    Left out: what needs nltk's data, letters that are marks (lm-eval draws another letter at random), and the language
    of upper and lower case in text of a few letters, of which langdetect names some language and ours none.
    """
    from lm_eval.tasks.ifeval import instructions_registry

    rows = Dataset.from_parquet(str(MIRROR / "lightblue-tech/M-IFEval/en/train.parquet"))
    texts = [
        EN_LINE, EN_LINE.upper(), EN_LINE.lower(), f'"{EN_LINE}"', f"<<Bridge>>\n\n{EN_LINE}\n\nP.S. See [name] *now* **or never**.",
        f"* one\n* two\n- three\nP.P.S {EN_LINE}", f"SECTION 1\n{EN_LINE}\n******\nSECTION 2\nNo, thanks!", json.dumps({"a": [1]}),
        "My answer is yes.", f"{EN_LINE}\n***\n{EN_LINE}\n***\nAny other questions?", "La biblioteca resterà chiusa fino a luglio.",
    ]  # fmt: skip
    needs_data = ("number_sentences", "capital_word_frequency")
    compared = 0
    for row in rows:
        extra = [row["prompt"], f"{row['prompt']} {EN_LINE}"]
        for instruction, given in zip(row["instruction_id_list"], row["kwargs"], strict=True):
            name = instruction.removeprefix("en:")
            if name.endswith(needs_data) or not (given["letter"] or "a").isalpha():
                continue
            arguments = {key: int(v) if isinstance(v, float) else v for key, v in given.items() if v}
            golden = instructions_registry.INSTRUCTION_DICT[name](name)
            golden.build_description(**arguments)
            for text in (*texts, *extra):
                if name.startswith("change_case") and sum(map(str.isalpha, text)) < 20:
                    continue
                found = checks.follows(instruction, text, given)
                if found is not None:
                    assert found == bool(golden.check_following(text.strip())), (instruction, arguments, text)
                    compared += 1
    assert compared > 5000


def test_tasks_are_in_no_parallel_group() -> None:
    assert {catalog()[f"m_ifeval_{code}"].parallel_group for code in ROWS} == {None}
