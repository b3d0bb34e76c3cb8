"""Gives MASSIVE's requests one shape, from either of the places that hold them."""

from __future__ import annotations

from typing import Any

_SCENARIOS = (
    "alarm", "audio", "calendar", "cooking", "datetime", "email", "general", "iot", "lists",
    "music", "news", "play", "qa", "recommendation", "social", "takeaway", "transport", "weather",
)  # fmt: skip


def prepare(docs: Any) -> Any:
    """Return the items with `text` and `label_text` (the scenario's English name).

    `mteb/amazon_massive_scenario` has these columns; in `AmazonScience/massive` they are `utt` and `scenario`, a number
    whose name stands in the data's own features.
    """
    names = getattr((docs.features or {}).get("scenario"), "names", None)

    def prepared(doc: dict[str, Any]) -> dict[str, str]:
        scenario = doc["label_text"] if "label_text" in doc else doc["scenario"]
        scenario = names[scenario] if names and isinstance(scenario, int) else scenario
        if scenario not in _SCENARIOS:
            raise ValueError(
                f"scenario {scenario!r} of item {doc['id']} is none of {', '.join(_SCENARIOS)}; "
                "keep the names of the classes when the data is converted"
            )
        return {"text": (doc["text"] if "text" in doc else doc["utt"]).strip(), "label_text": scenario}

    return docs.map(prepared, load_from_cache_file=False)
