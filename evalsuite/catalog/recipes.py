"""Makes the task files of a language from its prompt words and from recipes, which say what a task looks like in any language."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jinja2
import yaml
from pydantic import Field

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import LineOf, load_mapping, validate
from evalsuite.errors import CatalogError
from evalsuite.records import Frozen, Language, PromptForm

__all__ = ["Made", "load_recipes", "make_task_files", "write_task_files"]

_FORM_FIELDS = ("doc_to_text", "doc_to_choice", "doc_to_target", "target_delimiter", "generation_kwargs", "description")
"""Fields of a task that may differ from wording to wording; beside them, `metadata.prior_context`."""


class _Environment(jinja2.Environment):
    """Jinja in which `v.items` is the variable of that name, and not the method of every mapping."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


_JINJA = _Environment(
    variable_start_string="<<",
    variable_end_string=">>",
    block_start_string="<%",
    block_end_string="%>",
    comment_start_string="<#",
    comment_end_string="#>",
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # prompts, not pages
)
_WHOLE = re.compile(r"<<(?P<expression>(?:(?!>>).)*)>>", re.DOTALL)


class Recipe(Frozen):
    """What a task looks like in any language: `_recipe.yaml` or `_recipe_<name>.yaml` beside the task files."""

    name: str
    words: str
    """Key of the prompt words in the language files."""
    languages: Literal["any"] | dict[str, dict[str, Any]]
    """Languages that have the data, each with its variables; `any`: every language that has the words."""
    template: dict[str, Any]
    """The task file; `<< ... >>` holds Jinja over `lang`, `w` (words), `v` (variables), `langs`, and
    `colon` and `delimiter` as the words' language sets them."""
    english: bool = True
    """Whether the form with English words is made too."""
    forms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Fields of other wordings by their name, rendered as `template` is. English has none that begins with `english-`."""
    forms_need: tuple[str, ...] = ()
    """Words without which a language does not have these wordings."""
    data_file: str | None = None
    """File that a language must have beside its task file, such as `data/<< lang.code >>.jsonl`; without it no task is made."""
    path: Annotated[Path, Field(exclude=True)]


@dataclass(frozen=True)
class Made:
    """One task file."""

    recipe: Recipe
    language: Language
    name: str
    text: str

    def place(self, folder: Path) -> Path:
        """Return where it belongs below a folder of tasks."""
        return folder / self.recipe.path.parent.name / f"{self.name}.yaml"


def load_recipes(folder: Path | None = None) -> list[Recipe]:
    """Return the recipes below a folder of tasks, by default the shipped ones.

    Raises:
        CatalogError: A file is wrong; the message names file, line and field.
    """
    found = []
    for path in sorted((folder or data_root("tasks")).rglob("_recipe*.yaml")):
        data, line_of = load_mapping(path)
        own = path.stem.removeprefix("_recipe").removeprefix("_")
        name = f"{path.parent.name}_{own}" if own else path.parent.name
        found.append(validate(Recipe, {"words": name, **data, "name": name, "path": path}, path, line_of))
    return found


def make_task_files(
    recipes: Sequence[Recipe],
    languages: Mapping[str, Language],
    codes: Sequence[str] | None = None,
    folder: Path | None = None,
) -> list[Made]:
    """Return the task files of the languages `codes`, by default of all.

    Args:
        recipes: From `load_recipes`.
        languages: Prompt words by code.
        codes: Languages that files are wanted of.
        folder: Where the files will be, and the data of tasks that bring their own; by default the recipes' own folder.

    Raises:
        CatalogError: A recipe asks for a word or a variable that the language file does not have.
    """
    made: list[Made] = []
    for recipe in recipes:
        for code in languages if codes is None else codes:
            beside = recipe.path.parent if folder is None else folder / recipe.path.parent.name
            data = recipe.data_file and beside / _JINJA.from_string(recipe.data_file).render(lang=languages[code])
            if not data or Path(data).is_file():
                made += _make(recipe, languages[code], languages)
    return made


def write_task_files(made: Sequence[Made], folder: Path, *, check: bool = False) -> tuple[list[Path], list[Path]]:
    """Write task files; where the folder is not the recipes' own, also what the files include.

    Args:
        made: From `make_task_files`.
        folder: A folder of tasks.
        check: Write nothing.

    Returns:
        The files that differ from what is there (or differed, before they were written), and files of the shipped
        folder that no recipe makes any more.
    """
    changed = []
    for task in made:
        path = task.place(folder)
        own = path.parent.resolve() == task.recipe.path.parent.resolve()
        if not path.exists() or path.read_text(encoding="utf-8") != task.text:
            changed.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(task.text, encoding="utf-8")
        if not own and not check:
            _copy_parts(task.recipe.path.parent, path.parent)
            _copy_parts(task.recipe.path.parent.parent / "_shared", folder / "_shared")
    expected = {task.place(folder).resolve() for task in made}
    headed = (p for p in folder.rglob("*.yaml") if p.resolve() not in expected and not p.name.startswith("_"))
    left = [p for p in headed if p.read_text(encoding="utf-8").startswith(_HEAD[:11])]
    return changed, left


_HEAD = "# Made from langs/{file} and {recipe} by `evalsuite tasks make`; change it there.\n"


def _make(recipe: Recipe, language: Language, languages: Mapping[str, Language]) -> Iterator[Made]:
    words = language.prompts.get(recipe.words)
    listed = {} if recipe.languages == "any" else recipe.languages
    variables = {**listed.get(language.code, {}), **language.data.get(recipe.name, {})}
    known = recipe.languages == "any" or language.code in listed or recipe.name in language.data
    if words is None or not known:
        return
    _, line_of = load_mapping(recipe.path)

    def rendered(said: Mapping[str, Any], of: Language, form: str | None = None) -> dict[str, Any]:
        """Render the task, or the fields of a form, with the words of a language, set as that language sets them."""
        setting = {"delimiter": " " if of.spaced else "", "colon": of.colon}
        context = {"lang": language, "w": said, "v": variables, "langs": languages, **setting}
        what, loc = (recipe.template, ("template",)) if form is None else (recipe.forms[form], ("forms", form))
        found: dict[str, Any] = _render(what, context, (recipe, language, line_of), loc)
        return found

    task = rendered(words, language)
    forms: dict[str, Any] = {}
    for number, variant in enumerate(words.get("variants", ()), start=2):
        forms[f"native-{number}"] = _difference(rendered({**words, **variant}, language), task)
    english = languages["en"].prompts.get(recipe.words) if "en" in languages else None
    if recipe.english and english is not None and language.code != "en":
        forms["english"] = _difference(rendered(english, languages["en"]), task)
    if words.keys() >= set(recipe.forms_need):
        same = [name for name in recipe.forms if language.code == "en" and name.startswith(PromptForm.ENGLISH)]
        forms |= {name: rendered(words, language, name) for name in recipe.forms if name not in same}
    if forms:
        task["metadata"]["forms"] = forms
    head = _HEAD.format(file=language.path.name, recipe=recipe.path.name)
    text = head + yaml.safe_dump(task, allow_unicode=True, sort_keys=False, width=1000)
    yield Made(recipe, language, str(task["task"]), text)


def _difference(form: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form that are not those of the task itself."""
    fields = {key: form[key] for key in _FORM_FIELDS if key in form and form[key] != task.get(key)}
    prior = form["metadata"].get("prior_context")
    if prior != task["metadata"].get("prior_context"):
        fields["prior_context"] = prior
    return fields


