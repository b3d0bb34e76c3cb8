"""Joins run folders into one: decides what belongs together, says why something does not, and copies what is kept."""

from __future__ import annotations

from evalsuite.merge.files import merge_runs
from evalsuite.merge.part import Part, read_part
from evalsuite.merge.plan import Merge, plan_merge

__all__ = ["Merge", "Part", "merge_runs", "plan_merge", "read_part"]
