"""From a sweep to the profiles that it asks for, or a reason why one cannot be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.catalog.profile_texts import ProfileTexts, load_profile_texts
from evalsuite.errors import DataMissingError
from evalsuite.machine import CoreChoice
from evalsuite.records import DEQUANTISED, Language, Model, ProfileCell, ProfileSettings, Skip, Sweep, digest

__all__ = ["PROFILE_TASK", "ProfilePlan", "plan_profiles"]

PROFILE_TASK = "profile"
"""Stands for a task where a profile is skipped."""
_SERVED = "llamacpp"
_NOT_MEASURED = {"watts", "grid", "ambient_c", "prove_memory", "cool_down_s"}
"""Settings with which the same requests take the same."""


@dataclass(frozen=True)
class ProfilePlan:
    """What will be measured on this device, and what will not."""

    cells: tuple[ProfileCell, ...]
    skips: tuple[Skip, ...]
    texts: ProfileTexts
    paths: Mapping[str, Path]
    """Model file by name."""


def plan_profiles(
    sweep: Sweep,
    languages: Sequence[Language],
    models: Mapping[str, tuple[Model, Path | None]],
    device: str,
    cores: CoreChoice,
    *,
    mode: str = "",
    texts: ProfileTexts | None = None,
) -> ProfilePlan:
    """Return the profiles of a sweep: one for each model, over all languages that have requests.

    Args:
        sweep: What is asked for; its `profile` settings, or the defaults.
        languages: Its languages.
        models: By name: the model, and its file where it is at hand.
        device: Fingerprint of this device.
        cores: How many cores may be used.
        mode: Power mode, platform profile and governor: with another one it is another measurement.
        texts: What is asked in these languages; by default the shipped requests and those of `sweep.include`.

    Raises:
        DataMissingError: No language has requests.
        CatalogError: A file of requests is wrong.
    """
    settings = sweep.profile or ProfileSettings()
    spoken, skips = _with_requests(sweep, languages) if texts is None else (list(languages), [])
    texts = load_profile_texts(spoken, sweep.include) if texts is None else texts
    texts = ProfileTexts(tuple(text for text in texts.requests if text.kind in settings.kinds), texts.long)
    # Settings that came later are left out where they are as they always were, so that older profiles go on.
    fields = ProfileSettings.model_fields
    later = {name for name in ("kinds", "own_messages") if getattr(settings, name) == fields[name].default}
    threads = settings.threads or sweep.threads
    cells = []
    paths = {}
    for name, (model, path) in models.items():
        refused = _refusal(model, path)
        if refused is not None:
            skips += [_skip(name, language, *refused) for language in spoken]
            continue
        assert path is not None
        assert model.sha256 is not None
        paths[name] = path
        codes = tuple(language.code for language in spoken)
        count = threads or cores.count
        identity = digest(
            [
                model.sha256,
                codes,
                settings.model_dump(mode="json", exclude=_NOT_MEASURED | later),
                texts.sha256,
                count,
                device,
                mode,
            ]
        )
        cells.append(
            ProfileCell(
                id=f"{name[:60]}.{identity[:10]}",
                model=name,
                model_sha256=model.sha256,
                languages=codes,
                settings=settings,
                texts_sha256=texts.sha256,
                device=device,
                threads=count,
                threads_reason="as asked for" if threads else cores.reason,
            )
        )
    return ProfilePlan(tuple(cells), tuple(skips), texts, paths)


def _with_requests(sweep: Sweep, languages: Sequence[Language]) -> tuple[list[Language], list[Skip]]:
    spoken: list[Language] = []
    skips: list[Skip] = []
    for language in languages:
        try:
            load_profile_texts([language], sweep.include)
        except DataMissingError as error:
            if len(languages) == 1:
                raise
            skips.append(_skip(None, language, error.problem, error.fix))
        else:
            spoken.append(language)
    if not spoken:
        raise DataMissingError(
            f"none of the languages {', '.join(language.code for language in languages)} has requests for a profile",
            fix="`evalsuite profile --help` says how to add them",
        )
    return spoken, skips


def _refusal(model: Model, path: Path | None) -> tuple[str, str] | None:
    if path is None:
        return "the model file is not at hand", f"`evalsuite models fetch {model.name}`"
    if model.backend != _SERVED:
        return f"a device is measured with llama.cpp only, not with {model.backend}", "give a GGUF file of the model"
    if model.options.get("compute") == "dequantised":
        return "a float32 copy is not what a device runs", f"profile {model.name.removesuffix(DEQUANTISED)}"
    return None


def _skip(model: str | None, language: Language, reason: str, fix: str | None) -> Skip:
    return Skip(model=model, task=PROFILE_TASK, language=language.code, reason=reason, fix=fix)
