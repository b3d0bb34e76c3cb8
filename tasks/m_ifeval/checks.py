"""Checks whether a reply keeps the instructions of M-IFEval (English, Spanish, Japanese), by rules.

The rules are those of IFEval (Zhou et al., 2023) and M-IFEval (Dussolle et al., 2025), written anew. They differ from the
published code where that needs other packages, or does not do what the prompt says:

- languages are told by `evalsuite.texts.identify`; what cannot be told is unjudged, not kept;
- sentences of English and Spanish end at `.`, `!`, `?` or `…` before white space, or at a blank line (published: nltk,
  spaCy), and Spanish words are runs of letters and digits with hyphens and apostrophes inside (published: spaCy);
- Japanese words are found by MeCab with IPADIC (published: Janome), a hiragana letter is not its katakana twin, white
  space is no breach of a script, and sections may be numbered with kanji and be called 節 or 項.
"""

from __future__ import annotations

import json
import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

Check = Callable[[str, Mapping[str, Any]], bool | None]
"""Takes the reply, stripped, and the instruction's arguments; returns None if it cannot tell."""

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "at least": lambda count, limit: count >= limit,
    "al menos": lambda count, limit: count >= limit,
    "以上": lambda count, limit: count >= limit,
    "less than": lambda count, limit: count < limit,
    "未満": lambda count, limit: count < limit,
    "como máximo": lambda count, limit: count <= limit,
}
_BULLET = re.compile(r"^\s*(?:\d+\.|[-*])\s*", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|\n\s*\n")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:Mrs?|Ms|Dra?|Srt?a?|Prof|St|vs|e\.g|i\.e|p\. ?ej|[A-ZÁÉÍÓÚÑ])\.$")
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_TOKEN = re.compile(r"\w+(?:[-'’.]\w+)*")
_KANJI = "[\u4e00-\u9fff]"
_QUOTED_JA = re.compile(r"「.*?」|『.*?』", re.DOTALL)


def follows(instruction: str, reply: str, arguments: Mapping[str, Any]) -> bool | None:
    """Return whether a reply keeps an instruction; None if that cannot be told.

    Args:
        instruction: The id, such as `es:keywords:existence`.
        reply: The model's text. An empty one keeps nothing.
        arguments: Of the instruction; what is None is as good as missing.

    Raises:
        ValueError: There is no check for the instruction.
    """
    language, _, name = instruction.partition(":")
    check = CHECKS.get(language, {}).get(name)
    if check is None:
        known = ", ".join(f"{code}:..." for code in CHECKS)
        raise ValueError(f"no check for the instruction {instruction!r} (there are {known}): add it to {__file__}")
    text = reply.strip()
    return check(text, {key: value for key, value in arguments.items() if value is not None}) if text else False


def score(doc: dict[str, Any], results: list[str], metadata: dict[str, Any]) -> dict[str, float]:
    """Return how many of a prompt's instructions a reply keeps.

    Args:
        doc: An item with `instruction_id_list` and `kwargs`, a mapping of arguments for each instruction.
        results: The model's text, alone in a list.
        metadata: The task's; not looked at.

    Returns:
        `all_followed`, 1 if every instruction is kept (strict accuracy by prompt), else 0; `share_followed`, the share
        of the instructions that are kept; `unjudged`, the share of which cannot be told, which count as not kept; and
        0 or 1 for `empty` and `looping`.
    """
    from evalsuite.texts.replies import ReplyKind, classify

    del metadata
    pairs = zip(doc["instruction_id_list"], doc["kwargs"], strict=True)
    kept = [follows(instruction, results[0], arguments) for instruction, arguments in pairs]
    kind = classify(results[0])
    return {
        "all_followed": float(all(kept)),
        "share_followed": sum(map(bool, kept)) / len(kept),
        "unjudged": sum(one is None for one in kept) / len(kept),
        "empty": float(kind is ReplyKind.EMPTY),
        "looping": float(kind is ReplyKind.LOOPING),
    }


# --- what several checks need


def _number(arguments: Mapping[str, Any], name: str) -> float:
    return float(arguments[name])


def _compare(count: float, arguments: Mapping[str, Any], limit: str, relation: str = "relation") -> bool:
    asked = arguments.get(relation, "at least")
    if asked not in _RELATIONS:
        raise ValueError(
            f"{relation}: unknown relation {asked!r} (known: {', '.join(_RELATIONS)}): add it to {__file__}"
        )
    return _RELATIONS[asked](count, _number(arguments, limit))


