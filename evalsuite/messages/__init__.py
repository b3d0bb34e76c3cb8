"""A user's own messages and categories: a CSV file and a file of labels, read as people have them, and checked."""

from __future__ import annotations

from evalsuite.messages.csvfile import DELIMITERS
from evalsuite.messages.labels import Label, LabelSet, load_labels
from evalsuite.messages.read import Asked, Message, Messages, read_messages

__all__ = ["DELIMITERS", "Asked", "Label", "LabelSet", "Message", "Messages", "load_labels", "read_messages"]
