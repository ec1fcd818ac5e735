"""Derivatives with compiled kernels: the part that the cuda and the host backend have in common.

Bands, parts and several devices work as for images (`cupysim.backends.compiled.bands`). Between the
launches of a band, a pixel's columns are kept, or its list of structure factors. Columns are the
derivatives with respect to the intermediates through which all parameters act
(`cuda_src/gradient.cuh`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from cupysim.backends.compiled import bands
from cupysim.backends.compiled.batch import listed
from cupysim.backends.compiled.device_tables import Same
from cupysim.backends.compiled.engine import Engine
from cupysim.backends.compiled.records import (
    matrix_records,
    source_change_records,
    strain_records,
)
from cupysim.backends.compiled.spans import Span
from cupysim.backends.compiled.variants import Factors, Precision, Variant
from cupysim.backends.compiled.worker import BandWorker, Piece
from cupysim.backends.derivatives import Gradients
from cupysim.backends.factor_derivatives import FactorSums
from cupysim.backends.rendered import Observer
from cupysim.plan.gradient_columns import (
    AXES,
    COLUMNS,
    FORMS,
    INDICES,
    ORIGIN,
    PHOTONS,
    SIZES,
    SPREAD,
    WAVELENGTH,
)
from cupysim.plan.gradient_plan import GradientPlan

GROUP_BITS = (
    (1, INDICES, ORIGIN),
    (2, ORIGIN, WAVELENGTH),
    (4, AXES, WAVELENGTH),
    (8, WAVELENGTH, SIZES),
    (16, SIZES, SPREAD),
    (32, SPREAD, PHOTONS),
    (64, FORMS, COLUMNS),
)
"""The kernel's groups of columns: bit, first column, and the column after the last."""

SLOWNESS = 4
"""First guess of how many times slower derivatives are than an image."""

FIRST_CAPACITY = {Factors.NEAREST: 8, Factors.TRICUBIC: 128}
"""Number of structure factors for which a pixel's list has room at first."""

BAND_BYTES = 2**28
"""Largest size of a band's results (bytes)."""


@dataclass
class _Sink:
    """Where results are written: derivatives by pixel number, and sums for structure factors.

    The last row of `values` holds the photons.
    """

    values: Any
    sums: FactorSums | None


def describe_derivatives(
    launch: np.ndarray, engine: Engine, gradient_plan: GradientPlan, panel: int
) -> None:
    """Tell a launch the parameters, and the columns that they need.

    Parameters
    ----------
    launch : ndarray of ``Launch``
        Launch to fill. The results have a row for each parameter, and a last one for photons.
    engine : Engine
        Device of the launch.
    gradient_plan : GradientPlan
        Plan of the derivatives.
    panel : int
        Number of the panel.
    """
    rows = np.vstack([gradient_plan.rows[panel], np.eye(COLUMNS)[PHOTONS]])
    used = rows != 0.0
    first = np.argmax(used, axis=1)
    last = COLUMNS - np.argmax(used[:, ::-1], axis=1)
    ranges = np.where(used.any(axis=1)[:, None], np.stack([first, last], axis=1), 0)
    launch["n_parameters"] = len(rows)
    launch["groups"] = sum(bit for bit, low, high in GROUP_BITS if used[:, low:high].any())
    for name, array in (
        ("parameters", np.ascontiguousarray(rows)),
        ("parameter_columns", np.ascontiguousarray(ranges, dtype=np.int64)),
        ("source_changes", source_change_records(gradient_plan)),
    ):
        launch[name] = engine.replace(name, array)


def domain_derivatives(
    launch: np.ndarray, engine: Engine, gradient_plan: GradientPlan, first: int, last: int
) -> None:
    """Give a launch the strains of the domains, and derivatives of their cell vectors.

    The derivatives are those with respect to the spreads.

    Parameters
    ----------
    launch : ndarray of ``Launch``
        Launch to fill.
    engine : Engine
        Device of the launch.
    gradient_plan : GradientPlan
        Plan of the derivatives.
    first, last : int
        Numbers of the first orientation, and of the one after the last.
    """
    domains = gradient_plan.domains
    launch["n_strained"] = len(domains.strains)
    launch["strains"] = engine.tables.address(
        engine.replace, "strains", Same(gradient_plan), lambda: strain_records(domains.strains)
    )
    if not gradient_plan.rows[..., SPREAD:PHOTONS].any():
        return
    launch["n_spreads"] = domains.n_spreads
    launch["matrix_derivatives"] = engine.tables.address(
        engine.replace,
        "matrix_derivatives",
        (Same(gradient_plan), first, last),
        lambda: np.stack(
            [
                matrix_records(of_spread, Precision.DOUBLE)
                for of_spread in domains.cell_slopes(
                    gradient_plan.plan.crystals, np.arange(first, last)
                )
            ],
            axis=1,
        ),
    )