def _is_in(text: str, language: str) -> bool | None:
    from evalsuite.texts.identify import identify

    code = identify([text], [language])[0].code
    return None if code is None else code == language


def _sentences(text: str) -> int:
    count, open_end = 0, False
    for part in _SENTENCE_END.split(_BULLET.sub("", text)):
        open_end = bool(_ABBREVIATION.search(part))
        count += not open_end and any(map(str.isalnum, part))
    return count + open_end


def _sentences_ja(text: str) -> int:
    return sum(any(map(str.isalnum, part)) for part in re.split(r"[。！？!?\n]", text))


@lru_cache(maxsize=1)
def _mecab() -> Any:
    import ipadic
    import MeCab

    return MeCab.Tagger(ipadic.MECAB_ARGS)


def _ends_in_noun(sentence: str) -> bool:
    lines = [line for line in _mecab().parse(sentence).splitlines() if "\t" in line]
    return bool(lines) and lines[-1].split("\t")[1].startswith("名詞")


# --- checks of any language


def _keywords(text: str, arguments: Mapping[str, Any]) -> bool:
    return all(word.casefold() in text.casefold() for word in arguments["keywords"])


def _keyword_frequency(text: str, arguments: Mapping[str, Any]) -> bool:
    return _compare(text.casefold().count(arguments["keyword"].strip().casefold()), arguments, "frequency")


def _no_words(text: str, arguments: Mapping[str, Any]) -> bool:
    return not any(re.search(rf"\b{re.escape(w)}\b", text, re.IGNORECASE) for w in arguments["forbidden_words"])


def _letter(text: str, arguments: Mapping[str, Any]) -> bool:
    return _compare(text.lower().count(arguments["letter"].lower()), arguments, "let_frequency", "let_relation")


def _language(text: str, arguments: Mapping[str, Any]) -> bool | None:
    return _is_in(text, arguments["language"])


def _paragraphs(text: str, arguments: Mapping[str, Any]) -> bool:
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", text)]
    return all(parts[1:-1]) and sum(map(bool, parts)) == arguments["num_paragraphs"]


def _first_words(text: str, arguments: Mapping[str, Any]) -> bool:
    parts = [part for part in text.split("\n\n") if part.strip()]
    place = int(arguments["nth_paragraph"])
    if len(parts) != arguments["num_paragraphs"] or place > len(parts):
        return False
    wanted: list[str] = arguments["first_word"].lower().split()
    bare = str.maketrans("", "", string.punctuation + "¿¡“”«»")
    return [word.translate(bare) for word in parts[place - 1].lower().split()[: len(wanted)]] == wanted


def _postscript(text: str, arguments: Mapping[str, Any]) -> bool:
    # After a point there may be a space: "P. S."; what follows the marker is no part of the same word.
    marker = re.sub(
        r"\\\.\s*", r"\\.\\s?", re.escape(arguments["postscript_marker"].strip().casefold()).replace("\\ ", "")
    )
    return bool(re.search(rf"(?:^|[\s*_（(\"“「]){marker}(?![a-zñáéíóú])", text.casefold(), re.MULTILINE))


def _placeholders(text: str, arguments: Mapping[str, Any]) -> bool:
    return len(re.findall(r"\[.*?\]", text)) >= _number(arguments, "num_placeholders")


def _option(options: tuple[str, ...], text: str, _: Mapping[str, Any]) -> bool:
    return any(option in text for option in options)


def _json(text: str, _: Mapping[str, Any]) -> bool:
    bare = re.sub(r"^```(?:json)?|```$", "", text, flags=re.IGNORECASE)
    try:
        json.loads(bare.strip())
    except ValueError:
        return False
    return True


def _sections(text: str, arguments: Mapping[str, Any]) -> bool:
    heads = re.findall(rf"{re.escape(arguments['section_spliter'].strip())}\s?\d+", text)
    return len(heads) >= _number(arguments, "num_sections")


def _lines(pattern: str, limit: str, text: str, arguments: Mapping[str, Any]) -> bool:
    return len(re.findall(pattern, text, re.MULTILINE)) == _number(arguments, limit)


def _highlights(text: str, arguments: Mapping[str, Any]) -> bool:
    single = [part for part in re.findall(r"\*[^\n*]*\*", text) if part.strip("*").strip()]
    double = [part for part in re.findall(r"\*\*[^\n*]*\*\*", text) if part.strip("*").strip()]
    return len(single) + len(double) >= _number(arguments, "num_highlights")