def _render(
    value: Any, context: Mapping[str, Any], where: tuple[Recipe, Language, LineOf], loc: tuple[int | str, ...]
) -> Any:
    if isinstance(value, dict):
        return {key: _render(item, context, where, (*loc, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, context, where, (*loc, place)) for place, item in enumerate(value)]
    if not isinstance(value, str) or "<" not in value:
        return value
    try:
        # One expression and nothing around it keeps its type: a list stays a list.
        whole = _WHOLE.fullmatch(value.strip())
        if whole:
            return _plain(_expression(whole["expression"])(**context))
        return _JINJA.from_string(value).render(**context)
    except jinja2.TemplateError as error:
        recipe, language, line_of = where
        raise CatalogError(
            f"{recipe.path}:{line_of(loc)}: {'.'.join(map(str, loc))}: {error.message or error} (language {language.code})",
            fix=f"add it to prompts.{recipe.words} (or data.{recipe.name}) in {language.path}",
        ) from error


def _expression(text: str) -> Callable[..., Any]:
    return _JINJA.compile_expression(text.strip(), undefined_to_none=False)


def _plain(value: Any) -> Any:
    """Return an expression's value as YAML can hold it."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, and says what is missing
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _copy_parts(source: Path, target: Path) -> None:
    """Copy what task files include: parts and helper modules, and no data."""
    target.mkdir(parents=True, exist_ok=True)
    for path in (*source.glob("_*.yaml"), *source.glob("*.py")):
        if not path.name.startswith("_recipe"):
            shutil.copy2(path, target / path.name)
