"""Reads BasqueGLUE's rows: the text on one line, and the place of its class, given as a number or by its name."""

from __future__ import annotations

import re
from typing import Any

_CLASSES = (
    ("N", "NEU", "P"),
    ("AGAINST", "NONE", "FAVOR"),
    ("Ekonomia", "Euskal Herria", "Euskara", "Gizartea", "Historia", "Ingurumena", "Iritzia", "Komunikazioa", "Kultura",
     "Nazioartea", "Politika", "Zientzia"),
    ("alarm/cancel_alarm", "alarm/modify_alarm", "alarm/set_alarm", "alarm/show_alarms", "alarm/snooze_alarm",
     "alarm/time_left_on_alarm", "reminder/cancel_reminder", "reminder/set_reminder", "reminder/show_reminders",
     "weather/checkSunrise", "weather/checkSunset", "weather/find"),
)  # fmt: skip
_NAMES = {name: place for names in _CLASSES for place, name in enumerate(names)}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def prepare(docs: Any) -> Any:
    """Return the items with `text` tidied and `gold`, the place of the class among those of its data set."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    return {"text": tidy(doc["text"]), "gold": number(doc["label"])}


def number(label: int | str) -> int:
    """Return the place of a class that is given by number, by its digits or by name (`Euskal_Herria` too).

    Raises:
        ValueError: It is none of the known classes.
    """
    text = str(label).replace("_", " ") if str(label).startswith("Euskal_") else str(label)
    if text.isdigit():
        return int(text)
    if text not in _NAMES:
        raise ValueError(f"label {label!r} is none of {', '.join(_NAMES)}; check the version of the data set")
    return _NAMES[text]


def tidy(text: str) -> str:
    """Return a text on one line, without invisible characters, line breaks written as two signs, and spaces before points."""
    text = " ".join(_INVISIBLE.sub("", text.replace("\\n", " ")).split())
    return re.sub(r" (?=[,.;?!](?:\s|$))", "", text)
