"""Engines that answer lm-eval requests, one file or folder each."""
