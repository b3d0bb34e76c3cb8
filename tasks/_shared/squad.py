"""Prepares questions on texts that come in SQuAD's columns: clean texts, right answers, and an id of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

# XQuAD has no passage id. A passage is named by the first of its questions. The Catalan source file lacks 130
# questions; where the first one is among them, the name is mended, so that it is the same in every language.
_FIRST = {
    "56beca913aeaaa14008c946f": "56beca913aeaaa14008c946d",
    "573380e0d058e614000b5bea": "573380e0d058e614000b5be9",
    "56e10aa5cd28a01900c674b5": "56e10aa5cd28a01900c674b3",
    "56e77cee00c9c71400d771a9": "56e77cee00c9c71400d771a8",
    "56e77da237bdd419002c403c": "56e77da237bdd419002c403b",
    "5706149552bb891400689881": "5706149552bb891400689880",
    "5710eca0a58dae1900cd6b3b": "5710eca0a58dae1900cd6b3a",
    "57114e8d50c2381900b54a5c": "57114e8d50c2381900b54a5b",
    "571cb27fdd7acb1400e4c134": "571cb27fdd7acb1400e4c132",
    "5726241189a1e219009ac2df": "5726241189a1e219009ac2de",
    "572a0bebaf94a219006aa770": "572a0bebaf94a219006aa76f",
    "572648e8dd62a815002e8077": "572648e8dd62a815002e8076",
    "57268066708984140094c822": "57268066708984140094c821",
    "5726660d5951b619008f71b2": "5726660d5951b619008f71b1",
    "57268a8fdd62a815002e88cf": "57268a8fdd62a815002e88ce",
    "5726eb8bf1498d1400e8efe3": "5726eb8bf1498d1400e8efe2",
    "5728eef92ca10214002daab1": "5728eef92ca10214002daab0",
    "57273a465951b619008f8701": "57273a465951b619008f86ff",
    "5727aec03acd2414000de992": "5727aec03acd2414000de991",
    "5727c94bff5b5019007d954b": "5727c94bff5b5019007d954a",
    "572a13841d0469140077973c": "572a13841d0469140077973b",
    "57284b904b864d19001648e3": "57284b904b864d19001648e2",
    "572940973f37b319004781a6": "572940973f37b319004781a5",
    "572957ad1d046914007792da": "572957ad1d046914007792d9",
    "5729582b1d046914007792e5": "5729582b1d046914007792e3",
    "57296f293f37b319004783a4": "57296f293f37b319004783a3",
    "572ff673b2c2fd140056866a": "572ff673b2c2fd1400568669",
    "572ff932a23a5019007fcbd7": "572ff932a23a5019007fcbd5",
    "57308f6b8ab72b1400f9c581": "57308f6b8ab72b1400f9c580",
    "5730b2312461fd1900a9cfae": "5730b2312461fd1900a9cfad",
    "5730b9852461fd1900a9cffa": "5730b9852461fd1900a9cff9",
    "57373d0cc3c5551400e51e86": "57373d0cc3c5551400e51e85",
    "5737a25ac3c5551400e51f52": "5737a25ac3c5551400e51f51",
}


def process_docs(docs: Dataset) -> Dataset:
    """Return the rows with clean `context` and `question`, with `golds`, and with `passage`, an id of the text.

    What cannot be seen (byte-order marks, zero-width spaces) is removed from text, question and answers; so
    `answer_start` no longer counts.
    """
    names: dict[str, str] = {}
    for question_id, context in zip(docs["id"], docs["context"], strict=True):
        names.setdefault(context, _FIRST.get(question_id, question_id))

    def change(doc: dict[str, Any]) -> dict[str, Any]:
        return {**clean_row(doc), "passage": names[doc["context"]]}

    # `datasets` would find an older result on disk again, by the function's name.
    return docs.map(change, load_from_cache_file=False, keep_in_memory=True)


def clean_row(doc: dict[str, Any]) -> dict[str, Any]:
    """Return clean texts and `golds`; `answers` is a mapping of lists, or a list of mappings (Catalan XQuAD)."""
    from evalsuite.texts.normalise import clean

    answers = doc["answers"]
    golds = answers["text"] if isinstance(answers, dict) else [answer["text"] for answer in answers]
    return {
        "context": clean(doc["context"]).strip(),
        "question": clean(doc["question"]).strip(),
        "golds": [clean(gold).strip() for gold in golds],
    }
