"""The notebooks that are committed are whole, and the tool that executes them finds what is not."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.helpers import ROOT
from tools.run_notebooks import BYTES_OF_FIGURE, BYTES_OF_NOTEBOOK, NOTEBOOKS, faults, main, texts_of, tidy

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def made(*cells, **metadata):
    """Return a notebook as it is committed: tidied."""
    notebook = new_notebook(cells=list(cells), metadata=metadata)
    tidy(notebook, ROOT / "elsewhere")
    return notebook


def shown(text, count=1):
    output = new_output("stream", name="stdout", text=text)
    return new_code_cell("1", execution_count=count, outputs=[output])


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def committed(request):
    return nbformat.read(request.param, as_version=4)


def test_there_are_six_notebooks():
    assert [path.name[:2] for path in PATHS] == ["01", "02", "03", "04", "05", "06"]


def test_a_committed_notebook_is_whole(committed):
    nbformat.validate(committed)
    assert list(faults(committed)) == []
    assert texts_of(committed).strip(), "a notebook can be read without running it"


def test_a_committed_notebook_says_who_it_is_for_and_where_to_go_next(committed):
    first, last = committed.cells[0], committed.cells[-1]
    assert first.cell_type == last.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert "\nFor " in first.source
    assert "## Where to go next" in last.source


def test_links_of_a_committed_notebook_lead_somewhere(committed):
    links = [link for cell in committed.cells if cell.cell_type == "markdown" for link in LINK.findall(cell.source)]
    assert links
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []


def test_a_committed_notebook_takes_only_what_is_public(committed):
    for cell in committed.cells:
        if cell.cell_type == "code" and not cell.source.startswith("%%"):
            imported = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.ImportFrom)]
            ours = {str(node.module) for node in imported if str(node.module).startswith("evalsuite")}
            # What docs/lm-eval.md tells users to import.
            assert ours <= {"evalsuite", "evalsuite.backends.lmeval"}


def test_a_sound_notebook_has_no_faults():
    assert list(faults(made(new_markdown_cell("# Title"), shown("1 of 2"), shown("../out/notebooks/run", 2)))) == []


def test_errors_warnings_and_paths_of_a_machine_are_found():
    error = new_code_cell("1", execution_count=1, outputs=[new_output("error", ename="KeyError", evalue="'x'")])
    assert list(faults(made(error))) == ["cell 1: ends in an error: KeyError: 'x'"]
    assert list(faults(made(shown("see /home/ada/runs/one")))) == [
        "cell 1: shows a path of the machine: /home/ada/runs/one"
    ]
    assert list(faults(made(shown("in C:\\Users\\ada")))) == ["cell 1: shows a path of the machine: C:\\Users\\ada"]
    assert list(faults(made(shown("FutureWarning: it will change")))) == ["cell 1: shows a warning: FutureWarning:"]
    table = new_output("execute_result", data={"text/html": "<td>/tmp/x</td>"}, execution_count=1)
    assert len(list(faults(made(new_code_cell("1", execution_count=1, outputs=[table]))))) == 1


@pytest.mark.parametrize("counts", [(2, 1), (None, None), (1, 3), (5, 6)])
def test_cells_that_were_not_executed_in_order_are_found(counts):
    (fault,) = faults(made(*(shown("x", count) for count in counts)))
    assert fault.startswith("not executed from top to bottom")


def test_bulk_is_found():
    figure = new_output("display_data", data={"image/png": "A" * (BYTES_OF_FIGURE + 1)})
    (fault,) = faults(made(new_code_cell("1", execution_count=1, outputs=[figure])))
    assert "a figure of 40001 bytes" in fault
    (fault,) = faults(made(shown("x" * BYTES_OF_NOTEBOOK)))
    assert "at most 150000 are allowed" in fault


def test_metadata_of_an_execution_are_found_and_taken_out(tmp_path):
    cell = shown(f"\x1b[1mrun:\x1b[0m {tmp_path}/first   \n{ROOT}/tasks")
    cell.metadata = nbformat.from_dict({"execution": {"iopub.status.busy": "2026-01-01T00:00:00Z"}})
    notebook = new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3.11.7"}})
    assert [fault for fault in faults(notebook) if "metadata" in fault]
    tidy(notebook, tmp_path)
    assert list(faults(notebook)) == []
    assert texts_of(notebook) == "run: ../out/notebooks/first\n../tasks"


def write(path, source):
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    return path.read_bytes()


def test_a_notebook_is_executed_and_written_back(tmp_path):
    path = tmp_path / "one.ipynb"
    before = write(path, "import os, evalsuite; print(os.environ['EVALSUITE_NOTEBOOKS'], len(evalsuite.__all__) > 0)")
    assert main([str(path), "--check"]) == 0
    assert path.read_bytes() == before
    assert main([str(path)]) == 0
    written = nbformat.read(path, as_version=4)
    assert texts_of(written) == "../out/notebooks True\n"
    assert list(faults(written)) == []


def test_a_cell_that_fails_is_told_and_nothing_is_written(tmp_path, capsys):
    path = tmp_path / "one.ipynb"
    before = write(path, "%%sh\nevalsuite report nothing-here")
    assert main([str(path)]) == 1
    assert path.read_bytes() == before
    assert "one.ipynb" in capsys.readouterr().err


def test_a_notebook_that_is_not_there_is_bad_input(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main([str(tmp_path / "none.ipynb")])
    assert left.value.code == 2
    assert "no such notebook" in capsys.readouterr().err