def _holds(pattern: str, text: str, _: Mapping[str, Any]) -> bool:
    return bool(re.search(pattern, text, re.DOTALL))


def _lacks(pattern: str, text: str, _: Mapping[str, Any]) -> bool:
    return not re.search(pattern, text)


def _two(text: str, _: Mapping[str, Any]) -> bool:
    parts = [part.strip() for part in text.split("******")]
    said = [part for part in parts if part]
    return all(parts[1:-1]) and len(said) == 2 and said[0] != said[1]


def _repeat(text: str, arguments: Mapping[str, Any]) -> bool:
    return text.lower().startswith(arguments["prompt_to_repeat"].strip().lower())


def _end(drop: str, text: str, arguments: Mapping[str, Any]) -> bool:
    bare, wanted = text.strip('"').lower(), arguments["end_phrase"].strip().lower()
    return bare.endswith(wanted) or (bool(drop) and bare.removesuffix(drop).endswith(wanted))


def _quoted(first: str, last: str, text: str, _: Mapping[str, Any]) -> bool:
    return len(text) > 1 and text[0] == first and text[-1] == last


def _count(counted: Callable[[str], int], limit: str, text: str, arguments: Mapping[str, Any]) -> bool:
    return _compare(counted(text), arguments, limit)


# --- checks of English and Spanish


def _upper(language: str, text: str, _: Mapping[str, Any]) -> bool:
    # Text too short to tell its language is taken as it is, as in the published code.
    return text.isupper() and _is_in(text.lower(), language) is not False


def _lower(language: str, text: str, _: Mapping[str, Any]) -> bool:
    return text.islower() and _is_in(text, language) is not False


def _upper_words(text: str, arguments: Mapping[str, Any]) -> bool:
    return _compare(sum(map(str.isupper, _TOKEN.findall(text))), arguments, "capital_frequency", "capital_relation")


def _words_es(text: str) -> int:
    return len(_WORD.findall(_BULLET.sub("", text)))


def _words_with(letters: str, text: str) -> int:
    return sum(bool(set(letters) & set(word.lower())) for word in _WORD.findall(unicodedata.normalize("NFC", text)))


def _words_exactly(letters: str, text: str, arguments: Mapping[str, Any]) -> bool:
    return _words_with(letters, text) == _number(arguments, "let_frequency")


# --- checks of Japanese


def _no_parts(text: str, arguments: Mapping[str, Any]) -> bool:
    return not any(word in text for word in arguments["forbidden_words"])


def _first_word_ja(text: str, arguments: Mapping[str, Any]) -> bool:
    parts = [part.strip().lstrip("「『") for part in text.split("\n\n") if part.strip()]
    place = int(arguments["nth_paragraph"])
    right = len(parts) == arguments["num_paragraphs"] and place <= len(parts)
    return right and parts[place - 1].startswith(arguments["first_word"])


def _sections_ja(text: str, arguments: Mapping[str, Any]) -> bool:
    pattern = rf"第[\d一二三四五六七八九十]+{re.escape(arguments['section_spliter'].strip())}"
    return len(re.findall(pattern, text)) >= _number(arguments, "num_sections")


def _highlights_ja(text: str, arguments: Mapping[str, Any]) -> bool:
    found = [part for part in re.findall(r"《([^\n《》]*)》", text) if part.strip()]
    return len(found) >= _number(arguments, "num_highlights")


def _noun_endings(text: str, arguments: Mapping[str, Any]) -> bool:
    sentences = re.findall(r"[^。！？\n]+(?=[。！？])", _QUOTED_JA.sub("", text))
    return sum(map(_ends_in_noun, sentences)) >= _number(arguments, "count")


def _same_ending(text: str, arguments: Mapping[str, Any]) -> bool:
    sentences = [part.strip() for part in re.split(r"[。！？\n]", _QUOTED_JA.sub("", text))]
    return all(part.endswith(arguments["ending"]) for part in sentences if part)


def _furigana(text: str, _: Mapping[str, Any]) -> bool:
    return len(re.findall(f"{_KANJI}+", text)) == len(re.findall(rf"{_KANJI}+[（(][ぁ-ゖー]+[）)]", text))


def _only(first: str, last: str, text: str, _: Mapping[str, Any]) -> bool:
    """Return whether all letters and digits are of one kana; marks and white space may stand between."""
    return all(first <= c <= last or c in "ー・" or unicodedata.category(c)[0] in "PSZC" for c in text)


