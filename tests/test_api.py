"""The Python interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cupysim
from cupysim import CupysimError, Experiment, from_args, simulate
from cupysim.formats import float_image, smv
from tests.conftest import Run

WORDS = "-cell 50 60 70 -default_F 10 -N 4 -lambda 1 -pixel 1 -detpixels_x 24 -detpixels_y 20"


def test_every_public_name_can_be_imported() -> None:
    for name in cupysim.__all__:
        assert getattr(cupysim, name) is not None
    assert set(cupysim.__all__) <= set(dir(cupysim))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cupysim.nothing  # noqa: B018


def test_models_and_options_make_the_same_image(small_experiment: Experiment, backend: str) -> None:
    built = Experiment(
        beam=small_experiment.beam,
        crystal=cupysim.Crystal(small_experiment.crystal.cell, n_cells=(4, 4, 4)),
        detector=small_experiment.detector,
        structure_factors=small_experiment.structure_factors,
        quirks="nanobragg",
    )
    first, second = simulate(built, backend), simulate(from_args(WORDS), backend)
    np.testing.assert_array_equal(first.array, second.array)


def test_saved_images_equal_the_commands_files(run: Run, tmp_path: Path) -> None:
    outcome = run(f"{WORDS} -seed 5")
    image = simulate(from_args(WORDS))
    image.save(tmp_path / "a.bin")
    image.save(tmp_path / "a.img")
    image.save(tmp_path / "a.pgm")
    image.save(tmp_path / "n.img", seed=5)
    # the command's noise continues the random numbers of the mosaic domains only for seeds below 0
    for name, reference in (
        ("a.bin", "floatimage.bin"),
        ("a.img", "intimage.img"),
        ("a.pgm", "image.pgm"),
        ("n.img", "noiseimage.img"),
    ):
        assert (tmp_path / name).read_bytes() == outcome.files[reference], name
    np.testing.assert_array_equal(float_image.read(tmp_path / "a.bin", 20, 24), image.array)
    np.testing.assert_array_equal(smv.read(tmp_path / "a.img").image, image.integers())


def test_unknown_suffix_and_backend(small_experiment: Experiment, tmp_path: Path) -> None:
    image = simulate(small_experiment)
    with pytest.raises(CupysimError, match=r"expected a name that ends in \.bin"):
        image.save(tmp_path / "a.tiff")
    with pytest.raises(
        CupysimError, match="backend 'abacus': expected auto or one of cuda, host, numpy"
    ):
        simulate(small_experiment, backend="abacus")
    assert list(tmp_path.iterdir()) == []
