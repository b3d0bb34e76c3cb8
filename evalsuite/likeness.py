"""What makes two things unlike, so that their results must be neither merged nor compared: one answer for all who ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.records import TRAINED, Cell, Device, Kind, Language, Model, ProfileFacts, Task

__all__ = [
    "Unlike",
    "changed",
    "changed_versions",
    "options",
    "scoring_packages",
    "unlike_devices",
    "unlike_engines",
    "unlike_languages",
    "unlike_models",
    "unlike_options",
    "unlike_profiles",
    "unlike_tasks",
    "unlike_threads",
]

_SCORING = {
    "llamacpp": ("lm-eval", "llama-cpp-python"),
    "transformers": ("lm-eval", "transformers", "torch", "torchao"),
    TRAINED: ("lm-eval", "scikit-learn"),
}
"""Backend → packages whose version may change a score; lm-eval for all others."""

_NOTHING = "(none)"
_TASK_FIELDS = ("primary_metric", "output_type", "language", "id_column")
_DATA_FIELDS = ("kind", "path", "config", "configs", "split", "revision")
_FINGERPRINT = ("cpu", "architecture", "cores_logical", "os", "accelerators")
_POWER = ("governor", "power_mode", "platform_profile", "energy_preference", "supply")
"""What caps a device's clocks without making it another device."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """One thing that is not the same on two sides."""

    thing: str
    """With its name: "the task labels_eu"."""
    field: str
    """The property that differs: "data revision"."""
    first: str
    second: str
    fix: str

    def values(self, first: str | Path, second: str | Path) -> str:
        """Return both values, each with the place where it was found."""
        return f"{self.field} {self.first} in {first}, {self.second} in {second}"

    def told(self, first: str | Path, second: str | Path) -> str:
        """Return a sentence with both values, each with the place where it was found."""
        return f"{self.thing} is not the same: {self.values(first, second)}"


