"""Makes the task files of every language from langs/: `python tools/make_tasks.py [--check]`.

The prompt words stand once, in langs/<language>.yaml; lm-eval needs them written out in each task's YAML.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TASKS = ROOT / "tasks"
SIB_REVISION = "38977a667f6fc264d5c26ec57a01e16db040b358"


def labels(lang: dict[str, Any]) -> dict[str, Any]:
    words = lang["prompts"]["labels"]
    return {
        "include": "_labels.yaml",
        "task": f"labels_{lang['code']}",
        "tag": ["labels"],
        "doc_to_text": f"{words['text']}\n{words['answer']}",
        "target_delimiter": " " if lang["spaced"] else "",
        "metadata": {
            "version": 1.0,
            "language": lang["code"],
            "family": "labels",
            "suite": ["starter"],
            "chance": round(1 / 12, 4),
            "parallel_group": "labels",
            "id_column": "id",
            "items": 120,
            "primary_metric": "acc",
            "prior_context": words["answer"],
            "data_files": [f"data/{lang['code']}.yaml"],
            "licence": "Apache-2.0",
            "source": "written for this project, see docs/data/labels.md",
        },
    }


def lexicon(lang: dict[str, Any]) -> dict[str, Any]:
    words, colon = lang["prompts"]["lexicon"], lang["colon"]
    label = f"{{{{ {words['answer']!r}[kind] }}}}{colon.rstrip()}"
    return {
        "include": "_lexicon.yaml",
        "task": f"lexicon_{lang['code']}",
        "tag": ["lexicon"],
        "doc_to_text": f"{{{{ {words['cue']!r}[kind] }}}}{colon}{{{{code}}}}\n{label}",
        "target_delimiter": " " if lang["spaced"] else "",
        "metadata": {
            "version": 1.0,
            "language": lang["code"],
            "family": "facts",
            "suite": ["starter"],
            "chance": 0.25,
            "parallel_group": "lexicon",
            "id_column": "id",
            "items": 240,
            "primary_metric": "acc_mutual_info",
            "prior_context": label,
            "data_files": [f"data/{lang['code']}.jsonl"],
            "licence": "Unicode-3.0",
            "source": "Unicode CLDR 47 through Babel 2.18, see docs/data/lexicon.md",
        },
    }


def sib200(lang: dict[str, Any]) -> dict[str, Any]:
    words = lang["prompts"]["sib200"]
    return {
        "include": "_sib200.yaml",
        "task": f"sib200_{lang['code']}",
        "tag": ["sib200"],
        "dataset_name": lang["flores"],
        "dataset_kwargs": {"revision": SIB_REVISION},
        "doc_to_text": f"{words['text']}\n{words['answer']}",
        "doc_to_choice": list(words["choices"].values()),
        "doc_to_target": f"{{{{ {list(words['choices'])!r}.index(category) }}}}",
        "target_delimiter": " " if lang["spaced"] else "",
        "metadata": {
            "version": 1.0,
            "language": lang["code"],
            "family": "classification",
            "suite": ["core"],
            "chance": round(1 / 7, 4),
            "parallel_group": "sib200",
            "id_column": "index_id",
            "items": 204,
            "primary_metric": "acc",
            "prior_context": words["answer"],
            "licence": "CC-BY-SA-4.0",
            "source": "SIB-200 (Adelani et al., 2024), text from FLORES-200; prompts and topic names written for this project",
        },
    }


MAKERS = {"labels": labels, "lexicon": lexicon, "sib200": sib200}


def main() -> int:
    """Write the files, or with --check say whether they are as they would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    check = parser.parse_args().check
    stale = []
    for lang_path in sorted((ROOT / "langs").glob("*.yaml")):
        lang = yaml.safe_load(lang_path.read_text(encoding="utf-8"))
        for group, make in MAKERS.items():
            path = TASKS / group / f"{group}_{lang['code']}.yaml"
            head = f"# Made from langs/{lang_path.name} by tools/make_tasks.py; change it there.\n"
            text = head + yaml.safe_dump(make(lang), allow_unicode=True, sort_keys=False, width=1000)
            if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
                stale.append(str(path.relative_to(ROOT)))
            elif not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not as langs/ would make them: {', '.join(stale)}; run tools/make_tasks.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
