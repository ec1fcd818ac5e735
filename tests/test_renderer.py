"""The renderer: the same images as one by one, with everything kept, or an error."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest

import cupysim
from cupysim import CupysimError, Experiment, QuirkWarning, Renderer, simulate
from cupysim.api import from_args, render_gradients
from cupysim.backends.rendered import Observer
from tests.conftest import INPUTS
from tests.tolerances import FLOAT32_BITS

WORDS = (
    f"-hkl {INPUTS / 'few.hkl'} -cell 30 40 50 80 95 100 -N 5 -lambda 1.3 -distance 60 "
    "-detpixels 40 -pixel 1 -nodump -nointerpolate"
)


def variations(experiment: Experiment, count: int = 5) -> list[Experiment]:
    """Experiments that differ in the crystal's orientation."""
    return [
        replace(experiment, crystal=replace(experiment.crystal, misset=(0.1 * n, 0.2, 0.3)))
        for n in range(count)
    ]


@pytest.fixture(params=["-corrected", ""], ids=["corrected", "nanobragg"])
def experiment(request: pytest.FixtureRequest) -> Experiment:
    return from_args(f"{WORDS} -oversample 2 {request.param}")


def test_images_are_those_of_simulate(experiment: Experiment, backend: str) -> None:
    with Renderer(backend) as renderer:
        for each in (*variations(experiment), replace(experiment, scan=cupysim.Scan(0.3))):
            np.testing.assert_array_equal(renderer(each).array, simulate(each, backend).array)


def test_batches_are_their_images(experiment: Experiment, backend: str) -> None:
    """Some of them alike, others not."""
    several = variations(experiment)
    several.insert(2, replace(experiment, water=cupysim.Water(1e-6)))
    several[4] = replace(several[4], beam=replace(experiment.beam, fluence=1e20))
    with Renderer(backend) as renderer:
        for found, each in zip(renderer.batch(several), several, strict=True):
            alone = simulate(each, backend)
            np.testing.assert_allclose(found.array, alone.array, rtol=FLOAT32_BITS)
            assert found.experiment is each
            assert found.statistics.maximum == pytest.approx(alone.statistics.maximum)
        assert renderer.batch([]) == []


def test_structure_factors_are_uploaded_once(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cupysim.backends.compiled import host, host_library

    if host_library.problem() is not None:
        pytest.skip("no compiled library")
    uploaded: list[str] = []
    put = host.HostEngine.replace

    def replaced(engine: host.HostEngine, name: str, array: np.ndarray) -> int:
        uploaded.append(name)
        return put(engine, name, array)

    monkeypatch.setattr(host.HostEngine, "replace", replaced)
    with Renderer("host") as renderer:
        for each in variations(experiment):
            renderer(each)
        assert uploaded.count("table") == 1
        if experiment.policy.is_right:
            for each in variations(experiment, 3):
                renderer.gradients(each, "misset")
            # once for images and once for derivatives, which have an engine of their own precision
            assert uploaded.count("table") <= 2


def test_out(experiment: Experiment, backend: str) -> None:
    out = np.full((40, 40), 7.0, dtype=np.float32)
    several = variations(experiment, 3)
    with Renderer(backend) as renderer:
        image = renderer(experiment, out=out)
        assert image.array.base is out or image.array is out
        np.testing.assert_array_equal(out, simulate(experiment, backend).array)
        whole = np.full((3, 40, 40), 7.0, dtype=np.float32)
        renderer.batch(several, out=whole)
        for found, each in zip(whole, several, strict=True):
            np.testing.assert_allclose(found, simulate(each, backend).array, rtol=FLOAT32_BITS)
        # not alike, so that a group is not one run of the array
        mixed = [several[0], replace(several[1], water=cupysim.Water(1e-6)), several[2]]
        renderer.batch(mixed, out=whole)
        for found, each in zip(whole, mixed, strict=True):
            np.testing.assert_allclose(found, simulate(each, backend).array, rtol=FLOAT32_BITS)
        for wrong in (
            np.zeros((40, 41), np.float32),
            np.zeros((40, 40)),
            np.zeros((40, 80), np.float32)[:, ::2],
            [[0.0]],
        ):
            with pytest.raises(CupysimError, match=r"^out: expected a contiguous"):
                renderer(experiment, out=wrong)


def test_gradients_are_those_of_render_gradients(backend: str) -> None:
    experiment = from_args(f"{WORDS} -oversample 1 -corrected")
    expected = render_gradients(experiment, "misset, distance", backend)
    with Renderer(backend) as renderer:
        found = renderer.gradients(experiment, "misset, distance")
        np.testing.assert_array_equal(found.values, expected.values)
        image = renderer(experiment, gradients="misset")
        np.testing.assert_array_equal(image.gradients["misset"], expected["misset"])


def test_threads_take_turns(experiment: Experiment) -> None:
    several = variations(experiment, 8)
    expected = [simulate(each).array for each in several]
    found: list[np.ndarray | None] = [None] * len(several)
    with Renderer() as renderer:

        def work(place: int) -> None:
            found[place] = renderer(several[place]).array

        threads = [threading.Thread(target=work, args=(place,)) for place in range(len(several))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    np.testing.assert_array_equal(found, expected)


def test_an_observer_cannot_use_its_renderer(experiment: Experiment) -> None:
    class Meddler(Observer):
        def pixels_done(self, _: int) -> None:
            renderer(experiment)

    with Renderer() as renderer:
        with pytest.raises(CupysimError, match="cannot be called while it renders"):
            renderer(experiment, observer=Meddler())
        # and it still works
        assert renderer(experiment).array.any()


def test_closed_renderers_say_so(experiment: Experiment) -> None:
    renderer = Renderer()
    renderer.close()
    for call in (renderer, lambda each: renderer.batch([each])):
        with pytest.raises(CupysimError, match="this renderer is closed"):
            call(experiment)
    renderer.close()


def test_what_is_not_possible(experiment: Experiment) -> None:
    with Renderer("numpy") as renderer:
        with pytest.raises(CupysimError, match="the numpy backend has no device; use cuda"):
            renderer(experiment, device_arrays=True)
        with pytest.raises(CupysimError, match="expected an Experiment, got a str"):
            renderer("-cell 100")  # type: ignore[arg-type]
        other = replace(experiment, detector=replace(experiment.detector, n_fast=41))
        with pytest.raises(CupysimError, match="detectors of different sizes"):
            renderer.batch([experiment, other], out=np.zeros((2, 40, 40), np.float32))
    with pytest.raises(CupysimError, match="backend 'tpu'"):
        Renderer("tpu")
    with pytest.raises(CupysimError, match="precision 'half'"):
        Renderer(precision="half")


def test_a_batch_warns_once() -> None:
    experiment = from_args(f"{WORDS} -oversample 1 -osc 1 -phisteps 3")
    with Renderer() as renderer, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        renderer.batch(variations(experiment))
    numbers = [each.message.number for each in caught if isinstance(each.message, QuirkWarning)]
    assert numbers.count(3) == 1
