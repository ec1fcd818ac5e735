"""What the cuda backend asks of CuPy, with a stand-in for it whose devices are the host library.

On a machine with a GPU, the tests of all backends use the real one.
"""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest

import cupysim.torch
from cupysim.api import from_args
from cupysim.backends.compiled import cuda, cuda_engine, host, host_library
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.derivatives import Gradients
from cupysim.backends.rendered import MadeBy, Observer
from cupysim.errors import CupysimError
from cupysim.plan.gradient_plan import GradientPlan, plan_gradients
from cupysim.plan.joining import add_shots
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from cupysim.provenance import versions
from cupysim.refine.coarse_levels import Level
from cupysim.refine.condensed import Condensed
from cupysim.refine.observation import Observation
from cupysim.refine.problem import TARGETS, Problem
from cupysim.renderer import Renderer
from tests.conftest import INPUTS
from tests.cuda.conftest import MachineMaker
from tests.cuda.stand_in import Machine
from tests.tolerances import FLOAT32_BITS

pytestmark = pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")

CASES = {
    "sweep": "-default_F 10 -osc 1 -phisteps 3 -mosaic 1 -mosaic_dom 40 -dmin 2",
    "table": f"-hkl {INPUTS / 'few.hkl'} -nointerpolate -roi 3 31 5 30",
    "interpolation": f"-hkl {INPUTS / 'few.hkl'} -interpolate",
}


COMMON = "-cell 30 40 50 80 95 100 -N 5 -lambda 1.3 -distance 60 -detpixels 40 -pixel 1 -nodump"


def plan_of(case: str) -> RenderPlan:
    return make_plan(from_args(f"{COMMON} -oversample 2 {CASES[case]}"))


def gradients_of(case: str, names: str) -> GradientPlan:
    words = f"{COMMON} -oversample 2 {CASES[case]} -corrected"
    experiment = from_args(words.replace("-interpolate", "-interpolate -dmin 6"))
    return plan_gradients(experiment, make_plan(experiment), names)


def expected(plan: RenderPlan) -> np.ndarray:
    return host.HostBackend(Precision.DOUBLE, 1).render(plan, Observer()).image


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("devices", [1, 3])
def test_image(case: str, devices: int, machine: MachineMaker) -> None:
    made, plan = machine(devices=devices), plan_of(case)
    rendered = cuda.CudaBackend(Precision.DOUBLE, list(range(devices))).render(plan, Observer())
    reference = host.HostBackend(Precision.DOUBLE, 1).render(plan, Observer())
    np.testing.assert_allclose(rendered.image, reference.image, rtol=FLOAT32_BITS)
    np.testing.assert_allclose(rendered.omega_sum, reference.omega_sum, rtol=1e-12)
    assert rendered.interpolation_stops == reference.interpolation_stops
    assert made.used == [0] * devices, "memory is given back"


def test_several_images_in_one_launch(machine: MachineMaker) -> None:
    made = machine()
    words = f"{COMMON} -oversample 2 -default_F 10 -corrected -roi 3 31 5 30"
    plans = [make_plan(from_args(f"{words} -misset {angle} 0 0")) for angle in (0, 10, 20)]
    rendered = cuda.CudaBackend(Precision.DOUBLE, None).render(add_shots(plans), Observer())
    assert len(made.launches) == 1
    for number, plan in enumerate(plans):
        np.testing.assert_array_equal(rendered.image[number : number + 1], expected(plan))
    assert made.used == [0], "memory is given back"


def test_structure_factors_stay_on_the_device(machine: MachineMaker) -> None:
    """From image to image, as long as they are the same."""
    made, backend = machine(), cuda.CudaBackend(Precision.DOUBLE, None)
    one, other = plan_of("table"), plan_of("table")
    backend.render(one, Observer())
    (engine,) = backend.engines(one, Precision.DOUBLE)
    table, held = engine._kept["table"], made.used[0]
    backend.render(one, Observer())
    assert engine._kept["table"] is table
    assert made.used[0] == held
    image = backend.render(other, Observer()).image
    assert engine._kept["table"] is not table
    del table
    np.testing.assert_array_equal(image, expected(other))
    assert made.used[0] == held


@pytest.mark.parametrize("case", CASES)
def test_images_stay_on_the_device(case: str, machine: MachineMaker) -> None:
    """Nothing of them is copied to the host until somebody asks."""
    made = machine()
    experiment = from_args(f"{COMMON} -oversample 2 {CASES[case]} -corrected")
    with Renderer("cuda") as renderer:
        image = renderer(experiment, device_arrays=True)
        assert made.copied_back == 0
        np.testing.assert_array_equal(image.get(), expected(make_plan(experiment))[0, 0])


