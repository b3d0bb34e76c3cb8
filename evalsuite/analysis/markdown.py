"""Writes the accuracies of a run as one Markdown document: tables by family and task group, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalsuite.analysis.load import Run
from evalsuite.analysis.markdown_labels import label_parts, length_parts
from evalsuite.analysis.markdown_parity import parity_parts
from evalsuite.analysis.markdown_quantisation import quantisation_parts
from evalsuite.analysis.markdown_text import (
    MISSING,
    flat,
    interval,
    methods,
    p_value,
    percent,
    plain,
    shown,
    signed,
    table,
    unique,
)
from evalsuite.analysis.metrics import SCORINGS
from evalsuite.analysis.rows import FAMILIES, Scale, ScoreRow, TrainedBy
from evalsuite.analysis.tables import Tables, analyse
from evalsuite.analysis.trained import told
from evalsuite.records import PromptForm, Task

__all__ = ["write_accuracy_table"]

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
    the other scorings; then, where the run has them, other wordings, orders of options, translations as corpora, what
    became of written answers, what quantisation costs, and the bits of texts that were only read.
    """
    return _Writer(run, analyse(run)).document()


class _Writer:
    def __init__(self, run: Run, tables: Tables) -> None:
        self._run, self._tables = run, tables

    def document(self) -> str:
        parts = [*self._header(), *self._accuracy(), *self._wordings(), *self._orders()]
        parts += label_parts(self._tables, self._language, self._series)
        parts += length_parts(self._tables, self._language, self._series)
        parts += quantisation_parts(self._run, self._tables, self._language, self._series)
        parts += [*self._translations(), *self._replies()]
        parts += parity_parts(self._tables, self._language, self._series)
        parts += self._holes()
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
                model.quantisation or MISSING,
                MISSING if model.parameters is None else f"{model.parameters / 1e6:.0f} M",
                f"`{(model.sha256 or MISSING)[:12]}`",
                model.licence,
            ]
            for name, model in manifest.models.items()
            if name in self._run.models
        ]
        title = flat(sweep.title or sweep.name)
        # Texts that are only read give no accuracy, so there may be none at all.
        answered = bool(self._tables.scores) or not self._tables.parity
        return [
            f"# Accuracy: {title}" if answered else f"# {title}",
            "\n".join(facts),
            table(["model", "quantisation", "parameters", "sha256", "licence"], models, left=5),
            *([_INTRO] if answered else []),
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
        scored = {row.group for row in self._tables.scores}
        used = dict.fromkeys(of[group] for group in self._run.groups if group in scored)
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
        about = [f"Scored by {metrics}{scale}; intervals: {methods(row.estimate for row in rows)}."]
        about += unique(task.primary_why for task in tasks)
        about += [f"Caveat: {note}" for note in unique(task.note for task in tasks)]
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
            show = shown(first.scale)
            counts = "/".join(dict.fromkeys(str(row.estimate.n) for row in same.values()))
            label = f"{self._language(language)} ({name})" if many else self._language(language)
            cells = [interval(same[key].estimate, show) if key in same else MISSING for key in series]
            body.append([label, MISSING if first.chance is None else show(first.chance), counts, *cells])
        heads = [
            f"{model}, {told(trained[model])}" if model in trained else self._series(model, form)
            for model, form in series
        ]
        return table(["language", "chance", "n", *heads], body)

    def _scorings(self, rows: Sequence[ScoreRow]) -> str:
        body = []
        for row in rows:
            if row.estimate.value is None:
                continue
            values = {other.metric: other.value for other in row.alternatives}
            cells = [percent(values.get(metric)) for metric in SCORINGS]
            shown = [f"**{c}**" if metric == row.metric else c for metric, c in zip(SCORINGS, cells, strict=True)]
            body.append([self._language(row.language), self._series(row.model, row.form), str(row.estimate.n), *shown])
        return table(["language", "model", "n", *_SCORINGS.values()], body, left=2)

    def _wordings(self) -> list[str]:
        rows = self._tables.wordings
        if not rows:
            return []
        forms = sorted({form for row in rows for form, _ in row.scores}, key=lambda form: form.rank)
        body = []
        for row in rows:
            show = shown(row.scale)
            scores = dict(row.scores)
            own = row.own
            english = row.english
            told = english is not None and english.difference is not None
            body.append(
                [
                    *(row.group, self._language(row.language), self._series(row.model, row.form)),
                    *(interval(scores[form], show) if form in scores else MISSING for form in forms),
                    *([show(own.spread), show(own.expected), show(own.expected_high)] if own else [MISSING] * 3),
                    *([percent(own.changed / own.n), str(own.n)] if own else [MISSING] * 2),
                    p_value(row.p_holm),
                    *([signed(english, show), str(english.n)] if english and told else [MISSING] * 2),
                    p_value(row.english_p_holm),
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
        return ["## Other wordings", text, table(heads, body, left=3)]

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
                f"{places.letter}: {percent(places.share)} of {places.n} answers" if places else row.reason or MISSING
            )
            body.append(
                [
                    *(row.group, self._language(row.language), self._series(row.model, row.form)),
                    *(interval(scores[turn], percent) if turn in scores else MISSING for turn in turns),
                    *(percent(row.spread), interval(row.circular, percent), interval(row.same_option, percent)),
                    *(str(row.items), place, percent(places.fair) if places else MISSING, p_value(row.p_holm)),
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
        return ["## Orders of the options", text, table(heads, body, left=3)]

    def _translations(self) -> list[str]:
        rows = self._tables.translations
        if not rows:
            return []
        body = [
            [
                *(row.group, self._language(row.language), self._language(row.target)),
                self._series(row.model, row.form),
                *(interval(row.chrf, plain), interval(row.bleu, plain), str(row.chrf.n)),
                MISSING if row.clusters is None else str(row.clusters),
            ]
            for row in rows
        ]
        signatures = unique(
            f"{name} `{signature}`"
            for row in rows
            for name, signature in (("chrF++", row.chrf_signature), ("BLEU", row.bleu_signature))
            if signature
        )
        text = "Scores of the whole corpus, 0 to 100. Intervals: bootstrap of sentences, or of whole documents where these are counted."
        heads = ["group", "language", "into", "model", "chrF++", "BLEU", "n", "documents"]
        listed = "\n".join(f"- {signature}" for signature in signatures)
        return ["## Translation", text, table(heads, body, left=4), f"Signatures:\n\n{listed}"]

    def _replies(self) -> list[str]:
        rows = self._tables.replies
        if not rows:
            return []
        body = [
            [
                *(row.group, self._language(row.language), self._series(row.model, row.form), str(row.n)),
                *(interval(share, percent) for share in (row.empty, row.looping, row.wrong_language)),
                *(str(row.wrong_language.n), interval(row.not_told, percent), interval(row.tokens, plain)),
                interval(row.at_limit, percent),
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
        return ["## Written answers", text, table(heads, body, left=3)]

    def _holes(self) -> list[str]:
        body = [
            [row.status.value, row.model or "all", row.task, row.form or "all", row.reason or MISSING]
            for row in self._tables.failures
        ]
        head = "## Skipped, failed and unfinished"
        return [head, table(["status", "model", "task", "prompt form", "why"], body, left=5)] if body else []

    def _language(self, code: str) -> str:
        known = self._run.language(code)
        return known.english_name if known else code

    def _series(self, model: str, form: PromptForm) -> str:
        return model if len(self._run.forms) == 1 else f"{model} ({form})"


def _reach(rows: Iterable[ScoreRow], model: str) -> tuple[int, int] | None:
    """Return the fewest and the most items that a baseline was trained on, over the languages of a table."""
    ends = [row.trained.items for row in rows if row.model == model and row.trained and row.trained.items]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
