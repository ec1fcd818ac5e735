"""The sub-command detectors: table, figures with sources, drawing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cupysim.cli.main import main
from cupysim.detectors.catalogue import detector_names, find_entry

PNG = b"\x89PNG"
ROOT = Path(__file__).parents[2]


def lines_of(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["detectors", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_the_table_has_all_detectors(capsys: pytest.CaptureFixture[str]) -> None:
    heading, *rows = lines_of(capsys)
    assert heading.split()[0] == "name"
    assert tuple(row.split()[0] for row in rows) == detector_names()
    (eiger,) = (row for row in rows if row.startswith("eiger2-16m "))
    for words in ("4148 x 4362", "75", "1", "Si 450 um", "311.1 x 327.1", "counting"):
        assert words in eiger


def test_the_table_of_the_documentation_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "detectors.md").read_text()
    told = [re.split(r"  +", row.strip()) for row in lines_of(capsys)[1:]]
    written = [
        [cell.strip().strip("`") for cell in row.strip("|").split("|")]
        for row in re.findall(r"^\| `.*$", page, re.M)
    ]
    assert written == told


@pytest.mark.parametrize("name", detector_names())
def test_figures_come_with_sources(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(capsys, name)
    entry = find_entry(name)
    assert lines[0] == f"detector       {entry.title}"
    for figure, source in entry.sources.items():
        (number,) = (
            n for n, line in enumerate(lines) if line[:14].strip() == figure.replace("_", " ")
        )
        assert lines[number + 1].strip() == f"from {source}"


@pytest.mark.parametrize("name", ["eiger2-1m", "mar165", "rayonix-mx225", "agipd-1m", "cspad"])
def test_panels_are_drawn(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "drawn.png"
    lines_of(capsys, name, "--draw", str(path))
    assert path.read_bytes().startswith(PNG)


def test_the_drawing_shows_all_panels_as_seen_from_the_crystal() -> None:
    figures = pytest.importorskip("matplotlib.figure")
    from cupysim import named_detector
    from cupysim.plotting.detector_figure import draw_detector

    figure = figures.Figure()
    draw_detector(figure, named_detector("jungfrau-4m", 0.1), "title")
    (axes,) = figure.axes
    assert {f"m{number}" for number in range(8)} <= {text.get_text() for text in axes.texts}
    left, right = axes.get_xlim()
    assert left > right
    (low, high) = axes.get_ylim()
    assert low < high


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["eiger2-15m"], "eiger2-16m"),
        (["--draw", "a.png"], "NAME"),
        (["cspad", "--draw", "a.txt"], "--draw"),
        (["cspad", "--draw", "no/such/folder/a.png"], "no/such/folder"),
        (["--nothing"], "--nothing"),
        (["cspad", "mar165"], "mar165"),
    ],
)
def test_usage_errors_are_one_line(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["detectors", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert told in captured.err
    assert not list(tmp_path.iterdir())
