"""Hooks of the documentation site, which adapt pages that are written for the repository.

MkDocs calls these functions. Links to files outside ``docs/`` become plain text, since the site
does not have these files. CONTRIBUTING.md and CHANGELOG.md become pages.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
INCLUDED = {"contributing.md": "CONTRIBUTING.md", "changes.md": "CHANGELOG.md"}
"""Pages of the site, and the files of the repository that they show."""

RECIPROCAL = re.compile(
    r"```.*?```|`[^`]*`|(?<![\w\\])([abc])\*(?=[,.;:) ]|$)", re.DOTALL | re.MULTILINE
)
"""Code, or a reciprocal vector, whose asterisk must not make text italic."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change the links of a page, so that they work on the site. Returns the text of the page."""
    name = page.file.src_uri
    folder = (ROOT / "docs" / name).parent
    if name in INCLUDED:
        markdown, folder = (ROOT / INCLUDED[name]).read_text(), ROOT
    docs = (ROOT / "docs").resolve()

    def rewritten(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        path = (folder / target).resolve()
        if path.is_relative_to(docs) and path.suffix:
            place = Path(path.relative_to(docs))
            up = "../" * (len(Path(name).parts) - 1)
            return f"[{text}]({up}{place.as_posix()}{anchor})"
        if path == ROOT / "CONTRIBUTING.md":
            return f"[{text}]({'../' * (len(Path(name).parts) - 1)}contributing.md{anchor})"
        if path == ROOT / "README.md":
            return f"[{text}]({'../' * (len(Path(name).parts) - 1)}index.md)"
        return text if "`" in text else f"{text} (`{path.relative_to(ROOT)}` in the repository)"

    return RECIPROCAL.sub(
        lambda found: found[0] if found[1] is None else f"{found[1]}\\*",
        LINK.sub(rewritten, markdown),
    )
