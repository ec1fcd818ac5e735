"""Sums and maxima of small images, as the C program computed them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import Run

COMMON = (
    "-cell 70 80 90 75 85 95 -default_F 100 -lambda 1 -distance 100 -detpixels 12 -pixel 1 -N 5 "
    "-oversample 1 -noprogress -nonoise -nopgm"
)
ROWS = [
    ("", 22606.2289, 7877.76074, (2, 0)),
    ("-oversample 2", 18430.9724, 2540.41455, (4, 10)),
    ("-misset 10 20 30", 15341.1502, 5859.6748, (3, 5)),
    ("-misset_seed 77 -misset random", 22694.2168, 7734.12646, (5, 1)),
    ("-adxv", 58155.5187, 15625, (6, 6)),
    ("-denzo", 31047.2674, 15625, (6, 6)),
    ("-xds", 26420.2489, 5911.50146, (8, 3)),
    ("-dials", 26420.2489, 5911.50146, (8, 3)),
    ("-twotheta 10", 26693.5769, 12511.4111, (2, 0)),
    ("-xds -twotheta 10", 19669.2238, 7936.64355, (1, 9)),
    ("-twotheta 20 -twotheta_axis 0 0 -1", 24201.429, 8424.3252, (11, 3)),
    ("-twotheta_axis 0 0 -1 -twotheta 20", 15438.938, 3690.64771, (0, 6)),
    (
        "-xds -detector_rotx 5 -detector_roty 3 -detector_rotz 2 -twotheta 10",
        6915.0739, 742.47644, (6, 6),
    ),
    ("-polar 0.9", 22608.9497, 7885.53564, (2, 0)),
    ("-nopolar", 22659.0673, 7902.30225, (2, 0)),
    ("-point_pixel", 2.26591404e10, 7.90234061e09, (2, 0)),
    ("-mosaic 0.5 -mosaic_dom 7", 23099.6631, 7335.41211, (2, 0)),
    ("-mosaic 0.5 -mosaic_dom 7 -mosaic_seed 42", 20185.4291, 6781.33105, (2, 0)),
    ("-osc 1 -phisteps 4", 21038.0739, 6605.31494, (2, 0)),
    ("-phi 10 -osc 1 -phisteps 4", 14461.6665, 7696.69141, (11, 9)),
    ("-round_xtal", 21490.4869, 5359.68799, (2, 0)),
    ("-gauss_xtal", 506895.412, 14290.1025, (2, 0)),
    ("-gauss_xtal -fudge 0.3", 1306944.22, 15079.8789, (2, 0)),
    ("-tophat_spots", 559396.685, 15617.1904, (5, 6)),
    ("-detector_abs 500 -detector_thick 450", 10774.3218, 3987.73218, (2, 0)),
    ("-detector_abs 500 -detector_thick 450 -thicksteps 3", 10589.0854, 4125.32178, (2, 0)),
    ("-oversample 2 -oversample_omega", 3410.94344, 1418.82629, (4, 7)),
    ("-oversample 2 -oversample_polar", 18395.3737, 2535.55713, (4, 10)),
    (
        "-oversample 2 -oversample_omega -oversample_polar -polar 0.5",
        3411.0782, 1418.80847, (4, 7),
    ),
    (
        "-oversample 2 -oversample_thick -detector_abs 500 -detector_thick 450 -thicksteps 3",
        586.549339, 224.393402, (4, 7),
    ),
    ("-curved_det -nopolar", 29720.9761, 9505.1123, (0, 11)),
    ("-water 10 -fluence 1e20", 1.99473122e-05, 6.26932797e-06, (2, 0)),
    ("-water 10 -fluence 1e30", 1.99617487e14, 1.39324975e12, (6, 6)),
    ("-hdivrange 1 -vdivrange 2 -hdivsteps 5 -vdivsteps 4", 23597.777, 7212.50732, (2, 0)),
    ("-dispersion 1 -dispsteps 3 -polar 0.5", 22611.9118, 7892.24756, (2, 0)),
    ("-dmin 20", 5875.86207, 4299.81299, (11, 5)),
    ("-roi 2 5 3 7", 340.874864, 161.72316, (2, 4)),
]  # fmt: skip
WITH_FACTORS = [
    ("-lambda 3", 26923.7934, 4672.33838, (10, 4)),
    ("-lambda 3 -N 1", 140.661337, 1.39513659, (11, 0)),
    ("-lambda 3 -N 1 -nointerpolate", 140.529937, 1.35896373, (9, 1)),
    (
        "-lambda 3 -N 1 -detpixels 24 -pixel 2 -Xbeam 4 -Ybeam 4 -default_F 7",
        772.599536, 7.98982096, (10, 1),
    ),
]  # fmt: skip
PRINTED = 1e-8
"""The sums and maxima above have nine digits."""


def check(image: np.ndarray, total: float, maximum: float, at: tuple[int, int]) -> None:
    assert image.astype(np.float64).sum() == pytest.approx(total, rel=PRINTED)
    assert image.max() == pytest.approx(maximum, rel=PRINTED)
    slow, fast = np.unravel_index(np.argmax(image), image.shape)
    assert (fast, slow) == at


@pytest.mark.parametrize(("words", "total", "maximum", "at"), ROWS)
def test_default_factor(
    words: str, total: float, maximum: float, at: tuple[int, int], run: Run, backend: str
) -> None:
    check(run(f"{COMMON} {words} -backend {backend}").float_image(12, 12), total, maximum, at)


@pytest.mark.parametrize(("words", "total", "maximum", "at"), WITH_FACTORS)
def test_table_of_factors(
    words: str, total: float, maximum: float, at: tuple[int, int], run: Run, backend: str, tmp_path
) -> None:
    axis = range(-5, 6)
    rows = (
        f"{h} {k} {l} {100 + 3 * h + 5 * k + 7 * l}\n" for h in axis for k in axis for l in axis
    )
    (tmp_path / "a.hkl").write_text("".join(rows))
    n = 24 if "-detpixels" in words else 12
    outcome = run(f"{COMMON} -hkl a.hkl {words} -backend {backend}")
    check(outcome.float_image(n, n), total, maximum, at)


def test_noise(run: Run, backend: str) -> None:
    outcome = run(f"{COMMON.replace('-nonoise', '')} -fluence 1e27 -seed 5 -backend {backend}")
    assert "195 photons on noise image (0 overloads)" in outcome.out
    assert "max_I = 62.5557  at 0.0025 0.0005" in outcome.out
    assert "mean= 1.24661 rms= 6.66589 rmsd= 6.54746" in outcome.out
    assert "intfile_scale = 879.217" in outcome.out
    sums = [
        np.frombuffer(outcome.files[name], dtype=np.uint16, offset=512).sum()
        for name in ("noiseimage.img", "intimage.img")
    ]
    assert sums == [5955, 163586]
