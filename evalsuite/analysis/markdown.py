"""Writes the accuracies of a run as one Markdown document: tables by family and task group, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS
from evalsuite.analysis.rows import ALPHA, FAMILIES, Scale, ScoreRow, TrainedBy
from evalsuite.analysis.tables import Tables, analyse
from evalsuite.analysis.trained import told
from evalsuite.records import PromptForm, Task
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.paired import PairedDifference

__all__ = ["write_accuracy_table"]

_MISSING = "—"
_SCORINGS = {
    "acc": "raw (`acc`)",
    "acc_norm": "per character (`acc_norm`)",
    "acc_bytes": "per byte (`acc_bytes`)",
    "acc_mutual_info": "minus prior (`acc_mutual_info`)",
}
_TRAINED = (
    "Columns marked “trained” are classifiers that were trained on labelled items of the same kind; models were asked "
    "without examples, and are not to be compared with them."
)
_INTRO = (
    "Scores are percentages of items answered right, unless a table says otherwise, each with its 95 % interval in "
    "brackets; n is the number of items with a score. Chance is what guessing would score. Items are zero-shot. "
    "Differences between models or languages are not to be read off the intervals: `evalsuite report` tests them on the "
    "same items."
)


def write_accuracy_table(run: Run) -> str:
    """Return the accuracies of a run as Markdown.

    First what was measured, with what; then for each family and task group a table of languages × models and one of
    the other scorings; then, where the run has them, other wordings, orders of options, translations as corpora, and
    what became of written answers.
    """
    return _Writer(run, analyse(run)).document()


class _Writer:
    def __init__(self, run: Run, tables: Tables) -> None:
        self._run, self._tables = run, tables

    def document(self) -> str:
        parts = [*self._header(), *self._accuracy(), *self._wordings(), *self._orders()]
        parts += [*self._translations(), *self._replies(), *self._holes()]
        return "\n\n".join(parts) + "\n"

    def _header(self) -> list[str]:
        manifest, sweep = self._run.manifest, self._run.manifest.sweep
        device = manifest.device
        limits = [f"{sweep.limit or 'all'} items per task", *(f"{name}: {n}" for name, n in sweep.limits_of.items())]
        facts = [
            f"- Measured: {manifest.created} with evalsuite {manifest.evalsuite}, command `{manifest.command}`",
            f"- Versions: {', '.join(f'{name} {version}' for name, version in sorted(manifest.versions.items()))}",
            f"- Device: {device.cpu} ({device.architecture}), {device.os}, fingerprint {device.fingerprint[:12]}",
            f"- Seed: {sweep.seed}; limits: {'; '.join(limits)}",
            f"- Prompt forms: {', '.join(self._run.forms)}",
            *(f"- {note}" for note in manifest.notes),
        ]
        models = [
            [
                name,
                model.quantisation or _MISSING,
                _MISSING if model.parameters is None else f"{model.parameters / 1e6:.0f} M",
                f"`{(model.sha256 or _MISSING)[:12]}`",
                model.licence,
            ]
            for name, model in manifest.models.items()
            if name in self._run.models
        ]
        return [
            f"# Accuracy: {_flat(sweep.title or sweep.name)}",
            "\n".join(facts),
            _table(["model", "quantisation", "parameters", "sha256", "licence"], models, left=5),
            _INTRO,
        ]

    def _accuracy(self) -> list[str]:
        parts: list[str] = []
        for family, groups in self._families().items():
            parts.append(f"## {family.upper() if family == 'nli' else family.capitalize()}")
            for group in groups:
                parts += self._group(group)
        return parts

    def _families(self) -> dict[str, list[str]]:
        tasks = self._run.manifest.tasks.values()
        of = {self._run.group_of(task.name): task.family for task in reversed(tasks)}
        used = dict.fromkeys(of[group] for group in self._run.groups if group in of)
        order = [*(f for f in FAMILIES if f in used), *(f for f in used if f not in FAMILIES)]
        return {family: [g for g in self._run.groups if of.get(g) == family] for family in order}

    def _group(self, group: str) -> list[str]:
        rows = [row for row in self._tables.scores if row.group == group]
        tasks = [t for t in self._run.manifest.tasks.values() if self._run.group_of(t.name) == group]
        if not rows:
            return []
        trained = [row for row in self._tables.trained if row.group == group]
        metrics = ", ".join(f"`{metric}`" for metric in dict.fromkeys(row.metric for row in rows))
        scale = "" if rows[0].scale is Scale.SHARE else "; mean scores, no percentages"
        about = [f"Scored by {metrics}{scale}; intervals: {_methods(row.estimate for row in rows)}."]
        about += _unique(task.primary_why for task in tasks)
        about += [f"Caveat: {note}" for note in _unique(task.note for task in tasks)]
        parts = [f"### {group}", " ".join(about), self._scores([*rows, *trained], tasks)]
        parts += [_TRAINED] if trained else []
        if any(other.value is not None for row in rows for other in row.alternatives):
            parts += ["Other scorings of the same log-probabilities; the one in use is bold.", self._scorings(rows)]
        return parts

    def _scores(self, rows: Sequence[ScoreRow], tasks: Sequence[Task]) -> str:
        series = list(dict.fromkeys((row.model, row.form) for row in rows))
        trained = {row.model: TrainedBy(_reach(rows, row.model), row.trained.folds) for row in rows if row.trained}
        many = len({(task.language) for task in tasks}) < len(tasks)
        body = []
        for name, language in dict.fromkeys((row.task, row.language) for row in rows):
            same = {(row.model, row.form): row for row in rows if row.task == name}
            first = next(iter(same.values()))
            show = _shown(first.scale)
            counts = "/".join(dict.fromkeys(str(row.estimate.n) for row in same.values()))
            label = f"{self._language(language)} ({name})" if many else self._language(language)
            cells = [_interval(same[key].estimate, show) if key in same else _MISSING for key in series]
            body.append([label, _MISSING if first.chance is None else show(first.chance), counts, *cells])
        heads = [
            f"{model}, {told(trained[model])}" if model in trained else self._series(model, form)
            for model, form in series
        ]
        return _table(["language", "chance", "n", *heads], body)

    def _scorings(self, rows: Sequence[ScoreRow]) -> str:
        body = []
        for row in rows:
            if row.estimate.value is None:
                continue
            values = {other.metric: other.value for other in row.alternatives}
            cells = [_percent(values.get(metric)) for metric in SCORINGS]
            shown = [f"**{c}**" if metric == row.metric else c for metric, c in zip(SCORINGS, cells, strict=True)]
            body.append([self._language(row.language), self._series(row.model, row.form), str(row.estimate.n), *shown])
        return _table(["language", "model", "n", *_SCORINGS.values()], body, left=2)

    def _wordings(self) -> list[str]:
        rows = self._tables.wordings
        if not rows:
            return []
        forms = sorted({form for row in rows for form, _ in row.scores}, key=lambda form: form.rank)
        body = []
        for row in rows:
            show = _shown(row.scale)
            scores = dict(row.scores)
            own = row.own
            english = row.english
            told = english is not None and english.difference is not None
            body.append(
                [
                    *(row.group, self._language(row.language), self._series(row.model, row.form)),
                    *(_interval(scores[form], show) if form in scores else _MISSING for form in forms),
                    *([show(own.spread), show(own.expected), show(own.expected_high)] if own else [_MISSING] * 3),
                    *([_percent(own.changed / own.n), str(own.n)] if own else [_MISSING] * 2),
                    _p(row.p_holm),
                    *([_signed(english, show), str(english.n)] if english and told else [_MISSING] * 2),
                    _p(row.english_p_holm),
                ]
            )
        heads = [
            *("group", "language", "model"),
            *forms,
            *("spread", "by chance", "95 % below", "items that change", "n", "p (Holm)"),
            *("English − own words", "n", "p (Holm)"),
        ]
        text = (
            "The same items in other words. Asked so, a score lies between the lowest and the highest of its row; the "
            "spread is their difference among the wordings in the task's own language. By chance: the mean spread where "
            "no wording is better than another (permutations of each item's scores). p: Cochran's Q, or permutations, "
            "corrected by Holm over this table; English words are compared with the primary wording by a paired test, "
            "corrected by itself."
        )
        return ["## Other wordings", text, _table(heads, body, left=3)]

    def _orders(self) -> list[str]:
        rows = self._tables.orders
        if not rows:
            return []
        turns = sorted({turn for row in rows for turn, _ in row.scores})
        body = []
        for row in rows:
            scores = dict(row.scores)
            places = row.places
            place = (
                f"{places.letter}: {_percent(places.share)} of {places.n} answers" if places else row.reason or _MISSING
            )
            body.append(
                [
                    *(row.group, self._language(row.language), self._series(row.model, row.form)),
                    *(_interval(scores[turn], _percent) if turn in scores else _MISSING for turn in turns),
                    *(_percent(row.spread), _interval(row.circular, _percent), _interval(row.same_option, _percent)),
                    *(str(row.items), place, _percent(places.fair) if places else _MISSING, _p(row.p_holm)),
                ]
            )
        heads = [
            *("group", "language", "model"),
            *(f"from option {turn + 1} on" for turn in turns),
            *("spread", "right in every order", "same option in every order", "n", "place taken most", "fair share"),
            "p (Holm)",
        ]
        text = (
            "The same items with their options turned in a circle. An option counts as the same by its text. p: "
            "chi-square test of equal use of places, corrected by Holm over this table."
        )
        return ["## Orders of the options", text, _table(heads, body, left=3)]

    def _translations(self) -> list[str]:
        rows = self._tables.translations
        if not rows:
            return []
        body = [
            [
                *(row.group, self._language(row.language), self._language(row.target)),
                self._series(row.model, row.form),
                *(_interval(row.chrf, _plain), _interval(row.bleu, _plain), str(row.chrf.n)),
                _MISSING if row.clusters is None else str(row.clusters),
            ]
            for row in rows
        ]
        signatures = _unique(
            f"{name} `{signature}`"
            for row in rows
            for name, signature in (("chrF++", row.chrf_signature), ("BLEU", row.bleu_signature))
            if signature
        )
        text = "Scores of the whole corpus, 0 to 100. Intervals: bootstrap of sentences, or of whole documents where these are counted."
        heads = ["group", "language", "into", "model", "chrF++", "BLEU", "n", "documents"]
        listed = "\n".join(f"- {signature}" for signature in signatures)
        return ["## Translation", text, _table(heads, body, left=4), f"Signatures:\n\n{listed}"]

    def _replies(self) -> list[str]:
        rows = self._tables.replies
        if not rows:
            return []
        body = [
            [
                *(row.group, self._language(row.language), self._series(row.model, row.form), str(row.n)),
                *(_interval(share, _percent) for share in (row.empty, row.looping, row.wrong_language)),
                *(str(row.wrong_language.n), _interval(row.not_told, _percent), _interval(row.tokens, _plain)),
                _interval(row.at_limit, _percent),
            ]
            for row in rows
        ]
        heads = [
            *(
                "group",
                "language",
                "model",
                "n",
                "empty",
                "looping",
                "wrong language",
                "of n told",
                "language not told",
            ),
            *("tokens", "at the token limit"),
        ]
        text = (
            "What became of the answers that models wrote. A language that cannot be told surely is not called wrong."
        )
        return ["## Written answers", text, _table(heads, body, left=3)]

    def _holes(self) -> list[str]:
        body = [
            [row.status.value, row.model or "all", row.task, row.form or "all", row.reason or _MISSING]
            for row in self._tables.failures
        ]
        head = "## Skipped, failed and unfinished"
        return [head, _table(["status", "model", "task", "prompt form", "why"], body, left=5)] if body else []

    def _language(self, code: str) -> str:
        known = self._run.language(code)
        return known.english_name if known else code

    def _series(self, model: str, form: PromptForm) -> str:
        return model if len(self._run.forms) == 1 else f"{model} ({form})"


def _reach(rows: Iterable[ScoreRow], model: str) -> tuple[int, int] | None:
    """Return the fewest and the most items that a baseline was trained on, over the languages of a table."""
    ends = [row.trained.items for row in rows if row.model == model and row.trained and row.trained.items]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table whose first `left` columns are text and stand left."""
    lines = [heads, [":--" if i < left else "--:" for i in range(len(heads))], *rows]
    return "\n".join(f"| {' | '.join(_flat(cell) for cell in line)} |" for line in lines)