def test_a_batch_stays_on_the_device(machine: MachineMaker) -> None:
    made = machine()
    words = f"{COMMON} -oversample 2 -default_F 10 -corrected -roi 3 31 5 30"
    experiments = [from_args(f"{words} -misset {angle} 0 0") for angle in (0, 10, 20)]
    with Renderer("cuda") as renderer:
        images = renderer.batch(experiments, device_arrays=True)
        assert (len(made.launches), made.copied_back) == (1, 0)
        for image, experiment in zip(images.get(), experiments, strict=True):
            np.testing.assert_array_equal(image, expected(make_plan(experiment))[0, 0])


def test_what_computed_it(machine: MachineMaker) -> None:
    """The record of an image names the devices, and versions of CuPy and CUDA."""
    machine(devices=2, ratio=64)
    rendered = cuda.CudaBackend(Precision.MIXED, [0, 1]).render(plan_of("sweep"), Observer())
    assert rendered.made_by == MadeBy("cuda", "pairs", ("Stand-in 0 (0)", "Stand-in 1 (1)"))
    found = versions(rendered.made_by)
    assert (found["cupy"], found["cuda_runtime"], found["cuda_driver"]) == (
        "14.0.0", "13000", "13010",
    )  # fmt: skip


def small_bands(made: Machine, devices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bands be small, and the first of each device wait for those of the others."""
    monkeypatch.setattr(cuda_engine, "SMALLEST_BAND", 20)
    monkeypatch.setattr(cuda_engine, "LARGEST_BAND", 20)
    meeting, met, launch = threading.Barrier(devices, timeout=60), set[int](), made.launch

    def wait(options: tuple[str, ...], record: np.ndarray, n_blocks: int) -> None:
        if "render_block" in " ".join(options) and made.current not in met:
            met.add(made.current)
            meeting.wait()
        launch(options, record, n_blocks)

    monkeypatch.setattr(made, "launch", wait)


def test_devices_share_an_image(machine: MachineMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    made, plan = machine(devices=3), plan_of("sweep")
    small_bands(made, 2, monkeypatch)
    image = cuda.CudaBackend(Precision.DOUBLE, [2, 0]).render(plan, Observer()).image
    np.testing.assert_allclose(image, expected(plan), rtol=FLOAT32_BITS)
    assert {number for number, _ in made.launches} == {0, 2}


@pytest.mark.parametrize("case", CASES)
def test_little_memory(case: str, machine: MachineMaker) -> None:
    plan = plan_of(case)
    made = machine(memory=2**16)
    image = cuda.CudaBackend(Precision.DOUBLE, None).render(plan, Observer()).image
    np.testing.assert_allclose(image, expected(plan), rtol=FLOAT32_BITS)
    assert made.largest_use <= made.memory
    assert len(made.launches) >= 3
    # the image is one; a table which does not fit is another
    assert made.pinned > (1 if plan.factors.table.nbytes > made.memory else 0)


@pytest.mark.parametrize(("ratio", "policy"), [(2, "Mixed"), (32, "Pairs")])
def test_few_float64_units_compute_in_pairs(ratio: int, policy: str, machine: MachineMaker) -> None:
    made = machine(ratio=ratio)
    cuda.CudaBackend(Precision.MIXED, None).render(plan_of("sweep"), Observer())
    blocks = {word for _, options in made.launches for word in options if "render_block" in word}
    assert blocks == {f"-DCUPYSIM_BLOCK=render_block<{policy},SQUARE,CONSTANT,false>"}


@pytest.mark.parametrize(("wanted", "used"), [(None, {0}), ([2, 1], {1, 2})])
def test_small_images_use_one_device_unless_more_are_named(
    wanted: list[int] | None, used: set[int], machine: MachineMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = machine(devices=3)
    small_bands(made, len(used), monkeypatch)
    cuda.CudaBackend(Precision.DOUBLE, wanted).render(plan_of("sweep"), Observer())
    assert {number for number, _ in made.launches} == used


def test_crystals_of_a_million_cells_are_computed_in_double(machine: MachineMaker) -> None:
    made = machine()
    words = (
        "-cell 30 40 50 80 95 100 -Nb 300000 -default_F 1 -lambda 1.3 -detpixels 9 -oversample 1"
    )
    cuda.CudaBackend(Precision.MIXED, None).render(make_plan(from_args(words)), Observer())
    assert all("render_block<Double," in " ".join(options) for _, options in made.launches)


def differentiate(plan: GradientPlan, devices: list[int] | None) -> Gradients:
    return Renderer("cuda", devices=devices).differentiate(plan)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("devices", [1, 3])
def test_gradients(case: str, devices: int, machine: MachineMaker) -> None:
    made = machine(devices=devices)
    names = "misset, cell, distance, rotation, n_cells"
    if case != "sweep":
        names += ", structure_factors"
    plan = gradients_of(case, names)
    found = differentiate(plan, list(range(devices)))
    reference = Renderer("host").differentiate(plan, Observer())
    np.testing.assert_allclose(found.values, reference.values, rtol=1e-12)
    np.testing.assert_allclose(found.photons, reference.photons, rtol=1e-12)
    if found.structure_factors is not None and reference.structure_factors is not None:
        difference = found.structure_factors.matrix - reference.structure_factors.matrix
        assert abs(difference).max() == 0.0
    assert made.used == [0] * devices, "memory is given back"


def test_gradients_stay_on_the_device(machine: MachineMaker) -> None:
    """Nothing of them is copied to the host until somebody asks."""
    experiment = from_args(f"{COMMON} -oversample 2 {CASES['table']} -corrected")
    expected = Renderer("host").gradients(experiment, "misset, distance")
    made = machine(devices=2)
    found = Renderer("cuda").gradients(experiment, "misset, distance", device_arrays=True)
    assert made.copied_back == 0
    np.testing.assert_allclose(found["misset"].get(), expected["misset"], rtol=1e-12)
    np.testing.assert_allclose(found.photons.get(), expected.photons, rtol=1e-12)
    with pytest.raises(CupysimError, match="structure factors are collected on the host"):
        Renderer("cuda").gradients(experiment, "structure_factors", device_arrays=True)
    with pytest.raises(CupysimError, match="the host backend has no device"):
        Renderer("host").gradients(experiment, "misset", device_arrays=True)


def test_torch_leaves_pixels_on_the_device(
    machine: MachineMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    experiment = from_args(f"{COMMON} -oversample 2 {CASES['table']} -corrected")
    expected = Renderer("host").gradients(experiment, "misset")
    made = machine(devices=2)
    monkeypatch.setattr(cupysim.torch, "_gpu_of", lambda _: 1)
    cupysim.torch._renderer.cache_clear()
    shifts = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    image = cupysim.torch.simulate(experiment, "misset, scale", shifts, "cuda")
    image.sum().backward()
    cupysim.torch._renderer.cache_clear()
    assert made.copied_back == 0
    assert {number for number, _ in made.launches} == {1}
    np.testing.assert_allclose(image.detach().numpy(), expected.photons, rtol=1e-12)
    slopes = [expected[name].sum() for name in expected.names]
    np.testing.assert_allclose(shifts.grad.numpy()[:3], slopes, rtol=1e-9)


@pytest.mark.parametrize("target", TARGETS)
def test_a_fit_leaves_pixels_on_the_device(target: str, machine: MachineMaker) -> None:
    """SciPy gets as many numbers for each image as there are parameters, and one more."""
    experiment = from_args(f"{COMMON} -default_F 1000 -nopolar -oversample 1 -corrected")
    counts = Renderer("host").gradients(experiment, "scale").photons
    used = np.ones(counts.shape, dtype=bool)
    names, x = ("misset_x", "scale"), np.array([0.01, 0.2])
    problems = {}
    for place in ("host", "cuda"):
        made = machine() if place == "cuda" else None
        backend = partial(Renderer(place).differentiate, device_arrays=made is not None)
        problem = Problem(experiment, Observation(counts, used), names, target, backend)
        level = Level(experiment, Observation(counts, used), names, backend, 2.0)
        problems[place] = [
            (condensed.residuals(x), condensed.jacobian(x))
            for condensed in (Condensed(problem), Condensed(level))
        ]
        if made is not None:
            # two launches' triangles, products and norms
            assert made.copied_back < 400
            problem.reweigh(x)
            assert isinstance(problem.near.weights, type(problem.near.counts))
    for (found, slopes), (residuals, jacobian) in zip(*problems.values(), strict=True):
        np.testing.assert_allclose(found, residuals, rtol=1e-9)
        np.testing.assert_allclose(slopes, jacobian, rtol=1e-9)


def test_several_devices_share_what_one_alone_keeps(machine: MachineMaker) -> None:
    """Refinement leaves results on a device only where no other one would be idle."""
    machine(devices=2)
    assert not Renderer("cuda").has_one_device
    assert Renderer("cuda", devices=[1]).has_one_device
    assert not Renderer("host").has_one_device


def test_no_memory_at_all(machine: MachineMaker) -> None:
    machine(memory=1000)
    with pytest.raises(CupysimError, match="backend cuda: the device is out of memory"):
        cuda.CudaBackend(Precision.DOUBLE, None).render(plan_of("sweep"), Observer())


def test_a_compiler_which_fails(machine: MachineMaker) -> None:
    machine(compiles=False)
    with pytest.raises(CupysimError, match=r"does not compile: cupysim\.cu\(7\): error: something"):
        cuda.CudaBackend(Precision.DOUBLE, None).render(plan_of("sweep"), Observer())


@pytest.mark.parametrize("wanted", [[3], [-1], [0, 3]])
def test_devices_which_do_not_exist(wanted: list[int], machine: MachineMaker) -> None:
    machine(devices=3)
    with pytest.raises(CupysimError, match=r"device -?\d does not exist; there are 3"):
        cuda.CudaBackend(Precision.DOUBLE, wanted).render(plan_of("sweep"), Observer())
