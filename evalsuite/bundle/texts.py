"""What a pack says to people (README.txt) and to a shell (run.sh)."""

from __future__ import annotations

from textwrap import TextWrapper

from evalsuite.pack import LOCK, PackLock

__all__ = ["readme", "run_script"]

_WIDTH = 100

_README = """\
{title}
{rule}

This folder is a pack of evalsuite. It holds everything that is needed to measure language models on
a device that cannot download models or data: the models, the texts that they are asked, and the
list of what is to be measured.

To run it, on the device:

    sh run.sh

or, where evalsuite is installed:

    evalsuite run PATH/OF/THIS/FOLDER

Nothing is asked of any network. First every file is compared with {lock}; a file that is
missing or has changed is named, and nothing is run. Then the models are measured. The results are
in the folder out/{name} below the place where you gave the command, and the report is
out/{name}.html; open it in a browser. You can interrupt it at any time: the same command goes on
from there.

If evalsuite is not installed, run.sh makes a Python environment in the folder .venv here (set
EVALSUITE_VENV for another place; some USB sticks cannot hold one). It needs Python 3.11 or newer,
and evalsuite itself: as wheels in a folder wheels/ in this pack, or as a folder or wheel that
EVALSUITE_SOURCE names. Only what is not among the wheels is looked for in the Python package index.
The pack was made with evalsuite {version}; use that version, so that results can be compared.

To take the results back, copy out/{name} to the other machine.

Run a pack only if you trust whoever made it: tasks may hold Python code, which is executed.

Models (to pass on the pack is to pass on the models, so read their licences first):

{models}{data}{left_out}
Made {created} by evalsuite {version}.
"""

_SCRIPT = """\
#!/bin/sh
# Runs this pack with evalsuite, and asks nothing of any network. Options are passed on: sh run.sh --limit 20
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${EVALSUITE_VENV:-$here/.venv}
python=${PYTHON:-python3}

if command -v evalsuite >/dev/null 2>&1; then
    evalsuite=evalsuite
elif [ -x "$venv/bin/evalsuite" ]; then
    evalsuite=$venv/bin/evalsuite
else
    from=${EVALSUITE_SOURCE:-}
    for wheel in "$here"/wheels/evalsuite-*.whl; do
        if [ -z "$from" ] && [ -f "$wheel" ]; then
            from=$wheel
        fi
    done
    if [ -z "$from" ]; then
        echo "evalsuite is not installed here, and there is nothing to install it from." >&2
        echo "Put the wheels of evalsuite @VERSION@ into $here/wheels, or set EVALSUITE_SOURCE to its folder or wheel." >&2
        exit 2
    fi
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "evalsuite needs Python 3.11 or newer; set PYTHON to one." >&2
        exit 2
    fi
    echo "installing evalsuite into $venv" >&2
    "$python" -m venv "$venv"
    # Without an index first: a device without a network would wait for each package.
    "$venv/bin/python" -m pip install --quiet --no-index --find-links "$here/wheels" "$from" ||
        "$venv/bin/python" -m pip install --quiet --find-links "$here/wheels" "$from"
    evalsuite=$venv/bin/evalsuite
fi

exec "$evalsuite" run "$here" --offline "$@"
"""


def readme(lock: PackLock) -> str:
    """Return README.txt: what the pack is, how it is run, what is in it and what is not."""
    title = f"evalsuite pack: {lock.name}"
    models = [
        f"- {model.name}: {model.licence}{f' ({model.licence_url})' if model.licence_url else ''}, from {model.origin}"
        for model in lock.models
    ]
    data = [
        f"- {entry.path}, {entry.config or 'default'}, {entry.split} (from the {entry.origin})" for entry in lock.data
    ]
    left_out = [f"- {entry.what}: {entry.reason}" for entry in lock.left_out]
    return _README.format(
        title=title,
        rule="=" * len(title),
        lock=LOCK,
        name=lock.name,
        version=lock.evalsuite,
        models=_list(models),
        data=f"\nData that does not come with evalsuite:\n\n{_list(data)}" if data else "",
        left_out=f"\nLeft out of the pack, so the run will skip it:\n\n{_list(left_out)}" if left_out else "",
        created=lock.created,
    )


def run_script(lock: PackLock) -> str:
    """Return run.sh: POSIX shell that installs evalsuite where it is missing, and runs the pack."""
    return _SCRIPT.replace("@VERSION@", lock.evalsuite)


def _list(lines: list[str]) -> str:
    wrapper = TextWrapper(_WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "".join(wrapper.fill(" ".join(line.split())) + "\n" for line in lines)
