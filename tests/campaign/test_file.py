"""Campaign files: what they may say, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from cupysim.campaign.definition.base import NOT_OF_A_BASE
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.execution.rendering import open_renderer, render_shot
from cupysim.errors import FileFormatError
from cupysim.models.tolerance import Tolerance
from cupysim.nanobragg.option_kinds import OUTPUT, Kind
from cupysim.nanobragg.options import OPTIONS
from cupysim.parity.cases import OUTPUTS
from cupysim.storage.toml_document import Document
from tests.campaign.campaigns import BASE, campaign_of, text


def test_all_that_is_said(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path)
    assert campaign.name == "small"
    assert (campaign.n_shots, campaign.chunk, campaign.n_chunks) == (7, 3, 3)
    assert [list(campaign.shots_of(n)) for n in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert {each.name for each in campaign.variations} == {"edges", "fluence"}
    assert campaign.orientations.kind == "uniform"
    assert campaign.experiment.detector.n_fast == 24


def test_every_option_that_names_an_output_is_refused() -> None:
    """Otherwise a campaign would accept it, and write no such file."""
    outputs = [each for each in OPTIONS if each.group == OUTPUT and each.kind is Kind.PATH]
    assert len(outputs) > 10
    assert {each.name.removeprefix("-") for each in outputs} <= set(NOT_OF_A_BASE)
    assert {value for each in outputs for value in each.dest} <= set(OUTPUTS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("0.1", Tolerance(0.1)), ("'1e-6peak'", Tolerance(1e-6, True)), (None, None)],
)
def test_tolerance(tmp_path: Path, given: str | None, expected: Tolerance | None) -> None:
    line = "" if given is None else f"tolerance = {given}\n"
    content = text().replace("[campaign]\n", f"[campaign]\n{line}")
    campaign = campaign_of(tmp_path, content)
    assert campaign.tolerance == expected
    render = open_renderer(campaign, 1)
    exact = open_renderer(campaign_of(tmp_path), 1)
    found, reference = (render_shot(campaign, 2, each).image for each in (render, exact))
    lost = reference.array.astype(float) - found.array
    if expected is None:
        assert (lost == 0.0).all()
    else:
        culled = found.rendered.culled
        assert culled is not None
        assert lost.max() <= culled.tolerances[0] + 1e-6 * reference.array.max()


def test_sections_of_models(tmp_path: Path) -> None:
    """Options may stand in tables; files are found from where the campaign file is."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f.hkl").write_text("1 0 0 5\n")
    (tmp_path / "models.toml").write_text(
        "[campaign]\nshots = 1\n[crystal]\ncell = [50, 60, 70, 90, 90, 90]\nhkl = 'sub/f.hkl'\n"
        "N = 4\n[beam]\nlambda = 1.5\n[detector]\ndetpixels = 16\nxds = true\n"
        "[sampling]\ncorrected = false\n"
    )
    campaign = read_campaign(tmp_path / "models.toml")
    assert campaign.experiment.beam.wavelength == pytest.approx(1.5e-10)
    assert campaign.experiment.crystal.n_cells == (4, 4, 4)
    assert campaign.experiment.detector.convention.value == "xds"
    assert campaign.files == (str(tmp_path / "sub" / "f.hkl"),)


