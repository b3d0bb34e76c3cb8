"""Measures what a request costs on this device: one at a time, the same content in every language."""
