"""Builds the report: a run folder goes in, one self-contained HTML file comes out."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evalsuite import __version__
from evalsuite.analysis.beside import gains, made_beside
from evalsuite.analysis.device_tables import DeviceTables, device_tables
from evalsuite.analysis.language_index import language_indices
from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS
from evalsuite.analysis.tables import Tables, analyse
from evalsuite.analysis.tradeoffs import tradeoffs
from evalsuite.analysis.uncollected import settled
from evalsuite.catalog.paths import data_root
from evalsuite.catalog.quantisations import types_text
from evalsuite.errors import StoreError
from evalsuite.gate.inputs import Inputs, inputs_of, open_runs
from evalsuite.records import CellStatus
from evalsuite.report.chapters import chapters_of
from evalsuite.report.compact import shared_styles
from evalsuite.report.decision import build_decision
from evalsuite.report.device import build_device
from evalsuite.report.device_shown import Shown
from evalsuite.report.drawing import collected
from evalsuite.report.figure_files import page_palette, write_figures
from evalsuite.report.gap_map import build_gap_map
from evalsuite.report.gap_why import build_gap_why
from evalsuite.report.items import build_items
from evalsuite.report.labels import build_labels
from evalsuite.report.lengths import build_lengths
from evalsuite.report.names import Names
from evalsuite.report.notices import Notices
from evalsuite.report.options import ReportOptions
from evalsuite.report.panels import Panels
from evalsuite.report.parity import build_parity
from evalsuite.report.prompts import build_prompts
from evalsuite.report.provenance import (
    build_provenance,
    data_text,
    group_facts,
    sample_text,
    source_text,
    task_items,
    trained_text,
)
from evalsuite.report.quantisation import build_quantisation, made_text
from evalsuite.report.sections import build_sections
from evalsuite.report.spot import SpotSection, SpotShown, build_spot
from evalsuite.report.summary import summarise
from evalsuite.report.text import Text, load_text
from evalsuite.report.tradeoffs import TradeoffSection, build_tradeoffs
from evalsuite.report.variants import build_variants

__all__ = ["build_report", "live_page", "render"]

_BETWEEN = re.compile(r">\s*\n\s*<")
"""Lines that templates leave empty between two elements."""
_CELL_ENDS = re.compile(r"</t[dhr]>\n?")
"""Ends of cells and rows, a fifteenth of a large page: HTML has them implied by what follows."""
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


def build_report(
    runs: Path | Sequence[Path],
    out: Path,
    *,
    options: ReportOptions | None = None,
    figures: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Write the report of run folders to `out` and return it.

    The same folders, options and version always give the same bytes.

    Args:
        runs: The run folder, or several: they are joined as `evalsuite merge` joins them.
        out: HTML file to write.
        options: What is asked of the report.
        figures: Folder to write each figure to by itself.
        tell: Is given a line for each warning of the report, once the report is written.

    Raises:
        InputError: A policy does not fit the runs, or a folder of figures cannot be written.
        StoreError: A run folder cannot be read, runs do not belong together, or `out` cannot be written.
    """
    options = options or ReportOptions()
    with open_runs([runs] if isinstance(runs, Path) else list(runs), spot_checks=True) as inputs:
        run = inputs.run
        tables = analyse(run)
        with collected() as drawn:
            _write(out, render(run, tables, options=options, inputs=inputs))
        if figures is not None:
            write_figures(drawn, figures, page_palette(_style(options)))
        if tell is not None:
            # In English, as everything else that the command line says.
            text = load_text(data_root("reports") / "strings")
            spot = _spot(run, inputs, text)
            for line in (*Notices(tables.flags, Names(run, text), text).lines, *(spot.lines if spot else ())):
                tell(line)
    return out


def live_page(runs: Sequence[Path], options: ReportOptions) -> tuple[str, bool]:
    """Return the report of runs that may be going on, and whether nothing more is to be expected of them."""
    with open_runs(runs, spot_checks=True) as inputs:
        waiting = any(result.status is CellStatus.PENDING for result in inputs.run.results)
        waiting |= any(facts.status is CellStatus.PENDING for facts in inputs.run.unmeasured)
        return render(inputs.run, options=options, inputs=inputs), not waiting