class _GradientWorker(BandWorker):
    """Differentiates parts of an image on one engine."""

    def __init__(
        self,
        engine: Engine,
        gradient_plan: GradientPlan,
        panel: int,
        numbers: np.ndarray | None,
    ) -> None:
        super().__init__(engine, gradient_plan.plan, (0, panel), numbers)
        self.rate /= SLOWNESS
        self.gradient_plan = gradient_plan
        plan = gradient_plan.plan
        self._first_of_panel = panel * plan.shape[2] * plan.shape[3]
        describe_derivatives(self._base, engine, gradient_plan, panel)

    def band_size(self, span_list: list[Span], slowness: int = 1) -> int:
        """Number of pixels of a band, limited by its duration and the size of its results."""
        size = super().band_size(span_list, slowness)
        per_pixel = 8 * (COLUMNS + int(self._base["n_parameters"]))
        return max(1, min(size, BAND_BYTES // per_pixel))

    def render_band(self, piece: Piece, sink: Any) -> float:
        """Differentiate some pixels completely."""
        launch = self._launch(piece.first, piece.count)
        numbers = self.number(piece.first), self.number(piece.first + piece.count - 1)
        in_parts = len(list(islice(self._parts(piece), 2))) > 1
        self.engine.open_slopes(launch, sink.values, numbers, COLUMNS if in_parts else 0)
        self._carry_out(piece, launch, entries=False)
        self.engine.close_slopes()
        if sink.sums is not None:
            self._collect(piece, sink.sums)
        return 0.0

    def _carry_out(self, piece: Piece, launch: np.ndarray, entries: bool) -> None:
        """Carry out all launches of a band, and measure the speed of the device."""
        with self.timed(piece):
            parts = list(self._parts(piece))
            for number, span in enumerate(parts):
                variant = self._variant(span.interpolate)
                self._set_span(launch, span, variant)
                launch["is_last_part"] = number == len(parts) - 1
                self.engine.differentiate(launch, variant, entries)
                launch["is_first_part"] = False

    def _collect(self, piece: Piece, sums: FactorSums) -> None:
        """Collect derivatives with respect to structure factors.

        Pixels with more structure factors than their lists hold are computed again with longer
        lists.
        """
        interpolate = self.plan.factors.interpolate
        capacity = FIRST_CAPACITY[Factors.TRICUBIC if interpolate else Factors.NEAREST]
        waiting = np.array([self.number(piece.first + place) for place in range(piece.count)])
        while len(waiting):
            most, full = max(1, BAND_BYTES // (16 * capacity)), []
            for first in range(0, len(waiting), most):
                full.append(
                    self._collect_some(waiting[first : first + most], capacity, piece, sums)
                )
            waiting = np.concatenate(full)
            capacity *= 4

    def _collect_some(
        self, numbers: np.ndarray, capacity: int, piece: Piece, sums: FactorSums
    ) -> np.ndarray:
        """Add the entries of some pixels. Returns the numbers of pixels that have too many."""
        count = len(numbers)
        launch = self._launch(0, count)
        launch["numbers"] = self.engine.replace("some", np.ascontiguousarray(numbers))
        launch["capacity"] = capacity
        self.engine.open_results(
            launch,
            {
                "entry_places": np.full((count, capacity), -1, dtype=np.int64),
                "entry_values": np.zeros((count, capacity)),
                "found": np.zeros(count, dtype=np.int64),
            },
        )
        self._carry_out(Piece(0, count, piece.spans), launch, entries=True)
        found = self.engine.close_results()
        full = found["found"] != 0
        self._add(numbers[~full], found["entry_places"][~full], found["entry_values"][~full], sums)
        return numbers[full]

    def _add(
        self, pixels: np.ndarray, places: np.ndarray, values: np.ndarray, sums: FactorSums
    ) -> None:
        """Add the entries of pixels, given by number. Entries of the table's border are dropped."""
        used = places >= 0
        channel, *bordered = np.unravel_index(places[used], self.plan.factors.table.shape)
        # the border holds the default factor, which is no reflection
        hkl = [place - 1 for place in bordered]
        known = np.ones(len(hkl[0]), dtype=bool)
        for place, length in zip(hkl, sums.shape, strict=True):
            known &= (place >= 0) & (place < length)
        inside = [place[known] for place in (channel, *hkl)]
        flat = np.ravel_multi_index(inside, (sums.n_tables, *sums.shape))
        owners = np.broadcast_to(pixels[:, None] + self._first_of_panel, places.shape)
        # the kernel divides its table by the largest entry, and multiplies terms by its square
        values = values[used][known] / self.plan.factors.largest
        sums.add_flat(owners[used][known], flat, values)

    def _set_span(self, launch: np.ndarray, span: Span, variant: Variant) -> None:
        super()._set_span(launch, span, variant)
        first, last = span.first_orientation, span.first_orientation + span.n_orientations
        domain_derivatives(launch, self.engine, self.gradient_plan, first, last)

    def _variant(self, interpolate: bool) -> Variant:
        variant = super()._variant(interpolate)
        return replace(variant, precision=Precision.DOUBLE, running=False)


def differentiate(
    gradient_plan: GradientPlan,
    observer: Observer,
    engines: Sequence[Engine],
    new_array: Callable[[tuple[int, ...], type], Any] = np.zeros,
) -> Gradients:
    """Differentiate an image.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the image and its derivatives.
    observer : Observer
        Receives the progress.
    engines : sequence of Engine
        Devices that share the work.
    new_array : callable, optional
        Makes an array of zeros for the results, from a shape and a type.

    Returns
    -------
    Gradients
        The image in double precision, and its derivatives.

    Raises
    ------
    CupysimError
        If the table of structure factors is too large for the kernel.
    """
    plan = gradient_plan.plan
    bands.check_table(plan)
    _, n_panels, n_slow, n_fast = plan.shape
    values = new_array((n_panels, len(gradient_plan.names) + 1, n_slow * n_fast), np.float64)
    sums = FactorSums(plan, gradient_plan.shares) if gradient_plan.wants_factors else None
    for panel in range(n_panels):
        numbers = listed(plan, panel)
        count = plan.n_region if numbers is None else len(numbers)
        if count:
            workers = [_GradientWorker(engine, gradient_plan, panel, numbers) for engine in engines]
            sink = _Sink(values[panel], sums)
            bands.Panel(plan, panel, list(workers), count).render(sink, observer)
    return Gradients.of_panels(
        gradient_plan, values, structure_factors=None if sums is None else sums.result(1.0)
    )