def test_matter_in_a_list(tmp_path: Path) -> None:
    """A list has one value for each time that the option is given; its tables are inputs."""
    (tmp_path / "a.stol").write_text("0 3\n0.1 4\n0.3 5\n")
    (tmp_path / "matter.toml").write_text(
        "[campaign]\nshots = 1\n[crystal]\ncell = 50\ndefault_F = 1\n"
        "[background]\nbackground = ['water,0.1', 'a.stol,1,1,18']\n"
    )
    campaign = read_campaign(tmp_path / "matter.toml")
    found = [each.thickness for each in campaign.experiment.backgrounds]
    assert found == pytest.approx([1e-4, 1e-3])
    assert campaign.files == (str(tmp_path / "a.stol"),)


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        ("[campaign]\nshots = 1\nshots = 2\n", 3, "Cannot overwrite"),
        ("[campaign]\nseed = 1\n", 1, "campaign.shots: is missing"),
        ("[campaign]\nseed = 1\nshot = 10\n", 3, "campaign.shot: unknown; did you mean shots?"),
        ("[campaign]\nshots = 1\ntolerance = -1\n", 3, "tolerance: must be finite and"),
        ("[campaign]\nshots = 1\ntolerance = 'x'\n", 3, "campaign.tolerance: expected photons"),
        ("[campaign]\nshots = 1\ntolerance = true\n", 3, "campaign.tolerance: expected a number"),
        ("[campaign]\nshots = 1.5\n", 2, "campaign.shots: expected an integer from 1"),
        (text(shots=0), 2, "expected an integer from 1"),
        (text() + "[weather]\n", 13, "weather: unknown table; there are campaign, base"),
        (text(vary="fluense = { constant = 1 }"), 7, "vary.fluense: unknown; did you mean flu"),
        (text(vary="fluence = 3"), 7, "vary.fluence: expected a table, got 3"),
        (text(vary="fluence = { normal = [1] }"), 7, "expected mean and standard deviation"),
        (text(vary="fluence = { normal = [1, -2] }"), 7, "must not be negative"),
        (text(vary="fluence = { uniform = [2, 1] }"), 7, "the lowest number is above the highest"),
        (text(vary="fluence = { uniform = ['a', 1] }"), 7, "expected numbers"),
        (text(vary="fluence = { uniform = [nan, 1] }"), 7, "expected finite numbers"),
        (text(vary="fluence = { choice = [] }"), 7, "expected numbers, got none"),
        (text(vary="fluence = { gamma = [1, 0] }"), 7, "modes must be above zero"),
        (text(vary="fluence = { normal = [1, 1], uniform = [1, 2] }"), 7, "expected one of"),
        (text(vary="fluence = { normal = [1, 1], mood = 'set' }"), 7, "did you mean mode?"),
        (text(vary="fluence = { normal = [1, 1], mode = 'add' }"), 7, "set or plus or times"),
        (text(vary="fluence = { column = 'x' }"), 7, "no column 'x'; [table] names none"),
        (text(vary="orientation = 'any'"), 7, "expected base, uniform or a table"),
        (text(vary="orientation = { spread = 200 }"), 7, "from 0 to 180 degrees"),
        (text(vary="orientation = { list = [[1, 2]] }"), 7, "expected three angles"),
        (text(vary="orientation = { list = [[1, 2, 3]], spread = 2 }"), 7, "expected spread"),
        (text(vary="edges = { constant = 1 }\ncell_a = { constant = 1 }"), 7, "vary one of them"),
        (text(vary="mosaic_spread = { constant = 1 }", base="-cell 50 -default_F 1"), 7, "-mosaic"),
        (text(vary="spectrum = { kind = 'laser' }"), 7, "there is no kind 'laser'"),
        (text(vary="spectrum = { kind = 'two-colour', bandwidth = 1 }"), 7, "separation: is miss"),
        (text(vary="spectrum = { kind = 'tophat', bandwidth = 1, spikes = 3 }"), 7, "spikes"),
        (text(vary="spectrum = { kind = 'gaussian', bandwidth = 90 }"), 7, "reaches the energy"),
        (text(vary="spectrum = { spikes = 1 }"), 7, "bandwidth: is missing"),
        (text(vary="spectrum = { bandwidth = 0 }"), 7, "expected a number above 0"),
        (text(base="-cell 50 -lamda 1"), 5, "-lamda: unknown option; did you mean -lambda?"),
        (text(base="-cell 50"), 5, "no structure factors"),
        (text(output="images_per_file = 0"), 11, "expected an integer from 1"),
        (text(output="counts = 1"), 11, "expected true or false"),
        (text(output="noise = 'loud'"), 11, "expected fast or numpy or nanobragg"),
        (text(more="[beam]\ndispersion = 'blue'"), 13, "-dispersion"),
        (text(more="[beam]\nhdiv = [[1]]"), 13, "expected a text, numbers or true"),
        (text(more="[beam]\nlambda = 2"), 13, "is also among the base's arguments"),
        (text(base="-cell 50 -default_F 1 -noise fast"), 5, "[output] has noise"),
        (text(more="[sampling]\nseed = 2"), 13, "the seed of a campaign is in [campaign]"),
        (text(base="-cell 50 -default_F 1 -h5file x.h5"), 5, "-h5file: campaigns write their"),
        (text(vary="edges = { normal = [1, 0.1] }"), 7, 'mode = "times" multiplies'),
        (text(vary="cell_b = { constant = 3.4 }"), 7, "a typical cell_b would be 3.4 A, but"),
        (text(vary="wavelength = { normal = [12398, 1] }"), 7, "would be 12398 A, but the"),
        (text(vary="fluence = { constant = -1 }"), 7, "would be -1 photons/m^2"),
        (text(vary="mosaic_spread = { uniform = [-3, 1] }"), 7, "would be -1 deg"),
        (text(vary="n_cells = { normal = [-5, 1] }"), 7, "would be -5 cells"),
        (text(more="[table]\nfile = 'no.csv'"), None, "no.csv"),
        ("[campaign]\nshots = 1\nname = '../x'\n[base]\narguments = '-cell 9 -default_F 1'", 3,
         "it begins names of files"),
        ("[campaign]\nshots = 1\n", None, "no options"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, content: str, line: int | None, told: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        campaign_of(tmp_path, content)
    assert told in str(caught.value)
    if line is not None:
        assert f"line {line}: " in str(caught.value)


def test_lines_of_values_which_go_on(tmp_path: Path) -> None:
    """Keys in texts and lists are no keys of the file."""
    path = tmp_path / "a.toml"
    path.write_text(
        'a = """\n[b]\nc = 1\n"""\nd = [\n  "x = [",  # ]\n  2,\n]\n[e]\n"f" = 1 # g = 2\n'
        "h.i = { j = 'k' }\n[[l]]\nm = 1\n"
    )
    document = Document(path)
    for place, line in (
        (("a",), 1), (("d",), 5), (("e",), 9), (("e", "f"), 10), (("e", "h", "i"), 11),
        (("e", "h", "i", "j"), 11), (("l",), 12),
    ):  # fmt: skip
        with pytest.raises(FileFormatError, match=f"line {line}: "):
            document.fail(place, "wrong")


class TestTables:
    def test_csv(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("x, flux\n1, 2.5\n2, 3.5\n\n")
        content = text("fluence = { column = 'flux' }", 2, more="[table]\nfile = 't.csv'")
        campaign = campaign_of(tmp_path, content)
        np.testing.assert_array_equal(campaign.table["flux"], [2.5, 3.5])
        assert campaign.files == (str(tmp_path / "t.csv"),)

    def test_hdf5(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["flux"], file["image"] = [1, 2, 3], np.zeros((2, 2))
        content = text("fluence = { column = 'flux' }", 2, more="[table]\nfile = 't.h5'")
        assert set(campaign_of(tmp_path, content).table) == {"flux"}

    @pytest.mark.parametrize(
        ("rows", "told"),
        [
            ("x\n1\n", "has 1 rows, but there are 2 shots"),
            ("x,y\n1,2\n3\n", "line 3: 1 numbers where 2 are expected"),
            ("x\n1\nb\n", "line 3: 'b' is not a number"),
            ("x\n1\n1_0\n", "line 3: '1_0' is not a number"),
            ("x\n1\nnan\n", "row 1: nan is not finite"),
            ("x,x\n1,2\n", "each once"),
            ("", "a table without numbers"),
            (",x\n1,2\n", "expected names of columns"),
            ("x\n", "a table without numbers"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, rows: str, told: str) -> None:
        (tmp_path / "t.csv").write_text(rows)
        with pytest.raises(FileFormatError) as caught:
            campaign_of(tmp_path, text("", 2, more="[table]\nfile = 't.csv'"))
        assert told in str(caught.value)


def test_spectra_of_a_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["wavelengths"], file["weights"] = [1.0, 1.01], [[1.0, 3.0], [2.0, 0.0]]
    content = text("spectrum = { file = 's.h5' }", 2, BASE)
    campaign = campaign_of(tmp_path, content)
    assert campaign.spectra is not None
    for shot, weights in enumerate([[0.25, 0.75], [1.0, 0.0]]):
        spectrum = campaign.spectra.of(0, shot, 1e-10)
        np.testing.assert_allclose(spectrum.wavelengths, [1e-10, 1.01e-10])
        np.testing.assert_allclose(spectrum.weights, weights)
    with pytest.raises(FileFormatError, match="2 spectra for 3 shots"):
        campaign_of(tmp_path, text("spectrum = { file = 's.h5' }", 3, BASE))


@pytest.mark.parametrize(
    ("phi", "base", "warned"),
    [
        ("{ range = [3, 0.5] }", "-osc 0.5 -phisteps 2", False),
        ("{ range = [3, 0.5], mode = 'plus' }", "-osc 0.5 -phisteps 2", False),
        ("{ constant = 3 }", "", False),
        ("{ range = [3, 1] }", "-osc 0.5 -phisteps 2", True),
        ("{ range = [3, 0.5] }", "", True),
        ("{ uniform = [0, 90] }", "", True),
        ("{ list = [0, 1, 2] }", "-osc 1 -phisteps 2", True),
    ],
)
def test_what_dials_would_misunderstand(
    tmp_path: Path, phi: str, base: str, warned: bool, recwarn: pytest.WarningsRecorder
) -> None:
    """Images of a rotation must adjoin each other."""
    campaign_of(tmp_path, text(f"phi = {phi}", base=f"{BASE} {base}"))
    told = [str(each.message) for each in recwarn if "DIALS" in str(each.message)]
    assert bool(told) == warned


@pytest.mark.parametrize(
    ("vary", "base", "told"),
    [
        ("distance = { uniform = [90, 110] }", "-pix0_vector_mm 60 -3 3", "origin is given"),
        ("beam_fast = { uniform = [1, 2] }", "-pix0_vector_mm 60 -3 3", "origin is given"),
        ("spectrum = { file = 's.h5' }", "-sourcefile s.txt", "the base has a table of sources"),
        ("spectrum = { file = 'q.txt' }", "-polar 0.9", "or Stokes parameters, not both"),
        (
            "spectrum = { file = 's.h5' }\nwavelength = { normal = [1.0, 0.001] }",
            "",
            "wavelength: has no effect: the file of spectra gives all wavelengths",
        ),
    ],
)
def test_what_would_change_nothing_or_be_lost(
    tmp_path: Path, vary: str, base: str, told: str
) -> None:
    (tmp_path / "s.txt").write_text("0 0 1 1 1e-10\n")
    (tmp_path / "q.txt").write_text("# wavelength/A weight Q U\n1.0 1 1 0\n")
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["wavelengths"], file["weights"] = [1.0, 1.01], [[1.0, 3.0], [2.0, 0.0]]
    with pytest.raises(FileFormatError, match=told):
        campaign_of(tmp_path, text(vary, 2, f"{BASE} {base}"))