def render(
    run: Run, tables: Tables | None = None, *, options: ReportOptions | None = None, inputs: Inputs | None = None
) -> str:
    """Return the report of a run as HTML.

    Args:
        run: The run.
        tables: Its tables; made where they are not given.
        options: What is asked of the report.
        inputs: Where the run comes from, where it is made of several.
    """
    environment = Environment(
        loader=_Templates(data_root("reports")),
        # Everything is data from elsewhere, whatever the template's file name: escape all of it.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = tables or analyse(run)
    with settled(), shared_styles() as styles:
        context = _context(run, tables, options or ReportOptions(), inputs or inputs_of(run))
    # Made of our own drawings' styles: nothing from elsewhere is in them.
    context["figure_style"] = Markup(styles.css)  # noqa: S704
    return _CELL_ENDS.sub("", _BETWEEN.sub(">\n<", environment.get_template("report.html.j2").render(**context)))


class _Templates(FileSystemLoader):
    """Reads templates without their indentation, which would be a tenth of the page."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, fresh = super().get_source(environment, template)
        return _INDENT.sub("", source), path, fresh


def _context(run: Run, tables: Tables, options: ReportOptions, inputs: Inputs) -> dict[str, Any]:
    text = load_text(data_root("reports") / "strings", options.language)
    names = Names(run, text)
    sample = sample_text(run, text)
    parity = build_parity(run, tables, names, text)
    # A run that only measures a device, or has texts read, has no scores to speak of.
    answered = any(not task.only_read for task in run.manifest.tasks.values())
    asked_items = answered or not (run.profiles or parity)
    measured = device_tables(run)
    device = build_device(run, measured, names, text)
    traded = _tradeoffs(run, tables, measured, names, text)
    spot = _spot(run, inputs, text)
    gap_why = build_gap_why(run, tables, text)
    with made_beside(
        lambda: (
            build_decision(inputs, tables, measured, gap_why, names, text, options),
            build_items(run, names, text, limit=options.items),
            build_prompts(run, text),
        ),
        copy=gains(len(run.items), len(run.results)),
    ) as undrawn:
        labels, variants = build_labels(run, tables, names, text), build_variants(run, tables, names, text)
        lengths = build_lengths(run, tables, names, text)
        gap_map, sections = build_gap_map(run, tables, names, text), build_sections(run, tables, names, text)
        quantisation = build_quantisation(run, tables, names, text)
        decision, items, prompts = undrawn()
    script = _script(options)
    always = ("summary", "ran", "failures", "provenance", *labels.sections, *variants.sections)
    given = {
        **dict.fromkeys(("accuracy", "gap", "tokens", "method"), asked_items),
        "decision": decision,
        "gap_map": gap_map,
        "why": gap_why,
        "lengths": lengths,
        "prompts": prompts,
        "quantisation": quantisation,
        "parity": parity,
        "device": device,
        "tradeoffs": traded,
        "spot": spot,
        "items": items,
    }
    return {
        "t": text,
        "chapters": chapters_of({*always, *(part for part, found in given.items() if found)}, options.sections),
        "run": run,
        "manifest": run.manifest,
        "tables": tables,
        "names": names,
        "show": Panels(text, names, tables.scores),
        "sections": sections,
        "variants": variants,
        "labels": labels,
        "decision": decision,
        "gap_map": gap_map,
        "gap_why": gap_why,
        "lengths": lengths,
        "quantisation": quantisation,
        "items": items,
        "prompts": prompts,
        "summary": (
            *(summarise(run, tables, names, text, sample) if asked_items else ()),
            *(parity.sentences if parity else ()),
            *(device.sentences if device else ()),
            *(spot.sentences if spot else ()),
        ),
        "asked_items": asked_items,
        "parity": parity,
        "device": device,
        "tradeoffs": traded,
        "spot": spot,
        "spot_shown": SpotShown(text),
        "shown": Shown(text),
        "notices": Notices(tables.flags, names, text),
        "provenance": build_provenance(run, tables, names, text),
        "sample": sample,
        "groups": group_facts(run, names, text),
        "task_items": task_items(run, text),
        "items_scored": sum(r.estimate.n for r in tables.scores) + (parity.texts if parity else 0),
        "scorings": SCORINGS,
        "trained_text": partial(trained_text, text),
        "source_text": source_text,
        "made_text": partial(made_text, text),
        "types_text": types_text,
        "data_text": data_text,
        "style": _style(options),
        "script": script,
        "script_hash": f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        "title": options.title or run.manifest.sweep.title or run.manifest.sweep.name,
        "theme": options.theme,
        "live": options.live,
        "version": __version__,
        "folder": text.join([source.path.resolve().name for source in inputs.sources]),
    }


def _joined(folder: Path, kind: str) -> Markup:
    """Return the files of a folder, in the order of their names. They are our own: escaping would break them."""
    return Markup("\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"*.{kind}"))))  # noqa: S704


def _style(options: ReportOptions) -> Markup:
    style = _joined(data_root("reports") / "style", "css")
    return style if options.theme is None else style + Markup("\n") + Markup(options.theme.style)  # noqa: S704  # colours alone


def _script(options: ReportOptions) -> Markup:
    folder = data_root("reports") / "script"
    return _joined(folder, "js") + (_joined(folder / "live", "js") if options.live else Markup(""))


def _spot(run: Run, inputs: Inputs, text: Text) -> SpotSection | None:
    return build_spot(run, inputs.spot_checks, Names(run, text), text)


def _tradeoffs(run: Run, tables: Tables, device: DeviceTables, names: Names, text: Text) -> TradeoffSection | None:
    if not run.profiles:
        return None
    rows = tradeoffs(run, tables.scores, language_indices(run, differences=False), device)
    return build_tradeoffs(run, tables, rows, names, text)


def _write(out: Path, html: str) -> None:
    # Written beside its place and moved there: an earlier report stays whole until the new one is.
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(html, encoding="utf-8", newline="\n")
        part.replace(out)
    except OSError as error:
        raise StoreError(
            f"{out} cannot be written: {error.strerror or error}", fix="give another file with --out"
        ) from error