def _flat(text: str) -> str:
    """Return text that breaks no table and is no markup of its own."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _interval(e: Estimate, show: Callable[[float], str]) -> str:
    if e.value is None:
        return f"{_MISSING} {e.reason}"
    ends = e.reason if e.low is None or e.high is None else f"{show(e.low)} to {show(e.high)}"
    return f"{show(e.value)} ({ends})"


def _signed(d: PairedDifference, show: Callable[[float], str]) -> str:
    ends = d.reason if d.low is None or d.high is None else f"{_sign(show(d.low))} to {_sign(show(d.high))}"
    return f"{_MISSING if d.difference is None else _sign(show(d.difference))} ({ends})"


def _sign(number: str) -> str:
    if not float(number):
        return number.removeprefix("-")
    return number.replace("-", "\N{MINUS SIGN}") if number.startswith("-") else f"+{number}"


def _shown(scale: Scale) -> Callable[[float], str]:
    return _percent if scale is Scale.SHARE else _two


def _percent(value: float | None) -> str:
    return _MISSING if value is None else f"{100 * value:.1f}"


def _plain(value: float) -> str:
    return f"{value:.1f}"


def _two(value: float) -> str:
    return f"{value:.2f}"


def _p(value: float | None) -> str:
    return _MISSING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _methods(estimates: Iterable[Estimate]) -> str:
    return ", ".join(_unique(e.method for e in estimates)) + f", {100 * (1 - ALPHA):.0f} %"


def _unique(texts: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))
