"""Pure functions on text that scoring and analysis share: keys, overlap, translation scores, replies, languages.

Each part is imported by its own name (`from evalsuite.texts.overlap import token_f1`). Importing this package imports
no third-party package; sacrebleu, MeCab and the language identifier are imported when a function first needs them.
"""

from __future__ import annotations

__all__: list[str] = []
