"""An eighth language from data files alone: the French example, from its language file to a gap in a report."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.analysis import load_run
from evalsuite.analysis.tables import gaps
from tests.helpers import ROOT, evalsuite, fake_model, write_sweep

# Invented sentences, the same content in both languages; not of SIB-200.
ROWS = [
    ("health", "The clinic gives the vaccine on Mondays.", "La clinique administre le vaccin le lundi."),
    ("sports", "The team lost its third match.", "L'équipe a perdu son troisième match."),
    ("travel", "The night train leaves at ten.", "Le train de nuit part à dix heures."),
    ("politics", "Parliament votes on the law tomorrow.", "Le parlement vote la loi demain."),
    ("geography", "The river rises in the mountains.", "La rivière prend sa source dans les montagnes."),
    ("entertainment", "The film opens the festival.", "Le film ouvre le festival."),
    ("science/technology", "The probe sent its first image.", "La sonde a envoyé sa première image."),
]  # fmt: skip


@pytest.fixture(scope="module")
def french(tmp_path_factory):
    """Return a folder of one's own with French in it, and a mirror with seven sentences."""
    folder = tmp_path_factory.mktemp("french")
    shutil.copytree(ROOT / "examples" / "french", folder / "mine")
    for column, config in ((1, "eng_Latn"), (2, "fra_Latn")):
        rows = [{"index_id": n, "category": row[0], "text": row[column]} for n, row in enumerate(ROWS)]
        path = folder / "mirror" / "Davlan" / "sib200" / config / "test.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
    made = evalsuite("tasks", "make", "--include", folder / "mine")
    assert made.returncode == 0, made.stderr
    return folder


def test_every_task_that_the_words_allow_is_made(french):
    listed = evalsuite("tasks", "list", "--lang", "fr", "--include", french / "mine", "--json")
    tasks = {task["name"]: task for task in json.loads(listed.stdout)}
    assert {"sib200_fr", "belebele_fr", "flores_en_fr", "flores_fr_es", "mgsm_fr", "xnli_parallel_fr"} <= tasks.keys()
    assert tasks["flores_en_fr"]["answer_language"] == "fr"
    assert tasks["sib200_fr"]["wordings"] == ["native", "native-2", "native-3", "english"]


def test_the_check_holds_it_against_english(french):
    done = evalsuite(
        "tasks", "check", "sib200_fr", "sib200_en", "--include", french / "mine", "--data", french / "mirror", "--json"
    )
    found = {checked["task"]: checked for checked in json.loads(done.stdout)}
    assert [f["code"] for f in found["sib200_fr"]["problems"]] == ["items"], "seven sentences, where the set has 204"
    shown = evalsuite(
        "tasks", "show", "sib200", "--lang", "French", "--include", french / "mine", "--data", french / "mirror"
    )
    assert "Texte : La clinique administre le vaccin le lundi.\nSujet :" in shown.stdout
    assert "  * santé" in shown.stdout


def test_a_run_gives_the_gap_of_french_to_english(french, tmp_path):
    sweep = write_sweep(
        tmp_path, models=[fake_model(tmp_path)], tasks=["sib200"], languages=["en", "fr"], include=[str(french / "mine")],
        all_wordings=["sib200"],
    )  # fmt: skip
    done = evalsuite("run", sweep, "--out", tmp_path / "run", "--data", french / "mirror", "--offline")
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "run")
    (gap,) = [row for row in gaps(run) if row.language == "fr"]
    assert (gap.reference, gap.difference.n) == ("en", len(ROWS))
    forms = {str(result.cell.prompt_form) for result in run.results if result.cell.language == "fr"}
    assert forms == {"native", "native-2", "native-3", "english"}
