"""CrystFEL's geometry files: what is read, what is refused, and what is written."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.crystfel import CrystfelLayout, PanelLayout, read_geometry, write_geometry
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.rectangles import rectangles_of
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup

TOP = "photon_energy = 8000\nadu_per_photon = 2\nres = 10000\n"
CLEN = "clen = 0.1\n"
PANEL = (
    "p0/min_fs = 0\np0/max_fs = 7\np0/min_ss = 0\np0/max_ss = 5\np0/corner_x = -4\n"
    "p0/corner_y = -3\np0/fs = x\np0/ss = y\n"
)
SECOND = PANEL.replace("p0", "p1").replace("min_ss = 0", "min_ss = 6").replace("= 5", "= 11")
MINIMAL = TOP + CLEN + PANEL
TWO = MINIMAL + SECOND
WAVELENGTH = 6.62606896e-34 * 299792458.0 / (1.6021773e-19 * 8000.0)
"""Wavelength of 8000 eV (m)."""


def read(
    folder: Path, text: str | bytes, **given: float
) -> tuple[DetectorGeometry, CrystfelLayout]:
    path = folder / "a.geom"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_geometry(path, **given)


def only_panel(folder: Path, text: str, **given: float) -> Panel:
    (panel,) = read(folder, text, **given)[0].detector
    return panel


def test_a_minimal_file(tmp_path: Path) -> None:
    geometry, layout = read(tmp_path, MINIMAL)
    (panel,) = geometry.detector
    assert (panel.name, panel.n_fast, panel.n_slow, panel.data_corner) == ("p0", 8, 6, (0, 0))
    np.testing.assert_allclose(panel.origin, (-4e-4, -3e-4, 0.1), rtol=1e-14)
    assert (panel.fast, panel.slow) == ((1, 0, 0), (0, 1, 0))
    assert (panel.gain, panel.saturation, panel.mask) == (2.0, math.inf, None)
    assert geometry.wavelength == pytest.approx(WAVELENGTH, rel=1e-14)
    assert geometry.remarks == ()
    assert geometry.detector.beam == (0, 0, 1)
    assert geometry.detector.spindle == (-1, 0, 0)
    assert geometry.detector.polarization == (1, 0, 0)
    assert layout.of("p0") == PanelLayout((0, 0), "/data/data", ("ss", "fs"))


@pytest.mark.parametrize(
    ("fs", "ss", "edges", "fast", "slow"),
    [
        ("x", "y", (1, 1), (1, 0, 0), (0, 1, 0)),
        ("-x", "y", (1, 1), (-1, 0, 0), (0, 1, 0)),
        ("+ 0.6 x - .8 y", "0.8x+0.6y", (1, 1), (0.6, -0.8, 0), (0.8, 0.6, 0)),
        ("0.5x+0.5x", "2.y", (1, 2), (1, 0, 0), (0, 1, 0)),
        ("3x -4z", "x+y", (5, 2**0.5), (0.6, 0, -0.8), (0.5**0.5, 0.5**0.5, 0)),
        ("\t-\t1x", "- y\t+ 0.0z", (1, 1), (-1, 0, 0), (0, -1, 0)),
    ],
)
def test_directions(fs: str, ss: str, edges: Any, fast: Any, slow: Any, tmp_path: Path) -> None:
    text = MINIMAL.replace("fs = x", f"fs = {fs}").replace("ss = y", f"ss = {ss}")
    panel = only_panel(tmp_path, text)
    np.testing.assert_allclose(panel.edges, 1e-4 * np.array(edges), rtol=1e-14)
    np.testing.assert_allclose([panel.fast, panel.slow], [fast, slow], atol=1e-15)


@pytest.mark.parametrize(
    ("line", "wavelength"),
    [
        ("photon_energy = 8000", WAVELENGTH),
        ("photon_energy = 8 keV", WAVELENGTH),
        ("photon_energy = 8e3 eV", WAVELENGTH),
        ("wavelength = 1.5 A", 1.5e-10),
        ("wavelength = 1.5e-10 m", 1.5e-10),
        # de Broglie: h / sqrt(2 m e U (1 + e U / (2 m c^2))), a textbook's value for 300 kV
        ("electron_voltage = 300 kV", 1.96875e-12),
        ("electron_voltage = 300000 V", 1.96875e-12),
    ],
)
def test_wavelengths(line: str, wavelength: float, tmp_path: Path) -> None:
    geometry, _ = read(tmp_path, MINIMAL.replace("photon_energy = 8000", line))
    assert geometry.wavelength == pytest.approx(wavelength, rel=1e-5)
    assert bool(geometry.remarks) == line.startswith("electron")


@pytest.mark.parametrize(
    ("lines", "z"),
    [
        ("clen = 100 mm", 0.1),
        ("clen = 0.1 m", 0.1),
        ("clen = 0.1\ncoffset = -0.002", 0.098),
        ("clen = 0\ncoffset = 0.2", 0.2),
    ],
)
def test_camera_lengths(lines: str, z: float, tmp_path: Path) -> None:
    assert only_panel(tmp_path, TOP + lines + "\n" + PANEL).origin[2] == pytest.approx(z)


def test_shifts_are_in_metres(tmp_path: Path) -> None:
    shifts = "detector_shift_x = 1 mm\ndetector_shift_y = -0.002\n"
    panel = only_panel(tmp_path, shifts + MINIMAL)
    np.testing.assert_allclose(panel.origin, (6e-4, -23e-4, 0.1), rtol=1e-12)


def test_the_camera_length_stands_anywhere_since_0_11(tmp_path: Path) -> None:
    geometry, _ = read(tmp_path, TOP + PANEL + SECOND + CLEN)
    assert [panel.origin[2] for panel in geometry.detector] == [0.1, 0.1]
    assert geometry.remarks == ()


def test_camera_lengths_of_panels_up_to_0_10(tmp_path: Path) -> None:
    geometry, _ = read(tmp_path, f"{TOP}{CLEN}{PANEL}{SECOND}p1/clen = 0.3\n")
    assert [panel.origin[2] for panel in geometry.detector] == [0.1, 0.3]
    assert any("CrystFEL since 0.11 refuses" in remark for remark in geometry.remarks)


def test_defaults_are_those_at_the_first_mention(tmp_path: Path) -> None:
    text = f"{TOP}{CLEN}{PANEL}coffset = 0.01\nres = 5000\n{SECOND}p0/max_adu = 9\n"
    geometry, _ = read(tmp_path, text)
    first, second = geometry.detector
    assert (first.origin[2], first.edges[0], first.saturation) == (0.1, 1e-4, 9)
    assert (second.origin[2], second.edges[0]) == (pytest.approx(0.11), 2e-4)
    assert geometry.remarks == ()


@pytest.mark.parametrize(
    ("lines", "gain"),
    [
        ("adu_per_photon = 3", 3.0),
        ("adu_per_eV = 0.001", 8.0),
        ("adu_per_photon = 3\nadu_per_eV = 0.001", 8.0),
        ("adu_per_eV = 0.001\nadu_per_photon = 3", 3.0),
    ],
)
def test_gains(lines: str, gain: float, tmp_path: Path) -> None:
    text = MINIMAL.replace("adu_per_photon = 2", lines)
    assert only_panel(tmp_path, text).gain == pytest.approx(gain)


def test_the_gain_per_ev_uses_the_given_wavelength(tmp_path: Path) -> None:
    text = MINIMAL.replace("adu_per_photon = 2", "adu_per_eV = 0.001")
    assert only_panel(tmp_path, text, wavelength=WAVELENGTH / 2).gain == pytest.approx(16.0)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_end_in_three_ways(end: str, tmp_path: Path) -> None:
    text = "; a comment = 1\n\n \t\n" + MINIMAL.replace("\n", " ; \xe9 = 4\n")
    geometry, _ = read(tmp_path, ("\t " + text.replace("\n", end)).encode("latin-1"))
    assert geometry.detector["p0"].n_fast == 8
    with pytest.raises(FileFormatError, match=r"line 4: no '=' in 'hello'"):
        read(tmp_path, f"; one{end}; two{end}{end}hello{end}{MINIMAL}")


def test_values_that_images_have_can_be_given(tmp_path: Path) -> None:
    text = MINIMAL.replace("= 8000", "= /LCLS/photon_energy_eV").replace("= 0.1", "= /LCLS/z mm")
    geometry, _ = read(tmp_path, text, wavelength=2e-10, distance=0.25)
    assert (geometry.wavelength, geometry.detector["p0"].origin[2]) == (2e-10, 0.25)
    assert geometry.remarks == ()
    geometry, _ = read(tmp_path, MINIMAL, wavelength=2e-10, distance=0.25)
    assert (geometry.wavelength, geometry.detector["p0"].origin[2]) == (2e-10, 0.25)
    assert len(geometry.remarks) == 2
    old = MINIMAL.replace("photon_energy = 8000\n", "")
    assert read(tmp_path, old, wavelength=2e-10)[0].wavelength == 2e-10


ERRORS = {
    "no wavelength": (
        "photon_energy = 8000\n", "",
        "it has no wavelength: give one (-lambda; wavelength= in Python)",
    ),
    "energy in a header": (
        "= 8000", "= /LCLS/eV", "line 1: photon_energy is in the header of the images (/LCLS/eV)",
    ),
    "length in a header": (
        "clen = 0.1", "clen = /LCLS/z", "line 4: clen is in the header of the images (/LCLS/z)",
    ),
    "no length": (
        "clen = 0.1\n", "",
        "clen is missing: give the camera length (-distance; distance= in Python)",
    ),
    "two wavelengths": (
        "res", "wavelength = 1 A\nres",
        "line 3: two wavelengths: wavelength = 1 A, but line 1 has photon_energy = 8000",
    ),
    "two energies": ("res", "photon_energy = 9000\nres", "line 3: two wavelengths"),
    "two lengths": ("clen", "clen = 0.2\nclen", "line 5: several camera lengths (clen)"),
    "two blanks": ("8000", "8  keV", "line 1: photon_energy: exactly one blank"),
    "no blank": ("8000", "8keV", "line 1: photon_energy: exactly one blank"),
    "unit of energy": ("8000", "8 MeV", "photon_energy: unknown unit 'MeV'; expected eV or"),
    "unit of wavelength": (
        "photon_energy = 8000", "wavelength = 0.15 nm", "unknown unit 'nm'; expected m or A",
    ),
    "no unit": ("photon_energy = 8000", "wavelength = 1.5", "wavelength: the unit is missing"),
    "unit of length": ("0.1", "10 cm", "line 4: clen: unknown unit 'cm'; expected m or mm"),
    "unit of a header": ("0.1", "/a cm", "line 4: clen: unknown unit 'cm'; expected m or mm"),
    "energy of zero": ("8000", "0", "line 1: photon_energy: 0; it must be positive"),
    "unit of coffset": ("res", "coffset = 1 mm\nres", "line 3: p0/coffset: 'mm' follows"),
    "number with text": ("= 10000", "= 10000px", "line 3: p0/res: 'px' follows the number"),
    "second =": ("-4", "-4 = 3", "line 9: p0/corner_x: '= 3' follows the number"),
    "no number": ("corner_x = -4", "corner_x =", "line 9: p0/corner_x: a number is missing"),
    "not a number": ("= -4", "= nan", "line 9: p0/corner_x: 'nan' is not a number"),
    "res of zero": ("10000", "0", "line 3: p0/res: 0 pixels per metre; it must be positive"),
    "res negative": ("10000", "-1", "line 3: p0/res: -1 pixels per metre"),
    "no res": ("res = 10000\n", "", "line 4: p0/res is missing"),
    "no gain": ("adu_per_photon = 2\n", "", "neither adu_per_photon nor adu_per_eV is given"),
    "gain of zero": ("photon = 2", "photon = 0", "p0/adu_per_photon: 0; it must be positive"),
    "no corner": ("p0/corner_y = -3\n", "", "line 5: p0/corner_y is missing"),
    "no fs": ("p0/fs = x\n", "", "line 5: p0/fs is missing"),
    "negative min": ("min_fs = 0", "min_fs = -1", "p0/min_fs: -1 is no whole number"),
    "fraction": ("max_fs = 7", "max_fs = 7.5", "p0/max_fs: 7.5 is no whole number"),
    "max below min": ("min_ss = 0", "min_ss = 6", "line 8: p0: max_ss is 5, below min_ss"),
    "parallel": ("fs = x", "fs = -2y", "line 12: p0: fs and ss are parallel"),
    "zero": ("fs = x", "fs = 0x", "line 11: p0/fs: '0x' is no direction"),
    "empty": ("fs = x", "fs =", "line 11: p0/fs: '' is no direction"),
    "number only": ("fs = x", "fs = 0.5", "line 11: p0/fs: '0.5' is no sum of terms"),
    "other letter": ("fs = x", "fs = 1.0u", "line 11: p0/fs: '1.0u' is no sum of terms"),
    "no sign": ("fs = x", "fs = x0.5y", "a sign is missing between two terms"),
    "exponent": ("fs = x", "fs = 1e-1x", "line 11: p0/fs: '1e-1x' is no sum of terms"),
    "star": ("fs = x", "fs = 2*x", "line 11: p0/fs: '2*x' is no sum of terms"),
    "no =": ("photon_energy", "hello\nphoton_energy", "line 1: no '=' in 'hello'"),
    "no panel": (PANEL, "", "it has no panels"),
    "late default": ("ss = y\n", "ss = y\ncoffset = 1\n", "line 13: no panel follows the default"),
    "blanks at /": ("p0/ss", "p0 /ss", "line 12: 'p0 /ss': no blanks around '/'"),
    "one shift": (
        "res", "detector_shift_x = 1 mm\nres", "line 3: detector_shift_x without detector_shift_y",
    ),
    "through the crystal": ("clen = 0.1", "clen = 0", "its plane goes through the crystal"),
    "bandwidth": ("res", "bandwidth = 1%\nres", "line 3: bandwidth: '%' follows the number"),
    "peak list": ("res", "peak_list_type = x\nres", "line 3: peak_list_type: 'x' is none of auto"),
    "data": ("res", "data = data\nres", "line 3: p0/data: 'data' does not begin with '/'"),
    "no dim": ("res", "dim0 = %\ndim2 = fs\nres", "p0: dim1 is missing"),
    "no ss": ("res", "dim0 = %\nres", "p0: exactly one dimension must be ss"),
    "fs before ss": ("res", "dim0 = fs\ndim1 = ss\nres", "the dimension fs must come after ss"),
    "two shots": ("res", "dim0=%\ndim1=%\ndim2=ss\ndim3=fs\nres", "at most one dimension may be %"),
    "other dim": ("res", "dim0 = foo\nres", "line 3: p0/dim0: 'foo' is not ss, fs, % or an index"),
    "mask file alone": ("res", "mask_file = m\nres", "p0/mask0_file: there is no mask0_data"),
    "bits alone": ("res", "mask3_badbits = 1\nres", "p0/mask3_badbits: there is no mask3_data"),
    "bits": ("res", "mask = /m\nmask_bad = x\nres", "p0/mask0_badbits: 'x' is no mask of bits"),
    "mask path": ("res", "mask = m\nres", "line 3: p0/mask0_data: 'm' does not begin with '/'"),
    "mask shots": ("res", "mask = /%/m\nres", "more '%' than in the path of the data"),
    "mask number": ("res", "mask8_data = /m\nres", "masks have the numbers 0 to 7"),
    "mask missing": ("res", "mask = /m\nmask_file = no.h5\nres", "mask file no.h5 does not exist"),
    "edge": ("res", "mask_edge_pixels = -1\nres", "p0/mask_edge_pixels: -1 is no whole number"),
    "byte order mark": ("photon_energy", "\ufeffphoton_energy", "begins with a byte order mark"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_line(name: str, tmp_path: Path) -> None:
    old, new, message = ERRORS[name]
    assert old in MINIMAL
    with pytest.raises(FileFormatError) as caught:
        read(tmp_path, MINIMAL.replace(old, new, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.geom"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("p1/min_ss = 5", "line 13: panels p0 and p1 overlap in the array /data/data"),
        ("p1/data = /%/data", "line 13: panel p1: the path of its data has another number of '%'"),
        ("p1/dim0 = %\np1/dim1 = ss\np1/dim2 = fs", "the dimensions of its data has another"),
        ("bad1/min_fs = 0\nbad1/max_fs = 1\nbad1/min_ss = 0\nbad1/max_ss = 1", "bad1/panel is mis"),
        ("bad1/panel = p0", "line 21: bad1: the bad region has no min_fs"),
        ("bad1/min_x = 0", "line 21: bad1: the bad region has no max_x, max_y, min_y"),
        ("bad1/min_x = 0\nbad1/min_fs = 0", "limits in fs and ss together with limits in x and y"),
        ("group_a = p0,p7", "line 21: group_a: there is no 'p7'"),
        ("group_a = p0,p0", "line 21: group_a: 'p0' is listed twice"),
        ("group_a = p0,", "line 21: group_a: a name is missing"),
        ("group_a = p0,p1\ngroup_b = p1", "line 22: group_b: 'p1' is also in group_a"),
        ("group_a = b\ngroup_b = a", "line 21: group_a contains itself"),
        ("group_p0 = p1", "line 21: group_p0: a panel has the same name"),
        ("group_all = p0\ngroup_b = all", "line 22: group_b: it cannot contain group_all"),
        ("rigid_group_a = p7", "line 21: rigid_group_a: there is no 'p7'"),
        ("rigid_group_collection_c = a", "line 21: rigid_group_collection_c: there is no 'a'"),
    ],
)
def test_errors_of_several_panels(lines: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError) as caught:
        read(tmp_path, TWO + lines + "\n")
    assert message in str(caught.value)


def test_given_values_must_be_possible(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="wavelength: must be positive"):
        read(tmp_path, MINIMAL, wavelength=-1.0)
    with pytest.raises(ModelError, match="distance: must be finite"):
        read(tmp_path, MINIMAL, distance=math.inf)
    position = read(tmp_path, "coffset = 0.5\n" + MINIMAL, distance=-0.4)[0]
    assert position.detector["p0"].origin[2] == pytest.approx(0.1)
    two = f"{TOP}{CLEN}{PANEL}{SECOND}p1/clen = 0.3\n"
    with pytest.raises(FileFormatError, match="a given distance cannot replace them"):
        read(tmp_path, two, distance=0.2)


@pytest.mark.parametrize(
    ("lines", "remark"),
    [
        ("foo = 3", "keys that are not known, and not used: foo (line 13)"),
        ("p0/badrow_direction = x", "not used: p0/badrow_direction (line 13)"),
        ("p0/no_index = 1", "no_index: panels p0 are rendered nevertheless"),
        ("p0/corner_x = 9", "p0/corner_x is given in line 9 and again in line 13; the last one"),
        ("bandwidth = 0.01", "bandwidth 0.01 is not used"),
        ("p0/saturation_map = /m", "panel p0: its saturation_map is not used"),
        ("p0/mask = /m\np0/mask_bad = 1", "mask0_data: /m is in the image files, and is not used"),
        ("p0/mask = /m", "panel p0: mask0_data has neither good nor bad bits"),
        ("p0/coffset = -1", "panels upstream of the sample: p0"),
    ],
)
def test_remarks(lines: str, remark: str, tmp_path: Path) -> None:
    geometry, _ = read(tmp_path, MINIMAL + lines + "\n")
    assert any(remark in told for told in geometry.remarks)


def test_the_last_of_two_equal_keys_counts(tmp_path: Path) -> None:
    assert only_panel(tmp_path, MINIMAL + "p0/corner_x = 9\n").origin[0] == pytest.approx(9e-4)


def test_layouts(tmp_path: Path) -> None:
    text = (
        "peak_list = /p\npeak_list_type = cxi\nbandwidth = 0.01\ndata = /e/%/d\ndim0 = %\n"
        "dim1 = 3\ndim2 = ss\ndim3 = fs\nflag_lessthan = -1\nflag_equal = 3\nflag_equal = 4\n"
        f"mask2_data = /e/%/m\nmask2_goodbits = 0x1\nmask2_badbits = 6\n{TWO}"
        "p1/dim1 = 4\np1/no_index = true\n"
    )
    layout = read(tmp_path, text)[1]
    assert (layout.peak_list, layout.peak_list_type, layout.bandwidth) == ("/p", "cxi", 0.01)
    first, second = layout.of("p0"), layout.of("p1")
    assert (first.data, first.dims, first.corner) == ("/e/%/d", ("%", "3", "ss", "fs"), (0, 0))
    assert (second.dims, second.corner) == (("%", "4", "ss", "fs"), (0, 6))
    assert (first.no_index, second.no_index) == (False, True)
    assert first.flags == (("flag_lessthan", -1), ("flag_equal", 3), ("flag_equal", 4))
    (mask,) = first.masks
    assert (mask.number, mask.data, mask.good, mask.bad) == (2, "/e/%/m", 1, 6)


def bad_pixels(folder: Path, text: str) -> dict[str, list[tuple[int, int]]]:
    """Bad pixels (fast, slow) of each panel."""
    found = {}
    for panel in read(folder, text)[0].detector:
        bad = np.zeros((0, 2)) if panel.mask is None else np.argwhere(~panel.mask)
        found[panel.name] = [(int(fast), int(slow)) for slow, fast in bad]
    return found


def test_bad_regions_in_the_data(tmp_path: Path) -> None:
    region = "badq/min_fs = 2\nbadq/max_fs = 3\nbadq/min_ss = 7\nbadq/max_ss = 7\nbadq/panel = p1\n"
    assert bad_pixels(tmp_path, TWO + region) == {"p0": [], "p1": [(2, 1), (3, 1)]}


def test_bad_regions_in_space(tmp_path: Path) -> None:
    """Limits are exclusive, and a pixel is where its first corner is, shifts included."""
    region = "bad/min_x = -3\nbad/max_x = -0.5\nbad/min_y = -1.5\nbad/max_y = 0\n"
    assert bad_pixels(tmp_path, MINIMAL + region) == {"p0": [(2, 2), (3, 2)]}
    shift = "detector_shift_x = 0.1 mm\ndetector_shift_y = 0\n"
    assert bad_pixels(tmp_path, shift + MINIMAL + region) == {"p0": [(1, 2), (2, 2)]}
    turned = MINIMAL.replace("fs = x", "fs = y").replace("ss = y", "ss = -x")
    # pixel (fast, slow) is at x = -4 - slow, y = -3 + fast
    region = "bad/min_x = -6.5\nbad/max_x = -4.5\nbad/min_y = -3\nbad/max_y = -1\n"
    assert bad_pixels(tmp_path, turned + region) == {"p0": [(1, 1), (1, 2)]}


def test_edges(tmp_path: Path) -> None:
    found = bad_pixels(tmp_path, MINIMAL + "p0/mask_edge_pixels = 2\n")["p0"]
    good = {(fast, slow) for fast in range(8) for slow in range(6)} - set(found)
    assert good == {(fast, slow) for fast in range(2, 6) for slow in (2, 3)}


@pytest.mark.parametrize("kind", ["i4", "u2", "i8"])
def test_mask_files(kind: str, tmp_path: Path) -> None:
    values = np.full((12, 8), 1, dtype=kind)
    values[7, 3], values[8, 4], values[0, 0] = 0, 1 + 4, 1 + 8
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["a/m"] = values
    mask = "mask = /a/m\nmask_file = m.h5\nmask_good = 1\nmask_bad = 0x4\n"
    assert bad_pixels(tmp_path, mask + TWO) == {"p0": [], "p1": [(3, 1), (4, 2)]}
    with pytest.raises(FileFormatError, match=r"shape \(12, 8\), too small"):
        read(tmp_path, mask + MINIMAL.replace("= 7", "= 9"))


def test_panels_in_groups_of_crystfel_0_11(tmp_path: Path) -> None:
    text = f"{TWO}group_a = p1\ngroup_b = a,p0\ngroup_all = b\n"
    detector = read(tmp_path, text)[0].detector
    assert [panel.name for panel in detector] == ["p1", "p0"]
    assert detector.paths == (("b", "a"), ("b",))
    assert detector.name == "all"
    assert detector.group_panels("b") == (0, 1)


def test_rigid_groups_nest_by_their_panels(tmp_path: Path) -> None:
    third = SECOND.replace("p1", "p2").replace("= 6", "= 12").replace("= 11", "= 17")
    text = (
        f"{TWO}{third}rigid_group_in = p0,p2\nrigid_group_out = p0,p1,p2\n"
        "rigid_group_across = p1,p2\nrigid_group_same = p2, p0\nrigid_group_collection_c = in,out\n"
    )
    geometry, layout = read(tmp_path, text)
    assert geometry.detector.paths == (("out", "in"), ("out", "in"), ("out",))
    assert [panel.name for panel in geometry.detector] == ["p0", "p2", "p1"]
    assert layout.collections == {"c": ("in", "out")}
    assert [remark.split(",")[0] for remark in geometry.remarks] == [
        "rigid_group_across overlaps with in",
        "rigid_group_same has the panels of in",
    ]


def rotated(angle: float, axis: int) -> np.ndarray:
    sine, cosine = math.sin(angle), math.cos(angle)
    matrix = np.eye(3)
    one, other = [place for place in range(3) if place != axis]
    matrix[one, one] = matrix[other, other] = cosine
    matrix[one, other], matrix[other, one] = -sine, sine
    return matrix


def detector_of(beam: Any, spindle: Any, first: np.ndarray) -> PanelDetector:
    """Panels of unequal pixels in groups, about 0.1 m along the beam; `first` turns them there."""
    generator = np.random.default_rng(3)
    panels = []
    for number in range(4):
        turn = first @ rotated(0.1 * number, 0) @ rotated(1.3 * number, 2)
        mask = np.ones((30, 40), dtype=bool)
        if number == 1:
            mask = generator.random((30, 40)) < 0.5
        if number == 2:
            mask[4:7, 2], mask[29, 30:] = False, False
        panels.append(
            Panel(
                f"q{number}", 40, 30, first @ (0.01 * number, -0.004, 0.1 + 0.001 * number),
                turn[:, 0], turn[:, 1] + 0.1 * turn[:, 0], (1e-4, 1.7e-4), mask=mask, gain=2.5,
                saturation=1e4,
            )
        )  # fmt: skip
    inner = PanelGroup("in", panels[:1], origin=(0, 0, 0.001))
    return PanelDetector(
        [PanelGroup("out", [inner, panels[1]]), *panels[2:]], beam=beam, spindle=spindle
    )


@pytest.mark.parametrize(
    ("beam", "spindle", "first", "to_file"),
    [
        # CrystFEL's own frame; dxtbx: (x, y, z) -> (-x, y, -z); MOSFLM: beam x, spindle z -> -x
        ((0, 0, 1), (1, 0, 0), np.eye(3), np.eye(3)),
        ((0, 0, -1), (1, 0, 0), np.diag([-1, 1, -1]), np.diag([-1, 1, -1])),
        (
            (1, 0, 0), (0, 0, 1), np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
            np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]),
        ),
    ],
)  # fmt: skip
def test_written_geometry_is_read_again(
    beam: Any, spindle: Any, first: np.ndarray, to_file: np.ndarray, tmp_path: Path
) -> None:
    detector = detector_of(beam, spindle, first)
    layout = CrystfelLayout.slab(detector, "/entry/data/data", ("%", "ss", "fs"))
    stream = io.BytesIO()
    needed = write_geometry(stream, detector, wavelength=1.3e-10, layout=layout)
    assert needed == ("q1",)
    assert b"q1/mask0_data = /entry/data/mask\nq1/mask0_badbits = 0x1\n" in stream.getvalue()
    geometry, again = read(tmp_path, stream.getvalue())
    assert geometry.wavelength == pytest.approx(1.3e-10, rel=1e-13)
    assert geometry.detector.paths == detector.paths
    for panel in detector:
        copy = geometry.detector[panel.name]
        np.testing.assert_allclose(copy.corners, panel.corners @ to_file.T, rtol=0, atol=1e-12)
        assert (copy.gain, copy.saturation) == (2.5, 1e4)
        if panel.name != "q1":
            expected = np.ones((30, 40), dtype=bool) if panel.mask is None else panel.mask
            found = np.ones((30, 40), dtype=bool) if copy.mask is None else copy.mask
            np.testing.assert_array_equal(found, expected)
    assert again.of("q3").corner == (0, 90)
    assert again.of("q3").dims == ("%", "ss", "fs")
    second = io.BytesIO()
    assert write_geometry(second, geometry.detector, wavelength=1e-10, layout=again) == ("q1",)


@pytest.mark.parametrize("name", ["bad1", "a b", "a=b", "a;b", "group_a", "all", "rigid_group_c"])
def test_names_that_crystfel_misreads_are_refused(name: str) -> None:
    panel = Panel(name, 4, 4, (0, 0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
    detector = PanelDetector([panel], beam=(0, 0, 1), spindle=(1, 0, 0))
    layout = CrystfelLayout.slab(detector)
    with pytest.raises(ModelError, match="CrystFEL"):
        write_geometry(io.BytesIO(), detector, wavelength=1e-10, layout=layout)
    with pytest.raises(ModelError, match="layout: it has no panel"):
        layout.of("other")


def test_rectangles_cover_the_bad_pixels_once() -> None:
    generator = np.random.default_rng(5)
    for density in (0.0, 0.1, 0.6, 1.0):
        bad = generator.random((9, 13)) < density
        found = rectangles_of(bad, 1000)
        assert found is not None
        count = np.zeros(bad.shape, dtype=int)
        for low_fast, high_fast, low_slow, high_slow in found:
            count[low_slow : high_slow + 1, low_fast : high_fast + 1] += 1
        np.testing.assert_array_equal(count, bad)
        assert rectangles_of(bad, len(found)) == found
        assert not found or rectangles_of(bad, len(found) - 1) is None


@pytest.mark.parametrize("in_group", [False, True])
def test_groups_hold_no_more_members_than_crystfel_reads(tmp_path: Path, in_group: bool) -> None:
    """CrystFEL 0.12 refuses a group of more than 64 members, also its own group of all panels."""
    panels = [
        Panel(f"p{n}", 8, 4, (1e-3 * n, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4) for n in range(130)
    ]
    members: list[Panel | PanelGroup] = [*panels]
    if in_group:
        # a group already has the first name that a part would get
        members = [PanelGroup("q", panels[1:]), PanelGroup("q_0", panels[:1])]
    detector = PanelDetector(members, (0, 0, 1), (1, 0, 0))
    path = tmp_path / "many.geom"
    with path.open("wb") as stream:
        write_geometry(stream, detector, wavelength=1e-10, layout=CrystfelLayout.slab(detector))
    lines = [line for line in path.read_text().splitlines() if line.startswith("group_")]
    groups = {key: value.split(",") for key, value in (line.split(" = ") for line in lines)}
    assert len(groups) == len(lines)
    assert max(map(len, groups.values())) == 64
    assert "group_all" in groups
    again = read_geometry(path)[0].detector
    assert len(again) == 130
    for panel in detector:
        assert np.abs(again[panel.name].corners - panel.corners).max() < 1e-15


def test_doubtful_geometry_is_told(tmp_path: Path) -> None:
    """As in other formats: a camera length in mm without its unit, axes that are not square."""
    path = tmp_path / "doubtful.geom"
    path.write_text(TWO.replace("p0/fs = x", "p0/fs = x +0.1y"))
    assert "p0/fs = x" in TWO
    (told,) = [each for each in read_geometry(path)[0].remarks if "degrees apart" in each]
    assert told == "the fast and slow axes of panel 'p0' are 84.29 degrees apart, not 90"
    remarks = read_geometry(path, distance=80.0)[0].remarks
    assert any("distance of 80 m" in each or "distance of 80000 mm" in each for each in remarks)
