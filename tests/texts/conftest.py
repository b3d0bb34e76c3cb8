"""The data that some of these tests need, which is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def ntrex() -> pd.DataFrame:
    """Return NTREX-128: one column a language (ISO 639-3), one row a sentence."""
    folder = os.environ.get("EVALSUITE_DATA")
    path = Path(folder or "") / "MicrosoftTranslator" / "NTREX" / "all" / "test.parquet"
    if not folder or not path.is_file():
        pytest.skip("needs EVALSUITE_DATA, a mirror of public data that has NTREX")
    return pd.read_parquet(path)
