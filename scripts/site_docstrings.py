"""Extension of mkdocstrings: docstrings as Markdown, which they are on the documentation site."""

from __future__ import annotations

import re
from typing import Any

import griffe

RECIPROCAL = re.compile(r"\b([abc])\*")
"""A reciprocal vector. Two asterisks in Markdown would make the text between them italic."""


class MarkdownDocstrings(griffe.Extension):
    """Escapes asterisks, and writes one colon in place of two before code, in every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a class, function, module or attribute."""
        if obj.docstring is not None:
            text = RECIPROCAL.sub(r"\1\*", obj.docstring.value)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.MULTILINE)
