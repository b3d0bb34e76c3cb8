"""Runs the command line: `python -m evalsuite`."""

from __future__ import annotations

from evalsuite.cli.main import main

if __name__ == "__main__":
    main()