_ANY: dict[str, Check] = {
    "keywords:existence": _keywords,
    "keywords:frequency": _keyword_frequency,
    "keywords:forbidden_words": _no_words,
    "keywords:letter_frequency": _letter,
    "language:response_language": _language,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:nth_paragraph_first_word": _first_words,
    "length_constraints:number_sentences": partial(_count, _sentences, "num_sentences"),
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:json_format": _json,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:title": partial(_holds, r"<<[^\n]*[^\n<>\s][^\n]*>>"),
    "combination:two_responses": _two,
    "combination:repeat_prompt": _repeat,
    "change_case:capital_word_frequency": _upper_words,
    "punctuation:no_comma": partial(_lacks, ","),
    "startend:end_checker": partial(_end, ""),
    "startend:quotation": partial(_quoted, '"', '"'),
}

CHECKS: dict[str, dict[str, Check]] = {
    "en": {
        **_ANY,
        "change_case:english_capital": partial(_upper, "en"),
        "change_case:english_lowercase": partial(_lower, "en"),
        "length_constraints:number_words": partial(_count, lambda text: len(re.findall(r"\w+", text)), "num_words"),
        "detectable_format:constrained_response": partial(
            _option, ("My answer is yes.", "My answer is no.", "My answer is maybe.")
        ),
        "detectable_format:number_bullet_lists": partial(_lines, r"^\s*(?:\*[^*]|-).*$", "num_bullets"),
    },
    "es": {
        **_ANY,
        "change_case:spanish_capital": partial(_upper, "es"),
        "change_case:spanish_lowercase": partial(_lower, "es"),
        "length_constraints:number_words": partial(_count, _words_es, "num_words"),
        "detectable_format:constrained_response": partial(_option, ("Sí.", "No.", "Quizás.")),
        "detectable_format:number_bullet_lists": partial(_lines, r"^\s*\*[^*].*$", "num_bullets"),
        "punctuation:question_marks": partial(_holds, r"¿[^?]*[^?\s][^?]*\?"),
        "punctuation:exclamation_marks": partial(_holds, r"¡[^!]*[^!\s][^!]*!"),
        "special_character:enie": partial(_words_exactly, "ñ"),
        "special_character:dieresis": partial(_words_exactly, "ü"),
        "special_character:tildes": partial(_count, partial(_words_with, "áéíóú"), "num_words"),
        "startend:end_checker": partial(_end, "."),
    },
    "ja": {
        **{name: check for name, check in _ANY.items() if not name.startswith("change_case")},
        "keywords:forbidden_words": _no_parts,
        "length_constraints:nth_paragraph_first_word": _first_word_ja,
        "length_constraints:number_letters": partial(_count, len, "num_letters"),
        "length_constraints:number_sentences": partial(_count, _sentences_ja, "num_sentences"),
        "detectable_format:constrained_response": partial(
            _option, ("はい、そうです。", "いいえ、違います。", "どちらとも言えません。")
        ),
        "detectable_format:multiple_sections": _sections_ja,
        "detectable_format:nominal_ending": _noun_endings,
        "detectable_format:number_bullet_lists": partial(_lines, r"^\s*・[^・].*$", "num_bullets"),
        "detectable_format:number_highlighted_sections": _highlights_ja,
        "detectable_format:number_numbered_lists": partial(_lines, r"^\s*\d+[.．]\s*\S.*$", "num_items"),
        "detectable_format:title": partial(_holds, r"『[^』]*[^』\s][^』]*』"),
        "letters:furigana": _furigana,
        "letters:hiragana_only": partial(_only, "ぁ", "ゖ"),
        "letters:katakana_only": partial(_only, "ァ", "ヺ"),
        "letters:kanji": partial(_count, lambda text: len(re.findall(_KANJI, text)), "kanji_limit"),
        "letters:kansuuji": partial(_lacks, r"\d"),
        "letters:no_hiragana": partial(_lacks, "[ぁ-ゖ]"),
        "letters:no_katakana": partial(_lacks, "[ァ-ヺｦ-ﾝ]"),
        "punctuation:no_comma": partial(_lacks, "、"),
        "punctuation:no_period": partial(_lacks, "。"),
        "startend:quotation": partial(_quoted, "「", "」"),
        "startend:sentence_unified_end": _same_ending,
    },
}
