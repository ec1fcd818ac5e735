"""Documentation which is made from the code, or names it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import cupysim
from cupysim.drop_ins.quirk_list import QuirkList
from cupysim.nanobragg.manual import build_parser
from cupysim.noisify import quirks as noisify
from cupysim.nonbragg import quirks as nonbragg
from cupysim.quirks import CORRECTABLE, Quirk

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


MOST_LINES_OF_README = 150
"""Lines that a newcomer reads."""

LONGEST_LINE = 120
"""Characters of a line of prose; tables, code and pictures may be longer."""


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_lines_have_one_width(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    too_long = [
        line
        for line in prose.splitlines()
        if len(line) > LONGEST_LINE and not line.startswith(("|", "!["))
    ]
    assert not too_long


@pytest.mark.parametrize("name", ["options", "noisify", "nonbragg"])
def test_options_pages_are_current(name: str) -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "make_docs.py"))
    page = made[f"{name.upper()}_PAGE"].read_text()
    assert page == made[f"{name}_page"](), "run scripts/make_docs.py"


def test_every_quirk_has_a_section() -> None:
    text = (ROOT / "docs" / "quirks.md").read_text()
    assert {int(number) for number in re.findall(r"^### Q(\d+)", text, re.M)} == set(Quirk)


def test_index_of_quirks_agrees_with_the_code() -> None:
    text = (ROOT / "docs" / "quirks.md").read_text()
    rows = re.findall(
        r"^\| \[Q(\d+)\]\([^)]*\) \| (.*?) \| .*? \| (.*?) \| (yes)?(?:, partly)? ?\|$", text, re.M
    )
    index = {
        int(number): (title.replace("`", ""), policy, corrected == "yes")
        for number, title, policy, corrected in rows
    }
    assert index == {
        int(quirk): (quirk.title, quirk.policy, quirk in CORRECTABLE) for quirk in Quirk
    }
    for section in text.split("### Q")[1:]:
        assert ("**Corrected:**" in section) == (int(section.split()[0]) in CORRECTABLE)


@pytest.mark.parametrize(
    ("quirks", "index", "page"),
    [(noisify.QUIRKS, "noisify.md", "noisify.md"), (nonbragg.QUIRKS, "quirks.md", "nonbragg.md")],
    ids=["noisify", "nonbragg"],
)
def test_quirks_of_other_programs_agree_with_the_code(
    quirks: QuirkList, index: str, page: str
) -> None:
    text = (ROOT / "docs" / index).read_text()
    pattern = rf"^\| \[{quirks.prefix}(\d+)\]\([^)]*\) \| (.*?) \| .*? \| (.*?) \| (yes)? ?\|$"
    rows = re.findall(pattern, text, re.M)
    assert {int(number): (title, policy, bool(yes)) for number, title, policy, yes in rows} == {
        int(quirk): (*quirks.table[quirk], quirk in quirks.correctable) for quirk in quirks.table
    }
    text = (ROOT / "docs" / page).read_text()
    sections = text.split(f"### {quirks.prefix}")[1:]
    assert [int(section.split()[0]) for section in sections] == list(quirks.table)
    for quirk, section in zip(quirks.table, sections, strict=True):
        assert section.startswith(f"{quirk:d} {quirks.table[quirk][0]}\n")
        assert ("**Corrected:**" in section) == (quirk in quirks.correctable)


def test_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), "README.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"float.bin", "noise.img"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in link:
            assert (page.parent / link).exists(), link
    for path in re.findall(
        r"`((?:cupysim|cuda_src|scripts|tests|docs|examples|benchmarks)/[\w/.]+)`", text
    ):
        # what a run makes is not in the repository
        if not path.startswith("examples/output") and "NAME" not in path:
            assert (ROOT / path).exists(), path


def test_manual_page_parser_has_every_option() -> None:
    text = build_parser().format_help()
    for name in ("-hkl", "-matrix", "-twotheta_axis", "-nodump", "-version"):
        assert name in text


@pytest.mark.parametrize("name", ["quirks.md", "physics.md", "noisify.md", "nonbragg.md"])
def test_names_are_in_the_files_which_are_said_to_have_them(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    pairs = [
        (identifier, path)
        for identifier, path in re.findall(
            r"`([\w.]+)` in\s+`((?:cupysim|cuda_src)/[\w/]+\.(?:py|cuh))`", text
        )
    ]
    listed = text if name == "physics.md" else ""
    for path, identifiers in re.findall(r"`(cupysim/[\w/]+\.py)`,\s+((?:`[\w.]+`[,\s]*)+)", listed):
        pairs += [(identifier, path) for identifier in re.findall(r"`([\w.]+)`", identifiers)]
    assert len(pairs) > 20
    for identifier, path in pairs:
        content = (ROOT / path).read_text()
        for part in identifier.split("."):
            assert re.search(rf"\b{part}\b", content), f"{identifier} is not in {path}"


def test_the_reference_has_every_public_name() -> None:
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    named = {name.rsplit(".", 1)[-1] for name in re.findall(r"^::: cupysim\.(\S+)", pages, re.M)}
    assert {name for name in cupysim.__all__ if name != "__version__"} <= named


def test_the_site_has_every_page() -> None:
    config = (ROOT / "mkdocs.yml").read_text()
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r": ([\w/]+\.md)$", config, re.M)) == pages


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= MOST_LINES_OF_README
    # the picture and the two commands come first
    assert any(line.startswith("![") for line in lines[:10])
    assert {"./scripts/demo", "./scripts/test"} <= {line.split(" ")[0] for line in lines[:15]}