def changed(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return the names of models, tasks or languages that are not the same in both, by their files' hashes.

    A model that could not be had has no hash; there are no results of it that could be mixed.
    """
    both = (name for name in ours.keys() & theirs.keys() if ours[name].sha256 and theirs[name].sha256)
    return sorted(name for name in both if ours[name].sha256 != theirs[name].sha256)


def scoring_packages(backends: Iterable[str]) -> list[str]:
    """Return the packages whose version may change a score of these backends."""
    return sorted({name for backend in backends for name in _SCORING.get(backend, ("lm-eval",))})


def changed_versions(backends: Iterable[str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return the packages that may change a score of these backends, and whose versions differ."""
    return [name for name in scoring_packages(backends) if ours.get(name) != theirs.get(name)]


def options(cell: Cell) -> dict[str, Any]:
    """Return the options of a cell's model that make it this cell; threads change only how fast a score comes."""
    return {name: value for name, value in cell.options.items() if name != "threads"}


def unlike_models(ours: Model, theirs: Model) -> list[Unlike]:
    """Return what is not the same about two models of one name: the file, and the engine that evaluates it."""
    if not (ours.sha256 and theirs.sha256):
        return []
    fix = "give it a name of its own in one of the sweeps, and measure that again"
    fields = (("sha256", ours.sha256, theirs.sha256), ("backend", ours.backend, theirs.backend))
    return [Unlike(f"the model {ours.name}", name, a, b, fix) for name, a, b in fields if a != b]


def unlike_languages(ours: Language, theirs: Language) -> list[Unlike]:
    """Return whether two language files of one code differ."""
    fix = "measure one of them again with the language file of the other"
    found = [Unlike(f"the language {ours.code}", "sha256", ours.sha256, theirs.sha256, fix)]
    return found if ours.sha256 != theirs.sha256 else []


def unlike_tasks(ours: Task, theirs: Task) -> list[Unlike]:
    """Return what is not the same about two tasks of one name: how they score, their data, else their files.

    The file of a data set is compared where both sides know its hash, which a reader of the hub does not tell.
    """
    found = [(name.replace("_", " "), getattr(ours, name), getattr(theirs, name)) for name in _TASK_FIELDS]
    found += [(f"data {name}", getattr(ours.data, name), getattr(theirs.data, name)) for name in _DATA_FIELDS]
    if ours.data.sha256 and theirs.data.sha256:
        found.append(("data sha256", ours.data.sha256, theirs.data.sha256))
    told = [(name, a, b) for name, a, b in found if a != b]
    if not told and ours.sha256 != theirs.sha256:
        told = [("sha256", ours.sha256, theirs.sha256)]
    fix = "measure one of them again with the task and the data of the other"
    return [Unlike(f"the task {ours.name}", name, _shown(a), _shown(b), fix) for name, a, b in told]


def unlike_options(ours: Cell, theirs: Cell) -> list[Unlike]:
    """Return what is not the same about the options that two cells give to a model of one name."""
    a, b = options(ours), options(theirs)
    fix = "give it a name of its own in one of the sweeps, or run one of them again"
    return [] if a == b else [Unlike(f"the model {ours.model}", "options", _shown(a), _shown(b), fix)]


def unlike_engines(backends: Iterable[str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[Unlike]:
    """Return the packages that may change a score of these backends, and whose versions differ."""
    fix = "run one of them again with the other's version"
    return [
        Unlike("the engine", name, ours.get(name, _NOTHING), theirs.get(name, _NOTHING), fix)
        for name in changed_versions(backends, ours, theirs)
    ]


def unlike_devices(ours: Device, theirs: Device) -> list[Unlike]:
    """Return what is not the same about two devices as far as times depend on it: the machine, what caps its clocks."""
    found: list[tuple[str, Any, Any]] = []
    if ours.fingerprint != theirs.fingerprint:
        found = [(name, getattr(ours, name), getattr(theirs, name)) for name in _FINGERPRINT]
        found.append(("memory", f"{ours.ram_bytes / 2**30:.0f} GiB", f"{theirs.ram_bytes / 2**30:.0f} GiB"))
    found += [(name, getattr(ours, name), getattr(theirs, name)) for name in _POWER]
    fix = "measure both on one device in one state, or compare the devices with --by device"
    return [Unlike("the device", name.replace("_", " "), _shown(a), _shown(b), fix) for name, a, b in found if a != b]


def unlike_threads(ours: ProfileFacts, theirs: ProfileFacts) -> list[Unlike]:
    """Return whether two profiles used other numbers of threads."""
    a, b = ours.cell.threads, theirs.cell.threads
    fix = "profile one of them again with --threads of the other, or compare the devices with --by device"
    return [] if a == b else [Unlike("the profile", "threads", str(a), str(b), fix)]


def unlike_profiles(ours: ProfileFacts, theirs: ProfileFacts, kind: Kind) -> list[Unlike]:
    """Return what is not the same about what two profiles asked, and of what: requests of a kind, and the engine.

    The hash of the requests is of all languages and kinds, and says nothing where the two asked in other ones.
    """
    one, other = ours.cell, theirs.cell
    fields = [("engine", ours.engine, theirs.engine)]
    asked = [(cell.languages, cell.settings.kinds, cell.settings.own_messages) for cell in (one, other)]
    if asked[0] == asked[1]:
        fields.append(("requests' sha256", one.texts_sha256, other.texts_sha256))
    if kind is Kind.CLASSIFICATION:
        fields.append(("own messages", _shown(one.settings.own_messages), _shown(other.settings.own_messages)))
    if kind is Kind.ANSWER:
        fields.append(("answer tokens", str(one.settings.answer_tokens), str(other.settings.answer_tokens)))
    fix = "profile one of them again as the other was"
    return [
        Unlike(f"the profile ({kind.value})", name, a or _NOTHING, b or _NOTHING, fix)
        for name, a, b in fields
        if a != b
    ]


def _shown(value: Any) -> str:
    if value is None or value == ():
        return _NOTHING
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
