"""Keeps the report's translations in step with its English: writes, fills and checks reports/strings/*.po.

python tools/report_strings.py --check                 are all sentences there, whole, and with the same placeholders?
python tools/report_strings.py --update                write every catalogue anew after a change of the English
python tools/report_strings.py --missing eu > eu.yaml  what a translator has to do
python tools/report_strings.py --take eu eu.yaml       take a translator's YAML: key: text, or {one: ..., other: ...}
"""

from __future__ import annotations

import argparse
import re
import string
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import write_po

from evalsuite.report.catalogues import SOURCE, Strings, languages, read_catalogue, read_strings

ROOT = Path(__file__).resolve().parent.parent
STRINGS = ROOT / "reports" / "strings"


def keys_of(catalog: Catalog) -> dict[str, Message]:
    """Return the messages of a catalogue by key."""
    return {str(message.context): message for message in catalog if message.id and message.context}


def english_id(text: str | Mapping[str, str]) -> str | tuple[str, str]:
    """Return what gettext finds a translation by."""
    return text if isinstance(text, str) else (text["one"], text["other"])


def made(language: str, strings: Strings, texts: Mapping[str, Any]) -> Catalog:
    """Return a catalogue with a message for each English text, translated where `texts` has it."""
    catalog = Catalog(locale=language, project="evalsuite", copyright_holder="The evalsuite authors", fuzzy=False)
    catalog.header_comment = (
        f"# The report of evalsuite in another language: {language}.\n# Made with tools/report_strings.py."
    )
    for key, text in strings.items():
        if not text:
            continue
        found = texts.get(key)
        translated: str | tuple[str, ...]
        if isinstance(text, str):
            translated = found if isinstance(found, str) else ""
        elif isinstance(found, Mapping):
            forms = ("one", "other") if catalog.num_plurals > 1 else ("other",)
            translated = tuple(str(found.get(form, "")) for form in forms)
        else:
            translated = ("",) * catalog.num_plurals
        catalog.add(english_id(text), translated, context=key)
    return catalog


def held(language: str, strings: Strings) -> dict[str, Any]:
    """Return the translations of a language that still stand: those whose English is unchanged."""
    path = STRINGS / f"{language}.po"
    if not path.is_file():
        return {}
    found: dict[str, Any] = {}
    for key, message in keys_of(read_catalogue(path)).items():
        text = strings.get(key)
        if text is None or english_id(text) != message.id or message.fuzzy:
            continue
        if isinstance(message.string, str):
            found[key] = message.string
        else:
            forms = ("one", "other") if len(message.string) > 1 else ("other",)
            found[key] = dict(zip(forms, message.string, strict=True))
    return found


def write(language: str, strings: Strings, texts: Mapping[str, Any]) -> None:
    """Write a catalogue."""
    with (STRINGS / f"{language}.po").open("wb") as file:
        write_po(file, made(language, strings, texts), width=120, omit_header=False, include_previous=False)
    path = STRINGS / f"{language}.po"
    # The day it was written would change with every run.
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith(
            ('"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Last-Translator', '"Language-Team')
        )
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def missing(language: str, strings: Strings) -> dict[str, Any]:
    """Return the English of what has no translation."""
    have = held(language, strings)
    return {key: text for key, text in strings.items() if text and not _whole(have.get(key))}


def _whole(found: Any) -> bool:
    return all(found.values()) if isinstance(found, Mapping) else bool(found)


def fields(text: str) -> set[str]:
    """Return the placeholders of a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def problems(language: str, strings: Strings) -> Iterator[str]:
    """Yield what is wrong with a language's catalogue."""
    messages = keys_of(read_catalogue(STRINGS / f"{language}.po"))
    for key in messages.keys() - strings.keys():
        yield f"{language}: {key}: no such text in English; run --update"
    for key, text in strings.items():
        if not text:
            continue
        message = messages.get(key)
        if message is None or message.id != english_id(text):
            yield f"{language}: {key}: the English has changed; run --update, and translate it anew"
            continue
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string)
        if not all(forms):
            yield f"{language}: {key}: not translated"
            continue
        yield from (f"{language}: {key}: {told}" for told in _wrong(text, forms))


def _wrong(text: str | Mapping[str, str], forms: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a translation whose every form is there."""
    whole = text if isinstance(text, str) else text["other"]
    wanted, optional = fields(whole), set() if isinstance(text, str) else {"n"}
    for form in forms:
        try:
            got = fields(form)
        except ValueError as error:
            yield str(error)
            continue
        if got - wanted or (wanted - (set() if form is forms[-1] else optional)) - got:
            yield f"has the placeholders {sorted(got)}, and the English {sorted(wanted)}"
    if forms[-1].strip() != forms[-1] and whole.strip() == whole:
        yield "begins or ends with a space"
    words = re.sub(r"\{\w*\}", "", whole).split()
    if forms[-1] == whole and len([word for word in words if word.isalpha()]) > 3:
        yield "is still the English"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--missing", metavar="LANG")
    parser.add_argument("--take", nargs=2, metavar=("LANG", "FILE"))
    asked = parser.parse_args()
    strings = read_strings(STRINGS)
    others = [code for code in languages(STRINGS) if code != SOURCE]
    if asked.missing:
        yaml.safe_dump(missing(asked.missing, strings), sys.stdout, allow_unicode=True, sort_keys=False, width=10_000)
    elif asked.take:
        language, file = asked.take
        taken = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        write(language, strings, {**held(language, strings), **taken})
    elif asked.update:
        for language in others:
            write(language, strings, held(language, strings))
    else:
        found = [problem for language in others for problem in problems(language, strings)]
        sys.stdout.writelines(f"{problem}\n" for problem in found)
        print(f"{len(others)} languages, {len(strings)} texts, {len(found)} problems")
        return 1 if found else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
